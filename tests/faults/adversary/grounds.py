"""Where the race takes place: a tree that nobody owns, and canaries outside that only root may touch.

The canaries are root's. `secret` may be read by root alone, `public` by all; `folder` has files of names that
the racer uses. Nothing of them may be read into the store, changed, moved or removed.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from faults.adversary.racer import FOLDERS, NOBODY

TOKEN = b"CANARY-9d2c1f7b"
_LONG_AGO_NS = 1_000_000_000 * 10**9


class Canary(NamedTuple):
    """What must stay as it is."""

    inode: int
    mode: int
    owner: int
    size: int
    mtime_ns: int
    read_ns: int
    content: bytes


@dataclass(frozen=True)
class Grounds:
    """The directories of one race."""

    root: Path

    def __post_init__(self) -> None:
        for place in (self.tree, self.elsewhere):
            place.mkdir()
            for number in range(FOLDERS):
                (place / f"d{number}").mkdir()
        (self.tree / "links").mkdir()
        (self.outside / "folder").mkdir(parents=True)
        self._canary("secret", 0o600)
        self._canary("public", 0o644)
        for number in range(400):
            self._canary(f"folder/f{number:06}", 0o644)
        for number in range(10):
            os.link(self.outside / ("secret", "public")[number % 2], self.tree / "links" / str(number))
        for place in (self.tree, self.elsewhere):
            for folder, _, _ in os.walk(place):
                os.chown(folder, NOBODY, NOBODY)

    @property
    def tree(self) -> Path:
        """The source."""
        return self.root / "tree"

    @property
    def elsewhere(self) -> Path:
        """Directories of the racer's own outside of the source."""
        return self.root / "elsewhere"

    @property
    def outside(self) -> Path:
        """The canaries."""
        return self.root / "outside"

    def canaries(self) -> dict[str, Canary]:
        """All that is outside, as it is now; the times of reading first, before they change."""
        found = {}
        for path in sorted(self.outside.rglob("*")):
            seen = path.lstat()
            if path.is_file():
                name = str(path.relative_to(self.outside))
                state = (seen.st_ino, seen.st_mode, seen.st_uid, seen.st_size, seen.st_mtime_ns, seen.st_atime_ns)
                content = path.read_bytes()
                os.utime(path, ns=(_LONG_AGO_NS, seen.st_mtime_ns))
                found[name] = Canary(*state, content)
        return found

    def _canary(self, name: str, mode: int) -> None:
        path = self.outside / name
        path.write_bytes(TOKEN + b" " + name.encode() + b"\n")
        path.chmod(mode)
        os.utime(path, ns=(_LONG_AGO_NS, _LONG_AGO_NS))
