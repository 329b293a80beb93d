"""Where a driver finds what its workers have recorded: in the database that all share, or in its own ledger, into which it merges
what they ship."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from outhaul.cluster.begun import machine_of
from outhaul.cluster.crew import Crew
from outhaul.cluster.numbers import FOLDER, Numbers
from outhaul.cluster.outbox import Parcel, fetch, ship
from outhaul.cluster.own import Keeping
from outhaul.cluster.plan import Batch
from outhaul.cluster.tasks import gather
from outhaul.host.fences import DriverFence
from outhaul.host.local_disk import refuse_network
from outhaul.ledgers.segments import Segments
from outhaul.ledgers.sqlite import SqliteLedger
from outhaul.model.errors import StoreError, Transient
from outhaul.model.events import Tally
from outhaul.model.job import Job
from outhaul.model.segments import Foreign, packed, unpacked
from outhaul.model.shard import WHOLE
from outhaul.stages.discover import Companions
from outhaul.wiring import Wiring

DRIVER = "worker-driver"
_GATHER_SECONDS = 60.0
_PAUSES = (1, 2, 4, 8)
"""Seconds between tries to read what is in the bucket."""
_FAILURES_MAX = 8
"""So many numbers in a row that cannot be read: the others are left for the next try."""


class Shared:
    """A database that all share. Its session is the driver's for as long as it looks at what dead workers have left."""

    def __init__(self, state: str, ledger: str) -> None:
        self._state = state
        self.keeping = Keeping(ledger)

    @contextlib.contextmanager
    def opened(self, job: Job, notice: Callable[[str], None]) -> Iterator[None]:
        """For as long as a job takes."""
        yield

    @contextlib.contextmanager
    def wired(self) -> Iterator[Wiring]:
        """The ledger and the files of the driver. Raises LedgerError, AnotherInstance."""
        with Wiring(self._state, DRIVER, self.keeping.ledger) as wired:
            yield wired

    def parcel(self, batch: Batch) -> Parcel | None:
        """What a worker is given with a batch."""
        return None

    def sent_since(self, wall_ns: int) -> int:
        """Bytes that are recorded as sent since then; nobody asks."""
        return 0

    def saw(self, number: int, worker: str) -> None:
        """A worker has begun the batch of that number."""

    def met(self, workers: Iterable[str]) -> None:
        """These may be given batches from now on. Raises LedgerError."""

    def take(self, parcel: Parcel | None, worker: str = "", links: int = -1) -> None:
        """Have what a worker has told of a batch, in so many links, as far as that can be had now; -1 where it cannot say."""

    def unused(self, parcel: Parcel | None, worker: str) -> None:
        """A worker has written nothing of a batch, and done nothing."""

    def gather(self, crew: Crew, *, first: bool = False) -> None:
        """Have all that workers know told. Raises StoreError: what they tell could not be read, so none is to begin."""

    def ended(self, tally: Tally) -> str:
        """The job is over; why not all of it is known, or ''."""
        return ""


