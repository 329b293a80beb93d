"""Jobs of one run: none waits for the large files of another, and each has its own account."""

import threading
from pathlib import Path

import pytest

from engine.world import JOB, Machine
from outhaul.engine import side_by_side
from outhaul.engine.batches import Ports
from outhaul.engine.passes import Outcome
from outhaul.engine.side_by_side import Desk, Seat, run_jobs
from outhaul.host.threads import ThreadWorkers
from outhaul.ledgers.sqlite import SqliteLedger
from outhaul.model.errors import LedgerError, Misconfigured, Transient
from outhaul.model.job import Destination, Job
from outhaul.model.lifecycle import State
from outhaul.ports.permits import FREE, Hindrance
from outhaul.testing.ledger import stepped
from outhaul.testing.steps import Steps
from outhaul.testing.store import Fault, SimulatedStore
from outhaul.testing.workers import InlineWorkers

BULK = JOB._replace(name="bulk", include=("*.large",))
OTHER = JOB._replace(name="other", include=("*.small",), destination=Destination("s3://b/o", "s3", "b", "other"))
LARGE = bytes(range(256)) * 400


def run(
    machine: Machine, jobs: list[Job], *, seed: int | None = None, steps: Steps | None = None
) -> dict[int, Outcome]:
    """One run over these jobs."""
    machine.steps = machine.files.steps = machine.store.steps = steps or Steps()
    ledger = SqliteLedger(machine.state, machine.clock.wall_ns)
    try:
        ports = Ports(
            machine.files,
            stepped(ledger, machine.steps),
            InlineWorkers(seed=seed),
            machine.clock,
            machine.monitor,
            machine.open_store,
            machine.stopped,
            machine.compression,
            machine.permits,
        )
        return dict(run_jobs(jobs, ports))
    finally:
        ledger.close()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Large files of one job, and small ones of another."""
    machine = Machine(str(tmp_path / "state"))
    for number in range(5):
        machine.produce(f"{number}.large", LARGE + bytes([number]))
        machine.produce(f"{number}.small", bytes([number]))
    return machine


@pytest.mark.parametrize("seed", [None, *range(8)])
def test_every_job_comes_to_its_end(machine: Machine, seed: int | None) -> None:
    """In whichever order results come in, all is carried, and each job accounts for its own."""
    found = run(machine, [BULK, OTHER], seed=seed)
    assert found[0].tally.by_reason == {"removed": 5, "not-included": 5}
    assert found[1].tally.by_reason["removed"] == 5
    assert machine.files.files() == {}
    assert len(machine.stored()) == 10


def test_small_files_do_not_wait_for_the_large_ones_of_another_job(machine: Machine) -> None:
    """They are in the store before the last of those is; and no more large ones are under way at once than for one job."""
    steps = Steps()
    run(machine, [BULK, OTHER], seed=1, steps=steps)
    small = max(number for number, call in enumerate(steps.calls) if call.name == "store.put")
    large = max(number for number, call in enumerate(steps.calls) if call.name == "store.put_large")
    assert small < large


def test_others_have_their_turns_while_a_destination_is_opened(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However short these are."""
    monkeypatch.setattr(side_by_side, "TURN_NS", 0)
    found = run(machine, [OTHER, BULK])
    assert [found[index].tally.of(State.CARRIED) for index in (0, 1)] == [5, 5]


def test_a_destination_that_is_left_alone_keeps_no_other_job_waiting(machine: Machine) -> None:
    """While one job rests between its tries, the files of another go."""
    away = SimulatedStore()
    away.fail("put", *[Fault(Transient("connection refused"))] * 1000)
    machine.open_store = lambda job: away if job.name == "first" else machine.store
    first = OTHER._replace(name="first", destination=Destination("s3://b/f", "s3", "b", "first"), include=("0.small",))
    began, arrived = machine.clock.elapsed_ns, []
    steps = Steps()
    for number in (1, 2, 3, 4):
        when = lambda: arrived.append(machine.clock.elapsed_ns - began)  # noqa: E731
        steps.before("store.put", when, f"other/{number}.small")
    found = run(machine, [first, OTHER._replace(exclude=("0.small",))], steps=steps)
    assert "connection refused" in found[0].destination_fault
    assert found[1].tally.by_reason["removed"] == 4
    assert max(arrived) < 10**8, "less than the first rest"


def test_a_source_that_cannot_be_read_stops_no_other(machine: Machine) -> None:
    """It is told, and counts as the fault of its job."""
    machine.files.missing = True
    found = run(machine, [BULK, OTHER])
    assert [bool(outcome.source_fault) for outcome in found.values()] == [True, True]
    assert len(machine.monitor.notices) == 2


def test_a_destination_that_cannot_be_used_stops_no_other(machine: Machine) -> None:
    """Its files wait; the others go."""
    machine.store.fail("probe", Fault(Misconfigured("no such bucket")))
    found = run(machine, [BULK, OTHER])
    assert found[0].destination_fault == "no such bucket"
    assert found[1].tally.by_reason["removed"] == 5


def test_a_ledger_that_fails_stops_all(machine: Machine) -> None:
    """Nothing more is let go."""
    steps = Steps()

    def fail() -> None:
        raise LedgerError("disk full")

    steps.before("ledger.begin_upload", fail)
    with pytest.raises(LedgerError):
        run(machine, [BULK, OTHER], seed=2, steps=steps)
    assert {path for path in machine.files.files() if path.endswith("large")} == {f"{n}.large" for n in range(5)}


def test_a_run_that_is_asked_to_end_begins_no_other_job(machine: Machine) -> None:
    """What has not had its turn is not told of."""
    steps = Steps()
    asked: list[bool] = []
    steps.before("store.put_part", lambda: asked.append(True))
    machine.stopped = lambda: bool(asked)
    found = run(machine, [BULK, OTHER], steps=steps)
    assert set(found) == {0}
    assert found[0].tally.unaccounted == 0


def test_what_a_worker_raises_comes_out(machine: Machine) -> None:
    """A mistake of ours is not taken for a result."""

    def mistake(_job: Job) -> None:
        raise ZeroDivisionError

    machine.compression = mistake
    with pytest.raises(ZeroDivisionError):
        run(machine, [BULK, OTHER])


def test_a_thread_that_is_busy_for_one_job_is_not_there_for_another() -> None:
    """Each seat gets the threads that it asks for besides those that the others keep busy."""
    workers = ThreadWorkers()
    desk, over = Desk(workers), threading.Event()
    one, other = Seat(desk), Seat(desk)
    one.widen(1)
    one.submit(lambda: over.wait(10))
    other.widen(1)
    other.submit(lambda: "done")
    assert other.finished(5) == ["done"]
    over.set()
    assert one.finished(5) == [True]
    assert (one.under_way, other.under_way) == (0, 0)
    workers.close()


def test_a_job_that_may_not_begin_says_so(machine: Machine) -> None:
    """In one line; the other goes."""
    why = Hindrance("quiet-hours", "until six")
    machine.permits = FREE._replace(hindrance=lambda job: why if job is BULK else None)
    found = run(machine, [BULK, OTHER])
    assert machine.monitor.notices == ["quiet hours: until six; its files wait"]
    assert (found[0].tally.by_reason["quiet-hours"], found[1].tally.by_reason["removed"]) == (5, 5)
