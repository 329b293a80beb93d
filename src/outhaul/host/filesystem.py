"""The machine's own files, held by descriptors: the real `FileSystem`.

True here: the source is opened once; every directory beneath it is opened from that descriptor with no link on the
way; every file is opened from its directory's descriptor and read, looked at and leased through its own. No path is
ever resolved a second time, so nobody who can write in the tree can lead outhaul out of it (laws L1 and L6).
Not done here: deciding anything. What may be removed is the business of `stages/dispose.py`.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from functools import partial

from outhaul.host.archive import ArchiveFolder
from outhaul.host.neighbours import Holds
from outhaul.host.private import PRIVATE_NAME, HostAside, Owner, PrivateFolders
from outhaul.host.space import space
from outhaul.host.system_calls import (
    FOLDER_FLAGS,
    in_range,
    lease_holds,
    look,
    open_folder_beneath,
    release_lease,
    survive_lease_breaks,
    take_read_lease,
)
from outhaul.host.writers import open_for_writing
from outhaul.model.errors import (
    SourceChanged,
    SourceError,
    SourceInUse,
    SourceNotRegular,
    SourceShared,
    SourceUnreadable,
    SourceVanished,
)
from outhaul.model.evidence import Sighting
from outhaul.model.job import Job
from outhaul.ports import Aside, Codec, LeftAside, Listing, Space

_FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_ENTRIES_PER_LISTING = 1024
_CHUNK = 1 << 20
_GONE = (errno.ENOENT, errno.ESTALE)
_NOT_REGULAR = (errno.ELOOP, errno.ENOTDIR, errno.ENXIO, errno.EISDIR, errno.ENODEV)


def source_error(error: OSError) -> SourceError:
    """The system's error in our terms."""
    if error.errno in _GONE:
        return SourceVanished("it is not there any more")
    if error.errno in _NOT_REGULAR:
        return SourceNotRegular("it is not a regular file, or a link stands on the way to it")
    return SourceUnreadable(error.strerror or str(error))


def close_read(descriptor: int) -> None:
    """Close what was only read: an error tells of nothing that was written, and the descriptor is gone either way."""
    try:
        os.close(descriptor)
    except OSError:
        return


def _state_of(folder: int) -> os.stat_result:
    """The state of a directory that has just been opened; it is closed again where there is none."""
    try:
        return os.fstat(folder)
    except OSError as error:
        close_read(folder)
        raise source_error(error) from error


class HostFile:
    """One open regular file."""

    __slots__ = ("_descriptor", "_leased", "mode", "sighting")

    def __init__(self, descriptor: int, sighting: Sighting, mode: int) -> None:
        self._descriptor = descriptor
        self._leased = False
        self.sighting = sighting
        self.mode = mode

    def __enter__(self) -> HostFile:
        return self

    def __exit__(self, *exception: object) -> None:
        close_read(self._descriptor)  # This ends a lease, too.

    def unchanged(self) -> bool:
        """See `ports.OpenFile`."""
        try:
            now, then = os.fstat(self._descriptor), self.sighting
        except OSError as error:
            raise source_error(error) from error
        times = in_range(now.st_mtime_ns), in_range(now.st_ctime_ns)
        return (*times, now.st_size) == (then.mtime_ns, then.ctime_ns, then.size)

    def pread(self, length: int, offset: int) -> bytes:
        """Exactly these bytes, however many calls it takes."""
        try:
            data = os.pread(self._descriptor, length, offset)
            if len(data) == length:
                return data
            parts = [data]
            while data and (length := length - len(data)) > 0:
                offset += len(data)
                data = os.pread(self._descriptor, length, offset)
                parts.append(data)
        except OSError as error:
            raise source_error(error) from error
        if length > 0 and not data:
            raise SourceChanged("it became shorter while it was read")
        return b"".join(parts)

    def digest(self) -> bytes:
        """SHA-256 of everything up to the end."""
        digest, offset = hashlib.sha256(), 0
        try:
            while data := os.pread(self._descriptor, _CHUNK, offset):
                digest.update(data)
                offset += len(data)
        except OSError as error:
            raise source_error(error) from error
        return digest.digest()

    def check_writers(self) -> bool:
        """See `ports.OpenFile`."""
        known = self.take_lease()
        if self._leased:
            try:
                release_lease(self._descriptor)
            except OSError as error:
                raise source_error(error) from error
            self._leased = False
        return known

    def take_lease(self) -> bool:
        """See `ports.OpenFile`."""
        answer = take_read_lease(self._descriptor)
        self._leased = answer is True
        if answer is None:
            writing = open_for_writing(self.sighting.device, self.sighting.inode)
            answer = None if writing is None else not writing
        if answer is False:
            raise SourceInUse
        return answer is True

    def lease_holds(self) -> bool:
        """See `ports.OpenFile`. What the kernel does not say does not hold."""
        try:
            return not self._leased or lease_holds(self._descriptor)
        except OSError:
            return False


