"""What `status` tells, for whoever asks again and again: receipts that were counted before are not counted anew.

A receipt is never changed in what is counted here, and numbers only grow. Where the last that was counted is another now, this is
another ledger, and all is counted. What waits changes all the time, and is counted each time.
"""

from __future__ import annotations

from outhaul.ledgers.queries import JobStatus, Reading


class Counts:
    """Receipts, and bytes of their files, of each place."""

    def __init__(self) -> None:
        self.last: tuple[int, int] = (0, 0)
        """Number and time of the last receipt that is in them."""
        self.of: dict[int, tuple[int, int]] = {}


class Counting:
    """Asks one ledger now and then. For one thread."""

    def __init__(self, state: str) -> None:
        self._state = state
        self._counts = Counts()

    def status(self) -> list[JobStatus]:
        """As `Reading.status`.

        Raises:
            LedgerError: there is none, or it cannot be read.
        """
        with _Reading(self._state, self._counts) as reading:
            return reading.status()


class _Reading(Reading):
    def __init__(self, state: str, counts: Counts) -> None:
        super().__init__(state)
        self._counts = counts

    def _receipts(self, after: int = 0, upto: int = 0) -> dict[int, tuple[int, int]]:
        known, ask = self._counts, self._database.execute
        row = "SELECT id, recorded_ns FROM receipt WHERE id = "
        if known.last != (ask(f"{row}?", known.last[:1]).fetchone() or (0, 0)):
            known.last, known.of = (0, 0), {}
        last = ask(f"{row}(SELECT max(id) FROM receipt)").fetchone() or (0, 0)
        for place, (files, size) in super()._receipts(known.last[0], last[0]).items():
            files_before, size_before = known.of.get(place, (0, 0))
            known.of[place] = files_before + files, size_before + size
        known.last = last
        return known.of
