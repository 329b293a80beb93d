"""Files that travel on a stick: what the device does with it, and what the carrier does. What a front end may call.

Nothing here prints. `export` is a pass of the ordinary engine, with a stick in the place of the store; `carry` sends what lies on
one by the ordinary stages. Decision 0030 says what is believed of whom.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from outhaul.app import JobReport, RunReport
from outhaul.engine.carrying import Carriage, Carrier, carry_stick
from outhaul.model.bandwidth import Bandwidth
from outhaul.model.errors import ConfigurationError, LedgerError, Misconfigured, Refused, StoreError, bare
from outhaul.model.events import Tally
from outhaul.model.evidence import Proof, Receipt
from outhaul.model.job import ConflictRule, Connection, Destination, Job, ProofRule
from outhaul.model.lifecycle import REASONS, State
from outhaul.model.object_settings import NO_SETTINGS, ObjectSettings
from outhaul.model.stick import Offer
from outhaul.ports import Monitor, Store
from outhaul.stores.stick_export import Trust, Visit

if TYPE_CHECKING:
    from outhaul.stores.carrier_memory import CarrierMemory

_GIVEN_UP_NS = 30 * 86_400 * 10**9
"""After so long without an end a large upload is abandoned: the stick may have gone by another desk."""
KEY_BYTES_MIN, _KEY_BYTES_MAX = 32, 4096


class StickReport(NamedTuple):
    """What an export came to."""

    run: RunReport
    stick: str
    written: int
    """Packages that are on the stick now, and were not before."""
    bytes_written: int
    receipts: int
    """Receipts that the stick has brought, and that are in the ledger now."""
    refused: int
    """Those that are not, for want of a signature with the key."""
    unsigned: int
    """Those of them that are signed with no key at all."""
    away: int
    """Packages on their way, on this stick and others."""
    same_disk: bool
    """Whether the stick is on the disk of a source: perhaps it is not mounted."""
    fault: str
    """What is wrong with the stick at the end; '' for nothing."""


class CarryReport(NamedTuple):
    """What a carry came to."""

    carried: int
    bytes_carried: int
    left: dict[str, int]
    """Why packages are still on the stick, and how many."""
    fault: bool
    """Whether the destination, or the stick, cannot be used."""
    strange: int
    """Lines of manifests that were passed over."""
    unbelieved: int = 0
    """Packages that went before, without this key: their device will not believe their receipts."""
    unneeded: str = ""
    """Why parts that nobody will go on with are still in the store; '' where there are none."""


def why_not(job: Job) -> str:
    """Why the files of a job cannot travel on a stick; '' where they can."""
    if job.destination.kind != "s3":
        return "its destination is a directory, which is another one on another machine"
    if job.on_conflict == "replace":
        return 'with on-conflict = "replace" a stick that comes late would replace a newer object'
    return ""


def export(
    jobs: Sequence[Job],
    path: str,
    *,
    state: str,
    monitor: Monitor,
    trust: Trust,
    again: bool = False,
    stopped: Callable[[], bool] = lambda: False,
) -> StickReport:
    """Take the receipts that a stick has brought, let go of what they prove, and give it what is new.

    Args:
        jobs: Jobs for which `why_not` has nothing to say.
        path: Of the mounted stick.
        state: As for `app.run`.
        monitor: Is told what happens.
        trust: Whose receipts are believed.
        again: Give it what is on other sticks, too.
        stopped: As for `app.run`.

    Raises:
        Misconfigured: there is no stick.
        AnotherInstance, ConfigurationError, LedgerError: as `app.run`.
    """
    from outhaul.engine.batches import Ports
    from outhaul.engine.side_by_side import run_jobs
    from outhaul.host.at_work import Noting
    from outhaul.stores.stick import StickStore
    from outhaul.stores.stick_directory import StickDirectory
    from outhaul.stores.stick_memory import StickMemory
    from outhaul.wiring import Wiring, at_its_endpoint, compression, permits

    for job in jobs:
        compression(job)
    reports: list[JobReport] = []
    with (
        Wiring(state) as wired,
        contextlib.closing(Noting(monitor, state)) as noting,
        StickDirectory(path, make=True) as stick,
    ):
        noting.begins()
        memory = StickMemory(state)
        visit = Visit(stick, memory, trust, wired.clock.wall_ns, again=again)
        ports = Ports(
            wired.files, wired.ledger, wired.workers, wired.clock, _Recording(noting, visit), partial(StickStore, visit=visit),
            stopped, compression, permits(state), digests=wired.digests,
        )  # fmt: skip
        placed = [at_its_endpoint(_alone(job)) for job in jobs]
        looked_at: list[str] = []
        for index, outcome in run_jobs(placed, ports):
            noting.ended()
            fault = outcome.destination_fault or outcome.source_fault
            reports.append(JobReport(jobs[index], outcome.tally, fault, bool(outcome.destination_fault)))
            if fault or stopped():
                continue
            visit.went_well(jobs[index].name)
            if outcome.whole and not _passed_over(outcome.tally):
                looked_at.append(jobs[index].name)
        whole = len(reports) == len(jobs) and not stopped() and not any(report.fault for report in reports)
        fault = _end(visit, looked_at, whole=whole)
        memory.close()
        disks = {os.stat(job.source).st_dev for job in jobs if os.path.isdir(job.source)}
        return StickReport(
            RunReport(reports, stopped()), stick.id, visit.written, visit.bytes_written, visit.receipts, visit.refused,
            visit.unsigned, visit.away, stick.device in disks, fault,
        )  # fmt: skip


def _alone(job: Job) -> Job:
    """Files go each for itself: a stick has packs of its own, and a bundle would not come back while others wait.

    What limits a run, and hours in which nothing is sent, are about the network; the limit of a stick is its size.
    """
    free = job._replace(files_max=0, bytes_max=0, bytes_a_day=0, bytes_a_month=0, quiet_hours=())
    return free._replace(bundle_bytes=0, via="")


_LOOKED_AT = ("on-its-way", "changed", "not-removed", "name-too-long")


def _passed_over(tally: Tally) -> bool:
    """Whether there may be files with a receipt on the stick for which nobody has asked: in use, paused, unreadable, ...

    One that is not settled may be the same as ever: after a start of the machine all have to be seen anew.
    """
    open_ones = {reason for reason, meant in REASONS.items() if meant.state in (State.WAITING, State.HELD)}
    return any(count and reason in open_ones.difference(_LOOKED_AT) for reason, count in tally.by_reason.items())


class _Recording:
    """A monitor before another one, by which a visit learns what is in the ledger, also where its job has a fault later on."""

    def __init__(self, monitor: Monitor, visit: Visit) -> None:
        self._monitor, self._visit = monitor, visit
        self.started, self.standing, self.released = monitor.started, monitor.standing, monitor.released
        self.progress, self.notice, self.finished = monitor.progress, monitor.notice, monitor.finished

    def carried(self, job: Job, receipts: Sequence[Receipt], proofs: Sequence[Proof]) -> None:
        """See `ports.Monitor`."""
        self._visit.recorded(job.destination.bucket, [proof.key for proof in proofs])
        self._monitor.carried(job, receipts, proofs)


def _end(visit: Visit, looked_at: Sequence[str], *, whole: bool) -> str:
    try:
        visit.finish()
        visit.depart(whole=whole, looked_at=looked_at)
    except Misconfigured as error:
        return str(error)
    return ""


def carry(
    path: str,
    destination: Destination,
    connection: Connection,
    *,
    state: str,
    key: bytes = b"",
    trust_stick: bool = False,
    same_store: bool = False,
    rule: ConflictRule = "keep-both",
    bandwidth: Bandwidth | None = None,
    stopped: Callable[[], bool] = lambda: False,
    tell: Callable[[Carriage], None] = lambda _one: None,
) -> CarryReport:
    """Send what lies on a stick to a bucket, have it proved, and write the receipts on the stick.

    Args:
        path: Of the mounted stick.
        destination: Where to: packages that go elsewhere stay.
        connection: How it is reached.
        state: The state directory of this machine, where it remembers large uploads that it has begun. Several carriers may
            have the same one.
        key: Of both machines; b'' where there is none.
        trust_stick: Whether object settings are taken from a stick without a signature, and packages that have one are carried
            without the key.
        same_store: A person says that this is the store that the device means, whatever its address.
        rule: What is done where other bytes stand under a key; never 'replace'.
        bandwidth: What may be sent.
        stopped: Asked often.
        tell: Is told of each package.

    Raises:
        ConfigurationError: the stick was written with a key, and there is none here; nothing has gone.
        Misconfigured: there is no stick, or it is gone or full.
        AnotherInstance: another process works with it.
    """
    from outhaul.host.clock import SystemClock
    from outhaul.stores.carrier_memory import CarrierMemory
    from outhaul.stores.stick_carrying import StickInHand
    from outhaul.stores.stick_directory import StickDirectory
    from outhaul.wiring import at_its_endpoint

    job = at_its_endpoint(Job("carry", "", destination, connection))
    endpoint = job.connection.endpoint_url
    stores = _Stores(job, bool(key) or trust_stick, same_store, bandwidth, stopped)
    memory = CarrierMemory(state, endpoint, destination.bucket)
    carrier = Carrier(SystemClock(), stores.of, rule, same_store, endpoint, stopped, memory)
    carried, length, left, fault = 0, 0, dict[str, int](), False
    with contextlib.closing(stores), StickDirectory(path, make=False) as directory:
        stick = StickInHand(directory, key)
        if not key and not trust_stick and stick.is_signed():
            raise ConfigurationError(
                "this stick was written with a key, and its device will believe no receipt without it: name it with --key-file "
                "FILE; or, where the key is lost, say --trust-stick here, and there when the stick is back"
            )
        for one in carry_stick(stick, carrier):
            tell(one)
            if one.proof is not None:
                carried, length = carried + 1, length + one.offer.length
            else:
                left[one.why] = left.get(one.why, 0) + 1
                fault = fault or one.fault
        unneeded = "" if fault or stopped() else stores.abandon(memory, carrier.clock.wall_ns())
        return CarryReport(carried, length, left, fault, stick.strange, stick.unbelieved, unneeded)


class _Stores:
    """The stores of a carry: one for each kind of object settings and evidence, tried before the first package goes there."""

    def __init__(
        self, job: Job, settings: bool, same_store: bool, bandwidth: Bandwidth | None, stopped: Callable[[], bool]
    ) -> None:
        from outhaul.wiring import opener

        self._job, self._settings, self._same_store = job, settings, same_store
        self._open = opener(bandwidth, stopped, "")
        self._stores: dict[tuple[ObjectSettings, ProofRule], Store | StoreError] = {}

    def of(self, offer: Offer) -> Store:
        """See `Carrier.store_of`."""
        if why := self._why_not(offer):
            raise Refused(why)
        kind = (offer.settings, offer.rule)
        if kind not in self._stores:
            self._stores[kind] = self._tried(*kind)
        found = self._stores[kind]
        if isinstance(found, StoreError):
            raise bare(found)
        return found

    def _tried(self, settings: ObjectSettings, rule: ProofRule) -> Store | StoreError:
        """The store, or why it cannot be used: that is found out once, and not for every package again."""
        store = self._open(self._job._replace(objects=settings))
        try:
            abilities = store.probe()
            if not abilities.can_prove(rule):
                raise Misconfigured(f"{self._job.destination.address} gives no evidence that it holds what was sent")
            store.adopt(abilities)
        except BaseException as error:
            store.close()
            if isinstance(error, StoreError):
                return bare(error)
            raise
        return store

    def close(self) -> None:
        """Close them."""
        for store in self._stores.values():
            if not isinstance(store, StoreError):
                store.close()

    def abandon(self, memory: CarrierMemory, now_ns: int) -> str:
        """Have the store forget uploads that nobody has gone on with for long; why it could not, or ''."""
        old = [left for left in memory.left() if now_ns - left.begun_ns > _GIVEN_UP_NS]
        if not old:
            return ""
        store = self._open(self._job)
        try:
            for left in old:
                store.abandon(left.begun)
                memory.forget(left)
        except (StoreError, LedgerError) as error:
            return f"parts of {len(old)} uploads that nobody goes on with are still in the store: {error}"
        finally:
            store.close()
        return ""

    def _why_not(self, offer: Offer) -> str:
        to, connection = self._job.destination, self._job.connection
        if offer.bucket != to.bucket:
            return f"goes to s3://{offer.bucket}, and not to {to.address}"
        if to.prefix and not offer.key.startswith(f"{to.prefix}/"):
            return f"its key is not beneath {to.address}"
        if offer.endpoint != connection.endpoint_url and not self._same_store:
            theirs, ours = (text or "AWS" for text in (offer.endpoint, connection.endpoint_url))
            return f"its device reaches its store at {theirs}, and this is {ours}; --same-store says that they are one"
        if offer.customer_key != bool(connection.sse_c_key_file):
            return f"its device {'has' if offer.customer_key else 'has not'} the store encrypt it with a key (--sse-c-key-file)"
        if offer.settings != NO_SETTINGS and not self._settings:
            return (
                "asks for object settings, which are taken from a signed stick only (--key-file), or with --trust-stick"
            )
        return ""


def make_key(path: str) -> None:
    """A new key for two machines, in a new file that only its owner may read.

    Raises:
        ConfigurationError: it cannot be made.
    """
    import secrets

    try:
        with open(
            os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w", encoding="ascii"
        ) as file:
            file.write(secrets.token_hex(KEY_BYTES_MIN) + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise ConfigurationError(f"--make-key {path}: {error.strerror}; nothing is ever written over") from None


def read_key(path: str, stick: str) -> bytes:
    """The key of a file.

    Raises:
        ConfigurationError: it is none, others may read it, or it lies on the stick.
    """
    try:
        with open(path, "rb") as file:
            mode, key = os.fstat(file.fileno()).st_mode, file.read(_KEY_BYTES_MAX + 1).strip()
    except OSError as error:
        raise ConfigurationError(f"--key-file {path}: {error.strerror}") from None
    if os.path.realpath(path).startswith(os.path.join(os.path.realpath(stick), "")):
        raise ConfigurationError(f"--key-file {path}: lies on the stick; whoever finds it could write receipts with it")
    if not stat.S_ISREG(mode) or mode & 0o077:
        raise ConfigurationError(f"--key-file {path}: others may read it; chmod 600 {path}")
    if not KEY_BYTES_MIN <= len(key) <= _KEY_BYTES_MAX:
        raise ConfigurationError(f"--key-file {path}: is no key; `outhaul export --make-key FILE` makes one")
    return key


__all__ = ["Carriage", "CarryReport", "StickReport", "Trust", "carry", "export", "make_key", "read_key", "why_not"]
