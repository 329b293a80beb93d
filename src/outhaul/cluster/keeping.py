"""Where a driver finds what its workers have recorded: in the database that all share, or in its own ledger, into which it merges
what they ship."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

from outhaul.cluster.numbers import FOLDER, Numbers
from outhaul.cluster.outbox import Parcel, fetch
from outhaul.cluster.own import Keeping
from outhaul.cluster.plan import Batch
from outhaul.cluster.tasks import gather
from outhaul.host.fences import DriverFence
from outhaul.host.local_disk import refuse_network
from outhaul.ledgers.segments import Segments
from outhaul.ledgers.sqlite import SqliteLedger
from outhaul.model.errors import StoreError
from outhaul.model.events import Tally
from outhaul.model.job import Job
from outhaul.model.segments import Foreign, packed, unpacked
from outhaul.stages.discover import Companions
from outhaul.wiring import Wiring

DRIVER = "worker-driver"
_GATHER_SECONDS = 60.0
_PAUSES = (1, 2, 4, 8)
"""Seconds between tries to read what is in the bucket."""


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
        """A batch has been seen with a worker."""

    def take(self, parcel: Parcel | None, worker: str = "") -> None:
        """Have what a worker has told of a batch, as far as that can be had now; the worker is '' where none has."""

    def gather(self, there: Any, *, first: bool = False) -> None:
        """Have all that workers know told."""

    def ended(self, tally: Tally) -> str:
        """The job is over; why not all of it is known, or ''."""
        return ""


class Merged:
    """The driver's own ledger, in its state directory, which it holds all the time.

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
                self._unmerged = ""
                self._seen: dict[int, set[str]] = {}
                self._doubtful: dict[str, set[int]] = {}
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
        return Parcel(self._numbers.next(), tuple(packed(known)))

    def sent_since(self, wall_ns: int) -> int:
        """Bytes that are recorded as sent since then, as far as that is merged."""
        return self._ledger.sent_since(self._place, wall_ns)

    def saw(self, number: int, worker: str) -> None:
        """See `Shared`. Where a batch was, and did not come back from, may be receipts that nobody has shipped."""
        self._seen.setdefault(number, set()).add(_machine(worker))

    def take(self, parcel: Parcel | None, worker: str = "") -> None:
        """See `Shared`."""
        assert parcel is not None
        for machine in self._seen.pop(parcel.number, set()) - {_machine(worker)}:
            self._doubtful.setdefault(machine, set()).add(parcel.number)
        self._merge(parcel.number)

    def _merge(self, number: int) -> str:
        try:
            for body in fetch(self._job, self._numbers.outbox, number):
                if isinstance(body, Foreign):
                    self._notice(str(body))
                else:
                    self._segments.take(self._place, unpacked(body))
        except StoreError as error:
            return f"receipts that workers have shipped cannot be read: {error}"
        self._numbers.open.discard(number)
        return ""

    def gather(self, there: Any, *, first: bool = False) -> None:
        """Have every worker ship what it has, and what dead ones of its machine have left; and merge all that there is."""
        self._unmerged = ""
        for number in list(self._seen):  # What never came back.
            for machine in self._seen.pop(number):
                self._doubtful.setdefault(machine, set()).add(number)
        if not (first and self._numbers.is_new):
            self._ask_all(there)
        for number in sorted(self._numbers.open):
            for pause in (*_PAUSES, 0):
                if not (fault := self._merge(number)):
                    break
                time.sleep(pause)
            if fault:
                self._unmerged = fault
                return  # The next run goes on with it.

    def _ask_all(self, there: Any) -> None:
        from distributed import wait

        asked: dict[Any, str] = {}
        numbers: dict[Any, int] = {}
        deadline = time.monotonic() + _GATHER_SECONDS
        while time.monotonic() < deadline:
            workers = set(there.nthreads())
            for worker in workers - set(asked.values()):
                number = self._numbers.next()
                arguments = self._job, self.keeping, number
                future = there.submit(gather, *arguments, workers=[worker], pure=False, priority=2)
                asked[future], numbers[future] = worker, number
            left = [future for future, worker in asked.items() if worker in workers and not future.done()]
            if workers and not left:
                break
            if not left:
                time.sleep(0.2)
                continue
            with contextlib.suppress(TimeoutError):
                wait(left, timeout=1, return_when="FIRST_COMPLETED")
        for future, worker in asked.items():
            shipped, faults = future.result() if future.status == "finished" else (1, [])
            if future.status == "finished":
                self._doubtful.pop(_machine(worker), None)
            if not shipped and not faults:
                self._numbers.open.discard(numbers[future])
            if future.status == "error":
                faults = [f"a worker cannot ship its receipts: {future.exception()}".splitlines()[0]]
            for fault in faults:
                self._notice(fault)
                self._unmerged = fault
            future.cancel()

    def ended(self, tally: Tally) -> str:
        """See `Shared`."""
        self._ledger.finish_run(self._place, self._began_ns, tally)
        if not self._unmerged and self._doubtful:
            count = len(set().union(*self._doubtful.values()))
            where = ", ".join(sorted(self._doubtful))
            return f"receipts of {count} batches may be on {where}, where no worker is left: start one there, and run again"
        return self._unmerged


def _machine(worker: str) -> str:
    """Of the address of a worker, such as 'tls://10.0.0.7:4711'."""
    return worker.rpartition("/")[2].rpartition(":")[0]
