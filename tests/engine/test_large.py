"""Large files: uploads that go on in another process, and parts that nobody needs any more."""

import hashlib
from pathlib import Path

import pytest

from engine.world import JOB, Machine
from outhaul.engine.large import AT_ONCE
from outhaul.model.errors import Denied, SourceUnreadable, Transient, UploadGone
from outhaul.model.job import ConflictRule, Destination, Job
from outhaul.model.keys import second_key
from outhaul.testing.steps import Crash, Steps
from outhaul.testing.store import Fault

LARGE = bytes(range(256)) * 400
PARTS = -(-len(LARGE) // (1 << 14))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """With one large file."""
    machine = Machine(str(tmp_path / "state"))
    machine.produce("a/large", LARGE)
    return machine


def crashed_at_part(machine: Machine, number: int, job: Job = JOB) -> None:
    """The process ends just before this part, counted from 1, is sent."""
    steps = Steps()

    def count() -> None:
        steps.before("store.put_part", count if steps.names().count("store.put_part") < number - 2 else end)

    def end() -> None:
        raise Crash

    steps.before("store.put_part", end if number == 1 else count)
    with pytest.raises(Crash):
        machine.run(job, steps=steps)


@pytest.mark.parametrize("number", [1, 2, PARTS])
def test_an_upload_goes_on_after_a_crash(machine: Machine, number: int) -> None:
    """What was sent before is not sent again: in all there are no more parts than the file has."""
    crashed_at_part(machine, number)
    sent = machine.store.parts_sent
    assert machine.stored() == {}
    assert machine.run().tally.by_reason == {"removed": 1}
    assert machine.store.parts_sent == PARTS
    assert sent == number - 1
    assert (machine.stored(), machine.store.uploads) == ({"site/a/large": LARGE}, {})


def test_while_it_is_under_way_that_is_what_is_known(machine: Machine) -> None:
    """`status` and `why` tell it, also after a crash; when it has arrived nothing is remembered."""
    crashed_at_part(machine, 2)
    assert [observed.reason for observed in machine.observations("a").values()] == ["begun"]
    machine.run()
    assert machine.observations("a") == {}


def test_an_upload_goes_on_days_later_and_while_its_file_waits(machine: Machine) -> None:
    """A pass in which the file is not its turn leaves the upload alone."""
    crashed_at_part(machine, 4)
    machine.clock.reboot()
    waiting = JOB._replace(quiet_ns=10**15)
    assert machine.run(waiting).tally.by_reason == {"quiet": 1}
    assert len(machine.store.uploads) == 1
    machine.clock.advance(3 * 86_400)
    assert machine.run().tally.by_reason == {"removed": 1}
    assert machine.store.parts_sent == PARTS


def test_a_directory_that_cannot_be_read_abandons_nothing(machine: Machine) -> None:
    """What is in it may be there (L10)."""
    crashed_at_part(machine, 4)
    steps = Steps()

    def fault() -> None:
        raise SourceUnreadable("Input/output error")

    steps.before("files.listings", fault, "a")
    machine.run(steps=steps)
    assert len(machine.store.uploads) == 1


@pytest.mark.parametrize("what", ["vanished", "changed"])
def test_parts_that_nobody_needs_are_abandoned(machine: Machine, what: str) -> None:
    """Where the file has gone, or is another, the store is told to forget what it has."""
    crashed_at_part(machine, 4)
    if what == "vanished":
        machine.files.remove("a/large")
        machine.produced.clear()
    else:
        machine.produced.clear()
        machine.files.write("a/large", LARGE[::-1])
    machine.run()
    assert machine.store.uploads == {}
    assert list(machine.stored().values()) == ([] if what == "vanished" else [LARGE[::-1]])
    with machine.ledger() as ledger:
        assert ledger.uploads(ledger.place(JOB)) == []


@pytest.mark.parametrize("what", ["vanished", "changed"])
def test_parts_of_a_file_that_changes_on_its_way_are_abandoned(machine: Machine, what: str) -> None:
    """In the very run that has found out: it may be the only one."""
    steps = Steps()
    change = (
        (lambda: machine.files.remove("a/large"))
        if what == "vanished"
        else (lambda: machine.files.append("a/large", b"1"))
    )
    machine.produced.clear()
    steps.before("store.put_part", change)
    machine.run(steps=steps)
    assert (machine.stored(), machine.store.uploads) == ({}, {})


OTHER = JOB._replace(source="/other", destination=JOB.destination._replace(address="s3://bucket/other", prefix="other"))


def test_what_a_job_that_is_no_more_has_begun_is_abandoned(machine: Machine) -> None:
    """Its source or destination was changed, or it was run once: a month later another job into the bucket has it forgotten."""
    crashed_at_part(machine, 4)
    machine.clock.advance(29 * 86_400)
    machine.run(OTHER)
    assert len(machine.store.uploads) == 1
    machine.clock.advance(2 * 86_400)
    machine.run(OTHER)
    assert machine.store.uploads == {}
    with machine.ledger() as ledger:
        assert ledger.uploads(ledger.place(JOB)) == []


def test_what_a_job_that_is_still_run_has_begun_is_left_to_it(machine: Machine) -> None:
    """However long it takes: it had a run of late, in which the file was not its turn."""
    crashed_at_part(machine, 4)
    machine.clock.advance(60 * 86_400)
    machine.run(JOB._replace(quiet_ns=10**18))
    machine.run(OTHER)
    assert len(machine.store.uploads) == 1


def test_a_trial_has_nothing_forgotten(machine: Machine) -> None:
    """A dry run asks the store for nothing."""
    crashed_at_part(machine, 4)
    machine.clock.advance(60 * 86_400)
    machine.run(OTHER, dry_run=True)
    assert len(machine.store.uploads) == 1


def test_a_directory_has_no_parts_of_others(machine: Machine) -> None:
    """Its job knows of no bucket."""
    crashed_at_part(machine, 4)
    machine.clock.advance(60 * 86_400)
    machine.run(OTHER._replace(destination=Destination("file:///there", "file", "", "")))
    assert len(machine.store.uploads) == 1


def test_a_store_that_does_not_forget_is_asked_again(machine: Machine) -> None:
    """That is said, and tried at the next pass."""
    crashed_at_part(machine, 4)
    machine.files.remove("a/large")
    machine.produced.clear()
    machine.store.fail("abandon", Fault(Transient("timeout")))
    machine.run()
    assert [text for text in machine.monitor.notices if "no longer needed" in text] != []
    machine.run()
    assert machine.store.uploads == {}


def test_a_destination_that_cannot_be_used_abandons_nothing(machine: Machine) -> None:
    """It waits until it can."""
    crashed_at_part(machine, 4)
    machine.files.remove("a/large")
    machine.produced.clear()
    machine.clock.advance(2 * 86_400)
    machine.store.fail("probe", *[Fault(Denied("403"))] * 3)
    machine.run()
    assert len(machine.store.uploads) == 1


def test_how_far_it_is_is_told(machine: Machine) -> None:
    """In bytes, while it is on its way; afterwards what was carried is all there is."""
    steps = Steps()
    seen: list[int] = []
    steps.before("store.put_large", lambda: seen.append(machine.monitor.so_far.bytes_sent))
    tally = machine.run(steps=steps).tally
    assert seen == [len(LARGE)]
    assert (tally.bytes_sent, tally.under_way) == (len(LARGE), [])


def test_no_more_are_begun_than_are_under_way(machine: Machine) -> None:
    """What is begun goes on before another one is: what an interrupted run leaves in the store is little."""
    for number in range(5):
        machine.produce(f"more/{number}", LARGE + bytes([number]))
    steps = Steps()
    machine.run(steps=steps)
    begun = 0
    for name in steps.names():
        begun += (name == "store.begin_large") - (name == "store.put_large")
        assert begun <= AT_ONCE


def test_an_upload_that_the_store_has_forgotten_is_begun_anew(machine: Machine) -> None:
    """As by a rule of the bucket that ends old uploads; and it is said that what was sent is lost."""
    crashed_at_part(machine, 4)
    machine.store.uploads.clear()
    assert machine.run().tally.by_reason == {"removed": 1}
    (told,) = machine.monitor.notices
    assert told.startswith("a/large: what was sent of it before is of no use")
    assert (machine.stored(), machine.store.uploads) == ({"site/a/large": LARGE}, {})


def test_an_object_that_came_to_be_meanwhile_is_looked_at(machine: Machine) -> None:
    """Another machine has sent the same bytes while ours were under way: they are adopted, and ours forgotten."""
    steps = Steps()
    steps.before("store.put_large", lambda: machine.store.put("site/a/large", LARGE) and None)
    assert machine.run(steps=steps).tally.by_reason == {"removed": 1}
    assert machine.store.uploads == {}
    assert list(machine.stored()) == ["site/a/large"]


def test_the_same_where_nothing_was_begun(machine: Machine) -> None:
    """A store that takes a large file in one piece finds its key taken at the end."""
    machine.store.resumes = False
    steps = Steps()
    steps.before("store.put_large", lambda: machine.store.put("site/a/large", LARGE) and None)
    assert machine.run(steps=steps).tally.by_reason == {"removed": 1}
    assert list(machine.stored()) == ["site/a/large"]


def test_a_crash_between_the_beginning_and_its_writing_down(machine: Machine) -> None:
    """The upload that nobody knows of has no parts, costs nothing, and is left: whose it is nobody can tell."""
    steps = Steps()

    def end() -> None:
        raise Crash

    steps.before("ledger.begin_upload", end)
    with pytest.raises(Crash):
        machine.run(steps=steps)
    assert [parts for _, parts in machine.store.uploads.values()] == [{}]
    machine.run()
    assert [parts for _, parts in machine.store.uploads.values()] == [{}]
    assert machine.stored() == {"site/a/large": LARGE}


def test_too_little_memory_for_its_parts(machine: Machine) -> None:
    """It is held, and goes on from what has arrived when there is more."""
    steps = Steps()

    def fault() -> None:
        raise MemoryError

    steps.before("store.put_part", lambda: steps.before("files.pread", fault))
    assert machine.run(steps=steps).tally.by_reason == {"memory": 1}
    assert [len(parts) > 0 for _, parts in machine.store.uploads.values()] == [True]
    assert machine.run().tally.by_reason == {"removed": 1}
    assert machine.store.parts_sent == PARTS


def test_a_store_that_begins_nothing(machine: Machine) -> None:
    """A large file goes in one piece of work."""
    machine.store.resumes = False
    assert machine.run().tally.by_reason == {"removed": 1}
    assert machine.stored() == {"site/a/large": LARGE}


def test_a_run_that_is_asked_to_end_ends_in_the_middle(machine: Machine) -> None:
    """The upload stops where it is, the file waits, and the next run goes on. The store is not blamed."""
    steps = Steps()
    stop: list[bool] = []
    machine.stopped = lambda: bool(stop)
    steps.before("store.put_part", lambda: stop.append(True))
    outcome = machine.run(steps=steps)
    assert (outcome.tally.by_reason, outcome.destination_fault) == ({"interrupted": 1}, "")
    assert len(machine.store.uploads) == 1
    stop.clear()
    assert machine.run().tally.by_reason == {"removed": 1}
    assert machine.store.parts_sent <= PARTS + 1


def test_small_files_do_not_wait_for_large_ones(machine: Machine) -> None:
    """Beside more large files than go at once, small ones are carried first."""
    for number in range(4):
        machine.produce(f"b/large-{number}", LARGE + bytes([number]))
    for number in range(50):
        machine.produce(f"c/{number}", b"%d" % number)
    assert machine.run().tally.by_reason == {"removed": 55}
    assert machine.lost() == set()


def test_large_files_wait_where_the_destination_has_failed_meanwhile(machine: Machine) -> None:
    """Those that have not had their turn are accounted for."""
    for number in range(4):
        machine.produce(f"b/large-{number}", LARGE + bytes([number]))
    machine.store.fail("begin_large", *[Fault(Denied("403"))] * 9)
    outcome = machine.run()
    assert (outcome.destination_fault, outcome.tally.by_reason) == ("403", {"destination": 5})
    machine.store.faults.clear()
    assert machine.run().tally.by_reason == {"removed": 5}


def test_of_two_uploads_of_one_file_the_later_goes_on(machine: Machine) -> None:
    """The ledger knows of both after a crash: the earlier is abandoned."""
    crashed_at_part(machine, 4)
    machine.store.fail("put_part", Fault(UploadGone("no such upload")))
    steps = Steps()

    def end() -> None:
        raise Crash

    steps.before("store.put_large", end)
    with pytest.raises(Crash):
        machine.run(steps=steps)
    assert len(machine.store.uploads) == 2
    machine.run()
    assert (machine.store.uploads, machine.files.files()) == ({}, {})
    assert machine.stored() == {"site/a/large": LARGE}


KEY, THEIRS = "site/a/large", b"theirs"
SECOND = second_key(KEY, hashlib.sha256(LARGE).digest())
RULES: list[tuple[ConflictRule, ConflictRule, str, dict[str, bytes]]] = [
    ("replace", "hold", "conflict", {KEY: THEIRS}),
    ("keep-both", "hold", "conflict", {KEY: THEIRS}),
    ("replace", "keep-both", "removed", {KEY: THEIRS, SECOND: LARGE}),
    ("keep-both", "replace", "removed", {KEY: LARGE}),
]


@pytest.mark.parametrize(("before", "now", "reason", "stored"), RULES)
def test_what_the_job_says_now_of_conflicts_holds(
    machine: Machine, before: ConflictRule, now: ConflictRule, reason: str, stored: dict[str, bytes]
) -> None:
    """A run is killed in the middle of an upload, and its job changed: nothing is done by what the job said then."""
    machine.store.put(KEY, THEIRS)
    crashed_at_part(machine, 4, JOB._replace(on_conflict=before))
    assert machine.run(JOB._replace(on_conflict=now)).tally.by_reason == {reason: 1}
    assert (machine.stored(), machine.store.uploads) == (stored, {})


@pytest.mark.parametrize("rule", ["keep-both", "hold", "replace"])
def test_what_a_killed_run_has_sent_is_no_conflict(machine: Machine, rule: ConflictRule) -> None:
    """Whatever the job says now: the object is ours, its bytes are those of the file, and it is adopted."""
    steps = Steps()

    def end() -> None:
        raise Crash

    steps.before("ledger.record", end)
    with pytest.raises(Crash):
        machine.run(JOB._replace(on_conflict="replace"), steps=steps)
    assert machine.stored() == {KEY: LARGE}
    tally = machine.run(JOB._replace(on_conflict=rule)).tally
    assert (tally.by_reason, machine.stored()) == ({"removed": 1}, {KEY: LARGE})
