"""Archived objects: asked for once each, waited for where that is wanted, and every file accounted for."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.test_restoring import World
from outhaul.engine.thawing import Patience, Thawer
from outhaul.model.errors import Denied, Misconfigured, Transient
from outhaul.model.thawing import Wish
from outhaul.testing.store import Fault
from outhaul.testing.workers import InlineWorkers


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A hundred files, of which every second is archived."""
    world = World(tmp_path, 100)
    for wanted in world.wanted[::2]:
        world.shelf.freezer[wanted.key] = "GLACIER"
    return world


def patience(world: World, *, wait: bool = False, look_seconds: float = 0) -> Patience:
    """As a restore asks by default."""
    return Patience(Thawer(Wish(), world.stopped), wait, look_seconds)


@pytest.mark.parametrize("seed", [None, 1, 2])
def test_run_after_run(world: World, seed: int | None) -> None:
    """Asked for; under way; there. The others come back at once."""
    found = []
    for _ in range(3):
        world.told.clear()
        found.append(world.run(workers=InlineWorkers(seed=seed), patience=patience(world)).by_outcome)
    assert found == [{"restored": 50, "asked": 50}, {"there": 50, "under-way": 50}, {"there": 50, "restored": 50}]
    assert len(world.shelf.wishes) == 50 and len(world.files()) == 100
    assert world.details[world.wanted[0].key] == ""


def test_left_alone(world: World) -> None:
    """Without being told to, nothing is asked for."""
    assert world.run().by_outcome == {"restored": 50, "archived": 50}
    assert world.shelf.wishes == {}


def test_waited_for(world: World) -> None:
    """All come back in the end; each is asked for once and told when it is asked for, and looked at politely."""
    world.shelf.looks = 5
    started = world.clock.monotonic_ns()
    account = world.run(patience=patience(world, wait=True))
    assert (account.by_outcome, account.well, len(world.files())) == ({"restored": 100}, True, 100)
    assert len(world.shelf.wishes) == 50
    minutes = (world.clock.monotonic_ns() - started) / 60e9
    assert 4 * 15 <= minutes <= 6 * 15, "five hours at most, looked at every quarter of one"


def test_stopped_while_waiting(world: World) -> None:
    """What was asked for counts as asked for, and what was just being looked at as interrupted."""
    world.shelf.looks = 10**9
    world.stop_after = 2000
    account = world.run(patience=patience(world, wait=True, look_seconds=60))
    assert account.by_outcome["restored"] == 50 and not account.well
    assert account.by_outcome["under-way"] > 0 and sum(account.by_outcome.values()) == 100


def test_stopped_while_asking(world: World) -> None:
    """Nothing is lost count of."""
    for stop_after in range(60, 400, 31):
        world.told.clear()
        world.stop_after = stop_after
        account = world.run(patience=patience(world))
        assert sum(account.by_outcome.values()) == account.seen


def test_faults_while_asking(world: World) -> None:
    """No answer is tried again; a permission that is missing is told of each file; a store that is none is given up."""
    world.shelf.fail("frozen", Fault(Transient("500")))
    world.shelf.fail("thaw", Fault(Transient("500")), Fault(Denied("allow s3:RestoreObject")))
    account = world.run(patience=patience(world, wait=False))
    assert account.by_outcome == {"restored": 50, "asked": 49, "archived": 1}
    world.told.clear()
    world.shelf.fail("frozen", Fault(Misconfigured("no such bucket")))
    account = world.run(patience=patience(world))
    assert set(account.by_outcome) <= {"there", "store", "under-way", "asked"} and account.by_outcome["store"]


def test_two_stores(world: World) -> None:
    """What is asked for goes to the store that has it."""
    mixed = [wanted._replace(place=number % 3 // 2) for number, wanted in enumerate(world.wanted)]
    account = world.run(mixed, patience=patience(world))
    assert account.by_outcome["store"] == 33
    assert sum(account.by_outcome.values()) == 100
