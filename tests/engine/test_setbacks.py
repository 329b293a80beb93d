"""What goes wrong outside a file: its directory, its destination's first answers, what was left aside, the pace itself.

Each history is one of the simulated machine: what fails is the world, never one of our own functions.
"""

import pytest

from engine.world import JOB, Machine
from outhaul.engine.pace import BATCH_MAX, BATCH_MIN, FAR_THREADS, FEW_THREADS, THREADS_MIN, Pace
from outhaul.engine.retry import ATTEMPTS_IN_A_RUN
from outhaul.model.errors import Denied, SourceError, Transient
from outhaul.model.notes import Notes
from outhaul.ports import Stored
from outhaul.testing.files import ARCHIVE
from outhaul.testing.steps import Crash, Steps
from outhaul.testing.store import Fault, SimulatedStore

QUIET = JOB._replace(quiet_ns=30 * 10**9)
LARGE = b"large" * 40_000


def two_files(machine: Machine) -> None:
    """In one directory."""
    machine.produce("a/one", b"1")
    machine.produce("a/two", b"2")


# --- directories --------------------------------------------------------------------------------------------------------


def test_a_directory_that_goes_before_it_is_opened(machine: Machine) -> None:
    """All files of a batch share the fate of their directory, and each is accounted for."""
    two_files(machine)
    steps = Steps()
    steps.before("files.folder", lambda: machine.files.remove("a"), about="a")
    tally = machine.run(steps=steps).tally
    assert (tally.by_reason, tally.seen) == ({"vanished": 2}, 2)


def test_a_directory_that_goes_before_its_files_are_released(machine: Machine) -> None:
    """What was carried and is gone with its directory is carried all the same."""
    two_files(machine)
    steps = Steps()
    steps.before("ledger.record", lambda: machine.files.remove("a"))
    assert machine.run(steps=steps).tally.by_reason == {"gone": 2}
    assert {b"1", b"2"} == set(machine.stored().values())


def test_a_directory_that_goes_before_it_is_listed(machine: Machine) -> None:
    """It was there, and is not: no fault, and nothing to account for."""
    two_files(machine)
    machine.produce("b/three", b"3")
    steps = Steps()
    steps.before("files.listings", lambda: machine.files.remove("a"), about="a")
    tally = machine.run(steps=steps).tally
    assert (tally.by_reason, tally.seen) == ({"removed": 1}, 1)


def test_a_source_that_may_not_be_listed(machine: Machine) -> None:
    """That is an error of the run, and nothing is concluded about its files (L10)."""
    two_files(machine)
    machine.run(QUIET)
    machine.files.root.readable = False
    with pytest.raises(SourceError):
        machine.run(QUIET)
    assert {"one", "two"} == set(machine.observations("a"))


def test_what_vanishes_after_it_was_waited_for_is_forgotten(machine: Machine) -> None:
    """A file that was remembered, and goes just before it is opened, leaves nothing behind in the ledger."""
    two_files(machine)
    machine.run(QUIET)
    machine.clock.advance(31)
    steps = Steps()
    steps.before("files.open", lambda: machine.files.remove("a/one"), about="one")
    assert machine.run(QUIET, steps=steps).tally.by_reason == {"vanished": 1, "removed": 1}
    assert machine.observations("a") == {}


def test_a_clock_that_is_set_back_during_a_walk_makes_no_file_old(machine: Machine) -> None:
    """What is written after the wall clock was set back bears a time long before the beginning of the walk (L7)."""
    machine.run(QUIET)
    steps = Steps()

    def set_back() -> None:
        machine.clock.jump_wall(-3600)
        machine.produce("a/new", b"written just now")

    steps.before("files.listings", set_back)
    assert machine.run(QUIET, steps=steps).tally.by_reason == {"quiet": 1}


# --- large files --------------------------------------------------------------------------------------------------------


def test_a_large_file_alone(machine: Machine) -> None:
    """A batch without a small file is carried as any other."""
    machine.produce("large", LARGE)
    assert machine.run().tally.by_reason == {"removed": 1}
    assert list(machine.stored().values()) == [LARGE]


def test_a_large_file_that_changes_while_it_is_sent(machine: Machine) -> None:
    """It waits, whole, and what was sent of it is no proof of anything; the next run carries what it has become."""
    machine.produce("large", LARGE)
    steps = Steps()
    steps.before("store.put_large", lambda: machine.files.write("large", LARGE[::-1]))
    assert machine.run(steps=steps).tally.by_reason == {"changed": 1}
    assert machine.run().tally.by_reason == {"removed": 1}
    assert LARGE[::-1] in machine.stored().values()


# --- a destination that answers late ------------------------------------------------------------------------------------


@pytest.mark.parametrize("failures", range(1, ATTEMPTS_IN_A_RUN))
def test_a_probe_without_an_answer_is_made_again(machine: Machine, failures: int) -> None:
    """With a pause before each; what comes after is a run like any other."""
    two_files(machine)
    machine.store.fail("probe", *[Fault(Transient("timeout"))] * failures)
    assert machine.run().tally.by_reason == {"removed": 2}
    assert len(machine.clock.slept_seconds) == failures


