"""The `FileSystem` of the simulated machine, over a simulated disk.

Each method is one numbered call (`steps.py`), so that a producer's hand, or a crash, can come between any two of them.
What it does not do: hard links of other users, several file systems, a writer that waits for a lease to end (it writes at
once, and the lease counts as broken).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from outhaul.model.errors import (
    SourceNotRegular,
    SourceStuck,
    SourceUnreadable,
    SourceVanished,
)
from outhaul.model.job import Job
from outhaul.ports import LeftAside, Listing
from outhaul.testing.clock import SimulatedClock
from outhaul.testing.inodes import Inode, SimulatedDisk
from outhaul.testing.open_files import SimulatedAside, SimulatedFile, seen
from outhaul.testing.steps import Steps


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
