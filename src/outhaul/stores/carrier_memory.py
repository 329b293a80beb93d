"""What a carrier remembers of large uploads that it has begun: one file for each, in its own state directory, never on a stick.

A hint, as for a large file of a device: it is on disk before the first part is sent, so that a carrier that died goes on, and no
parts are paid for that nobody knows of. Each file is whole or not there, and names what it is of by a digest, so several
carriers may share the directory. What cannot be read is no hint.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from typing import NamedTuple

from outhaul.model.errors import LedgerError
from outhaul.model.keys import is_key_of
from outhaul.model.stick import Offer
from outhaul.ports import Begun

_SUFFIX, _UNFINISHED = ".upload", ".new"
_BYTES_MAX = 64 << 10
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC


class Left(NamedTuple):
    """An upload that was begun, and of which no end is known."""

    name: str
    begun_ns: int
    """Wall clock, nanoseconds since 1970."""
    begun: Begun


class CarrierMemory:
    """The directory `carrying` of a state directory.

    Args:
        state: The state directory; it is made when the first upload begins.
        endpoint: Of the store, as this carrier reaches it.
        bucket: Its bucket.

    Raises:
        LedgerError: by every method that writes, where that cannot be done.
    """

    def __init__(self, state: str, endpoint: str, bucket: str) -> None:
        self._directory = os.path.join(state, "carrying")
        self._endpoint, self._bucket = endpoint, bucket

    def of(self, offer: Offer) -> Begun | None:
        """See `ports.stick.CarrierMemory`."""
        left = self._read(self._name(offer))
        return left.begun if left is not None and is_key_of(left.begun.key, offer.key) else None

    def began(self, offer: Offer, begun: Begun, now_ns: int) -> None:
        """See `ports.stick.CarrierMemory`."""
        said = {"endpoint": self._endpoint, "bucket": self._bucket, "begun_ns": now_ns, **begun._asdict()}
        self._write(self._name(offer), json.dumps(said).encode())

    def ended(self, offer: Offer) -> None:
        """See `ports.stick.CarrierMemory`."""
        self._remove(self._name(offer))

    def left(self) -> Iterator[Left]:
        """Every upload to this bucket that was begun, and of which no end is known; none where that cannot be read."""
        names: list[str] = []
        with contextlib.suppress(OSError), self._folder() as folder:
            names = sorted(os.listdir(folder))
        for name in names:
            if name.endswith(_SUFFIX) and (found := self._read(name)) is not None:
                yield found

    def forget(self, left: Left) -> None:
        """It has been abandoned."""
        self._remove(left.name)

    def _name(self, offer: Offer) -> str:
        """The same bytes for the same key go on with the same upload, whichever stick they come on."""
        told = repr((self._endpoint, self._bucket, offer.key, offer.length, offer.sha256, offer.settings))
        return hashlib.sha256(told.encode()).hexdigest() + _SUFFIX

    def _read(self, name: str) -> Left | None:
        """None where there is none, or one of another bucket, or nothing that can be read."""
        try:
            with self._folder() as folder, open(os.open(name, _READ, dir_fd=folder), "rb") as file:
                said = json.loads(file.read(_BYTES_MAX))
            if (said["endpoint"], said["bucket"]) != (self._endpoint, self._bucket):
                return None
            begun = Begun(str(said["key"]), str(said["upload"]), int(said["part_bytes"]))
            return Left(name, int(said["begun_ns"]), begun) if begun.part_bytes > 0 else None
        except (OSError, ValueError, LookupError, TypeError):
            return None

    def _write(self, name: str, text: bytes) -> None:
        unfinished = f"{name}.{os.getpid()}{_UNFINISHED}"
        try:
            os.makedirs(self._directory, mode=0o700, exist_ok=True)
            with self._folder() as folder:
                with open(os.open(unfinished, _NEW, 0o600, dir_fd=folder), "wb") as file:
                    file.write(text)
                    file.flush()
                    os.fsync(file.fileno())
                os.rename(unfinished, name, src_dir_fd=folder, dst_dir_fd=folder)
                os.fsync(folder)
        except OSError as error:
            raise LedgerError(f"{self._directory}: {error.strerror}; --state names another place for it") from error

    def _remove(self, name: str) -> None:
        try:
            with contextlib.suppress(FileNotFoundError), self._folder() as folder:
                os.unlink(name, dir_fd=folder)
        except OSError as error:
            raise LedgerError(f"{self._directory}: {error.strerror}") from error

    @contextlib.contextmanager
    def _folder(self) -> Iterator[int]:
        folder = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            yield folder
        finally:
            os.close(folder)