def test_a_destination_that_never_answers_its_probe(machine: Machine) -> None:
    """It is given up, by its own words, and not a file is touched; the next run begins anew."""
    two_files(machine)
    machine.store.fail("probe", *[Fault(Transient("connection refused"))] * ATTEMPTS_IN_A_RUN)
    outcome = machine.run()
    assert (outcome.destination_fault, outcome.tally.by_reason) == ("connection refused", {"destination": 2})
    assert (machine.stored(), len(machine.files.files())) == ({}, 2)
    assert machine.run().tally.by_reason == {"removed": 2}


def test_nothing_leaves_the_archive_without_the_destination(machine: Machine) -> None:
    """Where the store of the receipts cannot be used, its time cannot be asked, and the archive stays as it is."""
    job = JOB._replace(after="archive", archive=ARCHIVE, archive_keep_ns=10**9)
    machine.produce("a/one", b"1")
    machine.run(job)
    machine.clock.advance(60)
    machine.store.fail("probe", *[Fault(Denied("403"))] * 9)
    machine.clock.advance(2 * 86400)
    outcome = machine.run(job)
    assert (outcome.destination_fault, machine.files.archived()) == ("403", {"a/one": b"1"})
    machine.store.faults.clear()
    machine.run(job)
    assert machine.files.archived() == {}


def test_what_is_archived_again_stays_for_its_whole_time(machine: Machine) -> None:
    """The same bytes under the same name, archived twice, are one file there; the later of the two says how long it stays."""
    job = JOB._replace(after="archive", archive=ARCHIVE, archive_keep_ns=30 * 86_400 * 10**9)
    for _ in range(2):
        machine.produce("a/one", b"the same each time")
        machine.run(job)
        machine.clock.advance(20 * 86_400)
    machine.run(job)
    assert machine.files.archived() == {"a/one": b"the same each time"}
    machine.clock.advance(20 * 86_400)
    machine.run(job)
    assert machine.files.archived() == {}


# --- what an earlier run left aside -------------------------------------------------------------------------------------


def test_what_is_aside_and_in_use_goes_back(machine: Machine) -> None:
    """Somebody writes to a file that a crash left aside: it is put back, where whoever writes finds it."""
    machine.produce("a/one", b"1")
    steps = Steps()
    steps.before("files.unlink", lambda: setattr(steps, "crash_at", len(steps.calls)))
    with pytest.raises(Crash):
        machine.run(steps=steps)
    (inode,) = [inode for _, _, inode in machine.files.private.values()]
    inode.writers = 1
    assert machine.run().tally.by_reason == {"in-use": 1}
    assert (machine.files.files(), machine.files.private) == ({"a/one": b"1"}, {})


# --- the pace -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("many_at_once", "answer_ns", "threads", "batch"),
    [
        (True, 0, FEW_THREADS, range(1, BATCH_MIN)),
        (True, 200_000, FEW_THREADS, range(BATCH_MIN, BATCH_MIN + 1)),
        (True, 200_000_000, FAR_THREADS, range(BATCH_MIN, BATCH_MAX + 1)),
        (False, 200_000, THREADS_MIN, range(BATCH_MIN, BATCH_MIN + 1)),
    ],
)
def test_how_far_the_store_is_sets_threads_and_batches(
    many_at_once: bool, answer_ns: int, threads: int, batch: range
) -> None:
    """Where one thread keeps many requests under way a few threads do, and more of them only where the answers are slow."""
    pace = Pace(2)
    pace.suit(many_at_once=many_at_once)
    pace.learn(answer_ns, 10, 0)
    assert pace.threads >= threads if not many_at_once else pace.threads == threads
    assert pace.batch in batch
    assert pace.at_once_each * pace.threads <= max(pace.at_once, pace.threads)
    assert (pace.at_once_each > 1) == many_at_once


# --- a file that never goes ---------------------------------------------------------------------------------------------


class Poisoned(SimulatedStore):
    """A store that has an error of its own for one key, and for no other."""

    def put(self, key: str, body: bytes, *, replace: bool = False, notes: Notes = ()) -> Stored:
        if key.endswith("poison"):
            raise Transient("500 InternalError")
        return super().put(key, body, replace=replace, notes=notes)


def test_a_poison_file_is_held_after_many_attempts(machine: Machine) -> None:
    """It waits for some runs, is then held with what the store said last, and is tried again all the same; others go on."""
    machine.store = Poisoned()
    machine.produce("poison", b"poison")
    seen = []
    for number in range(4):
        machine.produce(f"a/{number}", b"%d" % number)
        seen.append(machine.run().tally.by_reason)
        machine.clock.advance(60)
    assert seen == [{"removed": 1, "retry": 1}] * 2 + [{"removed": 1, "failing": 1}] * 2
    assert "500 InternalError" in machine.observations()["poison"].detail
    machine.store = SimulatedStore()
    assert machine.run().tally.by_reason == {"removed": 1}


def test_a_destination_that_is_away_makes_no_file_poison(machine: Machine) -> None:
    """Where nothing arrives, it is the destination that is told."""
    machine.store = Poisoned()
    machine.produce("poison", b"poison")
    for _ in range(5):
        outcome = machine.run()
        machine.clock.advance(60)
        assert (outcome.destination_fault, outcome.tally.by_reason) == ("500 InternalError", {"retry": 1})
