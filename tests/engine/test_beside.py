"""While large files of a job are under way, another look goes on beside them; each file goes once, and all are accounted for."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from engine.test_watching import QUIET, SECOND, Day
from engine.world import Machine
from outhaul.engine import passes, side_by_side
from outhaul.engine.batches import carry_large
from outhaul.engine.grouping import carry_group
from outhaul.engine.passes import Outcome
from outhaul.model.errors import Transient
from outhaul.model.job import Job
from outhaul.model.lifecycle import State
from outhaul.ports import Store
from outhaul.testing.steps import Crash, Steps
from outhaul.testing.store import Fault
from outhaul.testing.workers import InlineWorkers

LARGE = bytes(range(256)) * 400
RARE = QUIET._replace(every_ns=3600 * SECOND)


class SlowWorkers(InlineWorkers):
    """What is large stays under way until a moment; all else as with others."""

    def __init__(self, machine: Machine, *, seed: int | None = None) -> None:
        super().__init__(seed=seed)
        self.begun = 0
        self._machine, self._slow = machine, list[tuple[int, Callable[[], Any]]]()
        self.seconds = 100.0
        """For how long each is under way."""

    def submit(self, task: Callable[[], Any]) -> None:
        """See `ports.Workers`."""
        assert isinstance(task, partial)
        what = task.args[1]
        if what.func in (carry_large, carry_group) and what.args[1] is not None:  # It was begun before.
            self.begun += 1
            self._slow.append((self._machine.clock.elapsed_ns + int(self.seconds * SECOND), task))
        else:
            super().submit(task)

    def finished(self, timeout_seconds: float) -> list[Any]:
        """See `ports.Workers`. Whoever waits lets time pass, as there is nobody else."""
        now = self._machine.clock.elapsed_ns
        ready = [each for each in self._slow if each[0] <= now]
        self._slow = [each for each in self._slow if each[0] > now]
        for _, task in ready:
            super().submit(task)
        results = super().finished(timeout_seconds)
        if not results and timeout_seconds and self._slow:
            self._machine.clock.advance(timeout_seconds)
        return results


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """With one large file that has long settled."""
    machine = Machine(str(tmp_path / "state"))
    machine.produce("0.large", LARGE)
    machine.clock.advance(10)
    return machine


class SlowDay(Day):
    """A day on which large files take long. What each pass came to is kept."""

    def __init__(self, machine: Machine, *, tells: bool = True, seed: int | None = None) -> None:
        super().__init__(machine, tells=tells)
        self.workers: SlowWorkers = SlowWorkers(machine, seed=seed)
        self.outcomes: list[Outcome] = []
        self.carried_at: list[tuple[int, int]] = []
        """Second, and files that a pass had carried when it ended then."""

    def _passed(self, job: Job, outcome: Outcome) -> None:
        super()._passed(job, outcome)
        self.outcomes.append(outcome)
        if carried := outcome.tally.of(State.CARRIED):
            self.carried_at.append((round(self.seconds), carried))


def test_a_small_file_goes_meanwhile(machine: Machine) -> None:
    """As soon as it has been quiet for long enough; the large one comes home when it does."""
    day = SlowDay(machine)
    day.at(20, "small", b"small")
    day.watch(120, RARE)
    assert day.carried_at == [(25, 1), (100, 1)]
    assert set(machine.stored()) == {"site/0.large", "site/small"}
    assert machine.files.files() == {}
    assert day.workers.begun == 1


@pytest.mark.parametrize("job", [RARE._replace(every_ns=10 * SECOND), QUIET], ids=["told", "by what it costs"])
def test_without_word_everything_is_looked_at(machine: Machine, job: Job) -> None:
    """As often as ever, but for what is under way. Afterwards a whole pass follows at once."""
    day = SlowDay(machine, tells=False)
    day.at(22, "a/small", b"small")
    day.watch(105, job)
    assert [at for at, _ in day.carried_at] == [30, 100]
    assert [whole for _, _, whole in day.passes].count(True) == 2
    assert day.passes[-1][0] < 101
    assert all(outcome.tally.unaccounted == 0 for outcome in day.outcomes)


def test_a_long_look_beside_has_turns(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it is under way no third begins, and the other jobs have theirs."""
    monkeypatch.setattr(side_by_side, "TURN_NS", 0)
    day = SlowDay(machine, seed=1)
    for number in range(300):
        day.at(20, f"{number % 3}/{number}", b"%d" % number)
    day.watch(200, RARE._replace(every_ns=10 * SECOND))
    assert (len(machine.stored()), machine.files.files()) == (301, {})
    assert all(outcome.tally.unaccounted == 0 for outcome in day.outcomes)


