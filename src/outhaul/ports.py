"""The seven windows to the world, and what must hold at each.

Everything between this file and `model/` is deterministic: it reads the clock, the disk, the network and the ledger
only through these protocols. Each has a real adapter (`host/`, `stores/`, `ledgers/`) and a simulated one (`testing/`), held to
one contract suite. Adapters raise the errors of `model/errors.py` and nothing else for any foreseeable fault; they
do not retry beyond what their method says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

from outhaul.model.errors import StoreError
from outhaul.model.events import Tally
from outhaul.model.evidence import ByteSource, Disposal, Proof, Receipt, Sighting
from outhaul.model.job import Job, ProofRule
from outhaul.model.lifecycle import Standing

# --- Clock ------------------------------------------------------------------------------------------------------


class Moment(NamedTuple):
    """One instant on three clocks."""

    boot_id: str
    """Names the present boot of the machine; another value means that `boot_ns` began anew."""
    boot_ns: int
    """Since boot, counting suspended time; nobody can set it."""
    wall_ns: int
    """Since 1970, UTC; may be wrong and may jump."""


class Clock(Protocol):
    """Time."""

    def moment(self) -> Moment:
        """Now."""

    def wall_ns(self) -> int:
        """Now, on the wall clock alone."""

    def monotonic_ns(self) -> int:
        """For measuring how long something took, in nanoseconds."""

    def cpu_ns(self) -> int:
        """Processor time of this process so far, in nanoseconds."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


# --- FileSystem -------------------------------------------------------------------------------------------------


class Listing(NamedTuple):
    """Some entries of one directory; together, its listings hold each entry once."""

    files: list[Sighting]
    """Regular files."""
    folders: list[str]
    """Names of directories on the same file system."""
    others: list[tuple[str, str]]
    """Everything else: name, and the reason why it is not carried (a key of `lifecycle.REASONS`)."""


class OpenFile(ByteSource, Protocol):
    """One regular file, held by one descriptor from which everything is read (law L1). Used as a context manager."""

    sighting: Sighting
    """The file as the descriptor showed it when it was opened."""

    def __enter__(self) -> OpenFile: ...
    def __exit__(self, *exception: object) -> None: ...

    def unchanged(self) -> bool:
        """Whether size, modification and change time are still those of `sighting`."""

    def check_writers(self) -> bool:
        """Make sure, at this instant, that no process has the file open for writing or mapped writable.

        Returns:
            True when the kernel has said so; False when nobody can tell.

        Raises:
            SourceInUse: a process has.
        """

    def take_lease(self) -> bool:
        """As `check_writers`, but a writer that comes later waits until `__exit__`. For microseconds only (L8)."""

    def lease_holds(self) -> bool:
        """False when somebody has asked to write since `take_lease`. True as well where that gave False."""

    def digest(self) -> bytes:
        """SHA-256 of all bytes there are, read now."""


class Folder(Protocol):
    """One directory of a source, held by descriptor. Used as a context manager; no path in it is ever followed."""

    def __enter__(self) -> Folder: ...
    def __exit__(self, *exception: object) -> None: ...

    def open(self, name: str) -> OpenFile:
        """Open a regular file for reading, never through a link, never waiting on a FIFO.

        Raises:
            SourceVanished, SourceNotRegular, SourceUnreadable, SourceShared: what stands there instead.
        """

    def take_aside(self, name: str, receipt: int) -> Aside:
        """Rename what stands under `name` into the private directory, atomically, replacing nothing.

        Raises:
            SourceVanished: nothing stands there.
            SourceStuck: the directory may not be changed, or the private directory cannot be used.
        """


class Aside(Protocol):
    """What a rename took into the private directory: nobody but outhaul can reach it there."""

    def is_file(self, sighting: Sighting) -> bool:
        """Whether it is the very inode of `sighting`."""

    def put_back(self) -> bool:
        """Return it to its place. False where another file has taken that place: it stays aside, whole."""

    def unlink(self) -> None:
        """Remove it for good."""


class LeftAside(NamedTuple):
    """An entry that an earlier process left in the private directory."""

    receipt: int
    """Number of the receipt it was taken aside for."""
    path: str
    """Its path in the source as far as the entry itself tells; '' where it does not."""
    entry: str
    """Its name in the private directory."""
    file: OpenFile | None
    """None where it is no regular file: a link that a lost race took aside."""
    put_back: Callable[[str], bool]
    """Return it to a path of the source, replacing nothing; False where that cannot be done."""
    unlink: Callable[[], None]
    """Remove it for good."""


