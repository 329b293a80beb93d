"""Everything that a front end may call: run jobs, check them, and ask the ledger. The way back is in `bringing.py`.

Nothing here prints. A run takes a `Monitor` that is told what happens, and gives back an account of every file seen.
"""

from __future__ import annotations

import contextlib
import math
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from outhaul.model.bandwidth import PRIORITIES, Bandwidth
from outhaul.model.errors import OuthaulError, StoreError
from outhaul.model.events import Tally
from outhaul.model.job import Job
from outhaul.model.lifecycle import State
from outhaul.model.selection import Selection
from outhaul.model.shard import WHOLE, Shard
from outhaul.ports import Abilities, Monitor, Store

if TYPE_CHECKING:
    from outhaul.engine.batches import Ports
    from outhaul.engine.passes import Outcome
    from outhaul.host.at_work import AtWork
    from outhaul.ledgers.history import RunRow
    from outhaul.ledgers.queries import GivenUp, JobStatus, ReceiptRow, Waiting, Why
    from outhaul.model.forecast import Forecast
    from outhaul.stores.kept import Kept
    from outhaul.wiring import Wiring

EVERYTHING = Selection()
_WATCH_SECONDS = 1.0
"""A pass of a watch that takes less is not written down as being under way."""


class JobReport(NamedTuple):
    """What a pass over one job came to."""

    job: Job
    tally: Tally
    fault: str
    """One line on a source or destination that cannot be used; '' where both could."""
    destination_fault: bool
    """Whether the fault is the destination's."""


class RunReport(NamedTuple):
    """What a run came to."""

    jobs: list[JobReport]
    interrupted: bool

    @property
    def tally(self) -> Tally:
        """All jobs together."""
        total = Tally()
        for report in self.jobs:
            total.add(report.tally)
        return total

    @property
    def exit_code(self) -> int:
        """0 all is well, 1 something is held, failed or was given up, 4 a destination cannot be used, 130 interrupted."""
        if self.interrupted:
            return 130
        if any(report.destination_fault for report in self.jobs):
            return 4
        return (
            1
            if self.tally.of(State.HELD) or self.tally.of(State.GIVEN_UP) or any(report.fault for report in self.jobs)
            else 0
        )


def run(
    jobs: Sequence[Job],
    *,
    state: str,
    monitor: Monitor,
    stopped: Callable[[], bool] = lambda: False,
    dry_run: bool = False,
    bandwidth: Bandwidth | None = None,
    time_zone: str = "",
    shard: Shard = WHOLE,
    ledger: str = "",
) -> RunReport:
    """One pass over every job, those of a higher priority first; none waits for the large files of another.

    Args:
        jobs: Checked jobs; `config.checks.problems` says what is wrong with others.
        state: Directory of the ledger and of private files; it is made where it is missing.
        monitor: Is told what happens.
        stopped: Asked often; once it is true, what is under way is brought home, and nothing more begun.
        dry_run: Say what would be carried, and touch nothing.
        bandwidth: What all of them together may send; None is no limit.
        time_zone: Its times are in; '' is the machine's own.
        shard: The share of each source that this process has. It has a state directory of its own beneath `state`.
        ledger: Address of the database that is the ledger; '' for a file in the state directory.

    Raises:
        ConfigurationError: a codec's library is not installed.
        AnotherInstance: another process works with this state directory.
        LedgerError: the ledger failed; what had no receipt was not let go.
    """
    from outhaul.engine.side_by_side import run_jobs
    from outhaul.host.at_work import Noting
    from outhaul.wiring import Wiring, at_its_endpoint, compression, opener

    jobs, own = sorted((job._replace(shard=shard) for job in jobs), key=_rank), state_of(state, shard)
    for job in jobs:
        compression(job)  # A library that is missing is told before anything is done.
    reports: dict[int, JobReport] = {}
    with (
        Wiring(own, shard.name, ledger) as wired,
        contextlib.closing(Noting(monitor, own, math.inf if dry_run else 0.0)) as noting,
    ):
        noting.begins()
        open_store = opener(bandwidth, stopped, own, time_zone)
        ports = _ports(wired, noting, open_store, stopped, state)
        if wired.ledger.set_aside and jobs:
            monitor.notice(
                jobs[0],
                f"the ledger was damaged; it is now {wired.ledger.set_aside}, and a new one has begun: files are proved again",
            )
        placed = [at_its_endpoint(job) for job in jobs]
        for index, (tally, fault, source_fault, *_) in run_jobs(placed, ports, dry_run=dry_run):
            noting.ended()
            reports[index] = JobReport(jobs[index], tally, fault or source_fault, bool(fault))
    return RunReport([reports[index] for index in sorted(reports)], stopped())


