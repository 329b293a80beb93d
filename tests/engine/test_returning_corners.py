"""The rare ends of a restore and an audit: a disk that is full, a store that goes away, a run that is asked to end."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pytest

from engine.test_restoring import World
from outhaul.engine.account import outcome_of
from outhaul.engine.fetching import Auditor, Fetched, Fetcher
from outhaul.engine.restoring import Hands, Restoring
from outhaul.engine.retry import FAILURES_MAX
from outhaul.host.landing import HostLanding
from outhaul.model.errors import Denied, NoRoom, NotWritten, SourceChanged, Transient
from outhaul.model.evidence import Within
from outhaul.model.returning import Wanted
from outhaul.stages.restore import Shelf, Written
from outhaul.testing.store import Fault
from outhaul.testing.workers import InlineWorkers


class BadDisk(HostLanding):
    """Nothing can be made durable here."""

    error: type[NotWritten] = NoRoom

    def sync(self, written: Sequence[Written]) -> None:
        """It fails."""
        raise self.error("No space left on device")


def restoring(
    world: World, landing: HostLanding, *, dry_run: bool = False, workers: InlineWorkers | None = None
) -> Restoring:
    """A restore into this place."""
    fetcher = Fetcher(landing, world.clock, world.stopped)
    hands = Hands(lambda _: world.shelf, fetcher, workers or InlineWorkers(), world.clock, world, world.stopped)
    return Restoring(hands, dry_run=dry_run)


def test_a_full_disk_stops_it(tmp_path: Path) -> None:
    """What could not be made durable has no name; the rest is not fetched for nothing."""
    world = World(tmp_path, 400)
    with BadDisk(str(world.home)) as landing:
        account = restoring(world, landing).run(world.wanted)
    assert (account.by_outcome, world.files()) == ({"not-written": 400}, {})
    assert world.shelf.steps.names().count("store.read") < 400


def test_names_that_cannot_be_made_durable_are_no_files_yet(tmp_path: Path) -> None:
    """They are there, perhaps; it is not said that they are."""

    class Later(BadDisk):
        error = NotWritten
        calls = 0

        def sync(self, written: Sequence[Written]) -> None:
            """The bytes, but not the names."""
            self.calls += 1
            if self.calls % 2 == 0:
                super().sync(written)

    world = World(tmp_path, 6)
    with Later(str(world.home)) as landing:
        account = restoring(world, landing).run(world.wanted)
    assert account.by_outcome == {"not-written": 6}


def test_a_dry_run_tells_of_a_link_in_the_way(tmp_path: Path) -> None:
    """Without opening the store."""
    world = World(tmp_path, 6)
    world.home.mkdir()
    (world.home / "d1").symlink_to(tmp_path)
    with HostLanding(str(world.home)) as landing:
        account = restoring(world, landing, dry_run=True).run(world.wanted)
    assert account.by_outcome == {"planned": 4, "in-the-way": 2}


def test_a_store_that_stops_answering_is_given_up(world_of: World) -> None:
    """After so many failures in a row; what is left is told under it."""
    world_of.shelf.fail("read", *[Fault(Transient("no answer"))] * 500)
    account = world_of.run()
    assert set(account.by_outcome) <= {"no-answer", "store"}
    assert sum(account.by_outcome.values()) == account.seen
    assert account.faults != {} or account.by_outcome["no-answer"] >= FAILURES_MAX


def test_what_a_worker_raises_comes_out(world_of: World) -> None:
    """A mistake of ours is not taken for what became of a file."""

    def mistake(batch: Sequence[Wanted], weighs: int, shelf: Shelf | None) -> Fetched:
        raise ZeroDivisionError

    hands = Hands(
        lambda _: world_of.shelf,
        mistake,
        InlineWorkers(),
        world_of.clock,
        world_of,
        world_of.stopped,
    )
    with pytest.raises(ZeroDivisionError):
        Restoring(hands).run(world_of.wanted)


def test_workers_that_never_come_back_are_not_waited_for_for_ever(world_of: World) -> None:
    """Asked to end, it ends."""

    class Lost(InlineWorkers):
        def finished(self, timeout_seconds: float) -> list[object]:
            """Never anything."""
            world_of.clock.advance(3)
            return []

    world_of.stop_after = 40
    with HostLanding(str(world_of.home)) as landing:
        account = restoring(world_of, landing, workers=Lost()).run(world_of.wanted)
    assert account.by_outcome.get("interrupted", 0) == account.seen


def test_an_audit_that_is_asked_to_end_ends(world_of: World) -> None:
    """What it has not looked at is told as such."""
    world_of.stop_after = 12
    account = world_of.run(audit=True)
    assert account.by_outcome["interrupted"] > 0
    assert sum(account.by_outcome.values()) == account.seen


def test_members_of_a_bundle_come_back_and_are_looked_at(tmp_path: Path) -> None:
    """Each by its part of the object; an audit with all bytes reads the object as a whole."""
    world = World(tmp_path, 0)
    body = bytes(range(200))
    world.shelf.put("b", body)
    world.shelf.part_bytes = 7  # It comes in small pieces.
    wanted = [
        Wanted(f"m{at}", 0, "b", "", 9, hashlib.sha256(body[at : at + 9]).digest(), within=Within(1, at - 5, 20, 5),
               stored_size=200, stored_sha256=hashlib.sha256(body).digest())
        for at in (10, 50, 90)
    ]  # fmt: skip
    with HostLanding(str(world.home)) as landing:
        fetched = Fetcher(landing, world.clock, world.stopped)(wanted, 0, world.shelf)
    assert fetched.done == [(one, "restored") for one in wanted]
    assert world.files() == {f"m{at}": body[at : at + 9] for at in (10, 50, 90)}
    auditor = Auditor(world.clock, world.stopped, read_back=True)
    assert auditor(wanted[:1], 0, world.shelf).done == [(wanted[0], "as-proved")]
    world.shelf.objects["b"] = [world.shelf.objects["b"][0]._replace(content=body[:199] + b"x")]
    assert auditor(wanted[:1], 0, world.shelf).done == [(wanted[0], "changed")]


def test_a_member_that_comes_in_pieces(tmp_path: Path) -> None:
    """What is before it is passed over, and what is after it is not read; the pace follows from how long that took."""
    world = World(tmp_path, 0)
    body = bytes(range(200))
    world.shelf.put("b", body)
    world.shelf.part_bytes, world.clock.tick_ns = 7, 1000
    wanted = Wanted("m", 0, "b", "", 20, hashlib.sha256(body[30:50]).digest(), within=Within(1, 10, 80, 20))
    assert world.run([wanted]).by_outcome == {"restored": 1}
    assert world.files() == {"m": body[30:50]}


def test_digests_that_may_not_be_asked_for_are_none(world_of: World) -> None:
    """Then a file without a receipt comes back unverified."""
    world_of.shelf.fail("stored_sha256", Fault(Denied("403")))
    wanted = world_of.wanted[0]._replace(sha256=b"", etag="opaque")
    assert world_of.run([wanted]).by_outcome == {"unverified": 1}


def test_no_stage_raises_any_other_error() -> None:
    """It would be a mistake of ours."""
    with pytest.raises(SourceChanged):
        outcome_of(SourceChanged("x"))


@pytest.fixture
def world_of(tmp_path: Path) -> World:
    """Thirty files."""
    return World(tmp_path)
