"""The `FileSystem` of the simulated machine, over a simulated disk.

Each method is one numbered call (`steps.py`), so that a producer's hand, or a crash, can come between any two of them.
What it does not do: hard links of other users, several file systems, a writer that waits for a lease to end (it writes at
once, and the lease counts as broken).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import partial

from outhaul.model.errors import (
    SourceChanged,
    SourceInUse,
    SourceNotRegular,
    SourceStuck,
    SourceUnreadable,
    SourceVanished,
)
from outhaul.model.evidence import Sighting
from outhaul.model.job import Job
from outhaul.ports import LeftAside, Listing
from outhaul.testing.clock import SimulatedClock
from outhaul.testing.inodes import DEVICE, Inode, SimulatedDisk
from outhaul.testing.steps import Steps


class SimulatedFile:
    """One open regular file."""

    def __init__(self, files: SimulatedFileSystem, inode: Inode, directory: str, name: str) -> None:
        self._files = files
        self._inode = inode
        self._directory, self._name = directory, name
        self._leased = False
        self._closed = False
        self.sighting = self._now()

    def __enter__(self) -> SimulatedFile:
        return self

    def __exit__(self, *exception: object) -> None:
        self._closed = True
        if self._leased:
            self._inode.leased = self._inode.lease_broken = False

    def unchanged(self) -> bool:
        """See `ports.OpenFile`."""
        with self._files.steps.step("files.unchanged", self._name):
            now, then = self._now(), self.sighting
            return (now.size, now.mtime_ns, now.ctime_ns) == (then.size, then.mtime_ns, then.ctime_ns)

    def pread(self, length: int, offset: int) -> bytes:
        """See `ports.ByteSource`."""
        assert not self._closed, f"{self._name!r} is read after it was closed"
        with self._files.steps.step("files.pread", self._name):
            data = self._inode.content[offset : offset + length]
            if len(data) < length:
                raise SourceChanged("it became shorter while it was read")
            return data

    def digest(self) -> bytes:
        """See `ports.OpenFile`."""
        with self._files.steps.step("files.digest", self._name):
            return hashlib.sha256(self._inode.content).digest()

    def check_writers(self) -> bool:
        """See `ports.OpenFile`."""
        with self._files.steps.step("files.check_writers", self._name):
            return self._refuse_writers()

    def take_lease(self) -> bool:
        """See `ports.OpenFile`."""
        with self._files.steps.step("files.take_lease", self._name):
            self._leased = self._inode.leased = self._refuse_writers()
            return self._leased

    def lease_holds(self) -> bool:
        """See `ports.OpenFile`."""
        with self._files.steps.step("files.lease_holds", self._name):
            return not self._leased or not self._inode.lease_broken

    def _refuse_writers(self) -> bool:
        if not self._files.knows_writers:
            return False
        if self._inode.writers:
            raise SourceInUse("a process has it open for writing")
        return True

    def _now(self) -> Sighting:
        return seen(self._inode, self._directory, self._name)._replace(birth_ns=self._inode.birth_ns)


class SimulatedAside:
    """What has just been taken into the private directory."""

    def __init__(self, files: SimulatedFileSystem, entry: str, origin: Inode, name: str) -> None:
        self._files = files
        self._entry = entry
        self._origin, self._name = origin, name

    def is_file(self, sighting: Sighting) -> bool:
        """See `ports.Aside`."""
        with self._files.steps.step("files.is_file", self._name):
            inode = self._files.private[self._entry][2]
            return inode.kind == "file" and (inode.number, len(inode.content), inode.mtime_ns) == (
                sighting.inode,
                sighting.size,
                sighting.mtime_ns,
            )

    def put_back(self) -> bool:
        """See `ports.Aside`."""
        with self._files.steps.step("files.put_back", self._name):
            return self._files.return_to(self._entry, self._origin, self._name)

    def unlink(self) -> None:
        """See `ports.Aside`."""
        with self._files.steps.step("files.unlink", self._name):
            self._files.private.pop(self._entry)[2].links -= 1


class SimulatedFolder:
    """One open directory: it stays the same directory whatever becomes of its name."""

    def __init__(self, files: SimulatedFileSystem, inode: Inode, directory: str) -> None:
        self._files = files
        self._inode = inode
        self._directory = directory

    def __enter__(self) -> SimulatedFolder:
        return self

    def __exit__(self, *exception: object) -> None:
        return None

    def open(self, name: str) -> SimulatedFile:
        """See `ports.Folder`."""
        with self._files.steps.step("files.open", name):
            inode = self._inode.entries.get(name)
            if inode is None:
                raise SourceVanished("it is not there any more")
            if inode.kind != "file":
                raise SourceNotRegular("it is not a regular file")
            if not inode.readable:
                raise SourceUnreadable("Permission denied")
            return SimulatedFile(self._files, inode, self._directory, name)

    def take_aside(self, name: str, receipt: int) -> SimulatedAside:
        """See `ports.Folder`."""
        with self._files.steps.step("files.take_aside", name):
            path = f"{self._directory}/{name}" if self._directory else name
            entry = f"{receipt}-{path}"
            if name not in self._inode.entries:
                raise SourceVanished("it is not there any more")
            if not self._inode.changeable or entry in self._files.private:
                raise SourceStuck("it cannot be taken out of its directory: Permission denied")
            inode = self._inode.entries.pop(name)
            inode.ctime_ns = self._files.now_ns()
            told = path if len(entry) < 255 else ""
            self._files.private[entry] = (receipt, told, inode)
            return SimulatedAside(self._files, entry, self._inode, name)


class SimulatedTree:
    """The source, open."""

    def __init__(self, files: SimulatedFileSystem) -> None:
        self._files = files

    def __enter__(self) -> SimulatedTree:
        return self

    def __exit__(self, *exception: object) -> None:
        return None

    def folder(self, directory: str) -> SimulatedFolder:
        """See `ports.Tree`."""
        with self._files.steps.step("files.folder", directory):
            return SimulatedFolder(self._files, self._open(directory), directory)

    def listings(self, directory: str) -> Iterator[Listing]:
        """See `ports.Tree`. What is listed is what was there when the listing began."""
        with self._files.steps.step("files.listings", directory):
            inode = self._open(directory)
            if not inode.readable:
                raise SourceUnreadable("Permission denied")
            entries = list(inode.entries.items())
        for start in range(0, len(entries) or 1, self._files.entries_per_listing):
            listing = Listing([], [], [])
            for name, found in entries[start : start + self._files.entries_per_listing]:
                if found.kind == "file":
                    listing.files.append(seen(found, directory, name))
                elif found.kind == "folder":
                    listing.folders.append(name)
                else:
                    listing.others.append((name, found.kind))
            yield listing

    def left_aside(self) -> Iterator[LeftAside]:
        """See `ports.Tree`."""
        for entry, (receipt, path, inode) in sorted(self._files.private.items()):
            back, unlink = partial(self._put_back, entry), partial(self._unlink, entry)
            if inode.kind != "file":
                yield LeftAside(receipt, path, entry, None, back, unlink)
                continue
            with SimulatedFile(self._files, inode, "", entry) as file:
                yield LeftAside(receipt, path, entry, file, back, unlink)

    def _put_back(self, entry: str, path: str) -> bool:
        with self._files.steps.step("files.put_back", path):
            directory, _, name = path.rpartition("/")
            folder = self._files.find(directory)
            return folder is not None and folder.kind == "folder" and self._files.return_to(entry, folder, name)

    def _unlink(self, entry: str) -> None:
        with self._files.steps.step("files.unlink", entry):
            self._files.private.pop(entry)[2].links -= 1

    def _open(self, directory: str) -> Inode:
        inode = self._files.find(directory)
        if inode is None:
            raise SourceVanished("it is not there any more")
        if inode.kind != "folder":
            raise SourceNotRegular("a link stands on the way to it")
        return inode


class SimulatedFileSystem(SimulatedDisk):
    """The `FileSystem`, and, by what it inherits, the producer's hands. Every job has the same source: the disk's root."""

    def __init__(self, clock: SimulatedClock, steps: Steps | None = None) -> None:
        super().__init__(clock)
        self.steps = steps or Steps()
        self.private: dict[str, tuple[int, str, Inode]] = {}
        """The private directory: entry to receipt number, path where it tells, and file."""
        self.knows_writers = True
        """False: nobody can tell who has a file open, as on a network file system."""
        self.entries_per_listing = 1024
        self.missing = False
        """True: the source itself cannot be opened, as when it is not mounted."""

    def tree(self, job: Job) -> SimulatedTree:
        """See `ports.FileSystem`."""
        with self.steps.step("files.tree", job.source):
            if self.missing:
                raise SourceVanished("it is not there any more")
            return SimulatedTree(self)

    def return_to(self, entry: str, folder: Inode, name: str) -> bool:
        """Rename an entry of the private directory to a name of a directory, replacing nothing."""
        if name in folder.entries:
            return False
        inode = self.private.pop(entry)[2]
        inode.ctime_ns = self.now_ns()
        folder.entries[name] = inode
        return True


def seen(inode: Inode, directory: str, name: str) -> Sighting:
    """What a walk sees of a file."""
    return Sighting(directory, name, DEVICE, inode.number, len(inode.content), inode.mtime_ns, inode.ctime_ns)
