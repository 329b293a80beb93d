"""Hands out the work, and adds up what comes back: a few batches a worker at a time, so that memory does not grow with the tree.

Nothing here has to survive. What is done stands in a ledger (`keeping.py`); a batch whose worker has died is given to another,
and does no harm where it was done already. The private directories of dead workers are looked into at the beginning and at the
end, and what was put back from there is carried in one more batch. What a worker had carried when it died stands in the ledger,
and is missing in the totals.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import CancelledError
from functools import partial
from typing import Any, NamedTuple

from outhaul.app import JobReport, RunReport
from outhaul.cluster.allowance import Allowance, Allowances
from outhaul.cluster.begun import Begun, machine_of
from outhaul.cluster.crew import Crew
from outhaul.cluster.halting import END, tell_all
from outhaul.cluster.keeping import Merged, Shared
from outhaul.cluster.launching import client, where
from outhaul.cluster.leases import Lending
from outhaul.cluster.lending import Lender
from outhaul.cluster.outbox import Parcel
from outhaul.cluster.plan import Batch, batches, unsuited
from outhaul.cluster.tasks import Done, Looked, Setting, carry, look
from outhaul.engine.recovery import recover
from outhaul.host.landmarks import Leaving
from outhaul.model.bandwidth import Bandwidth
from outhaul.model.errors import AnotherInstance, ConfigurationError, LedgerError, SourceError, StoreError
from outhaul.model.events import Tally
from outhaul.model.job import Job
from outhaul.model.lifecycle import Standing
from outhaul.ports import Monitor
from outhaul.ports.permits import Hindrance, Permits
from outhaul.wiring import Wiring, at_its_endpoint, compression, permits

BATCHES_A_WORKER = 4
_LOOKS_A_WORKER = 2
_WAITING_A_WORKER = 16
"""Batches that are known and not handed out: with more, nothing more is looked for."""
_DIRECTORIES_A_LOOK = 64
_PATIENCE_SECONDS = 90.0
"""Without any batch done, though some were tried, a run gives up after so long."""
_LOOK_SECONDS = 0.2
_PAUSE_SECONDS = 0.5
_AGAIN_SECONDS = 2.0
"""A batch that another worker has, or that failed, is given out again no sooner."""
_ROUNDS_MAX = 5
_END_SECONDS = 20.0


class Work(NamedTuple):
    """What was handed out."""

    what: tuple[str, ...] | Batch
    """Directories to look into, or a batch to carry."""
    parcel: Parcel | None = None
    lending: Lending | None = None
    allowance: Allowance | None = None


def run(
    jobs: Sequence[Job],
    *,
    on: str,
    ledger: str,
    state: str,
    monitor: Monitor,
    stopped: Callable[[], bool] = lambda: False,
    bandwidth: Bandwidth | None = None,
    time_zone: str = "",
) -> RunReport:
    """One pass over each of these jobs, one after the other, by the workers of a cluster.

    Args:
        jobs: As for `app.run`.
        on: 'local:4', or the address of a scheduler.
        ledger: Address of the database that all of them share; '' where each has a ledger of its own, and the one in `state` gets
            all that is in them.
        state: State directory of this process.
        monitor: Is told what happens, as it comes back.
        stopped: Asked often; once it is true, nothing more is handed out.
        bandwidth: What all workers together may send.
        time_zone: Its times are in; '' is that of the machine that has the pool (`leases.py`).

    Raises:
        ConfigurationError: no Dask, no scheduler, or a job that wants what workers cannot do.
        AnotherInstance, LedgerError: the ledger cannot be had.
    """
    for job in jobs:
        if lacking := unsuited(job, shared=bool(ledger)):
            raise ConfigurationError(f'job "{job.name}": {lacking} needs one process; leave it out, or leave out --on')
        compression(job)
    is_here = isinstance(where(on), int)
    keeping = Shared(state, ledger) if ledger else Merged(state, is_here=is_here)
    asked = permits(state)
    with client(on) as there:
        lender = Lender(there, bandwidth, time_zone) if bandwidth is not None else None
        reports = []
        for job in jobs:
            if not stopped():
                spread = _Spread(at_its_endpoint(job), there, keeping, monitor, stopped, lender, asked, is_here=is_here)
                reports.append(spread.run())
        if lender is not None:
            lender.close()
    return RunReport(reports, stopped())


class _Spread:
    """One job on its way."""

    def __init__(
        self,
        job: Job,
        there: Any,
        keeping: Shared | Merged,
        monitor: Monitor,
        stopped: Callable[[], bool],
        lender: Lender | None,
        asked: Permits,
        *,
        is_here: bool,
    ) -> None:
        """`is_here`: whether all workers are processes of this machine: then it goes unnamed."""
        self._job, self._there, self._keeping = job, there, keeping
        self._monitor, self._stopped, self._lender, self._is_here = monitor, stopped, lender, is_here
        self._crew = Crew(there, partial(monitor.notice, job), stopped)
        self._looks: deque[str] = deque([""])
        self._batches: deque[Batch] = deque()
        self._later: deque[tuple[float, Batch]] = deque()
        """What is not handed out again before a moment."""
        self._under_way: dict[Any, Work] = {}
        self._tally = Tally()
        self._destination_fault = self._fault = ""
        self._permits, self._token = asked, secrets.token_hex(8)
        self._allowances = Allowances(job, asked, time.time_ns, keeping.sent_since)
        self._hindrance: Hindrance | None = None
        """Why nothing more is handed out."""
        self._end_by = 0.0
        """Until when what is under way is waited for, once the run is to end."""
        self._trouble = 0.0
        """Since when nothing has gone well; 0 where it does."""

    def run(self) -> JobReport:
        """Until all is done, or nothing goes on any more."""
        self._monitor.started(self._job)
        try:
            with (
                self._keeping.opened(self._job, partial(self._monitor.notice, self._job)),
                contextlib.closing(Leaving(self._job.source, keep=not self._job.one_off)) as left,
            ):
                self._landmark = left.landmark
                self._run()
        except SourceError as error:
            self._fault = f"{self._job.source}: {error}"
        if self._fault:
            self._monitor.notice(self._job, self._fault)
        self._monitor.finished(self._job, self._tally)
        fault = self._destination_fault or self._fault
        return JobReport(self._job, self._tally, fault, bool(self._destination_fault))

    def _run(self) -> None:
        try:
            self._run_all()
        except (OSError, CancelledError) as error:  # What a client of Dask raises that has lost its scheduler.
            said = f"{type(error).__name__}: {error}".splitlines()[0]
            self._fault = f"the scheduler of --on does not answer any more; run again ({said})"
        self._fault = self._fault or self._keeping.ended(self._tally)

    def _run_all(self) -> None:
        try:
            self._keeping.gather(self._crew, first=True)
        except StoreError as error:
            self._destination_fault = f"receipts of workers cannot be shipped: {error}"
            self._monitor.notice(self._job, self._destination_fault)
            return
        with contextlib.closing(Begun(self._there, self._token)) as begun:
            with self._keeping.wired() as wired:
                wired.ledger.place(self._job)
                self._take_back(wired)
                self._work(begun)
            for _ in range(_ROUNDS_MAX):
                if self._is_over or not self._left():
                    break
                self._work(begun)
        if not (self._stopped() or self._destination_fault or self._crew.fault):
            self._keeping.gather(self._crew)

    # --- what dead workers have left ------------------------------------------------------------------------------

    def _left(self) -> bool:
        """Whether dead workers have left files: their directories are to be carried once more. With a session of its own."""
        since = time.monotonic()
        while True:
            try:
                with self._keeping.wired() as wired:
                    wired.ledger.place(self._job)
                    return self._take_back(wired)
            except (LedgerError, AnotherInstance) as error:
                if self._stopped() or time.monotonic() - since > _PATIENCE_SECONDS:
                    self._fault = str(error)
                    return False
                time.sleep(_PAUSE_SECONDS)

    def _take_back(self, wired: Wiring) -> bool:
        there: set[str] = set()
        try:
            with wired.files.tree(self._job) as tree:
                before = {left.path for left in tree.left_aside()}
                for found in recover(tree, wired.ledger, self._job):
                    if isinstance(found, Standing):
                        self._monitor.standing(self._job, found)
                    else:
                        wired.ledger.note(wired.ledger.place(self._job), disposals=[found[1]])
                there = {path.rpartition("/")[0] for path in before}
        except SourceError as error:
            self._fault = f"{self._job.source}: {error}"
        wired.ledger.settle()
        self._batches.extend(batches_of(there))
        return bool(there)

    # --- work -----------------------------------------------------------------------------------------------------

    def _work(self, begun: Begun) -> None:
        from distributed import wait

        while self._goes_on():
            known = self._crew.workers()
            self._fault = self._fault or self._crew.fault
            if known and not (self._hindrance or self._is_over):
                self._hand_out(known)
            if not self._under_way:
                time.sleep(0 if self._hindrance else _PAUSE_SECONDS)
                continue
            try:
                done = wait(list(self._under_way), timeout=_LOOK_SECONDS, return_when="FIRST_COMPLETED").done
            except TimeoutError:
                continue
            self._hear(begun)
            for future in done:
                self._take(future, self._under_way.pop(future))
            self._monitor.progress(self._job, self._tally)
        self._hear(begun)
        self._there.cancel(list(self._under_way))
        self._under_way.clear()

    def _hear(self, begun: Begun) -> None:
        """A machine that is gone in the end may have receipts that nobody else has."""
        for number, worker in begun.heard():
            self._keeping.saw(number, worker)

    def _goes_on(self) -> bool:
        """Whether there is more to hand out, or to wait for."""
        if self._hindrance is None and (why := self._permits.hindrance(self._job)) is not None:
            self._hinder(why)
            tell_all(self._there, self._token, why)
        if self._stopped() and not self._end_by:
            self._end_by = time.monotonic() + _END_SECONDS
            tell_all(self._there, self._token, END)
        if self._end_by:
            return bool(self._under_way) and time.monotonic() < self._end_by
        if self._hindrance is not None:
            return bool(self._under_way) and not self._is_over
        return bool(self._looks or self._batches or self._later or self._under_way) and not self._is_over

    def _hinder(self, why: Hindrance) -> None:
        """Nothing more is handed out; what is under way comes home."""
        self._hindrance = why
        self._monitor.notice(self._job, why.words)

    @property
    def _is_over(self) -> bool:
        return self._stopped() or bool(self._destination_fault or self._fault)

    def _hand_out(self, known: set[str]) -> None:
        self._keeping.met(known)
        workers = len(known)
        while self._later and self._later[0][0] <= time.monotonic():
            self._batches.append(self._later.popleft()[1])
        under_way = [work.lending for work in self._under_way.values() if work.lending]
        if self._lender is not None:
            self._lender.look_after(under_way, workers)
        lending = self._lender.lending(workers) if self._lender is not None else None
        carrying = sum(isinstance(work.what, Batch) for work in self._under_way.values())
        for _ in range(min(len(self._batches), BATCHES_A_WORKER * workers - carrying)):
            batch = self._batches.popleft()
            allowance = self._allowances.of(batch)
            if isinstance(allowance, Hindrance):
                self._batches.appendleft(batch)
                if not carrying and not any(isinstance(work.what, Batch) for work in self._under_way.values()):
                    self._hinder(allowance)
                break
            parcel = self._keeping.parcel(batch)
            parcel = parcel and parcel._replace(spent=allowance.spent)
            setting = Setting(self._keeping.keeping, lending, self._token, self._landmark)
            self._submit(carry, allowance.job, Work(batch, parcel, lending, allowance), batch, setting, parcel)
        looking = len(self._under_way) - carrying
        while self._looks and looking < _LOOKS_A_WORKER * workers and len(self._batches) < _WAITING_A_WORKER * workers:
            some = tuple(self._looks.pop() for _ in range(min(len(self._looks), _DIRECTORIES_A_LOOK)))
            self._submit(look, self._job, Work(some), some, self._landmark)
            looking += 1

    def _submit(self, task: Callable[..., object], job: Job, work: Work, *arguments: object) -> None:
        # A look is worth more than a batch: it finds work for the others.
        future = self._there.submit(task, job, *arguments, pure=False, priority=int(task is look))
        self._under_way[future] = work

    def _take(self, future: Any, work: Work) -> None:
        try:
            result = future.result()
        except Exception as error:  # Whatever Dask makes of a worker that died, or of one without outhaul.
            self._again(work, f"a worker failed: {type(error).__name__}: {error}".splitlines()[0])
        else:
            self._take_result(result, work)

    def _take_result(self, result: Looked | Done, work: Work) -> None:
        if isinstance(result, Looked):
            if result.fault:
                self._fault = self._of_source(result.fault, result.at)
            self._looks.extend(result.onward)
            self._batches.extend(batches(result.counted))
            for directory, why in result.closed:
                self._tally.seen += 1
                self._tally.put("closed-directory")
                self._monitor.standing(self._job, Standing(directory, "closed-directory", why))
            return
        fault = result.fault or result.refused
        if work.allowance is not None and not (result.is_busy or fault):
            self._allowances.home(work.allowance, result.tally)
        if result.is_busy or fault:
            why = self._named(fault, result.at) if fault else "a batch stays with a worker that does not answer"
            if result.is_busy:
                self._keeping.met([result.at])
            if result.is_busy and result.links == 0:
                self._keeping.unused(work.parcel, result.at)
            self._again(work, why, is_busy=result.is_busy)
            if result.refused:
                self._fault = why
            return
        self._keeping.take(work.parcel, result.at, result.links)
        self._trouble = 0.0
        self._tally.add(result.tally)
        for standing in result.held:
            self._monitor.standing(self._job, standing)
        for text in result.notices:
            self._monitor.notice(self._job, self._named(text, result.at))
        if result.destination_fault:
            self._destination_fault = self._destination_fault or self._named(result.destination_fault, result.at)
        if result.source_fault:
            self._fault = self._fault or self._of_source(result.source_fault, result.at)

    def _named(self, fault: str, worker: str) -> str:
        """With the machine where it was met."""
        return fault if self._is_here or not worker else f"worker on {machine_of(worker)}: {fault}"

    def _of_source(self, fault: str, worker: str) -> str:
        return f"{self._job.source}: {self._named(fault, worker)}"

    def _again(self, work: Work, why: str, *, is_busy: bool = False) -> None:
        if work.allowance is not None:
            self._allowances.home(work.allowance, Tally() if is_busy else None)
        if isinstance(work.what, Batch):
            self._later.append((time.monotonic() + _AGAIN_SECONDS, work.what))
        else:
            self._looks.extend(work.what)
        self._trouble = self._trouble or time.monotonic()
        if time.monotonic() - self._trouble > _PATIENCE_SECONDS:
            self._fault = why
        time.sleep(0.05)


def batches_of(directories: Iterable[str]) -> list[Batch]:
    """One for each directory, whatever is in it."""
    return [Batch((directory,)) for directory in sorted(directories)]