def state_of(state: str, shard: Shard) -> str:
    """The state directory of a shard: no two processes have one together."""
    return os.path.join(state, shard.name) if shard.name else state


def _ports(
    wired: Wiring, monitor: Monitor, open_store: Callable[[Job], Store], stopped: Callable[[], bool], state: str
) -> Ports:
    """The windows to the world; `state` is where pauses are written down."""
    from outhaul.engine.batches import Ports
    from outhaul.wiring import compression, permits

    return Ports(
        wired.files,
        wired.ledger,
        wired.workers,
        wired.clock,
        monitor,
        open_store,
        stopped,
        compression,
        permits(state),
        digests=wired.digests,
    )


def _any(*questions: Callable[[], bool]) -> bool:
    return any(ask() for ask in questions)


def _rank(job: Job) -> int:
    return PRIORITIES.index(job.priority)


def watch(
    load: Callable[[], tuple[Sequence[Job], Bandwidth | None, str]],
    *,
    state: str,
    monitor: Monitor,
    stopped: Callable[[], bool],
    reload: Callable[[], bool],
    tell: Callable[[Job, Outcome], None],
    notice: Callable[[str], None],
    ledger: str = "",
) -> None:
    """Carry files as they settle, until it is asked to end.

    Args:
        load: Gives the jobs, what they may send, and the time zone of that; asked at the start, and when they are to be
            loaded anew. Where it gives the same object, all goes on as it did.
        state: As for `run`. It is held all the time.
        monitor: Is told what happens.
        stopped: As for `run`.
        reload: Whether the jobs are to be loaded anew; asked often.
        tell: Is told what each pass over a job came to.
        notice: Is told what concerns no job.
        ledger: As for `run`.

    Raises: as `run`.
    """
    from outhaul.engine.watching import Watch
    from outhaul.host.at_work import Noting
    from outhaul.host.calendar import jitter_ns, next_time
    from outhaul.host.looks import Looks
    from outhaul.host.memory import Memory
    from outhaul.wiring import Wiring, at_its_endpoint, compression, keeping, open_hints, opener

    memory, looks, noting = Memory(), Looks(state), Noting(monitor, state, _WATCH_SECONDS)

    def told(job: Job, outcome: Outcome) -> None:
        noting.ended()
        tell(job, outcome)
        waits = outcome.destination_fault or outcome.source_fault or outcome.tally.of(State.WAITING)
        looks.tell(job.name, outcome.next_ns if waits else 0)
        if outcome.tally.bytes_carried:
            memory.used()

    with Wiring(state, "", ledger) as wired, contextlib.closing(looks), contextlib.closing(noting):
        loaded = load()
        while not stopped():
            leaves = threading.Event()
            ends = partial(_any, stopped, leaves.is_set)
            jobs, bandwidth, time_zone = loaded
            jobs = sorted(jobs, key=_rank)
            for job in jobs:
                compression(job)
            stores = keeping(opener(bandwidth, ends, state, time_zone))
            ports = _ports(wired, noting, stores.open, ends, state)._replace(leave_store=stores.leave)

            def asked(stores: Kept = stores, leaves: threading.Event = leaves) -> bool:
                nonlocal loaded
                stores.close_idle()
                memory.tidy()
                looks.write()
                if reload() and (found := load()) is not loaded:
                    loaded = found
                    leaves.set()  # What is large is interrupted, and goes on from what the store has of it.
                return leaves.is_set()

            with contextlib.closing(stores), contextlib.closing(open_hints(notice, state)) as hints:
                Watch([at_its_endpoint(job) for job in jobs], ports, hints, next_time, told, jitter_ns).run(asked)


class Checked(NamedTuple):
    """What a job's source and destination have shown."""

    job: Job
    """With the S3 endpoint that is really used."""
    source_fault: str
    """'' where it can be read, or there is none."""
    sees_writers: bool | None
    """Whether files that are open for writing are seen; None where there is no file to try it on."""
    abilities: Abilities | None
    destination_fault: str
    """'' where it can be used."""
    faults: tuple[str, ...] = ()
    """What else would stop a run: what may not be written on this machine, one line each."""


