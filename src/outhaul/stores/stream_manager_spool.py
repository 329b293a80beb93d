"""The bytes that the Stream Manager is to send, in files of their own beneath the state directory.

True here: what is sent is what was read and digested, whatever becomes of the source meanwhile. A task whose file has been
withdrawn cannot begin any more. One that was under way at that moment might still end: so other bytes do not go to its
key until the Stream Manager has said that it is over, or for `DOUBT_NS`, which is three times as long as the Stream Manager
waits between two attempts (AWS, "Export configurations": up to five minutes), or until the machine has been started anew.

Nothing of it outlives its use but that doubt: a process that was killed leaves files, and the next one withdraws them.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple
from urllib.parse import quote

from outhaul.model.errors import Transient
from outhaul.ports import Moment

DOUBT_NS = 15 * 60 * 10**9
_SPARE_BYTES = 1 << 20
_WITHDRAWN = ".withdrawn"
_UNFINISHED = ".unfinished"


class NoRoom(Exception):
    """The file system of the state directory is full."""


class Spooled(NamedTuple):
    """A file of the spool."""

    name: str
    url: str
    """Percent-encoded (RFC 3986): nothing in the path of the state directory means anything but itself."""
    length: int


class Spool:
    """The files of one job. One process has it at a time: the lock of the state directory sees to that.

    Raises:
        Transient: the directory cannot be used.
    """

    def __init__(self, directory: str, moment: Callable[[], Moment]) -> None:
        self._directory = os.path.abspath(directory)
        self._moment = moment
        with _told("made"):
            os.makedirs(self._directory, mode=0o700, exist_ok=True)
            self._folder = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            weakref.finalize(self, os.close, self._folder)
            for name in os.listdir(self._folder):
                self._clear_up(name)

    def write(self, key: str, chunks: Iterable[bytes]) -> Spooled:
        """A new file of these bytes, for this key.

        Raises:
            NoRoom: there is none for it.
            Transient: it cannot be written.
        """
        unfinished = secrets.token_hex(8) + _UNFINISHED
        digest, length = hashlib.sha256(), 0
        try:
            with _told("written"), open(unfinished, "xb", opener=self._opened) as file:
                for chunk in chunks:
                    file.write(chunk)
                    digest.update(chunk)
                    length += len(chunk)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(unfinished, dir_fd=self._folder)
            raise
        name = f"{_of(key)}-{digest.hexdigest()[:16]}-{secrets.token_hex(8)}"
        with _told("written"):
            os.rename(unfinished, name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        return Spooled(name, "file://" + quote(os.fsencode(os.path.join(self._directory, name))), length)

    def has_room(self, length: int) -> bool:
        """Whether a file of so many bytes fits, as far as can be told."""
        with _told("looked at"):
            found = os.statvfs(self._folder)
            return found.f_bavail * found.f_frsize > length + _SPARE_BYTES

    def over(self, name: str) -> None:
        """The Stream Manager is done with this file, and will not come back to it."""
        for each in (name, name + _WITHDRAWN):
            with contextlib.suppress(FileNotFoundError), _told("removed"):
                os.unlink(each, dir_fd=self._folder)

    def withdraw(self, name: str) -> None:
        """Nobody waits for this file any more, and whether it is being sent is not known.

        Its bytes stay as they are for whoever has it open: what might still come to be is the object that was meant.
        """
        now = self._moment()
        with _told("withdrawn"):
            # The target of a link is the record: it is there whole or not at all, and takes no block of a full disk.
            with contextlib.suppress(FileExistsError):
                os.symlink(f"{now.boot_id} {now.boot_ns}", name + _WITHDRAWN, dir_fd=self._folder)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name, dir_fd=self._folder)

    def doubtful(self, key: str, sha256: bytes | None) -> bool:
        """Whether other bytes than these (None: any) may still be on their way to this key."""
        with _told("looked at"):
            names = [name for name in os.listdir(self._folder) if name.startswith(f"{_of(key)}-")]
        ours = f"{_of(key)}-{sha256.hex()[:16]}-" if sha256 is not None else "-"
        return any(not name.startswith(ours) and self._is_open(name) for name in names)

    def _clear_up(self, name: str) -> None:
        if name.endswith(_UNFINISHED) or (name.endswith(_WITHDRAWN) and not self._is_open(name)):
            os.unlink(name, dir_fd=self._folder)
        elif not name.endswith(_WITHDRAWN):
            self.withdraw(name)

    def _is_open(self, name: str) -> bool:
        if not name.endswith(_WITHDRAWN):
            return True
        try:
            boot, _, since = os.readlink(name, dir_fd=self._folder).partition(" ")
        except OSError:
            return False
        now = self._moment()
        return boot == now.boot_id and now.boot_ns - int(since) < DOUBT_NS

    def _opened(self, name: str, flags: int) -> int:
        return os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=self._folder)


def _of(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:32]


@contextlib.contextmanager
def _told(done: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise NoRoom from error
        raise Transient(f"the spool for the Stream Manager cannot be {done}: {error.strerror}") from error
