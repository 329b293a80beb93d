"""A simulated machine with a real ledger: it can be run, killed, looked at, and run again."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from outhaul.codecs.choice import compression
from outhaul.engine.batches import Ports
from outhaul.engine.passes import WHOLE, Outcome, Pass, Scope
from outhaul.ledgers.sqlite import SqliteLedger
from outhaul.model.evidence import Receipt
from outhaul.model.job import Destination, Job
from outhaul.ports import ONE_BY_ONE, Codec, Compression, Digests, Observation, Store
from outhaul.ports.permits import FREE
from outhaul.testing.clock import SimulatedClock
from outhaul.testing.files import SimulatedFileSystem
from outhaul.testing.ledger import stepped
from outhaul.testing.monitor import RecordingMonitor
from outhaul.testing.steps import Steps
from outhaul.testing.store import SimulatedStore
from outhaul.testing.workers import InlineWorkers

JOB = Job("engine", "/source", Destination("s3://bucket/site", "s3", "bucket", "site"), quiet_ns=0)


class Machine:
    """The world, and what is durable in it."""

    def __init__(self, state: str) -> None:
        self.state = state
        self.clock = SimulatedClock()
        self.files = SimulatedFileSystem(self.clock)
        self.store = SimulatedStore()
        self.monitor = RecordingMonitor()
        self.stopped: Callable[[], bool] = lambda: False
        self.open_store: Callable[[Job], Store] = lambda _job: self.store
        self.leave_store: Callable[[Job, Store], None] | None = None
        self.compression: Callable[[Job], Compression | None] = lambda job: compression(
            job.compress, job.compress_level
        )
        self.permits = FREE
        self.digests: Digests = ONE_BY_ONE
        self.files.archived_by = self.archived_by
        self.seed: int | None = None
        self.produced: set[bytes] = set()
        self.steps = Steps()

    def archived_by(self, job: Job) -> Codec | None:
        """What compresses the files of a job in its archive."""
        there = self.compression(job) if job.archive_form == "stored" else None
        return there.named(job.compress) if there else None

    def produce(self, path: str, content: bytes) -> None:
        """Write a file whose bytes must never be lost."""
        self.files.write(path, content)
        self.produced.add(content)

    def run(
        self, job: Job = JOB, *, steps: Steps | None = None, dry_run: bool = False, scope: Scope = WHOLE
    ) -> Outcome:
        """One pass by a process of its own; `steps` tells what is to happen in it."""
        self.steps = self.files.steps = self.store.steps = steps or Steps()
        self.monitor = RecordingMonitor()
        ledger = SqliteLedger(self.state, self.clock.wall_ns)
        try:
            ports = Ports(
                self.files,
                stepped(ledger, self.steps),
                InlineWorkers(seed=self.seed),
                self.clock,
                self.monitor,
                self.open_store,
                self.stopped,
                self.compression,
                self.permits,
                digests=self.digests,
            )
            ports = ports._replace(leave_store=self.leave_store) if self.leave_store else ports
            return Pass(job, ports, dry_run=dry_run, scope=scope).run()
        finally:
            ledger.close()
            self.files.steps = self.store.steps = Steps()
            self.forget_leases()

    def forget_leases(self) -> None:
        """A process that has ended holds none."""
        for _, _, inode in self.files.private.values():
            inode.leased = inode.lease_broken = False

    # --- what there is ------------------------------------------------------------------------------------------------

    @contextmanager
    def ledger(self) -> Iterator[SqliteLedger]:
        """The ledger, to look at."""
        ledger = SqliteLedger(self.state, self.clock.wall_ns)
        try:
            yield ledger
        finally:
            ledger.close()

    def receipts(self, directory: str, *names: str, job: Job = JOB) -> dict[str, Receipt]:
        """What is recorded."""
        with self.ledger() as ledger:
            return ledger.receipts(ledger.place(job), directory, names)

    def observations(self, directory: str = "", job: Job = JOB) -> dict[str, Observation]:
        """What is remembered of files that were not carried."""
        with self.ledger() as ledger:
            return ledger.observations(ledger.place(job), directory)

    def stored(self) -> dict[str, bytes]:
        """Key to content."""
        return {key: versions[-1].content for key, versions in self.store.objects.items()}

    def lost(self) -> set[bytes]:
        """What was produced and is now neither in the source, nor aside, nor in the store."""
        aside = {inode.content for _, _, inode in self.files.private.values()}
        stored = {version.content for versions in self.store.objects.values() for version in versions}
        return self.produced - set(self.files.files().values()) - aside - stored
