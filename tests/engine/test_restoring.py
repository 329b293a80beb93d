"""Many files come back: each is accounted for, faults are tried again where that helps, nothing gets out of the directory."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from outhaul.engine.account import Account
from outhaul.engine.fetching import Auditor, Fetcher
from outhaul.engine.listing import Lister
from outhaul.engine.restoring import Hands, Restoring
from outhaul.engine.retry import ATTEMPTS_IN_A_RUN, FAILURES_MAX
from outhaul.engine.thawing import Patience
from outhaul.host.landing import HostLanding
from outhaul.host.threads import ThreadWorkers
from outhaul.model.errors import Archived, Denied, Misconfigured, Refused, Transient
from outhaul.model.keys import escape
from outhaul.model.returning import RETURNS, Copy, Wanted, wanted_objects
from outhaul.ports import Workers
from outhaul.stages.restore import LARGE_BYTES, Shelf
from outhaul.testing.clock import SimulatedClock
from outhaul.testing.shelf import SimulatedShelf
from outhaul.testing.store import Fault
from outhaul.testing.workers import InlineWorkers


class World:
    """A store full of objects, an empty directory, and a note of all that was told."""

    def __init__(self, home: Path, files: int = 30) -> None:
        self.home = home / "back"
        self.shelf = SimulatedShelf()
        self.told: dict[str, str] = {}
        self.notices: list[str] = []
        self.stop_after = 10**9
        self.opened = 0
        self.clock = SimulatedClock()
        self.details: dict[str, str] = {}
        self.wanted = [self._make(f"d{number % 3}/{number}.csv", b"%d" % number * 9) for number in range(files)]

    def _make(self, path: str, content: bytes) -> Wanted:
        etag = self.shelf.put(path, content).etag
        return Wanted(path, 0, path, "", len(content), hashlib.sha256(content).digest(), etag, 10**18)

    def run(
        self,
        wanted: Iterable[Wanted] | None = None,
        *,
        workers: Workers | None = None,
        limit: int = 0,
        audit: bool = False,
        folds_case: bool = False,
        copies: Callable[[Wanted], Iterable[Copy]] = lambda _: (),
        patience: Patience | None = None,
        lists: bool = False,
    ) -> Account:
        """Restore them, or audit them."""
        clock = self.clock
        with HostLanding(str(self.home)) as landing:
            work = Auditor(clock, self.stopped) if audit else Fetcher(landing, clock, self.stopped)
            hands = Hands(
                self._open, work, workers or InlineWorkers(), clock, self, self.stopped, folds_case,
                copies=copies, patience=patience, lister=Lister(self.stopped) if lists else None,
            )  # fmt: skip
            return Restoring(hands, limit=limit).run(self.wanted if wanted is None else wanted)

    def _open(self, place: int) -> Shelf:
        self.opened += 1
        if place:
            raise Misconfigured("no such bucket")
        return self.shelf

    def stopped(self) -> bool:
        self.stop_after -= 1
        return self.stop_after < 0

    def expect(self, files: int, size: int) -> None: ...

    def returned(self, wanted: Wanted, outcome: str, detail: str) -> None:
        assert self.told.get(wanted.key) in (None, "asked", "under-way"), "what became of a file is told once"
        self.told[wanted.key] = outcome
        self.details[wanted.key] = detail

    def progress(self, account: Account) -> None:
        assert sum(account.by_outcome.values()) <= account.seen

    def notice(self, text: str) -> None:
        self.notices.append(text)

    def files(self) -> dict[str, bytes]:
        return {str(path.relative_to(self.home)): path.read_bytes() for path in self.home.rglob("*") if path.is_file()}


@pytest.fixture
def world(tmp_path: Path) -> World:
    """It."""
    return World(tmp_path)


@pytest.mark.parametrize("seed", [None, 1, 2, 3])
def test_all_come_back_and_a_second_run_finds_them(world: World, seed: int | None) -> None:
    """Whatever the order in which workers finish, every file is there and told once; run again, all are there already."""
    account = world.run(workers=InlineWorkers(seed=seed))
    assert (account.seen, account.by_outcome, account.well) == (30, {"restored": 30}, True)
    assert account.bytes_restored == sum(wanted.size for wanted in world.wanted)
    assert world.files() == {wanted.path: world.shelf.content(wanted.key) for wanted in world.wanted}
    world.told.clear()
    assert world.run(workers=InlineWorkers(seed=seed)).by_outcome == {"there": 30}


def test_with_real_threads(tmp_path: Path) -> None:
    """Five hundred files by many threads at once."""
    world = World(tmp_path, 500)
    assert world.run(workers=ThreadWorkers()).by_outcome == {"restored": 500}
    assert len(world.files()) == 500


def test_it_goes_on_where_it_was(world: World) -> None:
    """A run that is stopped accounts for every file it had taken up; the next one brings the rest."""
    world.stop_after = 25
    account = world.run()
    assert account.seen == sum(account.by_outcome.values()) and account.by_outcome["interrupted"] > 0
    there = len(world.files())
    assert there == account.by_outcome["restored"]
    world.stop_after = 10**9
    world.told.clear()
    assert world.run().by_outcome == {"there": there, "restored": 30 - there}


def test_missing_damaged_and_archived_are_told(world: World) -> None:
    """Each under its own name; the others come back; nothing of them is written."""
    del world.shelf.objects["d2/29.csv"]
    held = world.shelf.objects["d1/1.csv"][0]
    world.shelf.objects["d1/1.csv"] = [held._replace(content=b"x" * len(held.content))]
    world.shelf.fail("read", Fault(Archived("is frozen")))
    account = world.run()
    assert account.by_outcome == {"missing": 1, "damaged": 1, "archived": 1, "restored": 27}
    assert not account.well
    assert len(world.files()) == 27


def test_a_bit_that_flips_on_the_way(world: World) -> None:
    """Bytes that do not fit are fetched once more before anything is called damaged."""
    held = world.shelf.objects["d0/0.csv"]
    reads = iter([[held[0]._replace(content=b"x" * len(held[0].content))], held])
    real = world.shelf._find
    world.shelf._find = lambda key, version: next(reads)[0] if key == "d0/0.csv" else real(key, version)  # type: ignore[method-assign]
    assert world.run().by_outcome == {"restored": 30}


def test_no_answer_is_tried_again(world: World) -> None:
    """A store that hiccups costs a pause, not a file; one file that never gets an answer is told."""
    world.shelf.fail("read", *[Fault(Transient("500"))] * (ATTEMPTS_IN_A_RUN - 1))
    assert world.run(world.wanted[:1]).by_outcome == {"restored": 1}
    world.told.clear()
    world.shelf.fail("read", *[Fault(Transient("500"))] * ATTEMPTS_IN_A_RUN)
    assert world.run(world.wanted[1:2]).by_outcome == {"no-answer": 1}


def test_a_store_that_cannot_be_used(world: World) -> None:
    """Its files are told so, and those of another store come back. It is asked for once."""
    mixed = [wanted._replace(place=index % 2) for index, wanted in enumerate(world.wanted)]
    account = world.run(mixed)
    assert account.by_outcome == {"restored": 15, "store": 15}
    assert (account.faults, world.notices) == ({1: "no such bucket"}, ["the store cannot be used: no such bucket"])
    assert world.opened == 2


def test_one_denied_object_is_no_denied_store(world: World) -> None:
    """Without s3:ListBucket AWS says 403 of a key that is missing: that ends nothing. All denied from the first on does."""
    world.shelf.fail("read", Fault(Denied("403")))
    account = world.run()
    assert (account.by_outcome, account.faults) == ({"denied": 1, "restored": 29}, {})
    world.shelf.unreadable = True
    world.told.clear()
    for path in world.home.rglob("*.csv"):
        path.unlink()
    account = world.run()
    assert set(account.by_outcome) <= {"denied", "store"} and account.by_outcome["denied"] >= FAILURES_MAX
    assert list(account.faults) == [0]


def test_what_the_store_refuses(world: World) -> None:
    """One object that it will not give is told, and not tried again."""
    world.shelf.fail("read", Fault(Refused("400")))
    assert world.run().by_outcome == {"store-refused": 1, "restored": 29}


def test_a_limit_is_kept(world: World) -> None:
    """At most so many are fetched; those that are there already do not count."""
    for found in (7, 7, 7, 7):
        account = world.run(limit=found)
        assert account.by_outcome["restored"] == found and account.stopped_at_limit
        world.told.clear()
    account = world.run(limit=7)
    assert (account.by_outcome, account.stopped_at_limit) == ({"there": 28, "restored": 2}, False)


def test_names_that_are_one_name_here(world: World) -> None:
    """Where the file system does not tell case apart, the second of two names is told, and neither is mixed up."""
    wanted = [world._make(path, path.encode()) for path in ("x/A.csv", "x/a.csv", "X/b.csv", "x/c.csv")]
    account = world.run(wanted, folds_case=True)
    assert account.by_outcome == {"restored": 3, "collides": 1}
    assert world.told["x/a.csv"] == "collides"


def test_a_file_and_a_directory_of_one_name(world: World) -> None:
    """'a' and 'a/b' cannot both be there: one is, and the other is told."""
    wanted = [world._make("a", b"file"), world._make("a/b", b"below")]
    assert world.run(wanted).by_outcome == {"restored": 1, "in-the-way": 1}
    assert list(world.files().items()) in ([("a", b"file")], [("a/b", b"below")])


def test_an_audit_finds_the_one_that_was_altered(tmp_path: Path) -> None:
    """One of two thousand was written anew with other bytes, and one is gone: both are told, by name."""
    world = World(tmp_path, 2000)
    world.shelf.put("d1/1000.csv", b"z" * world.wanted[1000].size, replace=True)
    del world.shelf.objects["d2/800.csv"]
    account = world.run(audit=True)
    assert account.by_outcome == {"as-proved": 1998, "changed": 1, "missing": 1}
    assert {path for path, outcome in world.told.items() if outcome != "as-proved"} == {"d1/1000.csv", "d2/800.csv"}


def test_a_hostile_bucket(world: World, tmp_path: Path) -> None:
    """Three thousand keys made to lead out: none does; what is written has the name that its key stands for (T13)."""
    chance = random.Random(7)
    bits = ["..", ".", "", "a", "~", "%2e%2e", "%2F", "\0", "\n", "C:", "\\..\\", "x" * 256, "é", "link", "%00", "etc"]
    (world.home).mkdir()
    (tmp_path / "outside").mkdir()
    (world.home / "link").symlink_to("../outside")
    shelf = world.shelf
    shelf.objects.clear()
    for _ in range(3000):
        shelf.put("/".join(chance.choices(bits, k=chance.randint(1, 5))), b"evil", replace=True)
    account = world.run(wanted_objects(0, "", shelf.listing("")))
    assert account.seen == len(shelf.objects) == sum(account.by_outcome.values())
    assert {"restored", "refused-name", "in-the-way"} <= set(account.by_outcome)
    assert list((tmp_path / "outside").iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["back", "outside"]
    keys = set(shelf.objects) | {escape(key) for key in shelf.objects}
    assert all(path in keys or escape(path) in keys for path in world.files() if not path.startswith("link"))


def test_how_far_a_large_file_is(world: World) -> None:
    """While it comes it is told; when it is whole it counts as settled, as everything does that is accounted for."""
    large = world._make("large", b"x" * LARGE_BYTES)
    seen: list[int] = []
    with HostLanding(str(world.home)) as landing:
        fetcher = Fetcher(landing, world.clock, lambda: False)
        read = world.shelf.read
        world.shelf.part_bytes = 1 << 20

        def telling(key: str, version: str = "") -> Iterator[bytes]:
            for chunk in read(key, version):
                seen.append(fetcher.passing())
                yield chunk

        world.shelf.read = telling  # type: ignore[method-assign]
        hands = Hands(world._open, fetcher, InlineWorkers(), world.clock, world, world.stopped)
        account = Restoring(hands).run([large, world.wanted[0]])
    assert seen[:17] == [number << 20 for number in range(16)] + [0]
    assert (account.bytes_settled, fetcher.passing()) == (LARGE_BYTES + world.wanted[0].size, 0)


def test_every_outcome_has_words() -> None:
    """Whoever reads of an outcome that is not well is told what to do."""
    assert [name for name, told in RETURNS.items() if not told.meaning or not (told.well or told.advice)] == []
