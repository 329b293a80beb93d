"""Compressed objects come back as the files they were, where that is known; and never two files under one name."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from outhaul.engine.fetching import Fetcher
from outhaul.engine.undoing import Undoing
from outhaul.host.landing import HostLanding
from outhaul.model.errors import Denied, Transient
from outhaul.model.notes import Claims, Notes, notes_of
from outhaul.model.returning import Wanted
from outhaul.testing.clock import SimulatedClock
from outhaul.testing.shelf import SimulatedShelf
from outhaul.testing.store import Fault

PLAIN = b"as it was"
SUFFIXES = {"reversed": ".rev"}


class World:
    """A store, and a directory."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.shelf = SimulatedShelf()
        self.claims = Claims()
        self.stopped = False

    def put(self, key: str, notes: Notes = ()) -> Wanted:
        """An object as the codec makes it."""
        etag = self.shelf.put(key, PLAIN[::-1], notes=notes, replace=True).etag
        return Wanted(key, 0, key, "", len(PLAIN), b"", etag, 1)

    def run(self, *wanted: Wanted, by_names: bool = False, dry_run: bool = False) -> dict[str, str]:
        """Path to what became of it."""
        with HostLanding(str(self.home)) as landing:
            fetcher = Fetcher(landing, SimulatedClock(), lambda: self.stopped)
            undoing = Undoing(fetcher, SUFFIXES, self.claims, lambda: self.stopped, by_names=by_names)
            fetched = undoing(wanted, 0, None if dry_run else self.shelf)
        assert wanted == tuple(fetched.batch)
        faults = {one.path: type(error).__name__ for one, error in fetched.setbacks}
        return {one.path: outcome for one, outcome in fetched.done} | faults

    def files(self) -> dict[str, bytes]:
        """What is in the directory."""
        return {path.name: path.read_bytes() for path in self.home.iterdir()}


@pytest.fixture
def world(tmp_path: Path) -> World:
    """It."""
    return World(tmp_path)


def noted(mtime_ns: int = 10**18) -> Notes:
    """What outhaul notes beside it."""
    return notes_of("reversed", hashlib.sha256(PLAIN).digest(), len(PLAIN), mtime_ns)


def test_what_is_noted_is_undone(world: World) -> None:
    """The file has its name, its bytes, which are checked, and its time; what is not noted is as it is stored."""
    files = world.put("a.rev", noted()), world.put("b.rev"), world.put("c")
    assert world.run(*files) == {"a": "restored", "b.rev": "restored", "c": "restored"}
    assert {"a": PLAIN, "b.rev": PLAIN[::-1], "c": PLAIN[::-1]} == world.files()
    assert (world.home / "a").stat().st_mtime_ns == 10**18


def test_by_its_name(world: World) -> None:
    """Where somebody says so; no digest speaks for it, and a second time it is compared."""
    assert world.run(world.put("b.rev"), by_names=True) == {"b": "unverified"}
    assert world.files() == {"b": PLAIN}
    world.claims = Claims()
    assert world.run(world.put("b.rev"), by_names=True) == {"b": "there"}


def test_bytes_that_are_not_what_was_noted(world: World) -> None:
    """They are not written."""
    wrong = notes_of("reversed", bytes(32), len(PLAIN), 1)
    assert world.run(world.put("a.rev", wrong)) == {"a": "Damaged"}
    assert world.files() == {}


def test_a_name_that_is_taken(world: World) -> None:
    """By another file: the compressed one comes back as it is stored."""
    world.claims.claim("a")
    assert world.run(world.put("a.rev", noted())) == {"a.rev": "restored"}


def test_notes_that_cannot_be_had(world: World) -> None:
    """No answer is tried again later; a refusal leaves it to the fetching."""
    one = world.put("a.rev", noted())
    world.shelf.fail("head", Fault(Transient("503")), Fault(Denied("403")))
    assert world.run(one) == {"a.rev": "Transient"}
    assert world.run(one) == {"a.rev": "restored"}


def test_nothing_is_asked_in_vain(world: World) -> None:
    """In a dry run, once stopped, and of what is known already."""
    one = world.put("a.rev", noted())
    assert world.run(one, dry_run=True) == {"a.rev": "planned"}
    known = one._replace(path="a", codec="reversed", sha256=hashlib.sha256(PLAIN).digest())
    world.shelf.fail("head", Fault(Denied("403")))
    assert world.run(known) == {"a": "restored"}
    world.stopped = True
    assert world.run(one) == {}
