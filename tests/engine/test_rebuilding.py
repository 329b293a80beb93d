"""Receipts from what a store holds: only with digests that are known, and none that lets a source go."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import pytest

from engine.world import JOB, Machine
from outhaul.engine.account import Account
from outhaul.engine.rebuilding import Rebuilder, Recording
from outhaul.engine.restoring import Hands, Restoring
from outhaul.engine.unbundling import Unbundling
from outhaul.ledgers.history import History
from outhaul.ledgers.queries import ReceiptRow
from outhaul.model.job import Job
from outhaul.model.notes import notes_of
from outhaul.model.returning import Wanted
from outhaul.model.selection import Chooser, Selection
from outhaul.testing.shelf import SimulatedShelf
from outhaul.testing.workers import InlineWorkers

BUNDLING = JOB._replace(bundle_bytes=64 << 10, bundle_file_max=8 << 10)
CONTENTS = {f"d{number % 3}/file-{number}": random.Random(number).randbytes(400 + number) for number in range(40)}
SUFFIXES = {"reversed": ".rev"}


class World:
    """A machine, the store that it carries to, and what was told."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.machine = Machine(str(home / "first"))
        self.shelf = self.machine.store = SimulatedShelf()
        self.shelf.keeps_sha256 = True
        self.told: list[tuple[str, str]] = []
        self.stops_after = 10**9

    def carry(self, contents: dict[str, bytes], job: Job = JOB) -> None:
        """Have files carried, with a ledger that is then lost."""
        for path, content in contents.items():
            self.machine.produce(path, content)
        assert self.machine.run(job).tally.by_reason == {"removed": len(contents)}
        self.machine.state = str(self.home / "second")

    def rebuild(self, *, read_all: bool = False) -> Account:
        """A new ledger."""
        clock = self.machine.clock
        with self.machine.ledger() as ledger:
            recording = Recording(ledger.place(JOB), ledger, self, clock.wall_ns)
            unbundling = Unbundling("site", self.shelf, SUFFIXES, clock, self.notice, opened=recording.opened)
            work = Rebuilder(SUFFIXES, clock, self.stopped, read_all=read_all)
            hands = Hands(lambda _: self.shelf, work, InlineWorkers(), clock, recording, self.stopped)
            account = Restoring(hands).run(unbundling.wanted(self.shelf.listing("site/")))
            recording.flush()
        return account

    def rows(self) -> dict[str, ReceiptRow]:
        """Path to its receipt; there is one of each."""
        with History(self.machine.state) as history:
            rows = list(history.receipts(Selection()))
        assert len({row.path for row in rows}) == len(rows)
        return {row.path: row for row in rows}

    def stopped(self) -> bool:
        self.stops_after -= 1
        return self.stops_after < 0

    def expect(self, files: int, size: int) -> None: ...

    def returned(self, wanted: Wanted, outcome: str, detail: str) -> None:
        self.told.append((wanted.path, outcome))

    def progress(self, account: Account) -> None: ...

    def notice(self, text: str) -> None: ...


@pytest.fixture
def world(tmp_path: Path) -> World:
    """It."""
    return World(tmp_path)


@pytest.mark.parametrize(("read_all", "proof"), [(False, "checksum"), (True, "read-back")])
def test_every_file_has_a_receipt_again(world: World, read_all: bool, proof: str) -> None:
    """Those in bundles and those alone, by what the store keeps of them or by their bytes; again changes nothing."""
    world.carry(CONTENTS | {"large": bytes(9 << 10)}, BUNDLING)
    for _ in range(2):
        account = world.rebuild(read_all=read_all)
        assert {"recorded-read" if read_all else "recorded": 41} == account.by_outcome
    rows = world.rows()
    digests = {path: hashlib.sha256(content).digest() for path, content in CONTENTS.items()}
    assert digests == {path: row.sha256 for path, row in rows.items() if path != "large"}
    assert {proof} == {row.proof for row in rows.values()}
    with world.machine.ledger() as ledger:
        assert ledger.bundles(ledger.place(JOB)) == []


def test_no_digest_that_is_kept_means_reading(world: World) -> None:
    """Of a store that keeps none."""
    world.carry({"a": b"a"})
    world.shelf.keeps_sha256 = False
    assert world.rebuild().by_outcome == {"recorded-read": 1}


