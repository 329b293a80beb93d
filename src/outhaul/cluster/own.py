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
from outhaul.ledgers.small_tables import read_strictly, write
from outhaul.ledgers.sqlite import SqliteLedger
from outhaul.model.errors import AnotherInstance, LedgerError, OuthaulError
from outhaul.model.job import Job
from outhaul.model.segments import Row, unpacked
from outhaul.stages.discover import Companions
from outhaul.wiring import Wiring

if TYPE_CHECKING:
    from outhaul.ledgers.postgres import PostgresLedger


_WORKER = re.compile("worker-[0-9a-f]{16}")
_DAMAGED = "ledger.damaged-"
_FLOOR = "floor"
"""Beside the ledgers of a machine: a number below which no worker of it begins anything."""


class Keeping(NamedTuple):
    """Where what is done is written down."""

    ledger: str
    """Address of the database that all share; '' where each worker has a ledger of its own."""
    outbox: Outbox | None = None
    """Where such a worker ships what is in it."""


class Answer(NamedTuple):
    """What a worker says when it is asked for all that its machine has recorded."""

    links: int
    """How many links the number has by that; -1 where it cannot say."""
    faults: list[str]
    """Why some of it cannot be shipped."""
    held: list[str]
    """Ledgers that it could not have: a process has them, which may still ship something."""
    freed: list[str]
    """Those that it had."""
    at: str = ""
    """Address of the worker, as it knows itself: the scheduler may have another one of it, by number where it has a name."""


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

    links = 0
    """How many links the number has by what was shipped here."""

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
        rows = chain(told, self._segments.rows(self._place, self._above))
        self.links = max(self.links, ship(self._job, self._outbox, self._number, rows))
        self._segments.clear()

    _above = 0


def is_past(outbox: Outbox, number: int) -> bool:
    """Whether all of this machine was asked for what it had of a number: nothing may be written under it any more.

    Asked by a worker that holds its ledger, so that whoever is asked sees this ledger, or it sees that.

    Raises:
        LedgerError: nobody can tell.
    """
    path = os.path.join(_home(outbox), outbox.run, _FLOOR)
    try:
        return number < int((read_strictly(path) or {"below": 0})["below"])
    except OSError as error:
        raise LedgerError(f"{path}: {error.strerror}") from error
    except (LookupError, ValueError, TypeError) as error:
        raise LedgerError(f"{path} is damaged; remove it once no outhaul --on runs") from error


def ship_left(own: Own, job: Job, keeping: Keeping, number: int) -> Answer:
    """Ship what is in the ledgers of this machine whose workers are dead, and in our own; and end all earlier numbers here.

    Raises:
        LedgerError: the place of the ledgers cannot be used.
        StoreError: the rest stays where it is.
    """
    assert keeping.outbox is not None
    folder, found = made_beneath(_home(keeping.outbox), keeping.outbox.run), Answer(0, [], [], [])
    if not is_past(keeping.outbox, number):
        try:
            write(os.path.join(folder, _FLOOR), {"below": number})
        except OSError as error:
            raise LedgerError(f"{folder}: {error.strerror}") from error
    if own.state:
        found.freed.append(os.path.basename(own.state))
    own.give_up()
    for name in filter(_WORKER.fullmatch, sorted(os.listdir(folder))):
        state = os.path.join(folder, name)
        try:
            with Wiring(state, name) as wired:
                assert isinstance(wired.ledger, SqliteLedger)
                segments = Segments(wired.ledger)
                if not segments.is_empty:
                    rows = segments.rows(wired.ledger.place(job))
                    found = found._replace(links=max(found.links, ship(job, keeping.outbox, number, rows)))
                    segments.clear()
                found.freed.append(name)
                if any(entry.startswith(_DAMAGED) for entry in os.listdir(state)):
                    found.faults.append(f"the ledger of a dead worker is damaged: look at {state}, then remove it")
                else:
                    remove_ledger(wired.ledger)
        except AnotherInstance:
            found.held.append(name)  # Its worker is alive, and does so itself; or another one is about it.
        except (LedgerError, OSError) as error:
            found.held.append(name)
            found.faults.append(str(error))
    return found


def _home(outbox: Outbox) -> str:
    return outbox.home or workers_home()
