"""What the workers do with a batch: carry files to their proof, or release those that have a receipt.

A batch is a few dozen small files, most often of one directory, or one large file. Nothing is decided here: every
fault of a file comes back beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

from outhaul.model.errors import OuthaulError, SourceError, StoreError
from outhaul.model.evidence import Disposal, Proof, Receipt, Settled
from outhaul.model.job import Job
from outhaul.ports import Clock, Store, Tree
from outhaul.stages.dispose import dispose
from outhaul.stages.package import package
from outhaul.stages.prove import prove
from outhaul.stages.upload import upload


class Carried(NamedTuple):
    """What became of a batch that was to be carried."""

    batch: Sequence[Settled]
    proofs: list[Proof]
    setbacks: list[tuple[Settled, OuthaulError]]
    answer_ns: int
    """The shortest time from sending to the answer; 0 where nothing was sent."""


class Released(NamedTuple):
    """What became of a batch that was to be released."""

    batch: Sequence[Receipt]
    disposals: list[Disposal]
    setbacks: list[tuple[Receipt, OuthaulError]]


def carry(
    batch: Sequence[Settled], job: Job, tree: Tree, store: Store, clock: Clock, stopped: Callable[[], bool]
) -> Carried:
    """Take each file from its opening to its proof: package, upload, prove."""
    proofs: list[Proof] = []
    setbacks: list[tuple[Settled, OuthaulError]] = []
    answer_ns = 0
    for directory, group in groupby(batch, lambda settled: settled.sighting.directory):
        try:
            with tree.folder(directory) as folder:
                for settled in group:
                    if stopped():
                        continue
                    try:
                        with folder.open(settled.sighting.name) as file:
                            packed = package(job, settled, file, store.small_max)
                            started = clock.monotonic_ns()
                            sent = upload(packed, store)
                            took_ns = clock.monotonic_ns() - started
                            proofs.append(prove(sent, job.proof, store, clock.moment().wall_ns))
                        if not answer_ns or took_ns < answer_ns:
                            answer_ns = took_ns
                    except (SourceError, StoreError) as error:
                        setbacks.append((settled, error))
        except SourceError as error:  # The directory itself: whoever is left of the group shares its fate.
            setbacks.extend((settled, error) for settled in group)
    return Carried(batch, proofs, setbacks, answer_ns)


def release(batch: Sequence[Receipt], tree: Tree) -> Released:
    """Let go of each source whose receipt this is."""
    disposals: list[Disposal] = []
    setbacks: list[tuple[Receipt, OuthaulError]] = []
    for directory, group in groupby(batch, lambda receipt: receipt.sighting.directory):
        try:
            with tree.folder(directory) as folder:
                for receipt in group:
                    try:
                        disposals.append(dispose(receipt, folder))
                    except SourceError as error:
                        setbacks.append((receipt, error))
        except SourceError as error:
            setbacks.extend((receipt, error) for receipt in group)
    return Released(batch, disposals, setbacks)


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