class Tree(Protocol):
    """One source directory, held by descriptor. Used as a context manager."""

    def __enter__(self) -> Tree: ...
    def __exit__(self, *exception: object) -> None: ...

    def listings(self, directory: str) -> Iterator[Listing]:
        """The entries of a directory, some at a time, in the order in which the file system gives them.

        Raises:
            SourceVanished, SourceUnreadable: the directory itself; nothing may be concluded about its files (L10).
        """

    def folder(self, directory: str) -> Folder:
        """Open a directory beneath the source, following no link on the way (L1)."""

    def left_aside(self) -> Iterator[LeftAside]:
        """What earlier processes left in the private directory."""


class FileSystem(Protocol):
    """The machine's own files."""

    def tree(self, job: Job) -> Tree:
        """Open the source of a job.

        Raises:
            SourceVanished, SourceUnreadable: it cannot be opened.
        """


# --- Store ------------------------------------------------------------------------------------------------------


class Stored(NamedTuple):
    """What a store answered to a write."""

    etag: str
    version: str


class NewObject(NamedTuple):
    """A small object to be created."""

    key: str
    body: bytes
    sha256: bytes
    md5: bytes = b""
    """Told to a store that has shown that it checks it; b'' to none."""


class Answered(NamedTuple):
    """What came of creating one object."""

    outcome: Stored | StoreError
    took_ns: int
    """From sending to the answer; 0 where there was none."""


class Held(NamedTuple):
    """What a store says it holds under a key."""

    length: int
    etag: str
    version: str


class Abilities(NamedTuple):
    """What an endpoint has shown that it does. Learnt by trying, never assumed (L4)."""

    create_only: bool
    """It refuses to replace an existing object when asked to create."""
    readable: bool
    """What was written can be read back."""
    md5_etag: bool = False
    """Its ETag of a small object is the MD5 of the bytes."""
    keeps_sha256: bool = False
    """It keeps a SHA-256 with an object, and has shown that it does not take a wrong one: what it gives is no echo."""
    checks_payload: bool | None = None
    """It refuses a body that is not the one that was signed; None where that was not tried."""
    checks_md5: bool | None = None
    """It refuses a body that does not fit a Content-MD5 header."""
    checks_owner: bool | None = None
    """It refuses a request that expects another owner of the bucket."""

    why_unreadable: str = ""
    """What it said when it was asked for what had been written."""

    def can_prove(self, rule: ProofRule) -> bool:
        """Whether there is any evidence of the kind that a job asks for."""
        return self.readable or (rule != "read-back" and self.keeps_sha256) or (rule == "auto" and self.md5_etag)


class Store(Protocol):
    """A place that holds objects. All methods may be called from several threads at once.

    Every method raises the `StoreError`s: `Transient` when what happened is unknown, `Denied` and `Misconfigured` when
    nothing will work until somebody acts, `Refused` when this one object never will.
    """

    @property
    def md5_etags(self) -> bool:
        """Whether the ETag of a small object has shown to be the MD5 of its bytes: one that differs is evidence against."""

    small_max: int
    """Up to this many bytes an object is written by `put` or `put_many`; beyond, by `put_large`."""
    many_at_once: bool
    """Whether one call of `put_many` keeps many objects under way; else each needs a thread."""

    def probe(self) -> Abilities:
        """Find out what the endpoint does, with private keys of this prefix, and some requests that are wrong on purpose.

        At most ten requests. Raises `Unproved` where what is read back is not what was written.
        """

    def adopt(self, abilities: Abilities) -> None:
        """Work on the ground of abilities that were found out earlier."""

    def put(self, key: str, body: bytes, *, replace: bool = False) -> Stored:
        """Create an object; whole or not at all.

        Args:
            key: Where.
            body: What.
            replace: Take the place of what is there: only where a job says so.

        Raises:
            AlreadyThere: the key is taken, and is not to be replaced (L2).
        """

    def put_many(self, objects: Sequence[NewObject], at_once: int) -> list[Answered]:
        """`put` for each of these, up to `at_once` of them at the same time where the store can.

        Returns:
            For each, in order, what `put` would have returned or raised.
        """

    def put_large(self, key: str, length: int, source: ByteSource, *, replace: bool = False) -> tuple[Stored, str]:
        """As `put`, from `length` bytes of `source`, in bounded memory.

        Returns:
            The answer, and the ETag that a store which computes it from the bytes must give; '' where there is no such.

        Raises:
            AlreadyThere: the key is taken.
            SourceChanged: the source ended early.
        """

    def head(self, key: str) -> Held:
        """What is held under a key, without its bytes.

        Raises:
            NotThere: nothing.
        """

    def stored_sha256(self, key: str, version: str) -> bytes | None:
        """The SHA-256 of the whole object that the store keeps with it; None where it keeps none, or does not say."""

    def read(self, key: str, version: str = "") -> Iterator[bytes]:
        """The bytes of an object.

        Raises:
            NotThere: there is none.
        """

    def list(self, prefix: str) -> Iterator[str]:
        """All keys that begin with `prefix`."""


