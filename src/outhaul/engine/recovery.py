"""At the start of a run: account for every file that an interrupted removal left in the private directory.

A file there has a receipt by its own name, or it goes back to where it came from. Nothing is removed for being old, and
nothing is believed of the ledger that the file does not bear out: inode, length and the whole content are compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeGuard

from outhaul.model.errors import SourceError
from outhaul.model.evidence import Disposal, Receipt
from outhaul.model.job import Job
from outhaul.model.lifecycle import Standing
from outhaul.ports import Ledger, LeftAside, Tree
from outhaul.stages.dispose import finish


def recover(tree: Tree, ledger: Ledger, job: Job) -> Iterator[tuple[Receipt, Disposal] | Standing]:
    """Finish or undo each interrupted removal. What another job of the same source has taken aside is undone: it alone knows
    what is to become of its files, and one that it is letting go of at this moment it will find where it was.

    Yields:
        A receipt and its disposal for each that was finished, a standing for each that could be neither finished nor
        undone. Those that were put back are seen again by the walk that follows.
    """
    for left in tree.left_aside():
        receipt = ledger.receipt(left.receipt)
        path = left.path or (receipt.sighting.path if receipt else "")
        try:
            if _ours(receipt, job) and receipt.sighting.path == path and (outcome := finish(receipt, left, job.after)):
                yield receipt, Disposal(receipt.number, outcome)
                continue
        except SourceError:
            pass  # In use, or unreadable: put back, where whoever uses it finds it.
        if not _back(left, path):
            yield Standing(path or left.entry, "put-aside")


def _back(left: LeftAside, path: str) -> bool:
    return bool(path) and left.put_back(path)


def _ours(receipt: Receipt | None, job: Job) -> TypeGuard[Receipt]:
    return receipt is not None and receipt.destination == job.destination.address