class HostFolder:
    """One open directory of a source."""

    __slots__ = ("_descriptor", "_directory", "_guarded", "_owner", "_private")

    def __init__(self, descriptor: int, directory: str, private: PrivateFolders) -> None:
        self._descriptor = descriptor
        self._directory = directory
        self._private = private
        state = _state_of(descriptor)
        self._owner = state.st_uid
        self._guarded = not state.st_mode & stat.S_IWOTH

    def __enter__(self) -> HostFolder:
        return self

    def __exit__(self, *exception: object) -> None:
        close_read(self._descriptor)

    def open(self, name: str) -> HostFile:
        """See `ports.Folder`."""
        try:
            descriptor = os.open(name, _FILE_FLAGS, dir_fd=self._descriptor)
        except OSError as error:
            raise source_error(error) from error
        try:
            sighting, mode, links, owner = look(descriptor, self._directory, name)
            if not stat.S_ISREG(mode):
                raise SourceNotRegular("it is not a regular file")
            # Whoever may write in the directory could have linked somebody else's file into it.
            if links > 1 and not (self._guarded and owner == self._owner):
                raise SourceShared(f"it has {links} hard links and belongs to user {owner}")
        except OSError as error:
            close_read(descriptor)
            raise source_error(error) from error
        except SourceError:
            close_read(descriptor)
            raise
        return HostFile(descriptor, sighting, stat.S_IMODE(mode))

    def take_aside(self, name: str, receipt: int) -> Aside:
        """See `ports.Folder`."""
        return self._private.take(self._descriptor, self._directory, name, receipt)


