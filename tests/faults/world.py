"""A source, a state directory and a store with known contents, and the checker of `tests/kill` over them.

The files are those of `kill.content`: each tells its number and what its bytes must be. A world may lie on one file
system or on three. It knows nothing of how a run is started.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from kill.checker import Checker, Report
from kill.content import content, steps
from kill.journal import Content, JournalWriter
from kill.places import DirectoryStore, Store

SEED = 11
_SMALL_BYTES = 20_000


@dataclass
class World:
    """Where everything of one trial is."""

    source: Path
    state: Path
    store: Path
    journal: Path
    destination: Sequence[str] = ()
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    bucket: Store | None = None
    prefix: str = ""
    """What stands before the names in each key."""

    def __post_init__(self) -> None:
        self.destination = self.destination or [str(self.store)]
        self.objects: Store = self.bucket or DirectoryStore(self.store)
        self._writer = JournalWriter(self.journal)
        self._planted = 0
        self._checker = Checker(SEED, self.journal, self.source, self.state, self.objects)

    def plant(self, count: int, *, durable: bool = False) -> list[Path]:
        """Put so many new files into the source, two in each directory, and journal them."""
        made: list[Path] = []
        while len(made) < count:
            self._planted += 1
            if steps(SEED, self._planted)[0] > _SMALL_BYTES:
                continue
            made.append(self._put(self._planted, durable=durable))
        return made

    def _put(self, number: int, *, durable: bool) -> Path:
        name = f"roof/{number // 2:02}/{number:04}-wind.dat"
        data = content(SEED, number, steps(SEED, number)[0])
        path = self.source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        if durable:
            for one in (path, path.parent, path.parent.parent, self.source):
                sync(one)
        self._writer.content(Content(name, number, len(data), sha256(data).hexdigest(), "planted"))
        return path

    def check(self) -> Report:
        """Where everything is, by its bytes."""
        return self._checker.check(full=True)

    def faults(self, *, complete: bool = False, spoilt: bool = False) -> list[str]:
        """What is lost or altered; and what is left behind, where everything should have been carried.

        Where objects may be `spoilt` on their way, by no fault of outhaul, only those that somebody relies on count.
        """
        report = self.check()
        if spoilt:
            report.corrupt.clear()
        if not report.sound:
            return [f"unsound: {report}"]
        return [f"left behind: {report}"] if complete and not report.complete else []


def fresh(root: Path) -> World:
    """A world in an existing directory."""
    source, state, store = (root / name for name in ("source", "state", "store"))
    for place in (source, state, store):
        place.mkdir()
    return World(source, state, store, root / "journal")


def sync(path: Path) -> None:
    """Have a file or a directory written to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
