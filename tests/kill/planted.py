"""A world with planted faults: journal, source, state and store as a mover leaves them half-way through its work."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from kill.checker import Checker, Report
from kill.content import content, steps
from kill.journal import Content, JournalWriter
from kill.places import DirectoryStore

SEED = 7
FILES = 300


@dataclass
class World:
    """A source, a state directory and a store as a sound mover leaves them half-way, with their journal."""

    root: Path

    def __post_init__(self) -> None:
        self.source, self.state, self.store = (self.root / name for name in ("source", "state", "store"))
        for directory in (self.source, self.state, self.store):
            directory.mkdir()
        self.journal = JournalWriter(self.root / "journal")
        for number in range(1, FILES + 1):
            self.place(self.store if number % 3 else self.source, number)
            self.tell(number)
        self.checker = Checker(SEED, self.root / "journal", self.source, self.state, DirectoryStore(self.store))

    def place(self, where: Path, number: int, step: int = 0, name: str = "") -> Path:
        """Put the content of a file after one of its steps somewhere."""
        path = where / (name or path_of(number))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content(SEED, number, steps(SEED, number)[step]))
        return path

    def tell(self, number: int, step: int = 0, path: str = "") -> None:
        """Journal that content."""
        data = content(SEED, number, steps(SEED, number)[step])
        digest = sha256(data).hexdigest()
        self.journal.content(Content(path or path_of(number), number, len(data), digest, "planted"))

    def check(self) -> Report:
        """A full check of this world."""
        return self.checker.check(full=True)


def path_of(number: int) -> str:
    """The name that the file of that number has in these tests."""
    return f"roof/2026/03/01/{number // 60:02}/{number % 60:02}-wind.dat"
