"""The jobs of a run side by side: each has turns of a tenth of a second, as many as its priority gives it.

Whose turn is next follows from the time that each has had, divided by its weight (stride scheduling: Waldspurger and Weihl,
1995). So jobs of one priority share alike, one of a higher priority gets four times as much as one of the next, and none starves.
A job that comes later begins with what the others have had: nobody saves up. One of which only large files are left needs no
turns. All share the workers, the places for large files, memory, and this one thread: whoever waits for results has those of the
others handed to them. Not done here: taking back what has been handed to the workers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, NamedTuple

from outhaul.engine.batches import Ports
from outhaul.engine.large import Slots
from outhaul.engine.pace import THREADS_MAX
from outhaul.engine.passes import WHOLE, Outcome, Pass, Scope
from outhaul.model.errors import SourceError
from outhaul.model.job import Job
from outhaul.ports import Workers

TURN_NS = 100 * 10**6
WEIGHTS = {"high": 16, "normal": 4, "low": 1}
_NEVER = 1 << 62


def run_jobs(jobs: Sequence[Job], ports: Ports, *, dry_run: bool = False) -> Iterator[tuple[int, Outcome]]:
    """One pass over each of these jobs.

    Args:
        jobs: In the order in which they have their first turns.
        ports: The world.
        dry_run: Say what would be carried, and touch nothing.

    Yields:
        The place of a job in `jobs`, and what its pass came to; in the order in which they end. A job whose turn does not
        come, because the run is asked to end, is left out.

    Raises:
        LedgerError: the ledger failed; nothing more was let go.
    """
    turns = Turns(ports)
    for index, job in enumerate(jobs):
        if why := ports.permits.hindrance(job):
            ports.monitor.notice(job, why.words)
        turns.sit(index, job, dry_run=dry_run)
    while (turn := turns.next()) is not None and not (ports.stopped() and turns.is_fresh(turn)):
        ended = turns.take(turn)
        if ended is not None:
            yield turn, ended
    for index in list(turns.desk.left):
        if not turns.is_fresh(index):
            yield index, turns.finish(index)


class Turns:
    """The passes that are under way, and whose turn it is."""

    def __init__(self, ports: Ports) -> None:
        self.desk = Desk(ports.workers)
        self._slots = Slots()
        self._ports = ports
        self._had: dict[int, int] = {}
        """Of those that need turns: the nanoseconds that each has had, divided by its weight."""
        self._weights: dict[int, int] = {}
        self._until = 0

    def sit(self, index: int, job: Job, *, dry_run: bool = False, scope: Scope = WHOLE) -> None:
        """A pass over a job is to begin."""
        seat = Seat(self.desk)
        round_ = Pass(job, self._ports._replace(workers=seat), dry_run=dry_run, slots=self._slots, scope=scope)
        round_.turn_over = self._over
        self.desk.left[index] = seat, round_
        self._weights[index] = WEIGHTS[job.priority]
        self._had[index] = min(self._had.values(), default=0)

    def next(self) -> int | None:
        """Whose turn it is; of those that have had as much, the higher priority's, and then the first."""
        return min(self._had, key=lambda index: (self._had[index], -self._weights[index], index), default=None)

    def rests(self, index: int) -> bool:
        """Whether it needs no turns: only large files are left."""
        return index in self.desk.left and index not in self._had

    def is_fresh(self, index: int) -> bool:
        """Whether it has had no turn yet."""
        return not self.desk.left[index][1].begun

    def take(self, index: int) -> Outcome | None:
        """Have a turn; what the pass came to, where that was its last.

        Raises:
            LedgerError: the ledger failed; nothing more was let go.
        """
        _, round_ = self.desk.left[index]
        began = self._ports.clock.monotonic_ns()
        self._until = began + TURN_NS
        try:
            more = round_.turn()
        except SourceError as error:
            fault = f"{round_.job.source}: {error}"
            self._ports.monitor.notice(round_.job, fault)
            self._leave(index)
            return Outcome(round_.tally, "", fault)
        if more:
            self._had[index] += max(1, self._ports.clock.monotonic_ns() - began) // self._weights[index] + 1
            return None
        if not round_.is_busy:
            return self.finish(index)
        del self._had[index]
        return None

    def finish(self, index: int) -> Outcome:
        """Go on to the end, without turns; what it came to. Raises as `take`."""
        _, round_ = self.desk.left[index]
        self._until = _NEVER
        outcome = round_.finish()
        self._leave(index)
        return outcome

    def _leave(self, index: int) -> None:
        self.desk.seats.remove(self.desk.left.pop(index)[0])
        self._had.pop(index, None)

    def _over(self) -> bool:
        return self._ports.clock.monotonic_ns() >= self._until


class Desk:
    """Where results come in, each for one seat."""

    def __init__(self, workers: Workers) -> None:
        self.workers = workers
        self.left: dict[int, tuple[Seat, Pass]] = {}
        """The passes that are under way."""
        self.seats: list[Seat] = []
        self._serving = False

    def gather(self, timeout_seconds: float) -> None:
        """Hand out what has come in."""
        for result in self.workers.finished(timeout_seconds):
            result.seat.under_way -= 1
            result.seat.box.append(result.of)

    def serve(self, but: Seat) -> None:
        """Let the others take what is theirs."""
        if self._serving:
            return
        self._serving = True
        try:
            for seat, round_ in list(self.left.values()):
                if seat is not but:
                    round_.serve()
        finally:
            self._serving = False


class Seat:
    """The workers, as one job sees them: only its own results. See `ports.Workers`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        desk.seats.append(self)
        self.cores = desk.workers.cores
        self.box: list[Any] = []
        self.under_way = 0
        """Tasks that it has handed out."""
        self.wanted = 0
        """Threads that it has asked for."""

    def widen(self, threads: int) -> None:
        """See `ports.Workers`. Threads that are busy with files of other jobs are not there for this one."""
        self.wanted = threads
        busy = sum([min(seat.wanted, seat.under_way) for seat in self._desk.seats if seat is not self])
        self._desk.workers.widen(min(threads + busy, THREADS_MAX))

    def in_turn(self) -> AbstractContextManager[object]:
        """See `ports.Workers`."""
        return self._desk.workers.in_turn()

    def submit(self, task: Callable[[], Any]) -> None:
        """See `ports.Workers`."""
        self.under_way += 1
        self._desk.workers.submit(partial(_done, self, task))

    def finished(self, timeout_seconds: float) -> list[Any]:
        """See `ports.Workers`."""
        self._desk.gather(0 if self.box else timeout_seconds)
        self._desk.serve(self)
        results, self.box = self.box, []
        return results


class _Result(NamedTuple):
    """What a task came to, and whose it is."""

    seat: Seat
    of: Any


def _done(seat: Seat, task: Callable[[], Any]) -> _Result:
    try:
        return _Result(seat, task())
    except Exception as error:
        return _Result(seat, error)
