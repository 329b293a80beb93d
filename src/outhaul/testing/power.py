"""What a power cut drops: names and bytes that were seen and not yet on disk.

Names are journalled: a cut keeps the first so many changes of names since the last sync, in their order, as ext4 and XFS
do. Bytes are not in that order: each file that was written since keeps its old bytes, the new, some of them, or zeros.
Not shown here: file systems without a journal, blocks that go bad, a disk that lies about having synced.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Literal

Outcome = Literal["kept", "lost", "random"]


class Inode:
    """One file, directory or other thing, whatever its names are."""

    def __init__(self, kind: str, number: int, serial: int, now_ns: int) -> None:
        self.kind = kind
        """'file', 'folder', 'symlink', 'fifo' or 'socket'."""
        self.number = number
        """As the kernel shows it; may be used again."""
        self.serial = serial
        """Never used again; outhaul does not see it."""
        self.content = b""
        self.mtime_ns = self.ctime_ns = self.birth_ns = now_ns
        self.written_ns = 0
        """When its bytes last changed, in `SimulatedClock.elapsed_ns`."""
        self.links = 1
        """Its names; 0 of a file in no directory."""
        self.opens = 0
        """How many hold it open: as long as any does, its number is not used again."""
        self.writers = 0
        """How many have it open for writing, or mapped writable."""
        self.leased = False
        self.lease_broken = False
        self.readable = True
        self.changeable = True
        """Of a directory: whether entries may be taken out of it."""
        self.entries: dict[str, Inode] = {}


class Unsynced:
    """What is not yet on disk, and what was there before."""

    def __init__(self) -> None:
        self._names: list[Callable[[], object]] = []
        self._contents: dict[Inode, tuple[bytes, int, int]] = {}

    def name(self, undo: Callable[[], object]) -> None:
        """A name is about to change, or has; `undo` makes it as it was."""
        self._names.append(undo)

    def dirty(self, inode: Inode) -> None:
        """The bytes of a file are about to change."""
        self._contents.setdefault(inode, (inode.content, inode.mtime_ns, inode.ctime_ns))

    def synced(self, inode: Inode) -> None:
        """A file was synced: its bytes are on disk, and all names so far."""
        self._names.clear()
        self._contents.pop(inode, None)

    def all_synced(self) -> None:
        """Some time has gone by: the kernel has written everything."""
        self._names.clear()
        self._contents.clear()

    def cut(self, outcome: Outcome, chance: random.Random) -> None:
        """Drop none of it, all of it, or some of it by chance. What is left is on disk."""
        for inode, on_disk in self._contents.items():
            if outcome == "lost":
                inode.content, inode.mtime_ns, inode.ctime_ns = on_disk
            elif outcome == "random":
                _some(inode, on_disk, chance)
        kept = {"kept": len(self._names), "lost": 0}.get(outcome, chance.randint(0, len(self._names)))
        while len(self._names) > kept:
            self._names.pop()()
        self.all_synced()


def _some(inode: Inode, on_disk: tuple[bytes, int, int], chance: random.Random) -> None:
    """Its old bytes, or the new ones, or some of them; its old times or, with new bytes, the new ones."""
    old, new = on_disk[0], inode.content
    inode.content = chance.choice((old, new, new[: len(new) // 2], b"\0" * len(new)))
    if inode.content == old or (len(old) == len(new) == len(inode.content) and chance.random() < 0.3):
        inode.mtime_ns, inode.ctime_ns = on_disk[1:]
