"""The private directory: where a file is taken to, atomically, before it is removed.

It belongs to outhaul's user alone (0700), lies on the file system of the source, and is held by descriptor. It is
beneath the state directory where that is the same file system, otherwise `.outhaul` in the source itself. Where several
processes work in one source, each has its own in `.outhaul` (`neighbours.py`). An entry is named after its receipt and its
path, so that even without a ledger it tells where it belongs. Nothing in it is ever removed for being old:
`engine/recovery.py` accounts for every entry.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
import threading
from collections.abc import Iterator
from typing import NamedTuple

from outhaul.host.archive import ArchiveFolder
from outhaul.host.neighbours import Holds, abandoned, is_abandoned, is_neighbour, share
from outhaul.host.system_calls import FOLDER_FLAGS, in_range, rename_exclusive, rename_to_own
from outhaul.model.errors import SourceStuck, SourceVanished
from outhaul.model.evidence import Sighting
from outhaul.model.keys import escape, path_of

PRIVATE_NAME = ".outhaul"
_NAME_BYTES_MAX = 255


class Owner(NamedTuple):
    """Who works in a source."""

    name: str
    """Of its own private directory, beneath `.outhaul`; '' where it is alone in the source."""
    holds: Holds


class HostAside:
    """A file that has just been taken aside."""

    __slots__ = ("_archive", "_entry", "_folder", "_name", "_origin", "_path")

    def __init__(
        self, folder: int, entry: str, origin: int, name: str, path: str = "", archive: ArchiveFolder | None = None
    ) -> None:
        self._folder = folder
        self._entry = entry
        self._origin = origin
        self._name = name
        self._path = path
        self._archive = archive

    def is_file(self, sighting: Sighting) -> bool:
        """See `ports.Aside`."""
        try:
            taken = os.stat(self._entry, dir_fd=self._folder, follow_symlinks=False)
        except OSError as error:
            raise SourceStuck(f"it cannot be looked at in the private directory: {error.strerror}") from error
        return (
            stat.S_ISREG(taken.st_mode)
            and (taken.st_dev, taken.st_ino, taken.st_size, in_range(taken.st_mtime_ns))
            == (sighting.device, sighting.inode, sighting.size, sighting.mtime_ns)
        )  # fmt: skip

    def put_back(self) -> bool:
        """See `ports.Aside`."""
        try:
            rename_exclusive(self._folder, self._entry, self._origin, self._name)
        except OSError:
            return False
        return True

    def unlink(self) -> None:
        """See `ports.Aside`."""
        try:
            os.unlink(self._entry, dir_fd=self._folder)
        except OSError as error:
            raise SourceStuck(f"it cannot be removed: {error.strerror}") from error

    def archive(self, sha256: bytes) -> None:
        """See `ports.Aside`."""
        if self._archive is None:
            raise SourceStuck("the job has no archive")
        self._archive.put(self._folder, self._entry, self._path, sha256)
        self.unlink()  # It is in the archive, on disk: this takes away its other name, or what it was copied from.


class PrivateFolders:
    """The private directory of one source, opened when it is first needed."""

    def __init__(
        self, root: int, source: str, state: str, archive: ArchiveFolder | None, owner: Owner, *, keep: bool
    ) -> None:
        self._root = root
        self._own, self._holds = owner
        name = os.path.join("private", hashlib.sha256(os.fsencode(source)).hexdigest()[:16])
        self._beside_ledger = os.path.join(state, name)
        # Where one that was alone in the source had its own: the state of a shard lies in that of the others.
        self._of_others = [os.path.join(above, name) for above in (state, os.path.dirname(state)) if self._own]
        self._archive = archive
        self._keep = keep
        self._folder: int | None = None
        self._outer: int | None = None
        self._inside = False
        self._lock = threading.Lock()

    def take(self, origin: int, directory: str, name: str, receipt: int) -> HostAside:
        """Rename the entry `name` of the directory `origin` into the private directory.

        Raises:
            SourceVanished: there is no such entry.
            SourceStuck: it cannot be renamed, or the archive it is meant for cannot be used.
        """
        path = f"{directory}/{name}" if directory else name
        entry = _entry_name(receipt, path)
        if self._archive is not None:
            self._archive.ready()
        folder = self._opened()
        try:
            rename_to_own(origin, name, folder, entry)
        except FileNotFoundError as error:
            raise SourceVanished("it is not there any more") from error
        except OSError as error:
            if error.errno != errno.EXDEV or self._inside:
                raise SourceStuck(f"it cannot be taken out of its directory: {error.strerror}") from error
            folder = self._opened(inside=True)
            return self.take(origin, directory, name, receipt)
        return HostAside(folder, entry, origin, name, path, self._archive)

    def left(self) -> Iterator[tuple[int, str, int, str]]:
        """What is in the private directories: descriptor, entry, number of the receipt, path ('' where unknown).

        Receipts are numbered by each ledger for itself: for what another process has left the number is 0.

        Raises:
            SourceStuck: one of them cannot be looked into; what is in it is then not accounted for.
        """
        with _told(PRIVATE_NAME), _closing(_folder_or_none(PRIVATE_NAME, self._root)) as outer:
            if outer is None or not self._own:
                yield from _entries(outer, ours=True)
            else:
                yield from self._left_by_us(outer)
                yield from _entries(outer, ours=False)
            for name in abandoned(outer, self._own) if outer is not None else ():
                with _closing(_folder_or_none(name, outer)) as folder:
                    yield from _entries(folder, ours=False, is_held=True)
        for path in self._of_others or [self._beside_ledger]:
            with _told(path), _closing(_folder_or_none(path, None)) as beside:
                yield from _entries(beside, ours=not self._own)

    def _left_by_us(self, outer: int) -> Iterator[tuple[int, str, int, str]]:
        with _closing(_folder_or_none(self._own, outer)) as ours:
            if ours is not None:
                self._opened(inside=True)  # It is held from now on.
            yield from _entries(ours, ours=True)

    def put_back(self, folder: int, entry: str, target: int, name: str) -> bool:
        """Return an entry to a directory; False where its name is taken."""
        return HostAside(folder, entry, target, name).put_back()

    def archive(self, folder: int, entry: str, path: str, sha256: bytes) -> None:
        """As `ports.Aside.archive`, for an entry that was left."""
        HostAside(folder, entry, folder, entry, path, self._archive).archive(sha256)

    def close(self) -> None:
        """Give the descriptors back; for a one-off job take the empty directory away with it."""
        if self._archive is not None:
            self._archive.close()
        found = self._folder is not None
        if self._folder is not None:
            with contextlib.suppress(OSError):
                os.close(self._folder)
            self._folder = None
        if self._outer is not None:
            with contextlib.suppress(OSError):
                self._holds.give_back(self._outer, self._own, remove=not self._keep)
                os.close(self._outer)
            self._outer = None
        if found and not self._keep:
            try:
                if self._inside:
                    os.rmdir(PRIVATE_NAME, dir_fd=self._root)
                else:
                    os.rmdir(self._beside_ledger)
            except OSError:
                return  # Not empty: what is in it is accounted for at the next start.

    def _opened(self, *, inside: bool = False) -> int:
        if self._folder is not None and not (inside and not self._inside):
            return self._folder
        with self._lock:
            if self._folder is None or (inside and not self._inside):
                self._inside = bool(self._own) or inside or not self._same_file_system()
                self._folder = self._make()
            return self._folder

    def _same_file_system(self) -> bool:
        try:
            os.makedirs(self._beside_ledger, mode=0o700, exist_ok=True)
            return os.stat(self._beside_ledger).st_dev == os.fstat(self._root).st_dev
        except OSError:
            return False

    def _make(self) -> int:
        path, root = (PRIVATE_NAME, self._root) if self._inside else (self._beside_ledger, None)
        try:
            if self._own:
                return made_private(self._own, self._held(path, root))
            folder = made_private(path, root)
            share(folder)
            return folder
        except OSError as error:
            raise SourceStuck(f"the private directory {path!r} cannot be used: {error.strerror}") from error

    def _held(self, path: str, root: int | None) -> int:
        """The directory that those of all processes are in; ours is held from now on."""
        if self._outer is None:
            outer = made_private(path, root)
            try:
                self._holds.take(outer, self._own)
            except BaseException:
                os.close(outer)
                raise
            self._outer = outer
        return self._outer


def made_private(path: str, root: int | None) -> int:
    """The descriptor of a directory that is this user's alone, made where it is missing. Raises OSError."""
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, 0o700, dir_fd=root)
    return _open_private(path, root)


