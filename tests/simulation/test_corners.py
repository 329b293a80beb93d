"""The corners of stages and engine that neither other tests nor random worlds reach: each has a history of its own."""

import random
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import pytest

from outhaul.engine.batches import Ports
from outhaul.engine.pace import Pace
from outhaul.engine.passes import Pass
from outhaul.engine.retry import reason_of
from outhaul.ledgers.sqlite import SqliteLedger
from outhaul.model.errors import OuthaulError, SourceChanged, SourceVanished
from outhaul.model.evidence import Package, Sighting
from outhaul.ports import Begun, Listing, Outgoing, Sent
from outhaul.stages.discover import discover
from outhaul.stages.upload import upload
from outhaul.testing.files import SimulatedTree
from outhaul.testing.monitor import RecordingMonitor
from outhaul.testing.steps import Crash
from outhaul.testing.store import BytesOf, SimulatedStore
from outhaul.testing.workers import InlineWorkers
from simulation.machine import Machine
from simulation.scenarios import JOB
from simulation.world import World, home, new_store


@pytest.fixture
def world() -> Iterator[World]:
    """One machine and its store."""
    with home() as place:
        world = World(new_store())
        world.machines.append(Machine("m", place.state(), JOB, world.store, random.Random(1)))
        yield world


@pytest.fixture
def machine(world: World) -> Machine:
    """The machine."""
    return world.machines[0]


def reasons(world: World, machine: Machine, **job: Any) -> dict[str, int]:
    """How the files of one run stand."""
    machine.job = machine.job._replace(**job)
    machine.producer.note()
    ended = world.run(machine)
    assert ended.tally is not None, ended
    return ended.tally.by_reason


def test_many_removals_are_handed_out_in_pieces(world: World, machine: Machine) -> None:
    """More receipts than a worker takes at a time are several tasks, and all are done."""
    for number in range(600):
        machine.files.write(f"a/{number}", b"%d" % number)
    assert reasons(world, machine, after="keep") == {"kept": 600}
    assert reasons(world, machine, after="delete") == {"removed": 600}


def test_how_long_a_file_keeps_the_processor_sets_the_pace() -> None:
    """A file that costs less processor time lets more of them be under way in the same time."""
    paces = [Pace(2), Pace(2)]
    for pace, cpu_ns in zip(paces, (0, 50_000), strict=True):
        pace.learn(5_000_000, 10, cpu_ns)
    assert paces[1].at_once > paces[0].at_once


def test_an_error_that_no_stage_raises_is_ours() -> None:
    """It does not pass for a file's."""
    with pytest.raises(OuthaulError):
        reason_of(OuthaulError("new"))


def test_a_job_that_is_now_to_keep(world: World, machine: Machine) -> None:
    """What was remembered of a file that could not be removed is forgotten when it need not be removed any more."""
    machine.files.write("a/one", b"1")
    folder = machine.files.find("a")
    assert folder is not None
    folder.changeable = False
    assert reasons(world, machine) == {"not-removed": 1}
    assert reasons(world, machine, after="keep") == {"unchanged": 1}
    ledger = SqliteLedger(machine.state, machine.clock.wall_ns)
    assert ledger.observations(ledger.place(machine.job), "a") == {}
    ledger.close()


def test_a_dry_run_says_what_would_be_removed(world: World, machine: Machine) -> None:
    """What has its receipt, and is still there, would go."""
    machine.files.write("a/one", b"1")
    reasons(world, machine, after="keep")
    machine.job = JOB
    ledger = SqliteLedger(machine.state, machine.clock.wall_ns)
    monitor = RecordingMonitor()
    run = Pass(JOB, ports(machine, ledger, monitor), dry_run=True)
    assert run.run().tally.by_reason == {"planned": 1}
    ledger.close()
    assert machine.files.files() == {"a/one": b"1"}


def ports(machine: Machine, ledger: SqliteLedger, monitor: RecordingMonitor, **other: Any) -> Ports:
    """The ports of a run that is made by hand."""
    made = Ports(
        machine.files, ledger, InlineWorkers(), machine.clock, monitor, lambda _job: machine.network, lambda: False
    )
    return made._replace(**other)


@pytest.mark.parametrize("proof", ["auto", "stored", "read-back"])
def test_a_store_without_any_evidence(world: World, machine: Machine, proof: str) -> None:
    """Where nothing can be proved nothing is sent, and nothing goes."""
    world.store.etag, world.store.unreadable = "opaque", True
    machine.files.write("a/one", b"1")
    assert reasons(world, machine, proof=proof) == {"destination": 1}
    assert world.store.objects == {}


