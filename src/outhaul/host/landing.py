"""The directory that files are restored to, held by one descriptor: the real `Landing`.

True here: every directory beneath is opened from that descriptor with no link on the way, and a file gets its name in an open
directory, by a call that follows nothing and, unless it is told to, replaces nothing. So whoever can write in
the directory, even while files come in, cannot lead one of them out of it (threat T13). A file has no name, or where
the file system knows no such thing a temporary one, until it is whole and on disk; what a killed process left under such a
name is removed (`leftovers.py`). Directories are made durable by whoever calls `sync`, once for many files. Not done here:
deciding anything, or looking at what the bytes are.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import stat
from collections.abc import Iterator, Sequence
from typing import Protocol

from outhaul.host import leftovers
from outhaul.host.syncing import SharedSync, syncs_file_systems
from outhaul.host.system_calls import FOLDER_FLAGS, open_folder_beneath, rename_exclusive
from outhaul.model.errors import InTheWay, LandingError, NameRefused, NoRoom, NotWritten, Taken
from outhaul.model.returning import refusal

_FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NO_NAMELESS = (errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL)
_IN_THE_WAY = (errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.ENXIO, errno.ENODEV, errno.EXDEV)
_NO_NAME = (errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL)
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
_CHUNK = 1 << 20
_MODE_BITS = 0o777
"""No setuid, setgid or sticky bit: whoever could write to a ledger could else have a privileged program made."""
_MANY = 4
"""From here on one sync of the file system is quicker than one of each file (measured: 4 to 8 times with 32 of 4 KiB)."""
_SWEPT_MAX = 4096


def landing_error(error: OSError, what: str = "") -> LandingError:
    """The system's error in our terms; `what` stands in front of it."""
    said = what + (error.strerror or str(error))
    if error.errno in _IN_THE_WAY:
        return InTheWay(said)
    if error.errno in _NO_ROOM:
        return NoRoom(said)
    return NameRefused(said) if error.errno in _NO_NAME else NotWritten(said)


@contextlib.contextmanager
def _faults(what: str = "") -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise landing_error(error, what) from error


class Written(Protocol):
    """What has a descriptor."""

    @property
    def descriptor(self) -> int:
        """It."""


class HostLanding:
    """One directory of this machine; it is made where it is missing. Used as a context manager.

    Raises:
        LandingError: it cannot be made or opened.
    """

    def __init__(self, directory: str, *, make: bool = True) -> None:
        with _faults(f"{directory}: "):
            if make:
                os.makedirs(directory, exist_ok=True)
            # That one may itself be a link: whoever runs the command has named it.
            self._root = (
                os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC) if os.path.isdir(directory) else -1
            )
            if make and self._root < 0:
                raise NotADirectoryError(errno.ENOTDIR, "it is not a directory")
            self._shared = SharedSync(self._root) if make and syncs_file_systems() else None
            self.folds_case = make and _folds_case(self._root)
        self._swept: set[str] = set()

    def __enter__(self) -> HostLanding:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._root >= 0:
            os.close(self._root)

    def folder(self, directory: str, *, make: bool) -> HostLandingFolder | None:
        """See `stages.restore.Landing`."""
        if directory:
            _refuse(directory)
        if self._root < 0:
            return None
        with _faults():
            try:
                descriptor = open_folder_beneath(self._root, directory)
            except FileNotFoundError:
                return HostLandingFolder(self._make(directory)) if make else None
        if make and directory not in self._swept:
            leftovers.remove(descriptor)
            if len(self._swept) >= _SWEPT_MAX:
                self._swept.clear()
            self._swept.add(directory)
        return HostLandingFolder(descriptor)

    def sync(self, written: Sequence[Written]) -> None:
        """See `stages.restore.Landing`. Many at a time are one sync of the file system, where it tells of errors."""
        with _faults():
            shared = self._shared if len(written) >= _MANY else None
            if shared is not None and all(os.fstat(one.descriptor).st_dev == shared.device for one in written):
                shared.sync()
                return
            for one in written:
                os.fsync(one.descriptor)

    def _make(self, directory: str) -> int:
        """Make a directory and what is above it, each durable in its parent before it is used."""
        above, _, name = directory.rpartition("/")
        try:
            parent = open_folder_beneath(self._root, above)
        except FileNotFoundError:
            parent = self._make(above)
        try:
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, dir_fd=parent)
                os.fsync(parent)
            return os.open(name, FOLDER_FLAGS, dir_fd=parent)
        finally:
            os.close(parent)


