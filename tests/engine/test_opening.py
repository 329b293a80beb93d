"""A destination that was opened is left at the end of a pass, and closed where it could not be used."""

from __future__ import annotations

import pytest

from engine.test_rounds import put
from engine.world import JOB, Machine
from outhaul.model.errors import Denied, Misconfigured, SourceVanished
from outhaul.model.job import Job
from outhaul.ports import Store
from outhaul.testing.steps import Crash, Steps
from outhaul.testing.store import Fault


@pytest.fixture
def left(machine: Machine) -> list[tuple[Job, Store]]:
    """What was left, and by which job."""
    found: list[tuple[Job, Store]] = []
    machine.leave_store = lambda job, store: found.append((job, store))
    return found


def test_who_keeps_none_closes_it(machine: Machine) -> None:
    """A run closes what it has opened, once."""
    put(machine, 3)
    machine.run()
    assert machine.store.closed == 1


def test_one_that_was_used_is_left(machine: Machine, left: list[tuple[Job, Store]]) -> None:
    """Whoever keeps stores gets it open."""
    put(machine, 3)
    machine.run()
    assert (left, machine.store.closed) == ([(JOB, machine.store)], 0)


def test_one_that_was_not_opened_is_not_left(machine: Machine, left: list[tuple[Job, Store]]) -> None:
    """A pass that finds nothing has nothing to leave."""
    machine.run()
    assert (left, machine.store.closed) == ([], 0)


@pytest.mark.parametrize(("method", "error"), [("probe", Denied("no")), ("put", Misconfigured("no such bucket"))])
def test_one_that_cannot_be_used_is_closed(
    machine: Machine, left: list[tuple[Job, Store]], method: str, error: Denied | Misconfigured
) -> None:
    """The next pass opens another, which looks up credentials anew."""
    put(machine, 3)
    machine.store.fail(method, *[Fault(error)] * 9)
    assert machine.run().destination_fault
    assert (left, machine.store.closed) == ([], 1)


def test_one_that_gives_no_evidence_is_closed(machine: Machine, left: list[tuple[Job, Store]]) -> None:
    """What it can do does not suffice: nothing is sent there."""
    put(machine, 1)
    machine.store.unreadable, machine.store.etag = True, "opaque"
    assert "no evidence" in machine.run().destination_fault
    assert (left, machine.store.closed) == ([], 1)


def test_a_source_that_goes_away_leaves_it(machine: Machine, left: list[tuple[Job, Store]]) -> None:
    """The fault is not the destination's, which is asked for a bundle that was about to be sent."""
    job = JOB._replace(bundle_bytes=64 << 10, bundle_file_max=8 << 10)
    put(machine, 3)
    interrupted, vanishing = Steps(), Steps()
    interrupted.before("store.put", _crash)
    with pytest.raises(Crash):
        machine.run(job, steps=interrupted)
    vanishing.before("files.listings", _vanish)
    with pytest.raises(SourceVanished):
        machine.run(job, steps=vanishing)
    assert (left, machine.store.closed) == ([(job, machine.store)], 0)


def test_a_run_that_is_asked_to_end_opens_nothing_anew(machine: Machine) -> None:
    """It may not answer, and each file would have it opened once more, and wait for that."""
    put(machine, 3)
    machine.produce("b/another", b"x")
    steps, stop, opened = Steps(), list[bool](), list[Job]()

    def opens(job: Job) -> Store:
        opened.append(job)
        return machine.store

    machine.open_store, machine.stopped = opens, lambda: bool(stop)
    steps.before("ledger.abilities", lambda: stop.append(True))
    assert machine.run(steps=steps).tally.by_reason.keys() == {"interrupted"}
    assert (len(opened), machine.stored()) == (1, {})


def _crash() -> None:
    raise Crash


def _vanish() -> None:
    raise SourceVanished("it is not there any more")