def test_a_mistake_in_a_worker_ends_the_run(world: World, machine: Machine) -> None:
    """An error that is none of ours does not pass for a file's: it is raised, and nothing has gone."""
    machine.files.write("a/one", b"1")

    def mistake() -> NoReturn:
        raise ZeroDivisionError

    machine.steps.before("files.open", mistake)
    with pytest.raises(ZeroDivisionError):
        machine.run()
    assert machine.files.files() == {"a/one": b"1"}


class _Stuck(InlineWorkers):
    """Workers that never come back."""

    def finished(self, timeout_seconds: float) -> list[Any]:
        return []


def test_a_run_that_is_asked_to_stop_does_not_wait_for_ever(world: World, machine: Machine) -> None:
    """Workers that do not come back are left after some seconds, and their files are said to be interrupted."""
    machine.files.write("a/one", b"1")
    machine.clock.tick_ns = 10**9
    looks = iter(range(10**6))
    ledger = SqliteLedger(machine.state, machine.clock.wall_ns)
    monitor = RecordingMonitor()
    made = ports(machine, ledger, monitor, workers=_Stuck(), stopped=lambda: next(looks) > 12)
    assert Pass(JOB, made).run().tally.by_reason == {"interrupted": 1}
    ledger.close()


def test_a_stop_while_there_is_no_room(world: World, machine: Machine) -> None:
    """Wherever in a run it is asked to stop, every file is accounted for, and the next run takes what is left."""
    for stop_at in range(40):
        for number in range(12):
            machine.files.write(f"{stop_at}/{number}", b"%d %d" % (stop_at, number))
        machine.seed, machine.stop_at = stop_at, stop_at
        world.run(machine)
        machine.stop_at = None
    world.over()
    assert machine.files.files() == {}


class _Gone(SimulatedTree):
    """A source that vanishes once it is open."""

    def listings(self, directory: str) -> Iterator[Listing]:
        raise SourceVanished("it is not there any more")


def test_a_source_that_vanishes_is_no_empty_one(machine: Machine) -> None:
    """Nothing is concluded of it (L10)."""
    with pytest.raises(SourceVanished):
        list(discover(JOB, _Gone(machine.files, machine.files.root, machine.files.private)))


def test_a_link_that_was_taken_aside_goes_back(world: World, machine: Machine) -> None:
    """A lost race took a link aside, under the receipt of the file that had its name; then the process ended."""
    machine.files.write("a/one", b"1")
    machine.producer.note()
    machine.producer.owed.clear()

    def replaced() -> None:
        machine.files.remove("a/one")
        machine.files.symlink("a/one", "/elsewhere")

    def crash() -> None:
        raise Crash

    machine.steps.before("files.take_aside", replaced)
    machine.steps.before("files.is_file", crash)
    assert machine.run().how == "crash"
    assert [inode.kind for _, _, inode in machine.files.private.values()] == ["symlink"]
    assert reasons(world, machine) == {"symlink": 1}
    assert machine.files.private == {}


class _Hasty(SimulatedStore):
    """A store that takes half of a file for all of it."""

    def put_large(
        self,
        key: str,
        length: int,
        source: Outgoing,
        *,
        seal: Callable[[], None],
        begun: Begun | None = None,
        replace: bool = False,
    ) -> Sent:
        source.read(length // 2)
        seal()
        raise AssertionError("it was sealed")


def test_half_a_file_is_no_file() -> None:
    """Only a reading to the end counts for what was sent; otherwise there is no object."""
    content = b"0123456789" * 10
    package = Package(Sighting("", "x", 1, 1, 100, 1, 1), "k", 100, b"", b"", None, BytesOf(content))
    with pytest.raises(SourceChanged):
        upload(package, "keep-both", _Hasty())


# --- finish rules -----------------------------------------------------------------------------------------------------


def test_a_file_waits_for_its_marker(world: World, machine: Machine) -> None:
    """Without its marker a file stays; with it it goes, and the marker follows as a file like any other."""
    machine.files.write("a/one", b"1")
    assert reasons(world, machine, marker="{name}.done") == {"unmarked": 1}
    machine.files.write("a/one.done", b"")
    assert reasons(world, machine) == {"marker": 1, "removed": 1}
    assert reasons(world, machine) == {"removed": 1}


def test_the_newest_file_waits(world: World, machine: Machine) -> None:
    """The newest stays until a newer one comes, or until the limit; what the job does not ask for is none."""
    machine.files.write("a/one", b"1")
    machine.clock.advance(1)
    machine.files.write("a/two", b"2")
    machine.files.write("a/x.tmp", b"3")
    job = {"skip_newest": 1, "newest_limit_ns": 10**11}
    assert reasons(world, machine, **job) == {"excluded": 1, "removed": 1, "newest": 1}
    machine.clock.advance(101)
    assert reasons(world, machine) == {"excluded": 1, "removed": 1}
