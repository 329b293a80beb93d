"""What is on the simulated disk: inodes and the names that lead to them, and what a producer does with them.

A producer works by path, as real ones do, so after a rename its next write makes a new file. Not here: permissions beyond
"cannot be read" and "cannot be changed", other file systems, quotas, blocks that are written later than their names.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from outhaul.testing.clock import SimulatedClock

DEVICE = 7


class Inode:
    """One file, directory or other thing, whatever its names are."""

    def __init__(self, kind: str, number: int, now_ns: int) -> None:
        self.kind = kind
        """'file', 'folder', 'symlink', 'fifo' or 'socket'."""
        self.number = number
        self.content = b""
        self.mtime_ns = self.ctime_ns = self.birth_ns = now_ns
        self.links = 1
        self.writers = 0
        """How many have it open for writing, or mapped writable."""
        self.leased = False
        self.lease_broken = False
        self.readable = True
        self.changeable = True
        """Of a directory: whether entries may be taken out of it."""
        self.entries: dict[str, Inode] = {}


class SimulatedDisk:
    """A tree of names, and the hands of whoever else works in it. Paths are relative to its root."""

    def __init__(self, clock: SimulatedClock) -> None:
        self.clock = clock
        self.coarse = False
        """True: two changes within one moment of the clock bear the same time stamps, as on a kernel that ticks slowly."""
        self._changes = 0
        self._numbers = 100
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
        self.remove(path)
        self.write(path, content)

    def remove(self, path: str) -> None:
        """Take the name away."""
        folder, name = self._folder_of(path)
        inode = folder.entries.pop(name)
        inode.links -= 1
        inode.ctime_ns = self.now_ns()

    def link(self, path: str, other: str) -> None:
        """Give a file a second name."""
        inode = self._need(path)
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

    def swap_for_link(self, directory: str, target: str) -> None:
        """Move a directory away, and put a link under its name."""
        folder, name = self._folder_of(directory)
        folder.entries[f"{name}.moved"] = folder.entries.pop(name)
        self.symlink(directory, target)

    @contextmanager
    def writing(self, path: str) -> Iterator[None]:
        """While this lasts, another process has the file open for writing."""
        inode = self._need(path)
        self._open_for_writing(inode)
        inode.writers += 1
        yield
        inode.writers -= 1

    mapping = writing

    # --- whoever looks ---------------------------------------------------------------------------------------------

    def read(self, path: str) -> bytes | None:
        """The content of a file, None where there is none."""
        inode = self.find(path)
        return None if inode is None else inode.content

    def find(self, path: str) -> Inode | None:
        """What a path leads to, links not followed."""
        inode: Inode | None = self.root
        for part in path.split("/") if path else ():
            inode = inode.entries.get(part) if inode is not None else None
        return inode

    def files(self) -> dict[str, bytes]:
        """Every regular file beneath the root."""
        found: dict[str, bytes] = {}
        to_visit = [("", self.root)]
        while to_visit:
            front, folder = to_visit.pop()
            for name, inode in folder.entries.items():
                if inode.kind == "folder":
                    to_visit.append((f"{front}{name}/", inode))
                elif inode.kind == "file":
                    found[front + name] = inode.content
        return found

    def now_ns(self) -> int:
        """The time stamp of a change."""
        self._changes += 0 if self.coarse else 1
        return self.clock.set_to_ns + self._changes

    # --- within ------------------------------------------------------------------------------------------------------

    def _make(self, kind: str) -> Inode:
        self._numbers += 1
        return Inode(kind, self._numbers, self.now_ns())

    def _put(self, path: str, inode: Inode) -> Inode:
        folder, name = self._folder_of(path)
        folder.entries[name] = inode
        return inode

    def _folder_of(self, path: str) -> tuple[Inode, str]:
        *parts, name = path.split("/")
        folder = self.root
        for part in parts:
            if part not in folder.entries:
                folder.entries[part] = self._make("folder")
            folder = folder.entries[part]
        return folder, name

    def _need(self, path: str) -> Inode:
        inode = self.find(path)
        assert inode is not None, path
        return inode

    def _wrote(self, inode: Inode, content: bytes) -> None:
        self._open_for_writing(inode)
        inode.content = content
        inode.mtime_ns = inode.ctime_ns = self.now_ns()

    def _open_for_writing(self, inode: Inode) -> None:
        """A real writer would also have to wait here until the lease is given up."""
        inode.lease_broken = inode.lease_broken or inode.leased
