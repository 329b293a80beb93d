"""The hostile producer: a child process without privileges that races in a tree it owns, for a bounded time.

It works on names that it uses again and again. Now and then it makes a content final: it writes it in one of many ways
under a name and never touches that name, or that inode, again. A content is final only where its inode still had a name
when it was written and while the file was open: then it must be found somewhere ever after.
"""

import ctypes
import json
import mmap
import os
import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

NOBODY = 65534
FOLDERS = 6
_NAMES_A_FOLDER = 30
_PAUSE_SECONDS = 0.0002
_RENAME_EXCHANGE = 2
_libc = ctypes.CDLL(None, use_errno=True)


class Racer:
    """One run of the hostile producer."""

    def __init__(self, tree: Path, elsewhere: Path, outside: Path, seed: int) -> None:
        self._tree, self._elsewhere, self._outside = tree, elsewhere, outside
        self._rng = random.Random(seed)
        self._number = self._named = 0
        self._names = [self._new_name(folder) for folder in range(FOLDERS) for _ in range(_NAMES_A_FOLDER)]
        self.races: Counter[str] = Counter()
        self.final: list[str] = []
        self.written: set[str] = set()

    def race(self, seconds: float) -> None:
        """Do one hostile thing after another."""
        tricks = [*TRICKS.items()]
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            index = self._rng.randrange(len(self._names))
            path = self._tree / self._names[index]
            name, trick = self._rng.choice(tricks)
            with suppress(OSError, ValueError):
                if trick(self, path):
                    folder = self._rng.randrange(FOLDERS)
                    self._names[index] = self._new_name(folder)
                self.races[name] += 1
            if self._rng.random() < 0.01:
                time.sleep(_PAUSE_SECONDS)

    def report(self) -> str:
        """What it did, as JSON."""
        return json.dumps({"races": self.races, "final": self.final, "written": sorted(self.written)})

    # --- what it does; each says whether the name is done with ---------------------------------------------------

    def create(self, path: Path) -> bool:
        """A new file, or the same name once more after it was carried away."""
        return self._write(path, os.O_CREAT | os.O_EXCL)

    def truncate(self, path: Path) -> bool:
        """Other content in the same inode."""
        return self._write(path, os.O_TRUNC)

    def append(self, path: Path) -> bool:
        """More content in the same inode."""
        return self._write(path, os.O_APPEND)

    def overwrite(self, path: Path) -> bool:
        """Content of the same length in the same inode, with the old modification time put back."""
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
        before = os.fstat(descriptor)
        os.pwrite(descriptor, self._content()[: before.st_size], 0)
        os.utime(descriptor, ns=(before.st_atime_ns, before.st_mtime_ns))
        return self._close(descriptor)

    def map(self, path: Path) -> bool:
        """Write through a shared mapping, with no descriptor open for writing."""
        watch = os.open(path, os.O_PATH | os.O_NOFOLLOW)
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
        try:
            mapping = mmap.mmap(descriptor, 0)
        finally:
            os.close(descriptor)
        with mapping:
            data = self._content()[: len(mapping)]
            mapping[: len(data)] = data
            is_final = self._judge(watch, bytes(mapping))
        os.close(watch)
        return is_final

    def replace(self, path: Path) -> bool:
        """Rename another file over the name."""
        other = self._tree / f".new-{self._number}"
        is_final = self._write(other, os.O_CREAT | os.O_EXCL)
        other.rename(path)
        return is_final

    def take_back(self, path: Path) -> bool:
        """Rename the file away and back."""
        away = path.with_name(f"{path.name}.away")
        path.rename(away)
        away.rename(path)
        return False

    def symlink(self, path: Path) -> bool:
        """A link to a file outside in place of the file, for a moment."""
        return self._swap(path, lambda other: other.symlink_to(self._canary(path)))

    def hard_link(self, path: Path) -> bool:
        """A hard link to root's own file in place of the file, for a moment."""
        link = self._tree / "links" / str(self._rng.randrange(10))
        _exchange(link, path)
        self._pause()
        _exchange(link, path)
        return False

    def fifo(self, path: Path) -> bool:
        """A FIFO in place of the file, for a moment: who opens it and waits, waits for ever."""
        return self._swap(path, os.mkfifo)

    def folder(self, path: Path) -> bool:
        """A directory in place of the file, for a moment."""
        return self._swap(path, lambda other: other.mkdir())

    def parent(self, path: Path) -> bool:
        """A link to a directory outside in place of the parent directory, for a moment."""
        return self._swap(path.parent, lambda other: other.symlink_to(self._outside / "folder"), often=3)

    def parent_elsewhere(self, path: Path) -> bool:
        """The parent directory moves out of the tree, and another one takes its place, for a moment."""
        other = self._elsewhere / path.parent.name
        _exchange(other, path.parent)
        self._pause()
        _exchange(other, path.parent)
        return False

    def private(self, path: Path) -> bool:
        """Steals the private directory of the source, or puts something of its own in its place, for a moment."""
        if self._rng.random() > 0.02:
            return False
        own = self._tree / ".outhaul"
        stolen = self._tree / f"stolen-{self._number}-{self._rng.randrange(1 << 30)}"
        with suppress(OSError):
            own.rename(stolen)
        match self._rng.choice(("symlink", "directory", "nothing")):
            case "symlink":
                own.symlink_to(self._outside / "folder")
                self._pause()
                own.unlink()
            case "directory":
                own.mkdir()
                self._pause()
                own.rmdir()
        return False

    # --- how ------------------------------------------------------------------------------------------------------

    def _swap(self, path: Path, make: Callable[[Path], None], often: int = 1) -> bool:
        """Put something else in place of what is there, by one atomic rename, and put it back."""
        other = self._tree / f".other-{self._number}"
        self._number += 1
        make(other)
        try:
            for _ in range(often):
                _exchange(other, path)
                self._pause()
                _exchange(other, path)
        finally:
            if other.is_dir() and not other.is_symlink():
                other.rmdir()
            else:
                other.unlink()
        return False

    def _pause(self) -> None:
        if self._rng.random() < 0.1:
            time.sleep(_PAUSE_SECONDS)

    def _write(self, path: Path, flags: int) -> bool:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | flags, 0o644)
        os.write(descriptor, self._content())
        return self._close(descriptor)

    def _close(self, descriptor: int) -> bool:
        data = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
        is_final = self._judge(descriptor, data)
        os.close(descriptor)
        return is_final

    def _judge(self, descriptor: int, data: bytes) -> bool:
        """Note what the file holds while nobody could have let go of it; now and then that is final."""
        digest = sha256(data).hexdigest()
        self.written.add(digest)
        if os.fstat(descriptor).st_nlink == 0 or self._rng.random() > 0.2:
            return False
        self.final.append(digest)
        return True

    def _content(self) -> bytes:
        self._number += 1
        return b"racer %08d %s\n" % (self._number, self._rng.randbytes(self._rng.randrange(200)).hex().encode())

    def _new_name(self, folder: int) -> str:
        self._named += 1
        return f"d{folder}/f{self._named:06}"

    def _canary(self, path: Path) -> Path:
        return self._outside / self._rng.choice(("secret", "public", f"folder/{path.name}"))


TRICKS: dict[str, Callable[[Racer, Path], bool]] = {
    name: getattr(Racer, name)
    for name in (
        "create", "truncate", "append", "overwrite", "map", "replace", "take_back", "symlink", "hard_link",
        "fifo", "folder", "parent", "parent_elsewhere", "private",
    )
}  # fmt: skip


def start(tree: Path, elsewhere: Path, outside: Path, seed: int, seconds: float, report: Path) -> int:
    """Fork, become nobody, and race; the report is written at the end. Returns the child's process id."""
    output = os.open(report, os.O_WRONLY | os.O_CREAT, 0o600)
    child = os.fork()
    if child:
        os.close(output)
        return child
    code = 1
    try:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        racer = Racer(tree, elsewhere, outside, seed)
        racer.race(seconds)
        os.write(output, racer.report().encode())
        code = 0
    finally:
        os._exit(code)


def _exchange(one: Path, other: Path) -> None:
    """Let two names change places at one instant, whatever they name."""
    if _libc.renameat2(-100, os.fsencode(one), -100, os.fsencode(other), _RENAME_EXCHANGE):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(one))