@pytest.mark.parametrize("bundled", [False, True])
def test_nothing_is_let_go_by_a_rebuilt_receipt(world: World, bundled: bool) -> None:
    """A source that is still there goes by a receipt of its own; one whose object has vanished is sent again."""
    world.carry(CONTENTS, BUNDLING if bundled else JOB)
    world.rebuild()
    for path, content in CONTENTS.items():
        world.machine.produce(path, content)
    world.shelf.objects.clear()
    assert world.machine.run().tally.by_reason == {"removed": 40}
    assert set() == world.machine.lost()
    assert {key.removeprefix("site/"): content for key, content in world.machine.stored().items()} == CONTENTS


def test_no_file_is_the_one_of_a_rebuilt_receipt(world: World) -> None:
    """Nor is one in a private directory that has the number of its receipt: device, inode and change time are none."""
    world.carry({"a": b"content"})
    world.rebuild()
    with world.machine.ledger() as ledger:
        found = ledger.receipt(world.rows()["a"].number)
    assert found is not None
    assert (found.sighting.device, found.sighting.inode, found.sighting.ctime_ns) == (0, 0, 0)


def test_what_a_rebuilt_receipt_does_not_know(world: World) -> None:
    """Of a file alone nothing tells the mode, and it is not taken for 0; of one in a bundle, its index does."""
    world.carry({"d/a": b"a", "d/b": b"b"}, BUNDLING)
    world.machine.produce("alone", b"alone")
    assert world.machine.run().tally.by_reason == {"removed": 1}
    world.machine.state = str(world.home / "third")
    world.rebuild()
    with History(world.machine.state) as history:
        found = {one.path: one.mode for one in history.wanted(Selection(), Chooser(()))}
    assert found == {"alone": None, "d/a": 0o644, "d/b": 0o644}


@pytest.mark.parametrize("read_all", [False, True])
def test_what_was_compressed_is_the_file(world: World, read_all: bool) -> None:
    """As it is noted, and where the bytes are read as they bear it out; else it is the object as it is stored."""
    plain = b"as it was"
    right = notes_of("reversed", hashlib.sha256(plain).digest(), len(plain), 5)
    wrong = notes_of("reversed", bytes(32), len(plain), 5)
    for name, notes in (("a.rev", right), ("b.rev", wrong), ("c.rev", ())):
        world.shelf.put(f"site/{name}", plain[::-1], notes=notes)
    world.rebuild(read_all=read_all)
    assert {"a", "b.rev" if read_all else "b", "c.rev"} == set(world.rows())
    assert hashlib.sha256(plain).digest() == world.rows()["a"].sha256
    assert hashlib.sha256(plain[::-1]).digest() == world.rows()["c.rev"].sha256


def test_what_is_damaged_is_not_recorded(world: World) -> None:
    """A bundle that has other bytes, told by what the store keeps or by reading; one that is gone."""
    world.carry(CONTENTS, BUNDLING)
    (key,) = [key for key in world.shelf.objects if key.endswith(".tar")]
    held = world.shelf.objects[key][0]
    world.shelf.objects[key] = [held._replace(content=bytes(len(held.content)))]
    assert world.rebuild().by_outcome == {"damaged": 40}
    assert world.rebuild(read_all=True).by_outcome == {"damaged": 40}
    del world.shelf.objects[key]
    assert world.rebuild().by_outcome == {"missing": 40}
    assert world.rows() == {}


def test_an_object_that_ends_too_early(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read is not what the store says that it has."""
    world.carry({"a": b"content"})
    monkeypatch.setattr(world.shelf, "read", lambda *_: iter((b"con",)))
    assert world.rebuild(read_all=True).by_outcome == {"damaged": 1}


def test_many_files_are_several_transactions(world: World) -> None:
    """And a small one is none."""
    for number in range(600):
        world.shelf.put(f"site/{number}", b"%d" % number)
    assert world.rebuild().by_outcome == {"recorded": 600}
    assert len(world.rows()) == 600


def test_it_can_be_stopped_and_goes_on(world: World) -> None:
    """What was not looked at is told; what was recorded is not recorded again."""
    world.carry(CONTENTS)
    world.stops_after = 60
    account = world.rebuild()
    assert 0 < account.by_outcome["interrupted"] < account.seen
    world.stops_after = 10**9
    assert world.rebuild().by_outcome == {"recorded": 40}
    assert set(world.rows()) == set(CONTENTS)