def check(jobs: Sequence[Job], state: str) -> Iterator[Checked]:
    """Try each job: read its source; write to its destination, write again, read back, with a private key of its own."""
    from outhaul.host import rights
    from outhaul.ledgers.damage import FILE_NAME
    from outhaul.wiring import at_its_endpoint, open_store, try_source

    for job in jobs:
        fault, sees_writers = try_source(job, state) if job.source else ("", None)
        lacking = tuple(rights.faults(job, state, FILE_NAME)) if job.source and not fault else ()
        there = at_its_endpoint(job)
        try:
            with contextlib.closing(open_store(there)) as store:
                abilities = store.probe()
            yield Checked(there, fault, sees_writers, abilities, "", lacking)
        except StoreError as error:
            yield Checked(there, fault, sees_writers, None, str(error), lacking)


def status(state: str) -> list[JobStatus]:
    """What the ledger knows of each job: what was carried, what waits and why. Works beside a run.

    Raises:
        LedgerError: it cannot be read.
    """
    from outhaul.ledgers.queries import Reading

    with Reading(state) as reading:
        return reading.status()


def next_looks(state: str) -> dict[str, int]:
    """Job, and when on the wall clock a watch looks at it again; without those of which nothing waits, or nobody knows."""
    from outhaul.host.looks import next_looks as found

    return found(state)


def at_work(state: str) -> AtWork | None:
    """What is being carried on this state directory at this moment; None where nothing is, or that cannot be told."""
    from outhaul.host.at_work import at_work as found

    return found(state)


def disk(job: JobStatus) -> Forecast | None:
    """How full the disk of a job's source is now, and where that goes; None where nobody can tell."""
    from outhaul.host.space import space
    from outhaul.model.forecast import forecast

    found, now = space(job.source), time.time_ns()
    measured = [one for one in job.measured if one[0] < now]
    if found is not None:
        return forecast([*measured, (now, found.free)], found.size)
    return forecast(measured, job.disk_size) if measured else None


def given_up(state: str, *, job: str = "", limit: int = 0) -> list[GivenUp]:
    """Files that were removed without having been carried, because the disk was full and their jobs say so, oldest first.

    Raises: as `receipts`.
    """
    from outhaul.ledgers.history import History

    with History(state) as history:
        history.expect(job)
        return history.given_up(job=job, limit=limit)


def receipts(state: str, selection: Selection = EVERYTHING, limit: int = 0) -> Iterator[ReceiptRow]:
    """The receipts that are meant, oldest first; with a limit, the latest so many of them.

    Raises:
        ConfigurationError: no job has the name that is meant.
        LedgerError: the ledger cannot be read.
    """
    from outhaul.ledgers.history import History

    with History(state) as history:
        history.expect(selection.job)
        yield from history.receipts(selection, limit)


def runs(state: str, *, job: str = "", limit: int = 0) -> list[RunRow]:
    """The latest runs, oldest first.

    Raises: as `receipts`.
    """
    from outhaul.ledgers.history import History

    with History(state) as history:
        history.expect(job)
        return history.runs(job, limit)


def of_path(state: str, path: str) -> list[Why]:
    """Everything that the ledger knows of one file, by its absolute path or by the one relative to its source.

    Raises:
        LedgerError: it cannot be read.
    """
    from outhaul.ledgers.history import History

    with History(state) as history:
        return history.of_path(path)


def waiting(state: str, *, job: str = "", limit: int = 0) -> list[tuple[str, str, Waiting]]:
    """Files that have not been carried, those that wait longest first, each with the name of its job and its source.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    from outhaul.ledgers.queries import Reading

    with Reading(state) as reading:
        return reading.waiting(job=job, limit=limit)


def why(state: str, path: str) -> list[Why]:
    """Everything that the ledger knows of one file, by its absolute path.

    Raises:
        LedgerError: it cannot be read.
    """
    from outhaul.ledgers.queries import Reading

    with Reading(state) as reading:
        return reading.why(path)


__all__ = [
    "Checked",
    "JobReport",
    "OuthaulError",
    "RunReport",
    "Selection",
    "at_work",
    "check",
    "disk",
    "given_up",
    "next_looks",
    "of_path",
    "receipts",
    "run",
    "runs",
    "status",
    "waiting",
    "watch",
    "why",
]
