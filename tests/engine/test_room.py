"""A disk that becomes full: what is proved goes first, and what was never carried only where a job says so."""

from pathlib import Path

import pytest

from engine.world import JOB, Machine
from outhaul.engine import room
from outhaul.model.errors import Transient
from outhaul.model.job import Job
from outhaul.model.lifecycle import State
from outhaul.ports import Store
from outhaul.testing.files import ARCHIVE
from outhaul.testing.steps import Crash, Steps
from outhaul.testing.store import Fault

DAY_NS, DAY = 86_400 * 10**9, 86_400.0
STAYING = JOB._replace(after="keep", delete_after_ns=30 * DAY_NS, keep_free=40)
ARCHIVING = JOB._replace(after="archive", archive=ARCHIVE, archive_keep_ns=30 * DAY_NS, keep_free=40)
SHEDDING = JOB._replace(keep_free=60, shed_below=40)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """With a disk of 100 bytes."""
    found = Machine(str(tmp_path / "state"))
    found.files.capacity = 100
    return found


def end() -> None:
    """The process."""
    raise Crash("ended")


def offline(_job: Job) -> Store:
    """The destination cannot be reached."""
    raise Transient("no route to host")


def produce(machine: Machine, *names: str, size: int = 20) -> None:
    """Files of so many bytes, a minute apart."""
    for name in names:
        machine.produce(f"a/{name}", name.encode().ljust(size, b"."))
        machine.clock.advance(60)


def told(machine: Machine) -> list[tuple[str, int, str]]:
    """The tombstones: path, bytes that were free, what became of it."""
    with machine.ledger() as ledger:
        rows = ledger._database.execute(
            "SELECT d.path || '/' || t.name, t.free, coalesce(t.outcome, '') FROM tombstone t "
            "JOIN directory d ON d.id = t.directory ORDER BY t.id"
        )
        return [(path.decode() if isinstance(path, bytes) else path, free, outcome) for path, free, outcome in rows]


def left(machine: Machine) -> list[str]:
    """What is still in the source."""
    return sorted(machine.files.files())


# --- what is proved ---------------------------------------------------------------------------------------------------


def test_a_file_that_stays_for_a_while_goes_earlier(machine: Machine) -> None:
    """As many as make up for what is missing, and no more."""
    produce(machine, "1", "2", "3", "4", size=10)
    assert machine.run(STAYING).tally.by_reason == {"kept": 4}
    machine.files.foreign = 35
    assert machine.run(STAYING).tally.by_reason == {"removed": 2, "unchanged": 2}
    assert machine.run(STAYING).tally.by_reason == {"unchanged": 2}
    assert machine.lost() == set()


def test_on_a_full_disk_a_receipt_does_where_the_store_does_not_answer(machine: Machine) -> None:
    """Else it would stay full for as long as the network is away; what the store says to have lost stays all the same."""
    produce(machine, "1", "2", "3", "4", size=10)
    machine.run(STAYING)
    opens = machine.open_store
    machine.open_store = offline
    machine.files.foreign = 25
    assert machine.run(STAYING).tally.by_reason == {"removed": 1, "unchanged": 3}
    machine.open_store = opens
    machine.files.foreign = 35
    machine.store.fail("head", Fault(Transient("timeout")))
    assert machine.run(STAYING).tally.by_reason == {"removed": 1, "unchanged": 2}
    machine.files.foreign = 45
    machine.store.objects.clear()
    assert machine.run(STAYING).tally.by_reason == {"missing": 1, "unchanged": 1}


def test_what_is_in_the_archive_goes_earlier_the_oldest_first(machine: Machine) -> None:
    """Until there is enough room, whatever the clock says; the network is not asked."""
    produce(machine, "1", "2", "3")
    machine.run(ARCHIVING)
    machine.clock.jump_wall(-3_000 * DAY)
    machine.open_store = offline
    machine.files.foreign = 20
    assert machine.run(ARCHIVING).tally.expired == 1
    assert machine.files.archived().keys() == {"a/2", "a/3"}
    assert machine.run(ARCHIVING).tally.expired == 0
    machine.files.foreign = 100
    assert machine.run(ARCHIVING).tally.expired == 2


