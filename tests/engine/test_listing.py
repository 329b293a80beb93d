"""An audit by listings comes to the same as one by single looks, in fewer requests, whatever the listing shows."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.test_restoring import World
from outhaul.model.errors import Denied, Misconfigured
from outhaul.model.returning import Listed
from outhaul.stages.audit import _before, _folder, listed_as_proved
from outhaul.testing.store import Fault
from outhaul.testing.workers import InlineWorkers


class Counted(World):
    """Objects in the order of their keys, as the ledger gives them; it counts what is asked."""

    def __init__(self, home: Path, files: int = 2500) -> None:
        super().__init__(home, files)
        self.wanted.sort(key=lambda wanted: wanted.key)
        self.heads = 0
        held = self.shelf.held

        def counted(key: str, version: str) -> object:
            self.heads += 1
            return held(key, version)

        self.shelf.held = counted  # type: ignore[assignment,method-assign]


@pytest.fixture
def world(tmp_path: Path) -> Counted:
    """It."""
    return Counted(tmp_path)


@pytest.mark.parametrize("seed", [None, 1, 2])
def test_only_what_is_not_as_proved_is_looked_at(world: Counted, seed: int | None) -> None:
    """One was written anew, one is gone, one has another length: three HEADs."""
    keys = [world.wanted[at].key for at in (700, 1400, 2499)]
    world.shelf.put(keys[0], b"z" * world.wanted[700].size, replace=True)
    del world.shelf.objects[keys[1]]
    world.shelf.put(keys[2], b"", replace=True)
    account = world.run(audit=True, lists=True, workers=InlineWorkers(seed=seed))
    assert account.by_outcome == {"as-proved": 2497, "changed": 2, "missing": 1}
    assert {key: world.told[key] for key in keys} == dict(zip(keys, ("changed", "missing", "changed"), strict=True))
    assert world.heads == 3


def test_versions_and_unknown_etags_are_looked_at(world: Counted) -> None:
    """A listing shows the latest version only, and says nothing to a receipt without an ETag."""
    world.shelf.versions = True
    wanted = []
    for one in world.wanted[:40]:
        stored = world.shelf.put(one.key, b"as it was", replace=True)
        world.shelf.put(one.key, b"replaced", replace=True)
        wanted.append(one._replace(version=stored.version, etag=stored.etag, size=9))
    wanted += [one._replace(etag="") for one in world.wanted[40:80]]
    assert world.run(wanted, audit=True, lists=True).by_outcome == {"as-proved": 80}
    assert world.heads == 40


def test_a_listing_that_fails(world: Counted) -> None:
    """Nothing follows from it: each is looked at."""
    world.shelf.fail("list", Fault(Denied("403")), Fault(Denied("403")), Fault(Denied("403")))
    assert world.run(audit=True, lists=True).by_outcome == {"as-proved": 2500}
    assert world.heads == 2500


def test_a_listing_that_shows_nothing(world: Counted) -> None:
    """An empty one says of no object that it is missing (L10)."""
    world.shelf.listing = lambda *_: iter(())  # type: ignore[method-assign]
    assert world.run(world.wanted[:50], audit=True, lists=True).by_outcome == {"as-proved": 50}


def test_few_among_many(world: Counted) -> None:
    """Where hardly any of the objects that it shows has a receipt here, it ends after a page; few are not listed at all."""
    shown: list[str] = []
    listing = world.shelf.listing

    def noted(prefix: str, after: str = "") -> Iterator[Listed]:
        for listed in listing(prefix, after):
            shown.append(listed.key)
            yield listed

    world.shelf.listing = noted  # type: ignore[method-assign]
    assert len(listed_as_proved(world.wanted[::100], world.shelf)) == 10 and len(shown) == 1000
    shown.clear()
    assert listed_as_proved(world.wanted[:10], world.shelf) == set() and shown == []


def test_it_is_stopped(world: Counted) -> None:
    """Every file that was taken up is accounted for."""
    for stop_after in (500, 1500, 2400, 2505):
        world.told.clear()
        world.stop_after = stop_after
        account = world.run(audit=True, lists=True)
        assert sum(account.by_outcome.values()) == account.seen


def test_two_places(world: Counted) -> None:
    """Those of another store are listed there."""
    mixed = [wanted._replace(place=number // 1250) for number, wanted in enumerate(world.wanted)]
    world._open = lambda _: world.shelf  # type: ignore[assignment,method-assign]
    assert world.run(mixed, audit=True, lists=True).by_outcome == {"as-proved": 2500}
    assert world.heads == 0


def test_a_place_that_cannot_be_used(world: Counted) -> None:
    """All of it says so."""
    world.shelf.fail("list", *[Fault(Misconfigured("no such bucket"))] * 3)
    world.shelf.fail("head", *[Fault(Misconfigured("no such bucket"))] * 2500)
    assert world.run(audit=True, lists=True).by_outcome == {"store": 2500}


def test_where_a_listing_begins() -> None:
    """Beneath the folder that all keys share, before the first of them, and after whatever sorts before it."""
    chance = random.Random(5)
    for _ in range(2000):
        keys = sorted("".join(chance.choices("ab/ é~\x01", k=chance.randint(1, 6))) for _ in range(3))
        folder = _folder(keys[0], keys[-1])
        assert all(key.startswith(folder) for key in keys) and (folder == "" or folder.endswith("/"))
        assert _before(keys[0]) < keys[0]
    assert _folder("a/b/c", "a/b/d") == "a/b/" and _folder("a/b", "a/b/c") == "a/"
    assert _before("a/7.csv") == "a/7.csu~"
    assert listed_as_proved([], None) == set()  # type: ignore[arg-type]