class HostLandingFolder:
    """One open directory beneath it."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def __enter__(self) -> HostLandingFolder:
        return self

    def __exit__(self, *exception: object) -> None:
        os.close(self.descriptor)

    def existing(self, name: str) -> HostExisting | None:
        """See `stages.restore.LandingFolder`."""
        _refuse(name)
        with _faults():
            try:
                descriptor = os.open(name, _FILE_FLAGS, dir_fd=self.descriptor)
            except FileNotFoundError:
                return None
        try:
            return HostExisting(descriptor)
        except LandingError:
            os.close(descriptor)
            raise

    def create(self, mode: int | None = None) -> HostNewFile:
        """See `stages.restore.LandingFolder`."""
        return HostNewFile(self.descriptor, None if mode is None else mode & _MODE_BITS)


class HostExisting:
    """A file that is there already."""

    def __init__(self, descriptor: int) -> None:
        with _faults():
            seen = os.fstat(descriptor)
        if not stat.S_ISREG(seen.st_mode):
            raise InTheWay("it is no regular file")
        self._descriptor = descriptor
        self.size = seen.st_size
        self.mtime_ns = seen.st_mtime_ns

    def __enter__(self) -> HostExisting:
        return self

    def __exit__(self, *exception: object) -> None:
        os.close(self._descriptor)

    def chunks(self) -> Iterator[bytes]:
        """See `stages.restore.Existing`."""
        with _faults():
            while data := os.read(self._descriptor, _CHUNK):
                yield data


class HostNewFile:
    """A file that is being written. It vanishes with its descriptor, or is unlinked by its temporary name.

    One whose mode is known is its owner's alone until it is whole: a secret is never open to others on its way, nor can anybody
    hold it open for writing when it is named.
    """

    def __init__(self, folder: int, mode: int | None) -> None:
        self._folder = folder
        self._mode = mode
        self._temporary = ""
        with _faults():
            self.descriptor = self._open()

    def __enter__(self) -> HostNewFile:
        return self

    def __exit__(self, *exception: object) -> None:
        with contextlib.suppress(OSError):
            os.close(self.descriptor)
        if self._temporary:
            self._drop()

    def write(self, data: bytes) -> None:
        """See `stages.restore.NewFile`."""
        with _faults():
            view = memoryview(data)
            while view:
                view = view[os.write(self.descriptor, view) :]

    def name(self, name: str, mtime_ns: int | None, *, replace: bool) -> None:
        """See `stages.restore.NewFile`. Mode and time are set here, and durable no later than the name."""
        _refuse(name)
        with _faults():
            if self._mode is not None:
                os.fchmod(self.descriptor, self._mode)
            if mtime_ns is not None:
                os.utime(self.descriptor, ns=(mtime_ns, mtime_ns))
            try:
                self._replace(name) if replace else self._place(name)
            except FileExistsError as error:
                raise Taken("something of this name has appeared meanwhile") from error

    def _open(self) -> int:
        first = 0o644 if self._mode is None else 0o600
        if hasattr(os, "O_TMPFILE") and _has_descriptors_by_path():
            try:
                return os.open(".", os.O_WRONLY | os.O_TMPFILE | os.O_CLOEXEC, first, dir_fd=self._folder)
            except OSError as error:
                if error.errno not in _NO_NAMELESS:
                    raise
        self._temporary, descriptor = leftovers.create(self._folder, os.O_WRONLY, first)
        return descriptor

    def _place(self, name: str) -> None:
        """Give it its name, where that is free."""
        if self._temporary:
            rename_exclusive(self._folder, self._temporary, self._folder, name)
            self._temporary = ""
        else:
            self._link(name)

    def _replace(self, name: str) -> None:
        """Take the place of the file of that name, at once: a rename follows no link, and replaces no directory."""
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISREG(os.stat(name, dir_fd=self._folder, follow_symlinks=False).st_mode):
                raise InTheWay("it is no regular file")
        if not self._temporary:
            leftovers.hold(self.descriptor)
            self._temporary = self._link_anyhow()
        os.rename(self._temporary, name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        self._temporary = ""

    def _link_anyhow(self) -> str:
        while True:
            name = leftovers.temporary_name()
            with contextlib.suppress(FileExistsError):  # Of an earlier process of this number.
                self._link(name)
                return name

    def _link(self, name: str) -> None:
        os.link(f"/proc/self/fd/{self.descriptor}", name, dst_dir_fd=self._folder, follow_symlinks=True)

    def _drop(self) -> None:
        with contextlib.suppress(OSError):
            os.unlink(self._temporary, dir_fd=self._folder)


@functools.cache
def _has_descriptors_by_path() -> bool:
    """Whether a file without a name can be given one (open(2), "O_TMPFILE"). Asked once, not for each file."""
    return os.path.isdir("/proc/self/fd")


def _refuse(path: str) -> None:
    """What nobody should have asked for: openat2 would refuse it in a path, but a name is not resolved by it."""
    if why := refusal(path):
        raise NameRefused(why)


def _folds_case(root: int) -> bool:
    """Whether the file system takes names that differ only by case for one; tried with a directory of our own."""
    name = f"{leftovers.temporary_name()}-a"
    try:
        os.mkdir(name, 0o700, dir_fd=root)
    except OSError:
        return False  # Nothing can be written here; the first file says why.
    try:
        os.stat(name.upper(), dir_fd=root, follow_symlinks=False)
    except OSError:
        return False
    else:
        return True
    finally:
        with contextlib.suppress(OSError):
            os.rmdir(name, dir_fd=root)
