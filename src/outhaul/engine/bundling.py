"""Small files that travel together: gathered in a pass, packed by a worker, written down, and sent by a worker.

What is written down before a bundle is sent is a hint, as for large files: a process that ends in between leaves an object
that the next pass looks for, so that none is in the store which the ledger does not know.
"""

from __future__ import annotations

from collections.abc import Sequence

from outhaul.engine.batches import Carried, Ports, each_opened, in_turn
from outhaul.engine.retry import ATTEMPTS_IN_A_RUN, pause_ns
from outhaul.model.errors import Conflict, Denied, OnItsWay, Refused, StoreError, Transient, Unproved
from outhaul.model.evidence import Proof, Receipt, Settled
from outhaul.model.job import Job
from outhaul.ports import BegunBundle, Store, Tree
from outhaul.stages.bundle import Packed, content, look_for, pack, proofs_of_members, send
from outhaul.stages.record import record

_LOOKED_FOR_NS = 600 * 10**9
"""For so long a bundle may still come to be that the store does not have: some show late what they have taken."""
_OF_ONE_OBJECT = (Conflict, Denied, OnItsWay, Refused, Unproved)
"""Without s3:ListBucket a key that is not there is denied (AWS, "HeadObject")."""
_OVERHEAD = 1024
"""Bytes that a file adds to a bundle besides its own, about: a header, padding, and a line of the index."""


class Gathering:
    """The files of one job that wait for a bundle to become full."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._files: list[Settled] = []
        self._bytes = 0
        self._contents = 0

    def takes(self, settled: Settled) -> bool:
        """Whether a file travels with others."""
        return settled.sighting.size <= self._job.bundle_file_max and self._job.bundle_bytes > 0

    def add(self, settled: Settled) -> None:
        """One more."""
        self._files.append(settled)
        self._bytes += settled.sighting.size + _OVERHEAD
        self._contents += settled.sighting.size

    @property
    def is_full(self) -> bool:
        """Whether they fill a bundle."""
        return self._bytes >= self._job.bundle_bytes

    @property
    def weight(self) -> int:
        """Bytes of memory that packing them takes: their contents, and the bundle."""
        return self._contents + self._bytes

    @property
    def may_wait_ns(self) -> int:
        """How much longer they may wait for others; 0 where one has waited for as long as the job says."""
        waited = max([settled.observed_ns for settled in self._files], default=0)
        return max(0, self._job.bundle_wait_ns - waited)

    def take(self) -> list[Settled]:
        """All of them; none is left."""
        files, self._files, self._bytes, self._contents = self._files, [], 0, 0
        return files


def pack_bundle(batch: Sequence[Settled], weight: int, job: Job, tree: Tree, ports: Ports) -> Carried:
    """Open and read each of some small files, and make a bundle of them, which the caller writes down."""
    carried = Carried(weight, [], [], 0)
    with in_turn(ports.workers, weight // 2, len(batch)):
        read = each_opened(batch, carried, tree, content)
    if not read or ports.stopped():
        return carried
    files = [settled for settled, _ in read]
    try:
        packed = pack(job.destination.prefix, [one for _, one in read], ports.compression(job), ports.digests)
    except Unproved as error:
        carried.setbacks.extend((settled, error) for settled in files)
        return carried
    return carried._replace(packed=(files, packed))


def send_bundle(
    number: int, packed: Packed, files: Sequence[Settled], weight: int, job: Job, store: Store, ports: Ports
) -> Carried:
    """Send a bundle that has been written down under this number."""
    carried = Carried(weight, [], [], 0)
    if ports.stopped():
        return carried
    try:
        proof = send(packed, job, store, ports.clock.wall_ns())
        carried.proofs.extend(proofs_of_members(packed.bundle, number, proof))
    except StoreError as error:
        carried.setbacks.extend((settled, error) for settled in files)
    return carried


class LeftBehind:
    """What an earlier process had sent, and this pass has recorded: told of each file that the walk then finds there."""

    def __init__(self) -> None:
        self._recorded: dict[int, tuple[Receipt, Proof]] = {}
        self._seen: list[tuple[Receipt, Proof]] = []

    def add(self, receipts: Sequence[Receipt], proofs: Sequence[Proof]) -> None:
        """These have been recorded."""
        self._recorded.update(
            {receipt.number: (receipt, proof) for receipt, proof in zip(receipts, proofs, strict=True)}
        )

    def see(self, receipts: Sequence[Receipt]) -> Sequence[Receipt]:
        """Those of some files, found in the source, that were not recorded here, but by an earlier pass."""
        if not self._recorded:
            return receipts
        here = dict.fromkeys(one.number for one in receipts if one.number in self._recorded)
        self._seen += [self._recorded.pop(number) for number in here]
        return [receipt for receipt in receipts if receipt.number not in here]

    def take(self) -> tuple[list[Receipt], list[Proof]]:
        """Those that were seen: a file in a bundle is told of with the others, so that what it takes in the store counts once."""
        seen, self._seen = self._seen, []
        return [receipt for receipt, _ in seen], [proof for _, proof in seen]


def record_left_behind(place: int, job: Job, store: Store, ports: Ports, left: LeftBehind) -> str:
    """Record what an earlier process was about to send, as far as the store has it; the rest is forgotten after a while.

    What was recorded is added to `left`.

    Returns:
        Why it is unknown what the store has: then nothing more may be sent now. '' where it is known.

    Raises:
        LedgerError: the ledger failed.
    """
    attempt = 1
    while True:
        try:
            for found in ports.ledger.bundles(place):
                _record(found, place, job, store, ports, left)
            return ""
        except Transient as error:
            if attempt == ATTEMPTS_IN_A_RUN:
                return str(error)
            ports.clock.sleep(pause_ns(attempt, ports.clock.monotonic_ns()) / 10**9)
            attempt += 1
        except StoreError as error:
            return str(error)


def _record(found: BegunBundle, place: int, job: Job, store: Store, ports: Ports, left: LeftBehind) -> None:
    number, begun_ns, bundle = found
    try:
        proof = look_for(bundle, job, store, ports.clock.wall_ns())
    except _OF_ONE_OBJECT:
        proof = None
    if proof is not None:
        proofs = proofs_of_members(bundle, number, proof)
        left.add(record(place, proofs, ports.ledger), proofs)
    elif ports.clock.wall_ns() - begun_ns > _LOOKED_FOR_NS:
        ports.ledger.end_bundle(number)