@pytest.mark.slow
def test_a_large_source_is_looked_at_less_often_meanwhile(machine: Machine) -> None:
    """So often as its size allows, once that is known: 15,000 files are a look in 36 seconds."""
    for number in range(15_000):
        machine.files.write(f"{number}.other", b"")
    day = SlowDay(machine, tells=False)
    day.watch(105, QUIET._replace(include=("*.large",)))
    assert [at for at, _, whole in day.passes if not whole] == [10, 20, 56, 92]


@pytest.mark.slow
def test_a_time_of_the_day_that_comes_meanwhile_is_not_missed(machine: Machine) -> None:
    """What is there then goes beside yesterday's large file."""
    day = SlowDay(machine)
    day.workers.seconds = 3 * 3600
    day.at(5000, "small", b"small")
    day.stride = 30.0
    day.watch(3 * 3600 + 7200, calendar=lambda _job, wall: (wall // (3600 * SECOND) + 1) * 3600 * SECOND)
    assert [carried for _, carried in day.carried_at] == [1, 1]
    small_at, large_at = (at for at, _ in day.carried_at)
    assert small_at < large_at - 3600


def test_a_large_file_is_taken_by_the_pass_that_has_them(machine: Machine) -> None:
    """Where there is a place it begins at once, and is not looked at again."""
    day = SlowDay(machine)
    day.at(20, "1.large", LARGE + b"1")
    day.watch(200, RARE)
    assert day.workers.begun == 2
    assert (125, 2) in day.carried_at
    assert len(machine.stored()) == 2
    assert machine.files.files() == {}
    assert all(outcome.tally.unaccounted == 0 for outcome in day.outcomes)


@pytest.mark.parametrize("seed", [None, *range(5)])
def test_what_has_no_place_waits_and_goes_afterwards(machine: Machine, seed: int | None) -> None:
    """It is told why; when the others have arrived it goes at once, and not only with the next look."""
    day = SlowDay(machine, seed=seed)
    for number in (1, 2, 3):
        day.at(20 + number, f"{number}.large", LARGE + bytes([number]))
    day.watch(450, RARE)
    assert "large" in {reason for outcome in day.outcomes for reason in outcome.tally.by_reason}
    assert len(machine.stored()) == 4
    assert machine.files.files() == {}
    assert day.workers.begun == 4


def test_it_comes_to_an_end(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that come one after the other do not keep a pass open for ever: a whole one has its time."""
    monkeypatch.setattr(passes, "TAKES_NS", 200 * SECOND)
    day = SlowDay(machine)
    for number in range(1, 12):
        day.at(60 * number, f"{number}.large", LARGE + bytes([number]))
    day.watch(1000, RARE)
    wholes = [at for at, _, whole in day.passes if whole]
    assert len(wholes) > 2
    assert max(after - before for before, after in zip([0, *wholes], wholes, strict=False)) < 400
    assert (len(machine.stored()), machine.files.files()) == (12, {})


def test_one_that_fails_stays_where_it_is(machine: Machine) -> None:
    """It is the business of the pass that has it, until that is over."""
    machine.store.fail("put_large", *[Fault(Transient("connection refused"))] * 2)
    day = SlowDay(machine)
    day.at(20, "small", b"small")
    day.watch(500, RARE)
    assert len(machine.stored()) == 2
    assert day.workers.begun == 3


def test_what_is_remembered_of_it_is_kept(machine: Machine) -> None:
    """A look beside it forgets nothing of a file that is under way, and tells nothing of it."""
    held = machine.files.hold("0.large")
    day = SlowDay(machine)
    day.then(30, lambda: machine.files.let_go(held))
    for number in range(6):
        day.at(50 + 20 * number, f"{number}.small", b"%d" % number)
    remembered: list[int] = []
    day.then(120, lambda: remembered.append(_observations(machine)))
    day.watch(400, RARE._replace(every_ns=20 * SECOND))
    assert (remembered, len(machine.stored()), machine.observations()) == ([1], 7, {})


def _observations(machine: Machine) -> int:
    """How many there are, while a watch has the ledger."""
    with closing(sqlite3.connect(f"{machine.state}/ledger.sqlite")) as ledger:
        (count,) = ledger.execute("SELECT count(*) FROM sighting").fetchone()
    return int(count)


def test_a_group_that_is_under_way_is_left_alone(machine: Machine) -> None:
    """Another group comes meanwhile, and is taken by the same pass; a third waits."""
    job = RARE._replace(groups=("runs/*",))
    machine.files.remove("0.large")
    machine.produced.clear()
    for name in ("one", "two"):
        machine.produce(f"runs/first/{name}", LARGE + name.encode())
    machine.clock.advance(10)
    day = SlowDay(machine)
    day.at(20, "runs/second/one", LARGE + b"2")
    day.at(21, "runs/third/one", LARGE + b"3")
    day.at(22, "alone", b"alone")
    day.watch(400, job)
    assert machine.files.files() == {}
    assert day.workers.begun == 3
    assert all(outcome.tally.unaccounted == 0 for outcome in day.outcomes)


def test_limits_hold_for_what_is_taken(machine: Machine) -> None:
    """A pass carries no more than it may, whoever has found it."""
    day = SlowDay(machine)
    day.at(20, "1.large", LARGE + b"1")
    day.watch(90, RARE._replace(files_max=1))
    assert day.workers.begun == 1


@pytest.mark.parametrize(("more", "begun", "stored"), [(100, 1, 2), (2 * len(LARGE), 2, 4)])
def test_a_day_is_of_both_together(machine: Machine, more: int, begun: int, stored: int) -> None:
    """What is under way counts for a look beside it; what that hands over counts once."""
    day = SlowDay(machine)
    day.at(20, "1.large", LARGE + b"1")
    day.at(20, "2.small", bytes(90))
    day.at(40, "3.small", bytes(20))
    day.watch(90, RARE._replace(bytes_a_day=len(LARGE) + more))
    assert (day.workers.begun, len(machine.stored())) == (begun, stored)


@pytest.mark.parametrize("tells", [True, False])
@pytest.mark.parametrize("returns_after", [300, 4000])
def test_a_destination_that_goes_away_meanwhile(machine: Machine, tells: bool, returns_after: int) -> None:
    """It is tried now and then, and not all the time, whatever is under way; when it is there again all goes."""
    day = SlowDay(machine, tells=tells)
    away: list[bool] = []

    def closed(_job: Job) -> Store:
        if away:
            raise Transient("connection refused")
        return machine.store

    machine.open_store = closed
    for number in range(6):
        day.at(20 + number, f"{number % 2}/{number}.large", LARGE + bytes([number]))
        day.at(40 + 100 * number, f"{number % 3}/{number}.small", bytes([number]))
    for _ in range(9):
        day.then(45, lambda: machine.store.fail("put_large", Fault(Transient("connection refused"))))
        day.then(45, lambda: machine.store.fail("put", Fault(Transient("connection refused"))))
    day.then(45, lambda: away.append(True))
    day.then(45 + returns_after, away.clear)
    day.watch(45 + returns_after + 2000, QUIET)
    assert (len(machine.stored()), machine.files.files()) == (13, {})
    a_minute = [sum(int(at) // 60 == minute for at, *_ in day.passes) for minute in range(returns_after // 60 + 30)]
    assert max(a_minute) < 30, a_minute


@pytest.mark.parametrize("seed", range(12))
def test_whatever_comes_and_wherever_it_ends(machine: Machine, seed: int) -> None:
    """Small files, large ones and groups come while others are under way, and it ends anywhere: all arrive, none is lost."""
    rng = random.Random(seed)
    job = RARE._replace(groups=("runs/*",) if seed % 3 == 0 else (), every_ns=rng.choice([10, 60, 3600]) * SECOND)
    for life in range(4):
        day = SlowDay(machine, tells=rng.random() < 0.7, seed=rng.choice([None, seed]))
        day.workers.seconds = rng.choice([5.0, 50.0, 300.0])
        for number in range(12):
            where = f"runs/{life}-{number % 4}/{number}" if rng.random() < 0.3 else f"{number % 3}/{life}-{number}"
            content = LARGE + b"<%d %d>" % (life, number) if rng.random() < 0.4 else b"<small %d %d>" % (life, number)
            day.at(rng.uniform(0, 400), where, content)
        steps = machine.steps = machine.files.steps = machine.store.steps = Steps()
        steps.crash_at, steps.crash_when = rng.randrange(400), rng.choice(["before", "after"])
        with suppress(Crash):
            day.watch(500, job)
        machine.steps = machine.files.steps = machine.store.steps = Steps()
        machine.forget_leases()
        assert _lost(machine) == set()
    last = SlowDay(machine)
    last.workers.seconds = 1.0
    machine.clock.advance(100)
    last.watch(600, job._replace(every_ns=10 * SECOND))
    assert (_lost(machine), machine.files.files(), machine.files.private) == (set(), {}, {})
    assert all(outcome.tally.unaccounted == 0 for outcome in last.outcomes)


def _lost(machine: Machine) -> set[bytes]:
    """What is nowhere; the files of a group are in a tar."""
    objects = [version.content for versions in machine.store.objects.values() for version in versions]
    return {content for content in machine.lost() if not any(content in there for there in objects)}
