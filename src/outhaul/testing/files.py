"""The `FileSystem` of the simulated machine, over a simulated disk.

Each method is one numbered call (`steps.py`), so that a producer's hand, or a crash, can come between any two of them.
What it does not do: hard links of other users, several file systems, a writer that waits for a lease to end (it writes at
once, and the lease counts as broken).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from outhaul.model.errors import (
    SourceNotRegular,
    SourceStuck,
    SourceUnreadable,
    SourceVanished,
)
from outhaul.model.job import Job
from outhaul.ports import LeftAside, Listing
from outhaul.testing.clock import SimulatedClock
from outhaul.testing.inodes import SimulatedDisk
from outhaul.testing.open_files import SimulatedAside, SimulatedFile, seen
from outhaul.testing.power import Inode, Outcome
from outhaul.testing.steps import Steps


class Removed(NamedTuple):
    """A file that outhaul removed for good."""

    path: str
    """Where it was in the source."""
    serial: int
    content: bytes
    writers: int
    """How many had it open for writing at that moment; they could not be seen where nobody can tell."""
    age_ns: int
    """For how long its bytes had truly not changed."""
    last: bool
    """Whether that was its last name."""


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
            told = path if len(entry) < 255 else ""
            self._files.take_to(entry, receipt, told, self._inode, name)
            self._files.came_from[entry] = path
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
        with self._files.steps.step("files.left_aside"):
            left = sorted(self._files.private.items())
        for entry, (receipt, path, inode) in left:
            back, unlink = partial(self._put_back, entry), partial(self._unlink, entry)
            if inode.kind != "file":
                yield LeftAside(receipt, path, entry, None, back, unlink)
                continue
            with SimulatedFile(self._files, inode, "", entry) as file:
                yield LeftAside(receipt, path, entry, file, back, unlink)

    def _put_back(self, entry: str, path: str) -> bool:
        with self._files.steps.step("files.put_back", path) as mishap:
            directory, _, name = path.rpartition("/")
            folder = self._files.find(directory)
            if mishap == "no" or folder is None or folder.kind != "folder":
                return False
            return self._files.return_to(entry, folder, name)

    def _unlink(self, entry: str) -> None:
        with self._files.steps.step("files.unlink", entry):
            self._files.remove_aside(entry)

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
        self.came_from: dict[str, str] = {}
        """Entry of the private directory to the path it was taken from: for whoever checks, not for outhaul."""
        self.removals: list[Removed] = []
        self.knows_birth = True
        """False: the file system keeps no birth times."""
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

    def take_to(self, entry: str, receipt: int, told: str, folder: Inode, name: str) -> None:
        """Rename a name of a directory to an entry of the private directory."""
        inode = folder.entries.pop(name)
        before = inode.ctime_ns

        def undo() -> None:
            self.private.pop(entry, None)
            folder.entries[name] = inode
            inode.ctime_ns = before

        self.unsynced.name(undo)
        inode.ctime_ns = self.now_ns()
        self.private[entry] = (receipt, told, inode)

    def return_to(self, entry: str, folder: Inode, name: str) -> bool:
        """Rename an entry of the private directory to a name of a directory, replacing nothing."""
        if name in folder.entries or entry not in self.private or not folder.links:
            return False
        held = self.private.pop(entry)
        inode, before = held[2], held[2].ctime_ns

        def undo() -> None:
            folder.entries.pop(name, None)
            self.private[entry] = held
            inode.ctime_ns = before

        self.unsynced.name(undo)
        inode.ctime_ns = self.now_ns()
        folder.entries[name] = inode
        return True

    def remove_aside(self, entry: str) -> None:
        """Unlink an entry of the private directory."""
        held = self.private.pop(entry)
        inode, before = held[2], held[2].ctime_ns

        def undo() -> None:
            self.private[entry] = held
            inode.links += 1
            inode.ctime_ns = before

        self.unsynced.name(undo)
        self._unlinked(inode)
        if inode.kind == "file":
            age_ns = self.clock.elapsed_ns - inode.written_ns
            path, content = self.came_from[entry], inode.content
            self.removals.append(Removed(path, inode.serial, content, inode.writers, age_ns, not inode.links))

    def cut(self, outcome: Outcome, chance: random.Random) -> None:
        """The power goes: what is not on disk is dropped, and nobody holds anything any more."""
        self.unsynced.cut(outcome, chance)
        self.forget_processes(producers_too=True)

    def forget_processes(self, *, producers_too: bool = False) -> None:
        """outhaul's process has ended: its descriptors are closed, its leases gone; and the producers', where said."""
        for inode in [*(inode for _, inode in self.entries()), *(inode for _, _, inode in self.private.values())]:
            inode.leased = inode.lease_broken = False
            inode.writers = 0 if producers_too else inode.writers
            inode.opens = inode.writers