class HostTree:
    """One source directory."""

    def __init__(self, job: Job, state: str, codec: Codec | None, owner: Owner) -> None:
        survive_lease_breaks()
        try:
            self._descriptor = os.open(job.source, FOLDER_FLAGS)
        except OSError as error:
            raise source_error(error) from error
        self._device = _state_of(self._descriptor).st_dev
        place = partial(job.archive_path, suffix=codec.suffix if codec else "")
        archive = ArchiveFolder(job.archive, place, codec) if job.after == "archive" else None
        self._private = PrivateFolders(self._descriptor, job.source, state, archive, owner, keep=not job.one_off)

    def __enter__(self) -> HostTree:
        return self

    def __exit__(self, *exception: object) -> None:
        self._private.close()
        close_read(self._descriptor)

    def folder(self, directory: str) -> HostFolder:
        """See `ports.Tree`."""
        return HostFolder(self._open(directory), directory, self._private)

    def left_aside(self) -> Iterator[LeftAside]:
        """See `ports.Tree`. An entry that is no file, or may not be read, is told as one that answers nothing."""
        for folder, entry, receipt, path in self._private.left():
            put_back = partial(self._put_back, folder, entry)
            unlink = HostAside(folder, entry, folder, entry).unlink
            archive = partial(self._private.archive, folder, entry)
            try:
                descriptor = os.open(entry, _FILE_FLAGS, dir_fd=folder)
            except OSError:
                yield LeftAside(receipt, path, entry, None, put_back, unlink, archive)
                continue
            try:
                sighting, mode, _, _ = look(descriptor, "", entry)
            except OSError:
                close_read(descriptor)
                yield LeftAside(receipt, path, entry, None, put_back, unlink, archive)
                continue
            with HostFile(descriptor, sighting, stat.S_IMODE(mode)) as file:
                yield LeftAside(receipt, path, entry, file if stat.S_ISREG(mode) else None, put_back, unlink, archive)

    def listings(self, directory: str) -> Iterator[Listing]:
        """See `ports.Tree`."""
        descriptor = self._open(directory)
        try:
            with os.scandir(descriptor) as entries:
                listing = Listing([], [], [])
                for count, entry in enumerate(entries, 1):
                    self._add(entry, directory, listing)
                    if count % _ENTRIES_PER_LISTING == 0:
                        yield listing
                        listing = Listing([], [], [])
                yield listing
        except OSError as error:
            raise source_error(error) from error
        finally:
            close_read(descriptor)

    def folders(self, directory: str) -> list[str]:
        """See `ports.Tree`. Of files the type that their entry tells is enough: none is looked at."""
        descriptor = self._open(directory)
        try:
            with os.scandir(descriptor) as entries:
                return [entry.name for entry in entries if self._leads_on(entry, directory)]
        except OSError as error:
            raise source_error(error) from error
        finally:
            close_read(descriptor)

    def changed_ns(self, directory: str) -> int:
        """See `ports.Tree`."""
        descriptor = self._open(directory)
        try:
            state = os.fstat(descriptor)
        except OSError as error:
            raise source_error(error) from error
        finally:
            close_read(descriptor)
        return max(state.st_mtime_ns, state.st_ctime_ns)

    def remove_empty(self, directory: str) -> bool:
        """See `ports.Tree`. rmdir(2) refuses a directory that is not empty, and a mount point."""
        above, _, name = directory.rpartition("/")
        descriptor = self._open(above)
        try:
            os.rmdir(name, dir_fd=descriptor)
        except OSError:
            return False
        finally:
            close_read(descriptor)
        return True

    def _add(self, entry: os.DirEntry[str], directory: str, listing: Listing) -> None:
        name = entry.name
        try:
            seen = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            return
        except OSError:
            listing.others.append((name, "unreadable"))
            return
        mode = seen.st_mode
        if stat.S_ISREG(mode):
            listing.files.append(
                Sighting(
                    directory, name, seen.st_dev, seen.st_ino, seen.st_size,
                    in_range(seen.st_mtime_ns), in_range(seen.st_ctime_ns),
                )
            )  # fmt: skip
        elif stat.S_ISDIR(mode):
            if name == PRIVATE_NAME and not directory:
                return
            if seen.st_dev == self._device:
                listing.folders.append(name)
            else:
                listing.others.append((name, "mount"))
        else:
            listing.others.append((name, _kind(mode)))

    def _leads_on(self, entry: os.DirEntry[str], directory: str) -> bool:
        if not entry.is_dir(follow_symlinks=False) or (entry.name == PRIVATE_NAME and not directory):
            return False
        try:
            return entry.stat(follow_symlinks=False).st_dev == self._device
        except FileNotFoundError:
            return False

    def _open(self, directory: str) -> int:
        try:
            return open_folder_beneath(self._descriptor, directory)
        except OSError as error:
            raise source_error(error) from error

    def _put_back(self, folder: int, entry: str, path: str) -> bool:
        directory, _, name = path.rpartition("/")
        try:
            target = self._open(directory)
        except SourceError:
            return False
        try:
            return self._private.put_back(folder, entry, target, name)
        finally:
            close_read(target)


def _kind(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "symlink"
    if stat.S_ISFIFO(mode):
        return "fifo"
    return "socket" if stat.S_ISSOCK(mode) else "device"


class HostFileSystem:
    """The `FileSystem` of this machine.

    Args:
        state: Absolute path of the state directory.
        archived_by: What compresses the files of a job in its archive; None where they stay as they are.
        owner: The name of its private directories, where other processes work in the same sources.
    """

    def __init__(
        self, state: str, archived_by: Callable[[Job], Codec | None] = lambda _job: None, owner: str = ""
    ) -> None:
        self._owner = Owner(owner, Holds())
        self._state = state
        self._archived_by = archived_by

    def space(self, path: str) -> Space | None:
        """See `ports.FileSystem`."""
        return space(path)

    def tree(self, job: Job) -> HostTree:
        """See `ports.FileSystem`."""
        return HostTree(job, self._state, self._archived_by(job), self._owner)
