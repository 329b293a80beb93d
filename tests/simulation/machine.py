"""One machine: the real engine, stages and SQLite ledger over simulated clock, files and network.

A process of outhaul is one call of `run`; it may end by itself, by an error, or by a crash or power cut that was planned.
What a power cut takes of the ledger follows from the database's own setting: with less than `synchronous = FULL` every
commit since the last process, else nothing that was committed.
"""

import os
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from outhaul.codecs.choice import compression
from outhaul.engine import pace, rounds
from outhaul.engine.batches import Ports
from outhaul.engine.passes import Pass
from outhaul.ledgers import reserve
from outhaul.ledgers.sqlite import SqliteLedger
from outhaul.model.errors import LedgerError, SourceError, Transient
from outhaul.model.events import Tally
from outhaul.model.job import Job
from outhaul.ports import Codec, Store
from outhaul.stages import bundle, dispose, group, upload
from outhaul.testing.clock import SimulatedClock
from outhaul.testing.files import SimulatedFileSystem
from outhaul.testing.ledger import stepped
from outhaul.testing.monitor import RecordingMonitor
from outhaul.testing.network import Network
from outhaul.testing.power import Outcome
from outhaul.testing.steps import Crash, PowerCut, Steps
from outhaul.testing.store import SimulatedStore
from outhaul.testing.workers import InlineWorkers
from simulation.checker import Found, LetGo, plain, recorded
from simulation.producer import Producer

SCALE = ((dispose, "CHUNK", 100), (upload, "_CHUNK", 48), (rounds, "_RECEIPTS_PER_TRANSACTION", 3),
         (rounds, "BYTES_IN_FLIGHT_MAX", 200),
         (bundle, "_FRAME_MAX", 600),
         (group, "_PIECE_MIN", 600), (group, "_READ", 48),
         (rounds, "BATCH_BYTES_MIN", 150), (pace, "BATCH_BYTES_MIN", 150), (pace, "BATCH_BYTES_MAX", 180),
         (reserve, "_BYTES_MAX", 4096))  # fmt: skip
"""The product's sizes, made small, so that small worlds cross all of them; the last, so that a world is cheap to make."""
SMALL_MAX, PART_BYTES = 64, 32
LEDGER = "ledger.sqlite"


@contextmanager
def scaled() -> Iterator[None]:
    """While this lasts, sizes are small."""
    before = [(module, name, getattr(module, name)) for module, name, _ in SCALE]
    for module, name, size in SCALE:
        setattr(module, name, size)
    try:
        yield
    finally:
        for module, name, size in before:
            setattr(module, name, size)


class Ended(NamedTuple):
    """How a process ended."""

    how: str
    """'finished', 'error', 'assertion' (the engine's own), 'crash' or 'cut'."""
    text: str
    tally: Tally | None


