"""The jobs of a run, in their order, while large files of the ones before are still on their way.

A job has its turn until only large files of it are left; then the next one begins. All share the workers, the places for large
files, and this one thread: whoever waits for results has those of the others handed to them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, NamedTuple

from outhaul.engine.batches import Ports
from outhaul.engine.large import Slots
from outhaul.engine.passes import Outcome, Pass
from outhaul.model.errors import SourceError
from outhaul.model.job import Job
from outhaul.ports import Workers


def run_jobs(jobs: Sequence[Job], ports: Ports, *, dry_run: bool = False) -> Iterator[tuple[int, Outcome]]:
    """One pass over each of these jobs.

    Args:
        jobs: In the order in which they have their turns.
        ports: The world.
        dry_run: Say what would be carried, and touch nothing.

    Yields:
        The place of a job in `jobs`, and what its pass came to; in the order in which they end. A job whose turn does not
        come, because the run is asked to end, is left out.

    Raises:
        LedgerError: the ledger failed; nothing more was let go.
    """
    desk, slots = Desk(ports.workers), Slots()
    for index, job in enumerate(jobs):
        if ports.stopped():
            break
        seat = Seat(desk)
        round_ = Pass(job, ports._replace(workers=seat), dry_run=dry_run, slots=slots)
        try:
            if round_.begin():
                desk.left[index] = (seat, round_)
                continue
            yield index, round_.finish()
        except SourceError as error:
            fault = f"{job.source}: {error}"
            ports.monitor.notice(job, fault)
            yield index, Outcome(round_.tally, "", fault)
    for index, (_, round_) in list(desk.left.items()):
        yield index, round_.finish()
        del desk.left[index]


class Desk:
    """Where results come in, each for one seat."""

    def __init__(self, workers: Workers) -> None:
        self.workers = workers
        self.left: dict[int, tuple[Seat, Pass]] = {}
        """The jobs of which only large files are left."""
        self.under_way = 0
        """Tasks of all seats together."""
        self._serving = False

    def gather(self, timeout_seconds: float) -> None:
        """Hand out what has come in."""
        for result in self.workers.finished(timeout_seconds):
            result.seat.under_way -= 1
            self.under_way -= 1
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
        self.cores = desk.workers.cores
        self.box: list[Any] = []
        self.under_way = 0
        """Tasks that it has handed out."""

    def widen(self, threads: int) -> None:
        """See `ports.Workers`. Threads that are busy with large files of other jobs are not there for this one."""
        self._desk.workers.widen(threads + self._desk.under_way - self.under_way)

    def in_turn(self) -> AbstractContextManager[object]:
        """See `ports.Workers`."""
        return self._desk.workers.in_turn()

    def submit(self, task: Callable[[], Any]) -> None:
        """See `ports.Workers`."""
        self.under_way += 1
        self._desk.under_way += 1
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
