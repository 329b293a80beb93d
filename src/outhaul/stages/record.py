"""Make proofs durable. Only what comes out of here, or out of the ledger's own rows, is a receipt (law L5)."""

from __future__ import annotations

from collections.abc import Sequence

from outhaul.model.evidence import Proof, Receipt
from outhaul.ports import Ledger


def record(place: int, proofs: Sequence[Proof], ledger: Ledger) -> list[Receipt]:
    """The receipts of these proofs, in their order. When this returns they are on disk, all in one transaction.

    Raises:
        LedgerError: none of them is.
    """
    return ledger.record(place, proofs)
