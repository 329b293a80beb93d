"""A producer who does everything that producers do, and a journal of what must not be lost of it.

The journal is the checker's: for each file that is still somewhere by the producer's will its bytes (`owed`), and for each
path everything that ever stood there (`held`). Bytes that the producer itself throws away are owed no longer.
"""

import random
from collections.abc import Callable

from outhaul.testing.files import SimulatedFileSystem
from outhaul.testing.power import Inode, Outcome

NAMES = ("a.csv", "b.csv", "new\nline", "\udcff\udcfe", "Zürich", "%41", " lead", "-rf", "x.tmp", "sub/a.csv", "sub/deep/b",
         "sub/" + "n" * 200, "other/a.csv")  # fmt: skip
SIZES = (0, 1, 20, 30, 63, 64, 65, 100, 130, 300)
"""With the small sizes of `machine.SCALE`: empty, small, the largest small, the smallest large, of several parts."""


class Producer:
    """One machine's producer."""

    def __init__(self, files: SimulatedFileSystem, chance: random.Random, name: str) -> None:
        self.files = files
        self.chance = chance
        self.name = name
        self.owed: dict[int, bytes] = {}
        self.held: dict[str, set[bytes]] = {}
        self.handles: list[Inode] = []
        self.may_hold = True
        """False where nobody could tell that it does: then no mover can know (`docs/safety.md`)."""
        self.log: Callable[[str], None] = lambda _text: None
        self.linked = False
        """Whether any file has, or had, two names: then what is archived may still be written to by the other one."""
        self._made = 0
        self._kinds: list[Callable[[], str]] = [
            self.make, self.make, self.append, self.append, self.rewrite, self.rewrite_as_long, self.replace, self.replace,
            self.truncate, self.remove, self.rename, self.reuse, self.link, self.hold, self.write_held, self.write_held,
            self.let_go, self.map_and_write, self.move_folder, self.remove_folder, self.sync, self.odd_thing,
        ]  # fmt: skip

    def act(self) -> None:
        """Do something."""
        self.do(self.chance.choice(self._kinds))

    def do(self, what: Callable[[], str]) -> None:
        """Do this, and write it down."""
        before = self._linked()
        told = what()
        self.note(before)
        self.log(f"producer: {told}")

    def note(self, before: set[int] | None = None) -> None:
        """Look at what there is: of what was linked before, and is not now, nothing is owed any more."""
        now = self._linked()
        for serial in (before or set()) - now:
            self.owed.pop(serial, None)
        for path, inode in self.files.entries():
            if inode.kind == "file":
                self.owed[inode.serial] = inode.content
                self.held.setdefault(path, set()).add(inode.content)
        for entry, (_, _, inode) in self.files.private.items():
            if inode.kind == "file":
                self.owed[inode.serial] = inode.content
                self.held.setdefault(self.files.came_from[entry], set()).add(inode.content)

    def cut(self, outcome: Outcome) -> None:
        """The power goes: what a file now holds is what is owed of it; what outhaul let go stays owed."""
        let_go = {removed.serial: removed.content for removed in self.files.removals if removed.last}
        self.files.cut(outcome, self.chance)
        self.handles.clear()
        self.owed = {serial: content for serial, content in let_go.items() if serial in self.owed}
        self.note()

    # --- what it does -------------------------------------------------------------------------------------------------

    def make(self) -> str:
        """A new file, or what is there filled anew."""
        path = self.chance.choice(NAMES)
        if not self._usable(path):
            return "nothing"
        self.files.write(path, self.content())
        return f"writes {path!r}"

    def append(self) -> str:
        """By path: a file that is gone begins anew."""
        path = self._any() or self.chance.choice(NAMES)
        if not self._usable(path):
            return "nothing"
        self.files.append(path, self.content(20))
        return f"appends to {path!r}"

    def rewrite(self) -> str:
        """Other bytes, another length."""
        path = self._any()
        if path:
            self.files.write(path, self.content())
        return f"rewrites {path!r}"

    def rewrite_as_long(self) -> str:
        """Other bytes of the same length."""
        path = self._any()
        if path:
            self.files.write(path, self.content(len(self.files.read(path) or b"")))
        return f"rewrites {path!r} with as many bytes"

    def replace(self) -> str:
        """A new file by rename, perhaps of the same length."""
        path = self._any()
        if path:
            size = len(self.files.read(path) or b"") if self.chance.random() < 0.5 else None
            self.files.replace(path, self.content(size))
        return f"replaces {path!r}"

    def replace_as_long(self) -> str:
        """A new file by rename, of the same length."""
        path = self._any()
        if path:
            self.files.replace(path, self.content(len(self.files.read(path) or b"")))
        return f"replaces {path!r} by as many bytes"

    def truncate(self) -> str:
        """Cut it short."""
        path = self._any()
        if path:
            self.files.write(path, (self.files.read(path) or b"")[: self.chance.choice((0, 5))])
        return f"truncates {path!r}"

    def remove(self) -> str:
        """Throw it away."""
        path = self._any()
        if path:
            self.files.remove(path)
        return f"removes {path!r}"

    def rename(self) -> str:
        """Another name, over whatever has it."""
        path, other = self._any(), self.chance.choice(NAMES)
        if path and self._usable(other) and path != other:
            self.files.rename(path, other)
        return f"renames {path!r} to {other!r}"

    def reuse(self) -> str:
        """Throw it away, and write a new file under its name."""
        path = self._any()
        if path:
            self.files.remove(path)
            self.files.write(path, self.content())
        return f"uses the name {path!r} again"

    def link(self) -> str:
        """A second name."""
        path, other = self._any(), self.chance.choice(NAMES)
        if path and self._usable(other) and self.files.find(other) is None:
            self.files.link(path, other)
            self.linked = True
        return f"links {path!r} as {other!r}"

    def hold(self) -> str:
        """Open for writing, and stay."""
        path = self._any()
        if path and self.may_hold:
            self.handles.append(self.files.hold(path))
        return f"holds {path!r} open"

    def write_held(self) -> str:
        """Write through a descriptor, wherever its file has gone."""
        for inode in self.handles[:1]:
            self.files.write_held(inode, inode.content + self.content(20))
        return "writes to what it holds open"

    def let_go(self) -> str:
        """Close it."""
        for inode in self.handles[:1]:
            self.handles.remove(inode)
            self.files.let_go(inode)
        return "closes what it holds open"

    def map_and_write(self) -> str:
        """Map it, and write twice; the second write does not stamp the time."""
        path = self._any()
        if path and self.may_hold and self.files.read(path):
            inode = self.files.hold(path)
            self.handles.insert(0, inode)
            self.files.write_held(inode, self.content(len(inode.content)))
            self.note()
            self.files.write_held(inode, self.content(len(inode.content)), stamped=False)
        return f"maps {path!r} and writes to it"

    def move_folder(self) -> str:
        """Rename a directory."""
        if (folder := self.files.find("sub")) and folder.kind == "folder" and self.files.find("moved") is None:
            self.files.rename("sub", "moved")
            if self.chance.random() < 0.5:
                self.files.symlink("sub", "/elsewhere")
        return "renames 'sub' to 'moved'"

    def remove_folder(self) -> str:
        """Remove a directory, empty or not."""
        path = self.chance.choice(("sub/deep", "sub", "other", "moved"))
        if (folder := self.files.find(path)) is not None and (not folder.entries or self.chance.random() < 0.2):
            self.files.remove(path)
        return f"removes directory {path!r}"

    def sync(self) -> str:
        """fsync."""
        path = self._any()
        if path:
            self.files.sync(path)
        return f"syncs {path!r}"

    def odd_thing(self) -> str:
        """What is no regular file."""
        if self.files.find("odd") is None:
            self.chance.choice((self.files.fifo, self.files.socket))("odd")
        return "makes something odd"

    def content(self, size: int | None = None) -> bytes:
        """Bytes that no other file has, as far as their length allows."""
        self._made += 1
        size = self.chance.choice(SIZES) if size is None else size
        mark = b"%s%d," % (self.name.encode(), self._made)
        return (mark * (size // len(mark) + 1))[:size]

    # --- within ---------------------------------------------------------------------------------------------------------

    def _any(self) -> str:
        paths = sorted(self.files.files(), key=repr)
        return self.chance.choice(paths) if paths else ""

    def _usable(self, path: str) -> bool:
        """Whether a file can stand there: directories on the way, and a file or nothing at the end."""
        parts = path.split("/")
        above = [self.files.find("/".join(parts[:length])) for length in range(1, len(parts))]
        here = self.files.find(path)
        return all(inode is None or inode.kind == "folder" for inode in above) and (here is None or here.kind == "file")

    def _linked(self) -> set[int]:
        here = {inode.serial for _, inode in self.files.entries() if inode.kind == "file"}
        return here | {inode.serial for _, _, inode in self.files.private.values()}
