"""The receipts that a ledger has got since a given one, in its own order. Reading only, beside a run."""

from __future__ import annotations

import hashlib
import time
from typing import Self

from outhaul.ledgers.numbers import settled
from outhaul.ledgers.queries import RECEIPT_ROWS, Reading, ReceiptRow, receipt_of


class Tail(Reading):
    """A ledger, opened for reading. Raises as `Reading`."""

    def __enter__(self) -> Self:
        return self

    def identity(self) -> str:
        """What tells this ledger from another one, by its first receipt; '' while it has none.

        A new ledger begins to count anew, and the number of a receipt means nothing without this.
        """
        with self._faults():
            row = self._database.execute(
                "SELECT id, device, inode, size, mtime_ns, hex(sha256), key, recorded_ns FROM receipt ORDER BY id LIMIT 1"
            ).fetchone()
        return hashlib.sha256(repr(row).encode()).hexdigest()[:12] if row else ""

    def last(self) -> int:
        """The number of the latest receipt; 0 where there is none."""
        with self._faults():
            return int(self._database.execute("SELECT coalesce(max(id), 0) FROM receipt").fetchone()[0])

    def again_after(self) -> int:
        """The number behind which to begin the next time: receipts of others may yet come before the last there is."""
        with self._faults():
            return settled(self._database, time.time_ns())[0]

    def after(self, number: int, limit: int) -> list[ReceiptRow]:
        """The next receipts behind this one, oldest first."""
        with self._faults():
            rows = self._database.execute(f"{RECEIPT_ROWS}WHERE r.id > ? ORDER BY r.id LIMIT ?", (number, limit))
            return [receipt_of(row) for row in rows]