class Merged:
    """The driver's own ledger, in its state directory, which it holds all the time.

    That nothing lies under a number says nothing: somebody may be about to write there. A number is closed, and never looked at
    again, where whoever had it has said how many links there are, and so many were read; or where nobody who may have had it can
    write there any more: each machine was asked since, by which all earlier numbers end there (`own.ship_left`), and no process
    of it that was not asked has a ledger.

    Args:
        state: The state directory.
        is_here: Whether all workers are processes of this machine: then their ledgers are in the state directory, too.
    """

    def __init__(self, state: str, *, is_here: bool) -> None:
        self._state, self._home = state, os.path.join(state, FOLDER) if is_here else ""

    @contextlib.contextmanager
    def opened(self, job: Job, notice: Callable[[str], None]) -> Iterator[None]:
        """For as long as a job takes.

        Raises:
            AnotherInstance, LedgerError, SourceError: the ledger, or the source, cannot be had.
        """
        with Wiring(self._state, DRIVER) as self._wired:
            assert isinstance(self._wired.ledger, SqliteLedger)
            refuse_network(self._state, os.stat(self._state))
            if self._wired.ledger.set_aside:
                notice(f"the ledger was damaged; it is now {self._wired.ledger.set_aside}, and a new one has begun")
            with contextlib.closing(DriverFence(job.source, keep=not job.one_off)):
                self._job, self._notice = job, notice
                self._ledger, self._segments = self._wired.ledger, Segments(self._wired.ledger)
                self._place, self._began_ns = self._ledger.place(job), self._wired.clock.wall_ns()
                self._numbers = Numbers(self._state, job, self._home)
                self.keeping = Keeping("", self._numbers.outbox)
                self._is_group = Companions(job).is_group
                self._unmerged = self._unread = ""
                self._is_asked = False
                self._answered = frozenset[str]()
                """Machines that nobody has to wait for: in the end they had all earlier numbers end there."""
                self._seen: dict[int, set[str]] = {}
                self._told: dict[int, int] = {}
                self._earlier = frozenset(self._numbers.open)
                try:
                    yield
                finally:
                    self._numbers.close()

    @contextlib.contextmanager
    def wired(self) -> Iterator[Wiring]:
        """See `Shared`."""
        yield self._wired

    def parcel(self, batch: Batch) -> Parcel | None:
        """See `Shared`: what is known of the files of the batch goes with it."""
        known = []
        for beneath in (False, True):
            some = [directory for directory in batch.directories if self._is_group(directory) == beneath]
            known += self._segments.known(self._place, some, batch.share, beneath=beneath)
        machines = frozenset() if self._home else frozenset(self._numbers.machines)
        return Parcel(self._numbers.next(), tuple(packed(known)), machines=machines)

    def sent_since(self, wall_ns: int) -> int:
        """Bytes that are recorded as sent since then, as far as that is merged."""
        return self._ledger.sent_since(self._place, wall_ns)

    def saw(self, number: int, worker: str) -> None:
        """See `Shared`. Where a batch was, and did not come back from, may be receipts that nobody has shipped."""
        self._seen.setdefault(number, set()).add(worker)
        self.met([worker])

    def met(self, workers: Iterable[str]) -> None:
        """See `Shared`. On disk first: the next run asks there, should this one be killed."""
        self._numbers.met(map(self._machine, workers))

    def take(self, parcel: Parcel | None, worker: str = "", links: int = -1) -> None:
        """See `Shared`."""
        assert parcel is not None
        if links < 0:
            return
        self._told[parcel.number] = max(links, self._told.get(parcel.number, 0))
        self._seen[parcel.number] = self._seen.get(parcel.number, set()) - {worker}
        if not self._merge(parcel.number) and not self._seen[parcel.number]:
            self._close(parcel.number)

    def unused(self, parcel: Parcel | None, worker: str) -> None:
        """See `Shared`. Its number is good for another batch, unless somebody else was seen with it."""
        assert parcel is not None
        if not self._seen.get(parcel.number, set()) - {worker}:
            self._numbers.unused.append(parcel.number)

    def _close(self, number: int) -> None:
        self._numbers.open.discard(number)
        self._seen.pop(number, None)
        self._told.pop(number, None)

    def _merge(self, number: int) -> str:
        """Have what lies under a number; why not all of it can be had now, or ''."""
        found = 0
        try:
            for body in fetch(self._job, self._numbers.outbox, number):
                found += 1
                if isinstance(body, Foreign):
                    self._notice(str(body))
                else:
                    self._segments.take(self._place, unpacked(body))
        except StoreError as error:
            return f"receipts that workers have shipped cannot be read: {error}"
        if found < (links := self._told.get(number, 0)):
            where = f"{links} segments of receipts, of number {number}, and {found} of them can be read"
            return f"workers have shipped {where}: allow s3:GetObject beneath .outhaul/workers"
        return ""

    def gather(self, crew: Crew, *, first: bool = False) -> None:
        """Have every worker ship what it has, and what dead ones of its machine have left; and merge all that there is.

        Where the run is to end meanwhile, it is left to the next one.
        """
        self._unmerged, self._is_asked, self._answered = "", not first, frozenset()
        while self._numbers.unused:
            self._close(self._numbers.unused.pop())
        if first:
            self._prove(crew)
        asked = set() if first and self._numbers.is_new else self._ask_all(crew)
        left = sorted(self._numbers.open)
        for pause in (0, *_PAUSES):
            crew.sleep(pause)
            if crew.stopped():
                self._is_asked = False
                return
            if not (left := self._merge_all(left, asked, crew.stopped)):
                break
        else:
            self._unmerged = self._unmerged or self._unread  # The next run goes on with it.
        if self._is_asked:
            self._answered = frozenset(asked or ())
        needed = set[str]().union(*(self._machines(number) for number in self._numbers.open))
        for machine in self._numbers.machines.keys() - needed:
            del self._numbers.machines[machine]

    def _prove(self, crew: Crew) -> None:
        """Write a segment and read it back, before any file goes: all that workers tell comes by this way."""
        number = self._numbers.next()
        for pause in (*_PAUSES, 0):
            try:
                nothing = ["looked", [], *WHOLE, False]
                self._told[number] = ship(self._job, self._numbers.outbox, number, [nothing])
                return
            except Transient:
                if not pause or crew.stopped():
                    raise
            crew.sleep(pause)

    def _merge_all(self, numbers: list[int], asked: set[str] | None, stopped: Callable[[], bool]) -> list[int]:
        """Merge these; which of them cannot be read now. Those are closed that nobody can write to any more."""
        failed, in_a_row = list[int](), 0
        for at, number in enumerate(numbers):
            if stopped():
                return numbers[at:] + failed
            if fault := self._merge(number):
                failed.append(number)
                self._unread, in_a_row = fault, in_a_row + 1
                if in_a_row == _FAILURES_MAX:
                    return numbers[at + 1 :] + failed
                continue
            in_a_row = 0
            if (asked is not None or number in self._told) and self._machines(number) <= (asked or set()):
                self._close(number)
        return failed

    def _machines(self, number: int) -> set[str]:
        """Where somebody may be who had this number, beside who has told of it."""
        if (seen := self._seen.get(number)) or number in self._told:
            return set(map(self._machine, seen or ()))
        return self._numbers.machines.keys() - self._answered

    def _ask_all(self, crew: Crew) -> set[str] | None:
        """The machines on which nobody can write under an earlier number any more; None where workers did not answer."""
        from distributed import wait

        asked: dict[Any, str] = {}
        numbers: dict[Any, int] = {}
        deadline = time.monotonic() + _GATHER_SECONDS
        while time.monotonic() < deadline and not (crew.stopped() or crew.fault):
            workers = crew.workers()
            self.met(workers)
            for worker in workers - set(asked.values()):
                number = self._numbers.next()
                arguments = self._job, self.keeping, number
                future = crew.there.submit(gather, *arguments, workers=[worker], pure=False, priority=2)
                asked[future], numbers[future] = worker, number
                self._seen[number] = {worker}
            left = [future for future, worker in asked.items() if worker in workers and not future.done()]
            if workers and not left:
                break
            if not left:
                time.sleep(0.2)
                continue
            with contextlib.suppress(TimeoutError):
                wait(left, timeout=1, return_when="FIRST_COMPLETED")
        workers = crew.workers()
        answered, held, freed, silent = set[str](), set[tuple[str, str]](), set[tuple[str, str]](), list[str]()
        for future, worker in asked.items():
            machine, faults = self._machine(worker), []
            if future.status == "finished":
                answer = future.result()
                faults = answer.faults
                both = {machine, self._machine(answer.at or worker)}
                answered |= both
                held.update((one, name) for one in both for name in answer.held)
                freed.update((one, name) for one in both for name in answer.freed)
                if answer.links >= 0:
                    self._told[numbers[future]] = answer.links
                    del self._seen[numbers[future]]
            elif future.status == "error":
                faults = [f"a worker cannot ship its receipts: {future.exception()}".splitlines()[0]]
                held.add((machine, worker))
            elif worker in workers:
                silent.append(worker)
            for fault in faults:
                self._tell(fault if self._home else f"worker on {machine}: {fault}")
            future.cancel()
        if crew.stopped():
            return None
        if silent:
            who = f"{len(silent)} workers" if len(silent) > 1 else "a worker"
            self._tell(f"{who} did not answer, {silent[0]}: run again once it is done, for the receipts that it has")
            return None
        for machine in sorted({machine for machine, name in held - freed}):
            if not self._unmerged:
                self._tell(f"a worker that was given up still works on {machine}: run again once it has ended")
        return answered - {machine for machine, _ in held - freed}

    def _tell(self, fault: str) -> None:
        self._notice(fault)
        self._unmerged = fault

    def ended(self, tally: Tally) -> str:
        """See `Shared`."""
        self._ledger.finish_run(self._place, self._began_ns, tally)
        waiting: dict[str, set[int]] = {}
        for number in self._numbers.open:
            for machine in self._machines(number):
                waiting.setdefault(machine, set()).add(number)
        if self._unmerged or not waiting or not self._is_asked:
            return self._unmerged
        count = len(set().union(*waiting.values()) - self._earlier)
        what = f"{count} batches" if count else "an earlier run"
        where = ", ".join(sorted(waiting))
        said = f"receipts of {what} may be on {where}, where no worker is left: start one there, and run again"
        if all(self._numbers.machines.get(machine) for machine in waiting):
            self._notice(said)  # As a run before this one has said, and ended with a fault for it.
            return ""
        self._numbers.machines.update(dict.fromkeys(waiting, True))
        return said

    def _machine(self, worker: str) -> str:
        """Of the address of a worker, such as 'tls://10.0.0.7:4711'; what is in the state directory is a place of its own."""
        return "this machine with --on local" if self._home else machine_of(worker)
