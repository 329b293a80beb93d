"""What `status` tells, for whoever asks again and again: receipts that were counted before are not counted anew.

A receipt is never changed in what is counted here, and numbers only grow. Where the last that was counted is another now, this is
another ledger, and all is counted. What waits changes all the time, and is counted each time; so are receipts that others might
yet come before (`numbers.py`).
"""

from __future__ import annotations

import time

from outhaul.ledgers.numbers import settled, up_to
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
        known = self._counts
        if known.last != up_to(self._database, known.last[0]):
            known.last, known.of = (0, 0), {}
        last = settled(self._database, time.time_ns())
        if last[0] > known.last[0]:
            known.of, known.last = _sum(known.of, super()._receipts(known.last[0], last[0])), last
        return _sum(known.of, super()._receipts(known.last[0]))


def _sum(one: dict[int, tuple[int, int]], other: dict[int, tuple[int, int]]) -> dict[int, tuple[int, int]]:
    total = dict(one)
    for place, (files, size) in other.items():
        before = total.get(place, (0, 0))
        total[place] = before[0] + files, before[1] + size
    return total