@contextlib.contextmanager
def _told(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SourceStuck(f"the private directory {path!r} cannot be used: {error.strerror}") from error


@contextlib.contextmanager
def _closing(folder: int | None) -> Iterator[int | None]:
    try:
        yield folder
    finally:
        if folder is not None:
            with contextlib.suppress(OSError):
                os.close(folder)


def _folder_or_none(path: str, root: int | None) -> int | None:
    """None where there is none: what is no directory is none of ours."""
    try:
        return _open_private(path, root)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return None
        raise


def _entries(folder: int | None, *, ours: bool, is_held: bool = False) -> Iterator[tuple[int, str, int, str]]:
    """What is in one, but for the directories of neighbours.

    Args:
        folder: Its descriptor; None where there is none.
        ours: Whether the numbers in its names are those of our receipts.
        is_held: Whether it is known that nobody else works there.
    """
    entries = [] if folder is None else sorted(entry for entry in os.listdir(folder) if not is_neighbour(entry))
    if folder is None or not entries or not (ours or is_held or is_abandoned(folder)):
        return  # Of a living process. It has receipts for them.
    for entry in entries:
        number, origin = _parse(entry)
        yield folder, entry, number if ours else 0, origin


def _open_private(path: str, root: int | None) -> int:
    folder = os.open(path, FOLDER_FLAGS, dir_fd=root)
    try:
        state = os.fstat(folder)
    except OSError:
        os.close(folder)
        raise
    user, mode = os.geteuid(), stat.S_IMODE(state.st_mode)
    if state.st_uid != user or mode & 0o077:
        os.close(folder)
        is_so = f"it is of user {state.st_uid} with mode {mode:04o}"
        raise PermissionError(
            errno.EPERM, f"it must belong to outhaul's user ({user}) alone, with mode 0700; {is_so}", path
        )
    return folder


def _entry_name(receipt: int, path: str) -> str:
    entry = f"{receipt}-{escape(path).replace('/', '%2F')}"
    short = len(entry) * 4 <= _NAME_BYTES_MAX or len(entry.encode()) <= _NAME_BYTES_MAX
    return entry if short else f"{receipt}-"


def _parse(entry: str) -> tuple[int, str]:
    number, _, path = entry.partition("-")
    try:
        return int(number), path_of(path.replace("%2F", "/"))
    except ValueError:
        return 0, ""