@pytest.mark.parametrize(
    "job", [JOB._replace(after="keep", keep_free=90), ARCHIVING._replace(archive_keep_ns=0, keep_free=90)]
)
def test_what_is_to_stay_for_ever_stays(machine: Machine, job: Job) -> None:
    """A source that the job keeps, and an archive without `keep`."""
    produce(machine, "1", "2")
    machine.run(job)
    outcome = machine.run(job)
    assert (outcome.tally.expired, outcome.tally.by_reason.get("removed", 0)) == (0, 0)
    assert len(machine.files.files()) + len(machine.files.archived()) == 2


def test_an_archive_that_is_away_is_told(machine: Machine) -> None:
    """Nothing is concluded of it (L10)."""
    produce(machine, "1", "2", "3", "4")
    machine.run(ARCHIVING._replace(keep_free=0))
    steps = Steps()
    steps.before("files.tree", lambda: setattr(machine.files, "missing", True), ARCHIVE)
    assert machine.run(ARCHIVING, steps=steps).tally.expired == 0
    assert [text for text in machine.monitor.notices if "archive" in text] != []


def test_nobody_tells_how_full_it_is(machine: Machine) -> None:
    """Then nothing goes before its time, and nothing is given up."""
    machine.files.capacity = None
    produce(machine, "1")
    machine.run(STAYING)
    assert machine.run(STAYING).tally.by_reason == {"unchanged": 1}
    machine.open_store = offline
    produce(machine, "2")
    assert machine.run(SHEDDING).tally.of(State.GIVEN_UP) == 0


@pytest.mark.parametrize(("foreign", "expected"), [(0, ["1", "2", "3"]), (60, ["2", "3", "1"])])
def test_what_frees_most_is_carried_first(machine: Machine, foreign: int, expected: list[str]) -> None:
    """Only while there is too little room."""
    for name, size in (("1", 5), ("2", 20), ("3", 10)):
        produce(machine, name, size=size)
    machine.files.foreign = foreign
    steps = Steps()
    machine.run(JOB._replace(keep_free=30), steps=steps)
    sent = [call.about for call in steps.calls if call.name.startswith("store.put")]
    assert sent == [f"site/a/{name}" for name in expected]


# --- what was never carried -------------------------------------------------------------------------------------------


def test_the_oldest_are_given_up(machine: Machine) -> None:
    """Where the destination cannot be reached and the job says so: as many as are missing, each with a tombstone."""
    produce(machine, "3", "1", "2", "4")
    machine.open_store = offline
    outcome = machine.run(SHEDDING)
    assert outcome.tally.by_reason == {"shed": 1, "destination": 3}
    assert (outcome.tally.seen, outcome.tally.unaccounted, outcome.tally.bytes_waiting) == (4, 0, 60)
    assert left(machine) == ["a/1", "a/2", "a/4"]
    assert told(machine) == [("a/3", 20, "shed")]
    assert machine.lost() == {b"3".ljust(20, b".")}
    assert machine.observations("a").keys() == {"1", "2", "4"}
    assert [text for text in machine.monitor.notices if "given up" in text and "a/3" in text] != []


def test_what_can_be_carried_is_not_given_up(machine: Machine) -> None:
    """A pass carries first; then there is room."""
    produce(machine, "1", "2", "3", "4")
    assert machine.run(SHEDDING).tally.by_reason == {"removed": 4}
    assert told(machine) == []


def test_a_job_that_does_not_say_so_gives_nothing_up(machine: Machine) -> None:
    """`keep-free` alone never touches what was not carried."""
    produce(machine, "1", "2", "3", "4", "5")
    machine.open_store = offline
    assert machine.run(SHEDDING._replace(shed_below=0)).tally.by_reason == {"destination": 5}
    assert machine.lost() == set()


def test_nothing_is_given_up_for_a_disk_that_others_have_filled(machine: Machine) -> None:
    """Where all that waits is less than what is missing, it would be given up for nothing."""
    produce(machine, "1")
    machine.files.foreign = 70
    machine.open_store = offline
    assert machine.run(SHEDDING).tally.by_reason == {"destination": 1}
    assert [text for text in machine.monitor.notices if "nothing is given up" in text] != []


