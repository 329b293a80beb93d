"""What a worker does: look into directories, and carry a batch exactly as a run on one machine does.

What it has of its own for that is in `own.py`.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from outhaul.cluster.allowance import after
from outhaul.cluster.begun import machine_of, say
from outhaul.cluster.halting import is_to_end, permits_of
from outhaul.cluster.leases import Lending, lent
from outhaul.cluster.outbox import Parcel
from outhaul.cluster.own import Answer, Keeping, Own, Telling, held, is_past, ship_left
from outhaul.cluster.plan import Batch, Counted
from outhaul.engine.batches import Ports
from outhaul.engine.passes import Outcome, Pass, Scope
from outhaul.host.landmarks import Landmark, is_there
from outhaul.ledgers.sqlite import SqliteLedger
from outhaul.model.errors import AnotherInstance, ConfigurationError, LedgerError, SourceError, StoreError
from outhaul.model.events import Tally
from outhaul.model.evidence import Disposal, Proof, Receipt
from outhaul.model.job import Job
from outhaul.model.lifecycle import REASONS, Standing, State
from outhaul.stages.discover import Companions, Part
from outhaul.wiring import compression

_STANDINGS_MAX = 100
_ENTRIES_MAX = 50_000
"""That one look lists at most, but for the last directory."""


class Setting(NamedTuple):
    """What a worker has to know of a run beside the job."""

    keeping: Keeping
    """Where it writes down what it did."""
    lending: Lending | None
    """What it may send; None for no limit."""
    token: str
    """What the driver calls this job of this run when it tells all to halt."""
    landmark: Landmark
    """What the source of the driver is known by."""


class Looked(NamedTuple):
    """What a look came to."""

    counted: list[Counted]
    onward: list[str]
    """Directories that have not been looked into yet."""
    closed: list[tuple[str, str]]
    """Directories that cannot be read, and why."""
    fault: str = ""
    """Why nothing was looked into: the source cannot be read, or is another directory."""
    at: str = ""
    """Address of the worker."""


class Done(NamedTuple):
    """What became of a batch."""

    tally: Tally
    held: list[Standing]
    """Some of the files that are held."""
    notices: list[str]
    destination_fault: str = ""
    source_fault: str = ""
    is_busy: bool = False
    """Whether another worker has it, or the driver does not know this machine yet: nothing was done."""
    fault: str = ""
    """Why its ledger could not be used: what is recorded of it, is; the rest is to be done again."""
    at: str = ""
    """Address of the worker."""
    links: int = -1
    """How many links the number of the batch has by this; -1 where nobody knows."""
    refused: str = ""
    """Why this machine cannot have a ledger of its own."""


def look(job: Job, directories: Sequence[str], landmark: Landmark) -> Looked:
    """Look into some directories and what is beneath them, until it is enough for once."""
    try:
        _check(job, landmark)
        found = _look(job, directories)
        _check(job, landmark)  # What was unmounted meanwhile looks empty.
        return found
    except SourceError as error:
        return Looked([], [], [], str(error), _address())


def _check(job: Job, landmark: Landmark) -> None:
    """Raise SourceError where the source is not here: there would be nothing to do, and all would seem well."""
    if not is_there(job.source, landmark):
        raise SourceError("the source is not the directory there that it is here; mount it there, or stop that worker")


def _look(job: Job, directories: Sequence[str]) -> Looked:
    from outhaul.host.filesystem import HostFileSystem

    found, to_visit, entries = Looked([], [], []), list(directories), 0
    is_group = Companions(job).is_group
    with HostFileSystem(tempfile.gettempdir()).tree(job) as tree:
        while to_visit and entries < _ENTRIES_MAX:
            directory = to_visit.pop()
            inside, files, size = [directory], 0, 0
            while inside:
                at = inside.pop()
                try:
                    for listing in tree.listings(at):
                        files, size = files + len(listing.files), size + sum(file.size for file in listing.files)
                        files += len(listing.others)
                        beneath = [f"{at}/{name}" if at else name for name in listing.folders]
                        (inside if is_group(directory) else to_visit).extend(beneath)
                except SourceError as error:
                    if not at:
                        raise
                    found.closed.append((at, str(error)))
            entries += files + 1
            found.counted.append(Counted(directory, 1 if files and is_group(directory) else files, size))
    return found._replace(onward=to_visit)


class _Everything:
    """What lies beneath the directories of a batch is in another one."""

    def __contains__(self, _: object) -> bool:
        return True


_own = Own()


def carry(job: Job, batch: Batch, setting: Setting, parcel: Parcel | None = None) -> Done:
    """Carry a batch. What cannot be used is told, not raised: who is told has to know where that is."""
    _stop_profiling()
    watcher = _Watcher()
    with _own.lock:
        nothing = Done(Tally(), watcher.held, watcher.notices, at=_address())
        try:
            _check(job, setting.landmark)
            return _carry(job, batch, setting, parcel, watcher)
        except (LedgerError, AnotherInstance) as error:
            _own.give_up()
            return nothing._replace(fault=str(error))
        except StoreError as error:
            return nothing._replace(fault=f"receipts cannot be shipped: {error}")
        except SourceError as error:
            return nothing._replace(source_fault=str(error))
        except ConfigurationError as error:
            return nothing._replace(refused=str(error))


def _carry(job: Job, batch: Batch, setting: Setting, parcel: Parcel | None, watcher: _Watcher) -> Done:
    wired = _own.wired(setting.keeping)
    ledger = wired.ledger
    place, telling, links = ledger.place(job), None, -1
    scope = Scope(Part(batch.directories, _Everything(), batch.share))
    if parcel is not None and setting.keeping.outbox and is_past(setting.keeping.outbox, parcel.number):
        return Done(Tally(), [], [], fault="a batch has come too late", at=_address())
    if parcel is not None and parcel.machines and machine_of(_address()) not in parcel.machines:
        return Done(Tally(), [], [], is_busy=True, at=_address(), links=0)
    with held(ledger, place, job, batch) as is_ours:
        if not is_ours:
            return Done(Tally(), [], [], is_busy=True, at=_address(), links=0)
        if parcel is not None and isinstance(ledger, SqliteLedger) and setting.keeping.outbox:
            if worker := _address():
                _say(setting.token, parcel.number, worker)
            telling = Telling(ledger, place, job, setting.keeping.outbox, parcel)
        with lent(setting.lending, _own.state) as open_store:
            ports = Ports(
                wired.files, after(ledger, parcel.spent) if parcel is not None and parcel.spent else ledger,
                wired.workers, wired.clock, watcher, open_store, partial(is_to_end, setting.token), compression,
                permits_of(setting.token, _own.state), digests=wired.digests,
            )  # fmt: skip
            try:
                outcome = Pass(job, ports, scope=scope).run()
                _check(job, setting.landmark)
            except SourceError as error:
                outcome = Outcome(Tally(), "", str(error))
        if telling is not None:
            try:
                telling.after(batch, looked=not (outcome.source_fault or is_to_end(setting.token)))
                links = telling.links
            except StoreError:
                if not outcome.destination_fault:  # Else that is to be told: what is in the ledger stays there.
                    raise
    tally = outcome.tally
    tally.under_way = []
    faults = outcome.destination_fault, outcome.source_fault
    return Done(tally, watcher.held, watcher.notices, *faults, at=_address(), links=links)


def _say(token: str, number: int, worker: str) -> None:
    try:
        say(token, number, worker)
    except OSError as error:
        raise LedgerError(f"the scheduler of --on does not answer: {error}") from error


def _stop_profiling() -> None:
    """Have Dask no longer look at the stacks of this worker's threads, a hundred times a second.

    That can lock a process up for ever: `sys._current_frames` holds what a thread needs to start, and the collector, which may
    come just then, waits for that thread (CPython, issue 106883; met with 3.11.7).
    """
    from distributed import get_worker

    with contextlib.suppress(ValueError):  # A test calls it, and no worker.
        worker = get_worker()
        for name in ("profile", "profile-cycle"):
            if (call := worker.periodic_callbacks.get(name)) is not None:
                worker.loop.add_callback(call.stop)


def _address() -> str:
    from distributed import get_worker

    try:
        return str(get_worker().address)
    except ValueError:  # A test calls it, and no worker.
        return ""


def gather(job: Job, keeping: Keeping, number: int) -> Answer:
    """Ship what dead workers of this machine have left, and what this one has."""
    with _own.lock:
        try:
            return ship_left(_own, job, keeping, number)._replace(at=_address())
        except (LedgerError, StoreError) as error:
            return Answer(-1, [f"receipts cannot be shipped: {error}"], ["?"], [])


class _Watcher:
    """Keeps what a person should know. See `ports.Monitor`."""

    def __init__(self) -> None:
        self.held: list[Standing] = []
        self.notices: list[str] = []

    def standing(self, _job: Job, standing: Standing) -> None:
        if REASONS[standing.reason].state is State.HELD and len(self.held) < _STANDINGS_MAX:
            self.held.append(standing)

    def notice(self, _job: Job, text: str) -> None:
        if len(self.notices) < _STANDINGS_MAX:
            self.notices.append(text)

    def started(self, job: Job) -> None: ...
    def carried(self, job: Job, receipts: Sequence[Receipt], proofs: Sequence[Proof]) -> None: ...
    def released(self, job: Job, disposals: Sequence[Disposal], earlier: Sequence[Receipt]) -> None: ...
    def progress(self, job: Job, tally: Tally) -> None: ...
    def finished(self, job: Job, tally: Tally) -> None: ...