# --- Ledger -----------------------------------------------------------------------------------------------------


class Observation(NamedTuple):
    """What the ledger remembers of a file that has not been carried."""

    sighting: Sighting
    since: Moment
    """When outhaul first saw this generation."""
    reason: str
    """Key of `lifecycle.REASONS`."""
    detail: str
    attempts: int
    """How often carrying this generation was tried and failed."""


class Ledger(Protocol):
    """What has been seen and what has been proved. Facts, never orders. Used from one thread.

    Every method raises `LedgerError` where the database fails; then nothing may be let go.
    """

    def place(self, job: Job) -> int:
        """The number of this pair of source and destination; made where it is new."""

    def receipts(self, place: int, directory: str, names: Sequence[str]) -> dict[str, Receipt]:
        """The latest receipt of each of these names, where there is one."""

    def receipt(self, number: int) -> Receipt | None:
        """One receipt by its number."""

    def observations(self, place: int, directory: str) -> dict[str, Observation]:
        """What is remembered of the uncarried files of a directory."""

    def record(self, place: int, proofs: Sequence[Proof]) -> list[Receipt]:
        """Make proofs durable. When this returns, they are on disk (L5); when it raises, none is a receipt."""

    def note(
        self,
        place: int,
        *,
        disposals: Sequence[Disposal] = (),
        observed: Sequence[Observation] = (),
        forgotten: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Remember what may be lost without harm: it is written with the next durable transaction, or at `settle`.

        Args:
            place: The pair of source and destination.
            disposals: What became of sources.
            observed: Uncarried files, each replacing what was known of it.
            forgotten: Directory and name of files of which nothing is to be remembered.
        """

    def settle(self) -> None:
        """Write what has been noted."""

    def observed_directories(self, place: int) -> set[str]:
        """The directories of whose files something is remembered."""

    def forget_directory(self, place: int, directory: str) -> None:
        """Remember nothing more of the uncarried files of a directory: it has vanished."""

    def finish_run(self, place: int, started_ns: int, tally: Tally) -> None:
        """Write what has been noted, and that a run took place, for people to look at."""

    def steady_since(self, now: Moment, tolerance_ns: int) -> bool:
        """Whether the wall clock has kept step with the boot clock, as far as this ledger has seen.

        It is false for the rest of the boot once they have differed by more than `tolerance_ns`, and where the wall
        clock is behind anything recorded.
        """

    def abilities(self, address: str, now: Moment) -> Abilities | None:
        """What the endpoint of a destination has shown within the last day."""

    def learn(self, address: str, abilities: Abilities, now: Moment) -> None:
        """Remember what an endpoint has shown."""


# --- Workers ----------------------------------------------------------------------------------------------------


class Workers(Protocol):
    """Hands that open, hash, send and remove, while one thread decides."""

    cores: int
    """Processors that this process may use."""

    def widen(self, threads: int) -> None:
        """Let up to `threads` tasks run at once. It never narrows."""

    def in_turn(self) -> AbstractContextManager[object]:
        """For short work on local files: only few workers at a time are let in.

        Such work is a string of system calls of a microsecond each. Python lets go of its interpreter lock around each of
        them, and with several threads at it most of the time goes into handing that lock about (measured: half).
        """

    def submit(self, task: Callable[[], Any]) -> None:
        """Run `task` on some thread. What it returns, or raises, comes out of `finished`."""

    def finished(self, timeout_seconds: float) -> list[Any]:
        """Results that are ready; where there are none, wait for one, but no longer than the timeout."""


# --- Monitor ----------------------------------------------------------------------------------------------------


class Monitor(Protocol):
    """Whoever watches. Calls come from one thread, some tens a second, and must return at once."""

    def started(self, job: Job) -> None:
        """A pass over this job begins."""

    def standing(self, job: Job, standing: Standing) -> None:
        """One file does not go on, for this reason."""

    def carried(self, job: Job, receipts: Sequence[Receipt], proofs: Sequence[Proof]) -> None:
        """These files are proved and recorded; the two sequences are parallel."""

    def progress(self, job: Job, tally: Tally) -> None:
        """So far."""

    def notice(self, job: Job, text: str) -> None:
        """Something that a person should know, in one line."""

    def finished(self, job: Job, tally: Tally) -> None:
        """The pass is over."""