def test_it_stops_where_it_does_not_help(machine: Machine) -> None:
    """A file whose bytes stay in use (another link, a snapshot) frees nothing: one round, and no more."""
    produce(machine, "1", "2", "3", "4")
    machine.open_store = offline
    steps = Steps()
    steps.before("aside.unlink", lambda: setattr(machine.files, "foreign", 20))
    assert machine.run(SHEDDING, steps=steps).tally.by_reason == {"shed": 1, "destination": 3}


def test_more_than_one_walk_names(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A walk names some of the oldest; where that is not enough there is another."""
    monkeypatch.setattr(room, "CANDIDATES_MAX", 2)
    produce(machine, "1", "2", "3", "4", "5", "6", "7", "8", size=12)
    machine.open_store = offline
    assert machine.run(SHEDDING).tally.by_reason == {"shed": 3, "destination": 5}
    assert left(machine) == ["a/4", "a/5", "a/6", "a/7", "a/8"]


def test_who_is_not_given_up(machine: Machine) -> None:
    """What has not settled, what has a receipt, what somebody holds open; and it is not known as carried then."""
    produce(machine, "1", "2", "3")
    job = SHEDDING._replace(quiet_ns=90 * 10**9)
    held = machine.files.hold("a/1")
    machine.clock.advance(60)
    produce(machine, "4")
    machine.open_store = offline
    outcome = machine.run(job)
    assert outcome.tally.by_reason == {"destination": 3, "quiet": 1}
    assert told(machine) == [("a/1", 20, "stays")]
    machine.files.write_held(held, b"more" * 5)
    assert machine.files.files()["a/1"] == b"more" * 5


def test_somebody_makes_room_meanwhile(machine: Machine) -> None:
    """While the oldest files are looked for: none is given up."""
    machine.files.foreign, machine.files.capacity = 100, 200
    produce(machine, "1", "2", "3", "4")
    machine.open_store = offline
    steps = Steps()

    def make_room() -> None:
        machine.files.foreign = 0

    steps.before("files.listings", lambda: steps.before("files.listings", make_room, "a"), "a")
    assert (machine.run(SHEDDING, steps=steps).tally.by_reason, told(machine)) == ({"destination": 4}, [])


@pytest.mark.parametrize("look", [1, 2])
def test_a_clock_that_jumps_makes_no_file_old(machine: Machine, look: int) -> None:
    """Files are looked for once more before any is given up: with a clock that has jumped in either look, none is."""
    produce(machine, "1", "2", "3", "4")
    machine.open_store = offline
    steps, looks = Steps(), []

    def listed() -> None:
        looks.append(machine.clock.wall_ns())
        if len(looks) == look:
            machine.clock.jump_wall(86_400)
        steps.before("files.listings", listed, "a")

    steps.before("files.listings", listed, "a")
    outcome = machine.run(SHEDDING._replace(quiet_ns=600 * 10**9), steps=steps)
    assert (len(looks), outcome.tally.by_reason, told(machine)) == (2, {"quiet": 4}, [])


def test_a_part_of_it_is_in_the_store(machine: Machine) -> None:
    """A large file whose upload has begun goes on; another is given up instead."""
    machine.store.small_max = 15
    produce(machine, "1")
    steps = Steps()
    steps.before("store.put_large", end)
    with pytest.raises(Crash):
        machine.run(JOB, steps=steps)
    with machine.ledger() as ledger:
        assert len(ledger.uploads(ledger.place(JOB))) == 1
    produce(machine, "2", "3", "4")
    machine.open_store = offline
    machine.run(SHEDDING)
    assert told(machine) == [("a/2", 20, "shed")]


def test_it_vanishes_at_the_last_moment(machine: Machine) -> None:
    """Somebody else removed it: nothing was given up by us."""
    produce(machine, "1", "2", "3", "4")
    machine.open_store = offline
    steps = Steps()
    steps.before("ledger.bury", lambda: machine.files.remove("a/1"))
    outcome = machine.run(SHEDDING, steps=steps)
    assert outcome.tally.of(State.GIVEN_UP) == 0
    assert told(machine) == [("a/1", 20, "gone")]


@pytest.mark.parametrize(("mishap", "is_gone"), [("error before", False), ("error after", True)])
def test_its_removal_is_not_answered(machine: Machine, mishap: str, is_gone: bool) -> None:
    """The kernel says that it failed, and it may have gone (a network file system): a tombstone does not say that it stayed."""
    produce(machine, "1", "2", "3", "4")
    machine.open_store = offline
    steps = Steps()
    steps.before("files.unlink", lambda: steps.plan.update({len(steps.calls): mishap}))
    outcome = machine.run(SHEDDING, steps=steps)
    assert (told(machine), outcome.tally.of(State.GIVEN_UP)) == ([("a/1", 20, "")], 0)
    assert (machine.lost() != set()) == is_gone
    machine.run(JOB)
    assert machine.files.private == {}
    assert ("a/1" in machine.files.files()) == (not is_gone)


CALLS = [
    "files.check_writers",
    "files.take_lease",
    "files.unchanged",
    "files.take_aside",
    "files.is_file",
    "files.lease_holds",
]


@pytest.mark.parametrize("call", CALLS)
def test_another_file_takes_its_place(machine: Machine, call: str) -> None:
    """Whatever comes under its name between the look and the removal is not removed."""
    produce(machine, "1", "2", "3", "4")
    machine.open_store = offline
    steps, came = Steps(), []

    def come() -> None:
        if "a/1" in machine.files.files():
            machine.files.remove("a/1")
        machine.files.write("a/1", b"another one")
        came.append(call)

    steps.before("ledger.bury", lambda: steps.before(call, come))
    machine.run(SHEDDING, steps=steps)
    assert came == [call]
    machine.run(JOB)
    aside = [inode.content for _, _, inode in machine.files.private.values()]
    assert b"another one" in [*machine.files.files().values(), *aside]


@pytest.mark.parametrize("taken", [False, True])
def test_somebody_writes_at_the_last_moment(machine: Machine, taken: bool) -> None:
    """The lease breaks: it goes back, or stays aside where its place is taken meanwhile; nothing is removed."""
    produce(machine, "1", "2", "3", "4")
    machine.open_store = offline
    steps = Steps()

    def come() -> None:
        next(iter(machine.files.private.values()))[2].lease_broken = True
        if taken:
            machine.files.write("a/1", b"another one")

    steps.before("ledger.bury", lambda: steps.before("files.lease_holds", come))
    machine.run(SHEDDING, steps=steps)
    assert told(machine) == [("a/1", 20, "stays")]
    assert machine.lost() == set()


def test_a_pass_ends_early_for_it(machine: Machine) -> None:
    """With the disk this full a pass carries for a minute; then files are given up, and the rest waits for the next."""
    produce(machine, "1", "2", "3", "4")
    steps = Steps()
    steps.before("files.listings", lambda: machine.clock.advance(61), "a")
    outcome = machine.run(SHEDDING, steps=steps)
    assert outcome.tally.by_reason == {"shed": 1}
    assert left(machine) == ["a/2", "a/3", "a/4"]
    assert machine.run(SHEDDING).tally.by_reason == {"removed": 3}


@pytest.mark.slow
def test_wherever_the_process_ends(tmp_path: Path) -> None:
    """What is gone has a tombstone; what has none is whole, and the next run accounts for it."""

    def begun(number: int) -> Machine:
        machine = Machine(str(tmp_path / str(number)))
        machine.files.capacity = 100
        produce(machine, "1", "2", "3", "4", "5")
        machine.open_store = offline
        return machine

    first, whole = begun(-1), Steps()
    first.run(SHEDDING, steps=whole)
    for number in range(len(whole.calls)):
        for when in ("before", "after"):
            machine, steps = begun(2 * number + (when == "after")), Steps()
            steps.crash_at, steps.crash_when = number, when
            with pytest.raises(Crash):
                machine.run(SHEDDING, steps=steps)
            buried = {path.rpartition("/")[2] for path, _, _ in told(machine)}
            assert {content[:1].decode() for content in machine.lost()} <= buried
            machine.run(SHEDDING)
            machine.run(SHEDDING)
            assert len(machine.lost()) == 2
            assert machine.files.private == {}


def test_a_forecast_has_something_to_go_by(machine: Machine) -> None:
    """Each pass that looked at all notes how full the disk is, and a measurement does not stay for ever."""
    for _ in range(5):
        machine.run(JOB)
        machine.clock.advance(DAY)
    with machine.ledger() as ledger:
        rows = ledger._database.execute("SELECT wall_ns, free, size FROM space ORDER BY 1").fetchall()
    assert [(free, size) for _, free, size in rows] == [(100, 100)] * 4
