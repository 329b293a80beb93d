"""What the workers do with a batch: carry files to their proof, or release those that have a receipt.

A batch is a few dozen small files, most often of one directory; a large file goes alone. Nothing is decided here: every
fault of a file comes back beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import groupby
from typing import NamedTuple, TypeVar

from outhaul.model.bundle import Bundle
from outhaul.model.errors import (
    AlreadyThere,
    Interrupted,
    OnItsWay,
    OuthaulError,
    OutOfMemory,
    SourceError,
    StoreError,
    UploadGone,
    bare,
)
from outhaul.model.events import Passing
from outhaul.model.evidence import ByteSource, Disposal, Package, Proof, Receipt, Settled, Upload
from outhaul.model.job import After, Job
from outhaul.model.keys import is_key_of
from outhaul.ports import (
    ONE_BY_ONE,
    Begun,
    Clock,
    Codec,
    Compression,
    Digests,
    FileSystem,
    Ledger,
    Monitor,
    OpenFile,
    Store,
    Tree,
    Workers,
)
from outhaul.ports.permits import FREE, Permits
from outhaul.stages.bundle import Packed
from outhaul.stages.dispose import dispose
from outhaul.stages.group import Group
from outhaul.stages.package import digested, package
from outhaul.stages.prove import ask_many, prove
from outhaul.stages.shown import not_shown
from outhaul.stages.upload import begin, upload, upload_small

_APART_BYTES = 64 << 10
"""Size of a file from which on it is worked on beside others. Hashing so much takes about 0.2 ms."""


_Taken = TypeVar("_Taken")


def _close(_job: Job, store: Store) -> None:
    store.close()


class Ports(NamedTuple):
    """The windows to the world that a run needs."""

    files: FileSystem
    ledger: Ledger
    workers: Workers
    clock: Clock
    monitor: Monitor
    open_store: Callable[[Job], Store]
    """Called when the first file is to be sent: a run with nothing to do loads no client."""
    stopped: Callable[[], bool]
    """True once somebody has asked the run to end."""
    compression: Callable[[Job], Compression | None] = lambda _job: None
    """What a job wants compressed; None where nothing is."""
    permits: Permits = FREE
    """Whether files of a job may go now."""
    leave_store: Callable[[Job, Store], None] = _close
    """Called when the pass is over, with a store that could be used; one that could not is closed."""
    digests: Digests = ONE_BY_ONE
    """What digests the files that are in memory."""


class Carried(NamedTuple):
    """What became of a batch that was to be carried."""

    weight: int
    """Bytes of memory that the batch was reckoned with."""
    proofs: list[Proof]
    setbacks: list[tuple[Settled, OuthaulError]]
    answer_ns: int
    """The shortest time from sending to the answer; 0 where nothing was sent."""
    begun: tuple[Settled | Group, Begun] | None = None
    """A large upload that was begun, and is to be written down before its first part is sent."""
    passing: Passing | None = None
    """Of a large file, or a group: how far it was."""
    group: Group | None = None
    """What was to be carried as one: then `setbacks` are all of its files, or none."""
    grouped: tuple[Group, Bundle, Proof] | None = None
    """It is proved: its files are, once the bundle has a number."""
    packed: tuple[list[Settled], Packed] | None = None
    """A bundle that is to be written down before it is sent, and its files."""


class Released(NamedTuple):
    """What became of a batch that was to be released."""

    disposals: list[Disposal]
    setbacks: list[tuple[Receipt, OuthaulError]]


def carry(
    batch: Sequence[Settled],
    weight: int,
    at_once: int,
    job: Job,
    tree: Tree,
    store: Store,
    ports: Ports,
) -> Carried:
    """Take each of some small files from its opening to its proof: package, upload, prove.

    They are packaged as a whole, in turn with the other workers where that is best, and then sent.
    """
    carried = Carried(weight, [], [], 0)
    with in_turn(ports.workers, weight, len(batch)):
        packages = _package_all(batch, carried, job, tree, store, ports)
    if ports.stopped():
        return carried
    answer_ns, by_bytes = 0, job.proof == "read-back"
    sent = upload_small([packed for _, packed in packages], job.on_conflict, store, at_once, by_bytes=by_bytes)
    kept = iter(ask_many([outcome for outcome, _ in sent if isinstance(outcome, Upload)], job.proof, store, at_once))
    for (settled, _), (outcome, took_ns) in zip(packages, sent, strict=True):
        if isinstance(outcome, StoreError):
            carried.setbacks.append((settled, bare(outcome)))
            continue
        try:
            carried.proofs.append(prove(outcome, job.proof, store, ports.clock.wall_ns(), next(kept)))
        except StoreError as error:
            carried.setbacks.append((settled, bare(error)))
            continue
        if took_ns and (not answer_ns or took_ns < answer_ns):
            answer_ns = took_ns
    return carried._replace(answer_ns=answer_ns)


def _package_all(
    batch: Sequence[Settled],
    carried: Carried,
    job: Job,
    tree: Tree,
    store: Store,
    ports: Ports,
) -> list[tuple[Settled, Package]]:
    compression = ports.compression(job)

    def packaged(settled: Settled, file: OpenFile) -> Package:
        return package(job, settled, file, store.small_max, compression)

    read = each_opened(batch, carried, tree, packaged)
    packages = digested([one for _, one in read], ports.digests, wants_md5=store.wants_md5)
    return [(settled, one) for (settled, _), one in zip(read, packages, strict=True)]


def each_opened(
    batch: Sequence[Settled], carried: Carried, tree: Tree, take: Callable[[Settled, OpenFile], _Taken]
) -> list[tuple[Settled, _Taken]]:
    """Open each of some files, and what is made of it; the fault of a file goes to the setbacks of `carried`."""
    taken: list[tuple[Settled, _Taken]] = []
    for directory, group in groupby(batch, lambda settled: settled.sighting.directory):
        try:
            with tree.folder(directory) as folder:
                for settled in group:
                    try:
                        with folder.open(settled.sighting.name) as file:
                            taken.append((settled, take(settled, file)))
                    except (SourceError, StoreError) as error:
                        carried.setbacks.append((settled, bare(error)))
                    except MemoryError:
                        carried.setbacks.append((settled, OutOfMemory()))
        except SourceError as error:  # The directory itself: whoever is left of the group shares its fate.
            carried.setbacks.extend((settled, bare(error)) for settled in group)
    return taken


def carry_large(
    settled: Settled, begun: Begun | None, passing: Passing, job: Job, tree: Tree, store: Store, ports: Ports
) -> Carried:
    """A file that is sent from its descriptor, which stays open until it is proved.

    Where nothing was begun for it yet, and the store can, the upload is begun and nothing else: the caller writes that
    down first, and then comes again.
    """
    carried = Carried(0, [], [], 0, passing=passing)
    try:
        with tree.folder(settled.sighting.directory) as folder, folder.open(settled.sighting.name) as file:
            compression = ports.compression(job)
            (packed,) = digested([package(job, settled, file, store.small_max, compression)], ports.digests)
            packed = packed._replace(source=UntilStopped(file, job, ports, passing))
            codec = compression.named(packed.codec) if compression and packed.codec else None
            sent = send_large(packed, begun, codec, file.unchanged, job, store, ports)
            if isinstance(sent, Begun):
                return carried._replace(begun=(settled, sent))
            carried.proofs.append(sent)
    except (SourceError, StoreError) as error:
        carried.setbacks.append((settled, bare(error)))
    except MemoryError:
        carried.setbacks.append((settled, OutOfMemory()))
    return carried


def send_large(
    packed: Package,
    begun: Begun | None,
    codec: Codec | None,
    unchanged: Callable[[], bool],
    job: Job,
    store: Store,
    ports: Ports,
    leaving: Callable[[Upload], None] = lambda _sent: None,
) -> Begun | Proof:
    """Send what is read as it goes, and have it proved; or begin that, where the store can and nothing is begun yet.

    `leaving` is called with what has gone on a stick, and is not known to have arrived.

    Raises:
        SourceError, StoreError: as `upload.upload` and `prove.prove`.
    """
    by_bytes = job.proof == "read-back"
    if begun is not None and not is_key_of(begun.key, packed.key):
        raise UploadGone("it was begun under another key, or with another compression")
    try:
        sent = None
        if begun is None and packed.body is None:
            sent = begin(packed, job.on_conflict, store, by_bytes=by_bytes, codec=codec)
        if isinstance(sent, Begun):
            return sent
        if sent is None:
            rule = job.on_conflict
            sent = upload(packed, rule, store, by_bytes=by_bytes, begun=begun, unchanged=unchanged, codec=codec)
        try:
            return prove(sent, job.proof, store, ports.clock.wall_ns())
        except OnItsWay:
            leaving(sent)
            raise
    except AlreadyThere:  # It came to be while ours was under way, perhaps by our own request: looking at it tells.
        raise UploadGone("an object of its key came to be meanwhile") from None


class UntilStopped:
    """A source that ends a long upload when the run is asked to end, or its job may not go on; and tells how far it is."""

    def __init__(self, source: ByteSource, job: Job, ports: Ports, passing: Passing) -> None:
        self._source = source
        self._job = job
        self._ports = ports
        self._passing = passing

    def pread(self, length: int, offset: int) -> bytes:
        """See `ByteSource`."""
        if self._ports.stopped() or self._ports.permits.hindrance(self._job) is not None:
            raise Interrupted("it goes on where it is")
        data = self._source.pread(length, offset)
        self._passing.passed = offset + len(data)
        return data


def release_old(
    batch: Sequence[Receipt], tree: Tree, job: Job, store: Store, workers: Workers, is_full: bool
) -> Released:
    """Let go by receipts of an earlier pass, as far as the store still shows what they speak of (`shown.not_shown`)."""
    lacks = not_shown(batch, job, store, is_full=is_full)
    released = release([receipt for receipt in batch if receipt.number not in lacks], tree, job.after, workers)
    released.setbacks.extend((receipt, lacks[receipt.number]) for receipt in batch if receipt.number in lacks)
    return released


def release(
    batch: Sequence[Receipt], tree: Tree, after: After, workers: Workers, gone: set[tuple[int, int]] | None = None
) -> Released:
    """Let go of each source whose receipt this is.

    `gone` has device and inode of those that have gone just before, and gets these: one of them may have several names.
    """
    released, gone = Released([], []), set() if gone is None else gone
    with in_turn(workers, sum([receipt.sighting.size for receipt in batch]), len(batch)):
        for directory, group in groupby(batch, lambda receipt: receipt.sighting.directory):
            try:
                with tree.folder(directory) as folder:
                    for receipt in group:
                        try:
                            file = receipt.sighting.device, receipt.sighting.inode
                            released.disposals.append(dispose(receipt, folder, after, linked=file in gone))
                            gone.add(file)
                        except SourceError as error:
                            released.setbacks.append((receipt, bare(error)))
            except SourceError as error:
                released.setbacks.extend((receipt, bare(error)) for receipt in group)
    return released


def in_turn(workers: Workers, size: int, files: int) -> AbstractContextManager[object]:
    """Work on small files in turn (see `Workers.in_turn`).

    Where they are larger, reading and hashing leave the interpreter to others for long enough: then all cores may do it.
    """
    return workers.in_turn() if size < _APART_BYTES * files else nullcontext()


def in_pieces(receipts: Iterable[Receipt], size: int) -> Iterable[list[Receipt]]:
    """The receipts in batches of at most `size`."""
    piece: list[Receipt] = []
    for receipt in receipts:
        piece.append(receipt)
        if len(piece) == size:
            yield piece
            piece = []
    if piece:
        yield piece
