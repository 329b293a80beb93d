"""What is on the simulated disk: inodes and the names that lead to them, and what a producer does with them.

A producer works by path, as real ones do, so after a rename its next write makes a new file; or by a descriptor that it
holds. Names and bytes are written to disk later than they are seen: `cut` (see `power.py`) drops some of them. Not here:
permissions beyond "cannot be read" and "cannot be changed", other file systems, quotas.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from outhaul.testing.clock import SimulatedClock
from outhaul.testing.power import Inode, Unsynced

DEVICE = 7


class SimulatedDisk:
    """A tree of names, and the hands of whoever else works in it. Paths are relative to its root."""

    def __init__(self, clock: SimulatedClock) -> None:
        self.clock = clock
        self.coarse = False
        """True: two changes within one moment of the clock bear the same time stamps, as on a kernel that ticks slowly."""
        self.reuses_numbers = False
        """True: the inode number of a file that is gone goes to the next that is made, as on ext4."""
        self.unsynced = Unsynced()
        self._changes = 0
        self._numbers = 100
        self._serials = 0
        self._gone: list[Inode] = []
        self.root = self._make("folder")

    # --- the producer ----------------------------------------------------------------------------------------------

    def write(self, path: str, content: bytes) -> None:
        """Open for writing, empty, fill and close; directories are made as needed."""
        inode = self.find(path) or self._put(path, self._make("file"))
        self._wrote(inode, content)

    def append(self, path: str, content: bytes) -> None:
        """Open for appending, write and close."""
        inode = self.find(path) or self._put(path, self._make("file"))
        self._wrote(inode, inode.content + content)

    def replace(self, path: str, content: bytes) -> None:
        """Write under another name, and rename over this one."""
        inode = self._make("file")
        self._wrote(inode, content)
        self.remove(path)
        self._put(path, inode)

    def remove(self, path: str, root: Inode | None = None) -> None:
        """Take the name away; of a directory, with all that is in it. Beneath another root where one is given."""
        folder, name = self._folder_of(path, root)
        inode = folder.entries[name]
        before = inode.ctime_ns
        self.unsynced.name(lambda: self._unremove(folder, name, inode, before))
        del folder.entries[name]
        folder.ctime_ns = self.now_ns()
        self._unlinked(inode)

    def rename(self, path: str, other: str) -> None:
        """Give it another name; what had that name is gone."""
        if self.find(other) is not None:
            self.remove(other)
        folder, name = self._folder_of(path)
        inode = folder.entries.pop(name)
        before = inode.ctime_ns

        def undo() -> None:
            folder.entries[name] = inode
            inode.ctime_ns = before

        self.unsynced.name(undo)
        folder.ctime_ns = inode.ctime_ns = self.now_ns()
        self._put(other, inode)

    def link(self, path: str, other: str) -> None:
        """Give a file a second name."""
        inode = self._need(path)
        before = inode.ctime_ns

        def undo() -> None:
            inode.links -= 1
            inode.ctime_ns = before

        self.unsynced.name(undo)
        inode.links += 1
        inode.ctime_ns = self.now_ns()
        self._put(other, inode)

    def symlink(self, path: str, target: str) -> None:
        """A link; where it leads makes no difference here, as nobody may follow it."""
        self._put(path, self._make("symlink"))

    def fifo(self, path: str) -> None:
        """A FIFO."""
        self._put(path, self._make("fifo"))

    def socket(self, path: str) -> None:
        """A socket."""
        self._put(path, self._make("socket"))

    def folder_at(self, path: str) -> None:
        """Make a directory, and those above it."""
        self._folder_of(f"{path}/x")

    def swap_for_link(self, directory: str, target: str) -> None:
        """Move a directory away, and put a link under its name."""
        self.rename(directory, f"{directory}.moved")
        self.symlink(directory, target)

    @contextmanager
    def writing(self, path: str) -> Iterator[None]:
        """While this lasts, another process has the file open for writing."""
        inode = self.hold(path)
        yield
        self.let_go(inode)

    mapping = writing

    def hold(self, path: str) -> Inode:
        """Open for writing, or map, and stay."""
        inode = self._need(path)
        self._open_for_writing(inode)
        inode.writers += 1
        inode.opens += 1
        return inode

    def write_held(self, inode: Inode, content: bytes, *, stamped: bool = True) -> None:
        """Write through what `hold` gave; a mapping does not stamp the time at each of its writes."""
        self.unsynced.dirty(inode)
        inode.content = content
        inode.written_ns = self.clock.elapsed_ns
        if stamped:
            inode.mtime_ns = inode.ctime_ns = self.now_ns()

    def let_go(self, inode: Inode) -> None:
        """Close it."""
        inode.writers -= 1
        inode.opens -= 1

    def sync(self, path: str) -> None:
        """fsync: its bytes, and all names so far, are on disk."""
        self.unsynced.synced(self._need(path))

    # --- whoever looks ---------------------------------------------------------------------------------------------

    def read(self, path: str) -> bytes | None:
        """The content of a file, None where there is none."""
        inode = self.find(path)
        return None if inode is None else inode.content

    def find(self, path: str, root: Inode | None = None) -> Inode | None:
        """What a path leads to, links not followed; from another root than the source where one is given."""
        inode: Inode | None = root or self.root
        for part in path.split("/") if path else ():
            inode = inode.entries.get(part) if inode is not None else None
        return inode

    def entries(self, root: Inode | None = None) -> Iterator[tuple[str, Inode]]:
        """Everything beneath the root, or another one, with its path."""
        to_visit = [("", root or self.root)]
        while to_visit:
            front, folder = to_visit.pop()
            for name, inode in folder.entries.items():
                yield front + name, inode
                if inode.kind == "folder":
                    to_visit.append((f"{front}{name}/", inode))

    def files(self) -> dict[str, bytes]:
        """Every regular file beneath the root."""
        return {path: inode.content for path, inode in self.entries() if inode.kind == "file"}

    def now_ns(self) -> int:
        """The time stamp of a change."""
        self._changes += 0 if self.coarse else 1
        return self.clock.set_to_ns + self._changes

    # --- within ------------------------------------------------------------------------------------------------------

    def _make(self, kind: str) -> Inode:
        self._serials += 1
        number = 0
        if self.reuses_numbers:
            free = next((gone for gone in self._gone if not gone.links and not gone.opens), None)
            if free is not None:
                self._gone.remove(free)
                number = free.number
        if not number:
            self._numbers += 1
            number = self._numbers
        return Inode(kind, number, self._serials, self.now_ns())

    def _put(self, path: str, inode: Inode) -> Inode:
        folder, name = self._folder_of(path)
        folder.entries[name] = inode
        folder.ctime_ns = self.now_ns()
        self.unsynced.name(lambda: folder.entries.pop(name, None))
        return inode

    def _unlinked(self, inode: Inode) -> None:
        inode.links -= 1
        inode.ctime_ns = self.now_ns()
        if not inode.links:
            self._gone.append(inode)

    def _unremove(self, folder: Inode, name: str, inode: Inode, ctime_ns: int) -> None:
        folder.entries[name] = inode
        inode.links += 1
        inode.ctime_ns = ctime_ns

    def _folder_of(self, path: str, root: Inode | None = None) -> tuple[Inode, str]:
        *parts, name = path.split("/")
        folder = root or self.root
        for part in parts:
            if part not in folder.entries:
                made = folder.entries[part] = self._make("folder")
                folder.ctime_ns = made.ctime_ns
                self.unsynced.name(lambda folder=folder, part=part: folder.entries.pop(part, None))  # type: ignore[misc]
                folder = made
            else:
                folder = folder.entries[part]
        return folder, name

    def _need(self, path: str) -> Inode:
        inode = self.find(path)
        assert inode is not None, path
        return inode

    def _wrote(self, inode: Inode, content: bytes) -> None:
        self._open_for_writing(inode)
        self.unsynced.dirty(inode)
        inode.content = content
        inode.written_ns = self.clock.elapsed_ns
        inode.mtime_ns = inode.ctime_ns = self.now_ns()

    def _open_for_writing(self, inode: Inode) -> None:
        """A real writer would also have to wait here until the lease is given up."""
        self.unsynced.dirty(inode)
        inode.lease_broken = inode.lease_broken or inode.leased