class Machine:
    """One machine, and what it has."""

    def __init__(self, name: str, state: str, job: Job, store: SimulatedStore, chance: random.Random) -> None:
        self.name = name
        self.state = state
        self.job = job
        self.chance = chance
        self.clock = SimulatedClock()
        self.steps = Steps()
        self.steps.now = lambda: self.clock.elapsed_ns
        self.files = SimulatedFileSystem(self.clock, self.steps)
        self.network = Network(store, self.steps)
        self.files.archived_by = archived_by
        self.producer = Producer(self.files, chance, name)
        self.monitor = RecordingMonitor()
        self.seed: int | None = None
        self.stop_at: int | None = None
        """After so many looks at whether to stop, a run is asked to."""
        self.cut_outcome: Outcome = "random"
        self.forgotten = 0
        """So many of the first removals were recorded in a ledger that is lost."""
        self.forgotten_expirations = 0
        """The same of what left the archive."""
        self.told: list[tuple[int, str]] = []
        """What happened, and before which call."""
        self.producer.log = self.log
        self.lost_ledger = False
        self.foreign = False
        """Whether its ledger began as another machine's."""
        self.fooled = False
        """Whether the wall clock has jumped where no ledger can know: no age is to be trusted then, nor asked for."""
        self.quiet_ns = job.quiet_ns
        self.is_away = False
        """Whether no run can reach its destination."""
        self.weather = random.Random(0)
        """Decides when that is so."""
        self.given_up: set[bytes] = set()
        """What has gone under a tombstone."""
        self.running = False
        self._synced = True
        self.jumped = False
        self._known_boot = ""
        self._looks = 0

    def log(self, text: str) -> None:
        """Write down what happened."""
        self.told.append((len(self.steps.calls), text))

    def run(self) -> Ended:
        """One process of outhaul."""
        self.log(f"outhaul starts, boot {self.clock.boot_id}")
        self.steps.begin()
        self.monitor = RecordingMonitor()
        self._looks = 0
        self.running = True
        ended = self._process()
        self.running = False
        self._known_boot = self.clock.boot_id if ended.how == "finished" else self._known_boot
        self.log(f"outhaul ended: {ended.how} {ended.text} {ended.tally.by_reason if ended.tally else ''}")
        self.files.forget_processes()
        if ended.how == "cut":
            self.cut()
        return ended

    def _process(self) -> Ended:
        ledger, synced = None, True
        try:
            ledger = SqliteLedger(self.state, self.clock.wall_ns)
            synced = self._keep_copy(ledger)
            ports = Ports(
                self.files,
                stepped(ledger, self.steps),
                InlineWorkers(seed=self.seed),
                self.clock,
                self.monitor,
                self._open_store,
                self._stopped,
                lambda job: compression(job.compress, job.compress_level),
            )
            return Ended("finished", "", Pass(self.job, ports).run().tally)
        except PowerCut:
            return Ended("cut", "", None)
        except Crash:
            return Ended("crash", "", None)
        except AssertionError as error:
            if "unaccounted" not in str(error):
                raise
            return Ended("assertion", str(error), None)
        except (SourceError, LedgerError) as error:
            return Ended("error", f"{type(error).__name__} {error}", None)
        finally:
            if ledger is not None:
                ledger.close()
            self._synced = synced

    def _open_store(self, _job: Job) -> Store:
        if self.is_away:
            raise Transient("no route to host")
        return self.network

    def _stopped(self) -> bool:
        self._looks += 1
        return self.stop_at is not None and self._looks > self.stop_at

    def jump(self, seconds: float) -> None:
        """The wall clock is set. Before the first run in a boot has come to its end, no ledger knows how it was."""
        self.log(f"the wall clock jumps by {seconds} s")
        self.clock.jump_wall(seconds)
        self.jumped = True
        self.fooled = self.fooled or self._known_boot != self.clock.boot_id

    def failed_listings(self, first: int) -> list[str]:
        """The directories that could not be listed since this call. Where files are given up there is another look for the
        oldest of them, after all was accounted for: what that one does not see is told already.
        """
        calls, happened = self.steps.calls, self.steps.happened
        listings = [number for number in range(first, len(calls)) if calls[number].name == "files.listings"]
        looks = [place for place, number in enumerate(listings) if not calls[number].about]
        if self.job.shed_below and len(looks) > 1:
            listings = listings[: looks[1]]
        return [calls[number].about for number in listings if happened.get(number, "").startswith("error")]

    # --- what happens to a machine --------------------------------------------------------------------------------------

    def cut(self) -> None:
        """The power goes and comes back."""
        if not self._synced:
            os.replace(f"{self.state}/before", f"{self.state}/{LEDGER}")
        self.log(f"power cut, un-synced: {self.cut_outcome}")
        self.producer.cut(self.cut_outcome)
        self.clock.reboot()

    def reboot(self) -> None:
        """An orderly one."""
        self.cut_outcome, before = "kept", self.cut_outcome
        self._synced = True
        self.cut()
        self.cut_outcome = before

    def lose_ledger(self, kept: str = "") -> None:
        """The ledger is gone, or an older copy of it, or another machine's, is in its place."""
        self.log(f"the ledger is now {kept or 'gone'}")
        os.remove(f"{self.state}/{LEDGER}")
        if kept:
            shutil.copy(kept, f"{self.state}/{LEDGER}")
        self.lost_ledger = True
        self.forgotten = len(self.files.removals)
        self.forgotten_expirations = len(self.files.expirations)
        self.foreign = self.foreign or not kept.startswith(self.state)
        self.fooled = self.fooled or self.jumped

    def copy_ledger(self) -> str:
        """A copy of the ledger as it is, to be brought back later."""
        copy = f"{self.state}/copy"
        with suppress(FileNotFoundError):
            shutil.copy(f"{self.state}/{LEDGER}", copy)
            return copy
        return ""

    def found(self) -> Found:
        """What there is, for the checker."""
        rows, graves = recorded(f"{self.state}/{LEDGER}")
        return Found(
            self.producer.owed,
            self.files.files(),
            [inode.content for _, _, inode in self.files.private.values()],
            [
                LetGo(
                    removed.path,
                    removed.content,
                    removed.writers if self.files.knows_writers else 0,
                    removed.age_ns,
                )
                for removed in self.files.removals[self.forgotten :]
                if removed.last
            ],
            [row._replace(archived=row.archived and self._archive_is_known()) for row in rows],
            self.producer.held,
            0 if self.fooled else self.quiet_ns,
            [self._plain(content) for content in self._archived()],
            [self._plain(content) for content in self.files.expirations[self.forgotten_expirations :]],
            graves,
            self.given_up,
            self.job.shed_below,
        )

    def _archived(self) -> list[bytes]:
        return [
            *self.files.archived().values(),
            *(inode.content for _, _, inode in self.files.archive_private.values()),
        ]

    def _plain(self, content: bytes) -> bytes:
        return plain("archived.bz2", content) if self.job.archive_form == "stored" else content

    def _archive_is_known(self) -> bool:
        """A ledger that was brought back tells of what has left the archive since; and a second name leads into it."""
        return not self.forgotten_expirations and not self.foreign and not self.producer.linked

    def _keep_copy(self, ledger: SqliteLedger) -> bool:
        """Whether its commits are durable; where not, a copy is kept, which a power cut will bring back."""
        if ledger._database.execute("PRAGMA synchronous").fetchone()[0] >= 2:
            return True
        with open(f"{self.state}/before", "wb") as copy:
            copy.write(ledger._database.serialize())
        return False


def archived_by(job: Job) -> Codec | None:
    """What compresses the files of a job in its archive."""
    there = compression(job.compress, job.compress_level) if job.archive_form == "stored" else None
    return there.named(job.compress) if there else None
