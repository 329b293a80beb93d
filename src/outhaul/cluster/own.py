"""What a worker process has of its own: its ledger, or its session of the shared one, and a private directory in the source.

With a shared database a batch is held by a lock of the session: with the session gone the batch is free, and this process records
nothing more (law L11), so a worker that was given up and comes back does no harm. Without one it is held by a lock of the kernel,
which such a worker still has. Either way a process whose ledger fails begins anew, under another name, with its next batch; a
ledger of its own that is not empty stays where it is, for whoever ships what dead workers have left.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import tempfile
import threading
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from outhaul.cluster.outbox import Outbox, Parcel, ship
from outhaul.cluster.plan import Batch
from outhaul.host import fences
from outhaul.host.local_disk import made_beneath, workers_home
from outhaul.ledgers.removing import remove_ledger, remove_state
from outhaul.ledgers.segments import Segments
from outhaul.ledgers.sqlite import SqliteLedger
from outhaul.model.errors import AnotherInstance, LedgerError, OuthaulError
from outhaul.model.job import Job
from outhaul.model.segments import Row, unpacked
from outhaul.stages.discover import Companions
from outhaul.wiring import Wiring

if TYPE_CHECKING:
    from outhaul.ledgers.postgres import PostgresLedger


_WORKER = re.compile("worker-[0-9a-f]{16}")


class Keeping(NamedTuple):
    """Where what is done is written down."""

    ledger: str
    """Address of the database that all share; '' where each worker has a ledger of its own."""
    outbox: Outbox | None = None
    """Where such a worker ships what is in it."""


class Own:
    """One for a process."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._wired: Wiring | None = None
        self._of = ""
        self.state = ""
        """The state directory."""

    def wired(self, keeping: Keeping) -> Wiring:
        """As it was, or anew."""
        of = keeping.outbox.run if keeping.outbox else keeping.ledger
        if self._wired is None or self._of != of:
            self.give_up()
            name = f"worker-{secrets.token_hex(8)}"
            if keeping.outbox is None:
                self.state = tempfile.mkdtemp(prefix=f"outhaul-{name}-")
            else:
                self.state = made_beneath(_home(keeping.outbox), keeping.outbox.run, name)
            self._wired, self._of = Wiring(self.state, name, keeping.ledger), of
        return self._wired

    def give_up(self) -> None:
        """Close the ledger, and with it all that it holds. Where it tells nothing that nobody else knows, it goes."""
        if self._wired is not None:
            ledger = self._wired.ledger
            with contextlib.suppress(OuthaulError):
                if isinstance(ledger, SqliteLedger) and Segments(ledger).is_empty:
                    remove_ledger(ledger)
            with contextlib.suppress(OuthaulError):
                self._wired.__exit__(None, None, None)
            if not isinstance(ledger, SqliteLedger):
                remove_state(self.state)
        self._wired, self.state = None, ""


@contextlib.contextmanager
def held(ledger: SqliteLedger | PostgresLedger, place: int, job: Job, batch: Batch) -> Iterator[bool]:
    """Hold a batch; False where another worker has it. Raises LedgerError, SourceError."""
    if isinstance(ledger, SqliteLedger):
        with fences.batch(job.source, batch.name) as is_ours:
            yield is_ours
        return
    is_ours = ledger.claim(place, batch.name)
    try:
        yield is_ours
    finally:
        if is_ours:
            with contextlib.suppress(LedgerError):  # With the session it has ended by itself.
                ledger.let_go(place, batch.name)


class Telling:
    """What a worker with a ledger of its own is told before a batch, and tells after it."""

    def __init__(self, ledger: SqliteLedger, place: int, job: Job, outbox: Outbox, parcel: Parcel) -> None:
        self._segments, self._place, self._job = Segments(ledger), place, job
        self._outbox, self._number = outbox, parcel.number
        if not self._segments.is_empty:  # What could not be shipped after the last one.
            self._ship([])
        for body in parcel.known:
            self._segments.take(place, unpacked(body))
        self._above = self._segments.last

    def after(self, batch: Batch, *, looked: bool) -> None:
        """Ship what is new. Raises StoreError, LedgerError: it stays in the ledger, for the next time.

        Args:
            batch: What was carried.
            looked: Whether all of it was looked at.
        """
        is_group = Companions(self._job).is_group
        told: list[Row] = []
        for beneath in (False, True) if looked else ():
            if some := [directory for directory in batch.directories if is_group(directory) == beneath]:
                told.append(["looked", some, *batch.share, beneath])
        self._ship(told)

    def _ship(self, told: list[Row]) -> None:
        ship(self._job, self._outbox, self._number, chain(told, self._segments.rows(self._place, self._above)))
        self._segments.clear()

    _above = 0


def ship_left(own: Own, job: Job, keeping: Keeping, number: int) -> tuple[int, list[str]]:
    """Ship what is in the ledgers of this machine whose workers are dead, and in our own.

    Returns:
        How many segments that was, and why some ledgers cannot be read.

    Raises:
        LedgerError: the place of the ledgers cannot be used.
        StoreError: the rest stays where it is.
    """
    assert keeping.outbox is not None
    folder, shipped, faults = made_beneath(_home(keeping.outbox), keeping.outbox.run), 0, list[str]()
    own.give_up()
    for name in filter(_WORKER.fullmatch, sorted(os.listdir(folder))):
        state = os.path.join(folder, name)
        try:
            with Wiring(state, name) as wired:
                if wired.ledger.set_aside:
                    raise LedgerError(f"the ledger of a dead worker is damaged: {wired.ledger.set_aside}")
                assert isinstance(wired.ledger, SqliteLedger)
                segments = Segments(wired.ledger)
                if not segments.is_empty:
                    shipped += ship(job, keeping.outbox, number, segments.rows(wired.ledger.place(job)))
                    segments.clear()
                remove_ledger(wired.ledger)
        except AnotherInstance:
            continue  # Its worker is alive, and does so itself.
        except LedgerError as error:
            faults.append(str(error))
    return shipped, faults


def _home(outbox: Outbox) -> str:
    return outbox.home or workers_home()
