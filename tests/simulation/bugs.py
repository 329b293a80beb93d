"""Bugs that are more than an edit: functions that take the place of the product's."""

from collections.abc import Sequence
from typing import Any

from outhaul.ledgers.rows import RECEIPT_COLUMNS, RECEIPT_FIELDS, receipt_of_proof, receipt_row
from outhaul.ledgers.sqlite import SqliteLedger
from outhaul.model.errors import LedgerError
from outhaul.model.evidence import Disposal, Proof, Receipt
from outhaul.ports import Ledger
from outhaul.stages.record import record
from outhaul.testing.files import SimulatedFolder


def lazy_record(self: SqliteLedger, place: int, proofs: Sequence[Proof]) -> list[Receipt]:
    """Receipts are given out, and written when there is time."""
    first, self._next = self._next, self._next + len(proofs)
    one = f"INSERT INTO receipt ({RECEIPT_COLUMNS}) VALUES ({'?,' * (RECEIPT_FIELDS - 1)}?)"
    for number, proof in enumerate(proofs, first):
        row = receipt_row(number, self._directory_made(place, proof.sighting.directory), proof, 0)
        self._noted.append((one, row))
    return [receipt_of_proof(number, proof, "") for number, proof in enumerate(proofs, first)]


def release_before_record(self: Any, tree: Any) -> None:
    """The sources go first."""
    proofs, self._proofs = self._proofs, []
    if proofs:
        self._release(_forged(proofs), tree)
        while self._tasks:
            self._collect(tree)
        record(self.place, proofs, self.ports.ledger)


def record_in_spite(place: int, proofs: Sequence[Proof], ledger: Ledger) -> list[Receipt]:
    """A ledger that fails is no reason to stop."""
    try:
        return ledger.record(place, proofs)
    except LedgerError:
        return _forged(proofs)


def remove_by_path(folder: Any, receipt: Receipt) -> Disposal:
    """What `os.unlink(path)` does: whatever has the name goes."""
    assert isinstance(folder, SimulatedFolder)
    name = receipt.sighting.name
    entry = f"path-{name}"
    folder._files.take_to(folder._private, entry, 0, "", folder._inode, name)
    folder._files.came_from[entry] = f"{folder._directory}/{name}" if folder._directory else name
    folder._files.remove_aside(folder._private, entry)
    return Disposal(receipt.number, "removed")


def _forged(proofs: Sequence[Proof]) -> list[Receipt]:
    return [Receipt(10**6 + n, proof.sighting, proof.sha256, "", proof.key) for n, proof in enumerate(proofs)]
