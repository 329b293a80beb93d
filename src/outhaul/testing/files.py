"""The `FileSystem` of the simulated machine, over a simulated disk.

Each method is one numbered call (`steps.py`), so that a producer's hand, or a crash, can come between any two of them.
What it does not do: hard links of other users, several file systems, a writer that waits for a lease to end (it writes at
once, and the lease counts as broken).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from outhaul.model.errors import (
    SourceNotRegular,
    SourceStuck,
    SourceUnreadable,
    SourceVanished,
)
from outhaul.model.job import Job
from outhaul.model.keys import second_key
from outhaul.ports import Codec, LeftAside, Listing, Space
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


ARCHIVE = "/archive"
"""Path of the one archive directory; every other path is the source."""
Private = dict[str, tuple[int, str, Inode]]
"""A private directory: entry to receipt number, path where it tells, and file."""


class SimulatedFolder:
    """One open directory: it stays the same directory whatever becomes of its name."""

    def __init__(self, files: SimulatedFileSystem, inode: Inode, directory: str, private: Private) -> None:
        self._files = files
        self._private = private
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
            if not self._inode.changeable or entry in self._private:
                raise SourceStuck("it cannot be taken out of its directory: Permission denied")
            told = path if len(entry) < 255 else ""
            self._files.take_to(self._private, entry, receipt, told, self._inode, name)
            self._files.came_from[entry] = path
            return SimulatedAside(self._files, self._private, entry, self._inode, name)


class SimulatedTree:
    """The source, or the archive, open."""

    def __init__(self, files: SimulatedFileSystem, root: Inode, private: Private) -> None:
        self._files = files
        self._root = root
        self._private = private

    def __enter__(self) -> SimulatedTree:
        return self

    def __exit__(self, *exception: object) -> None:
        return None

    def folder(self, directory: str) -> SimulatedFolder:
        """See `ports.Tree`."""
        with self._files.steps.step("files.folder", directory):
            return SimulatedFolder(self._files, self._open(directory), directory, self._private)

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

    def folders(self, directory: str) -> list[str]:
        """See `ports.Tree`."""
        with self._files.steps.step("files.folders", directory):
            inode = self._open(directory)
            if not inode.readable:
                raise SourceUnreadable("Permission denied")
            return [name for name, found in inode.entries.items() if found.kind == "folder"]

    def left_aside(self) -> Iterator[LeftAside]:
        """See `ports.Tree`."""
        with self._files.steps.step("files.left_aside"):
            left = sorted(self._private.items())
        for entry, (receipt, path, inode) in left:
            back, unlink = partial(self._put_back, entry), partial(self._unlink, entry)
            archive = partial(self._archive, entry)
            if inode.kind != "file":
                yield LeftAside(receipt, path, entry, None, back, unlink, archive)
                continue
            with SimulatedFile(self._files, inode, "", entry) as file:
                yield LeftAside(receipt, path, entry, file, back, unlink, archive)

    def changed_ns(self, directory: str) -> int:
        """See `ports.Tree`."""
        with self._files.steps.step("files.changed_ns", directory):
            return self._open(directory).ctime_ns

    def remove_empty(self, directory: str) -> bool:
        """See `ports.Tree`."""
        with self._files.steps.step("files.remove_empty", directory):
            if not directory or self._open(directory).entries:
                return False
            self._files.remove(directory, self._root)
            return True

    def _put_back(self, entry: str, path: str) -> bool:
        with self._files.steps.step("files.put_back", path) as mishap:
            directory, _, name = path.rpartition("/")
            folder = self._files.find(directory, self._root)
            if mishap == "no" or folder is None or folder.kind != "folder":
                return False
            return self._files.return_to(self._private, entry, folder, name)

    def _unlink(self, entry: str) -> None:
        with self._files.steps.step("files.unlink", entry):
            self._files.remove_aside(self._private, entry)

    def _archive(self, entry: str, path: str, sha256: bytes) -> None:
        with self._files.steps.step("files.archive", entry):
            self._files.archive_aside(self._private, entry, path, sha256)

    def _open(self, directory: str) -> Inode:
        inode = self._files.find(directory, self._root)
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
        self.private: Private = {}
        """The private directory of the source."""
        self.archive = self._make("folder")
        self.archive_private: Private = {}
        self.came_from: dict[str, str] = {}
        """Entry of the private directory to the path it was taken from: for whoever checks, not for outhaul."""
        self.removals: list[Removed] = []
        self.expirations: list[bytes] = []
        """Contents of files that outhaul removed from the archive."""
        self.knows_birth = True
        """False: the file system keeps no birth times."""
        self.knows_writers = True
        """False: nobody can tell who has a file open, as on a network file system."""
        self.entries_per_listing = 1024
        self.archived_by: Callable[[Job], Codec | None] = lambda _job: None
        """What compresses the files of a job in its archive."""
        self._archiving: Job | None = None
        self.capacity: int | None = None
        """How many bytes all files may take together; None where nobody tells."""
        self.foreign = 0
        """How many of them others take."""
        self.missing = False
        """True: the source itself cannot be opened, as when it is not mounted."""

    def space(self, path: str) -> Space | None:
        """See `ports.FileSystem`: what all files of the source and of the archive leave of `capacity`."""
        if self.capacity is None:
            return None
        asides = [*self.private.values(), *self.archive_private.values()]
        held = [*self.files().values(), *self.archived().values(), *(inode.content for *_, inode in asides)]
        return Space(max(0, self.capacity - self.foreign - sum(map(len, held))), self.capacity)

    def tree(self, job: Job) -> SimulatedTree:
        """See `ports.FileSystem`."""
        with self.steps.step("files.tree", job.source):
            if self.missing:
                raise SourceVanished("it is not there any more")
            archived = job.source == ARCHIVE
            if not archived:
                self._archiving = job
            root, private = (self.archive, self.archive_private) if archived else (self.root, self.private)
            return SimulatedTree(self, root, private)

    def take_to(self, private: Private, entry: str, receipt: int, told: str, folder: Inode, name: str) -> None:
        """Rename a name of a directory to an entry of the private directory."""
        inode = folder.entries.pop(name)
        before = inode.ctime_ns

        def undo() -> None:
            private.pop(entry, None)
            folder.entries[name] = inode
            inode.ctime_ns = before

        self.unsynced.name(undo)
        folder.ctime_ns = inode.ctime_ns = self.now_ns()
        private[entry] = (receipt, told, inode)

    def return_to(self, private: Private, entry: str, folder: Inode, name: str) -> bool:
        """Rename an entry of the private directory to a name of a directory, replacing nothing."""
        if name in folder.entries or entry not in private or not folder.links:
            return False
        held = private.pop(entry)
        inode, before = held[2], held[2].ctime_ns

        def undo() -> None:
            folder.entries.pop(name, None)
            private[entry] = held
            inode.ctime_ns = before

        self.unsynced.name(undo)
        folder.ctime_ns = inode.ctime_ns = self.now_ns()
        folder.entries[name] = inode
        return True

    def archive_aside(self, private: Private, entry: str, path: str, sha256: bytes) -> None:
        """Move an entry of the private directory to the archive: first it is there, on disk, and then it is not here."""
        inode = private[entry][2]
        assert self._archiving is not None
        codec = self.archived_by(self._archiving)
        directory, _, name = self._archiving.archive_path(path, codec.suffix if codec else "").rpartition("/")
        there_as = inode if codec is None else self._written(codec.encode_bytes(inode.content))
        folder = self.archive
        for part in directory.split("/") if directory else ():
            folder = folder.entries.setdefault(part, self._make("folder"))
        for there in (name, second_key(name, sha256)):
            found = folder.entries.get(there)
            if found is None:
                folder.entries[there] = there_as
                there_as.links += 1
            elif found.kind != "file" or found.content != there_as.content:
                continue
            self.unsynced.synced(there_as)
            self._take_from(private, entry)
            return
        raise SourceStuck("other files have its names in the archive")

    def _written(self, content: bytes) -> Inode:
        inode = self._make("file")
        self._wrote(inode, content)
        inode.links = 0
        return inode

    def archived(self) -> dict[str, bytes]:
        """Every file of the archive."""
        return {path: inode.content for path, inode in self.entries(self.archive) if inode.kind == "file"}

    def remove_aside(self, private: Private, entry: str) -> None:
        """Unlink an entry of the private directory."""
        inode = self._take_from(private, entry)
        if private is self.archive_private:
            self.expirations.append(inode.content)
        elif inode.kind == "file":
            age_ns = self.clock.elapsed_ns - inode.written_ns
            path, content = self.came_from[entry], inode.content
            self.removals.append(Removed(path, inode.serial, content, inode.writers, age_ns, not inode.links))

    def _take_from(self, private: Private, entry: str) -> Inode:
        held = private.pop(entry)
        inode, before = held[2], held[2].ctime_ns

        def undo() -> None:
            private[entry] = held
            inode.links += 1
            inode.ctime_ns = before

        self.unsynced.name(undo)
        self._unlinked(inode)
        return inode

    def cut(self, outcome: Outcome, chance: random.Random) -> None:
        """The power goes: what is not on disk is dropped, and nobody holds anything any more."""
        self.unsynced.cut(outcome, chance)
        self.forget_processes(producers_too=True)

    def forget_processes(self, *, producers_too: bool = False) -> None:
        """outhaul's process has ended: its descriptors are closed, its leases gone; and the producers', where said."""
        aside = [inode for _, _, inode in (*self.private.values(), *self.archive_private.values())]
        archived = [inode for _, inode in self.entries(self.archive)]
        for inode in [*(inode for _, inode in self.entries()), *archived, *aside]:
            inode.leased = inode.lease_broken = False
            inode.writers = 0 if producers_too else inode.writers
            inode.opens = inode.writers
