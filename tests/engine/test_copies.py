"""Another copy of the same bytes is fetched where the latest one is gone, damaged, or cannot be had."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.test_restoring import World
from engine.test_thawing import patience
from outhaul.model.errors import Denied, Misconfigured
from outhaul.model.returning import Copy, Wanted
from outhaul.stages.restore import Shelf
from outhaul.testing.shelf import SimulatedShelf
from outhaul.testing.store import Fault


class Twice(World):
    """Everything is in two more stores as well; the ledger is asked for it."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.others = {1: SimulatedShelf(), 2: SimulatedShelf()}
        for wanted in self.wanted:
            for other in self.others.values():
                other.put(wanted.key, self.shelf.content(wanted.key))
        self.asked: list[str] = []

    def _open(self, place: int) -> Shelf:
        if place == 3:
            raise Misconfigured("no such bucket")
        return self.others[place] if place else self.shelf

    def copies(self, wanted: Wanted) -> list[Copy]:
        """The other two."""
        self.asked.append(wanted.key)
        return [Copy(wanted._replace(place=place), f"s3://{place}/{wanted.key}") for place in (1, 2)]


@pytest.fixture
def world(tmp_path: Path) -> Twice:
    """It."""
    return Twice(tmp_path)


def damage(shelf: SimulatedShelf, key: str) -> None:
    """Other bytes of the same length."""
    held = shelf.objects[key][0]
    shelf.objects[key] = [held._replace(content=b"x" * len(held.content))]


def test_missing_or_damaged(world: Twice) -> None:
    """The next copy is used, and the one after that where it is no better; which, is told."""
    gone, bad, both = (wanted.key for wanted in world.wanted[:3])
    del world.shelf.objects[gone]
    damage(world.shelf, bad)
    for shelf in (world.shelf, world.others[1]):
        del shelf.objects[both]
    account = world.run(copies=world.copies)
    assert (account.by_outcome, account.well) == ({"restored": 30}, True)
    assert world.files() == {wanted.path: b"%d" % number * 9 for number, wanted in enumerate(world.wanted)}
    assert sorted(world.asked) == sorted([gone, bad, both])
    assert world.details[gone] == f"from s3://1/{gone}; the latest copy: missing"
    assert world.details[bad] == f"from s3://1/{bad}; the latest copy: damaged"
    assert world.details[both] == f"from s3://2/{both}; the latest copy: missing"


def test_where_none_is_well(world: Twice) -> None:
    """The file is told once, as its own copy was."""
    key = world.wanted[0].key
    damage(world.shelf, key)
    del world.others[1].objects[key]
    world.others[2].fail("read", Fault(Denied("403")))
    account = world.run(world.wanted[:1], copies=world.copies)
    assert account.by_outcome == {"damaged": 1}
    assert world.details[key] == f"{key}: its digest is not that of its receipt; 2 other copies tried"
    world.told.clear()
    account = world.run(world.wanted[:1], copies=lambda wanted: world.copies(wanted)[:1])
    assert world.details[key].endswith("; 1 other copy tried")


def test_a_store_that_cannot_be_used(world: Twice) -> None:
    """All of its files come from elsewhere: then all is well, and the notice has been given."""
    account = world.run([wanted._replace(place=3) for wanted in world.wanted], copies=world.copies)
    assert (account.by_outcome, account.well) == ({"restored": 30}, True)
    assert world.notices == ["the store cannot be used: no such bucket"]


def test_a_copy_that_is_at_hand_goes_before_one_in_the_archive(world: Twice) -> None:
    """Nothing is asked for that is elsewhere; what is archived everywhere is asked for once."""
    first, second = (wanted.key for wanted in world.wanted[:2])
    for shelf in (world.shelf, *world.others.values()):
        shelf.freezer[second] = "GLACIER"
    world.shelf.freezer[first] = "GLACIER"
    account = world.run(world.wanted[:2], copies=world.copies, patience=patience(world))
    assert account.by_outcome == {"restored": 1, "asked": 1}
    assert [len(shelf.wishes) for shelf in (world.shelf, *world.others.values())] == [1, 0, 0]


def test_an_archived_copy_of_one_that_is_missing(world: Twice) -> None:
    """It is asked for, waited for, and comes back."""
    key = world.wanted[0].key
    del world.shelf.objects[key]
    world.others[1].freezer[key] = "DEEP_ARCHIVE"
    del world.others[2].objects[key]
    account = world.run(world.wanted[:1], copies=world.copies, patience=patience(world, wait=True))
    assert (account.by_outcome, list(world.others[1].wishes)) == ({"restored": 1}, [key])


def test_many(tmp_path: Path) -> None:
    """More than are kept for later: they are tried again before the rest has been."""
    world = Twice(tmp_path)
    world.wanted = [world._make(f"many/{number}.csv", b"%d" % number) for number in range(1000)]
    for wanted in world.wanted:
        world.others[1].put(wanted.key, world.shelf.objects.pop(wanted.key)[0].content)
    assert world.run(copies=world.copies).by_outcome == {"restored": 1000}
