"""What `status` tells, for whoever asks again and again: receipts that were counted before are not counted anew.

A receipt is never changed in what is counted here, and numbers only grow; a ledger that took the place of another is counted from
its beginning. What waits changes all the time, and is counted each time.
"""

from __future__ import annotations

import os

from outhaul.ledgers.damage import FILE_NAME
from outhaul.ledgers.queries import JobStatus, Reading
from outhaul.model.errors import LedgerError


class Counts:
    """Receipts, and bytes of their files, of each place."""

    def __init__(self) -> None:
        self.upto = 0
        """Number of the last receipt that is in them."""
        self.of: dict[int, tuple[int, int]] = {}


class Counting:
    """Asks one ledger now and then. For one thread."""

    def __init__(self, state: str) -> None:
        self._state = state
        self._which = (0, 0)
        self._counts = Counts()

    def status(self) -> list[JobStatus]:
        """As `Reading.status`.

        Raises:
            LedgerError: it cannot be read.
        """
        try:
            found = os.stat(os.path.join(self._state, FILE_NAME))
        except OSError as error:
            raise LedgerError(f"there is no ledger in {self._state}: {error.strerror}") from error
        if self._which != (found.st_dev, found.st_ino):
            self._which, self._counts = (found.st_dev, found.st_ino), Counts()
        with _Reading(self._state, self._counts) as reading:
            return reading.status()


class _Reading(Reading):
    def __init__(self, state: str, counts: Counts) -> None:
        super().__init__(state)
        self._counts = counts

    def _receipts(self, after: int = 0, upto: int = 0) -> dict[int, tuple[int, int]]:
        known = self._counts
        (last,) = self._database.execute("SELECT coalesce(max(id), 0) FROM receipt").fetchone()
        for place, (files, size) in super()._receipts(known.upto, last).items():
            files_before, size_before = known.of.get(place, (0, 0))
            known.of[place] = files_before + files, size_before + size
        known.upto = max(known.upto, last)
        return known.of
