"""How many files waited, and what was carried, over the last day: from receipts and sightings, for a plot.

A file waited from its last change (`ctime_ns` of its receipt), or from when it was first seen where it has not been
carried, until it was recorded. So a look at parts of a source, of which runs are full, bends no line. Receipts that
were counted are not counted again; numbers grow, and where the last that was counted is another now, this is another
ledger. At first at most `MOST` receipts are read: then the line begins later, and says when. Not here: files that
vanished, and earlier generations of files that changed while they waited.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from outhaul.ledgers.looking import Looking

STEP_NS = 300 * 10**9
STEPS = 288
MOST = 300_000
_ALL = (1 << 63) - 1


class Step(NamedTuple):
    """Five minutes."""

    until_ns: int
    """Wall clock, their end; of the last one, now."""
    waiting: int
    """Files that waited then."""
    waiting_bytes: int
    carried: int
    """Files that were recorded in them."""
    carried_bytes: int


class OverTime:
    """Asks one ledger now and then. For one thread."""

    def __init__(self) -> None:
        self._known = _Known()

    def steps(self, looking: Looking, now_ns: int) -> list[Step]:
        """Up to a day of them, oldest first.

        Raises:
            LedgerError: the ledger cannot be read.
        """
        first = now_ns // STEP_NS - STEPS + 1
        self._count(looking, first, now_ns)
        counted = self._known
        if (last := looking.up_to(_ALL)[0]) > counted.last[0]:  # What may grow yet is not kept.
            counted = counted.copy()
            counted.add(looking.carried(STEP_NS, counted.last[0], last, first - 1))
        more = dict(counted.more)
        for step, *seen in looking.seen(STEP_NS):
            _add(more, max(step, first - 1), *seen)
        found: list[Step] = []
        files, size = more.get(first - 1, (0, 0))
        for step in range(first, now_ns // STEP_NS + 1):
            grown = more.get(step, (0, 0))
            files, size = files + grown[0], size + grown[1]
            found.append(Step(min(now_ns, (step + 1) * STEP_NS), files, size, *counted.carried.get(step, (0, 0))))
        return [one for one in found if one.until_ns > self._known.since_ns]

    def _count(self, looking: Looking, first: int, now_ns: int) -> None:
        this, last = looking.up_to(self._known.last[0]), looking.settled(now_ns)
        if this != self._known.last or not this[0]:
            self._known = _Known()
            begin = looking.first_since(first * STEP_NS) - 1
            after = max(begin, last[0] - MOST)
            if after > begin:
                self._known.since_ns = looking.up_to(after)[1]
        else:
            after = this[0]
        self._known.add(looking.carried(STEP_NS, after, last[0], first - 1))
        self._known.last = last
        self._known.forget(first)


class _Known:
    """What has been counted."""

    def __init__(self) -> None:
        self.last = (0, 0)
        """Number and time of the last receipt that is in it."""
        self.since_ns = 0
        """Where the line begins, if that is not a day ago."""
        self.more: dict[int, tuple[int, int]] = {}
        """By how many files and bytes the backlog grew in a step, as far as they have been carried since."""
        self.carried: dict[int, tuple[int, int]] = {}

    def copy(self) -> _Known:
        """Another one, with the same in it."""
        made = _Known()
        made.last, made.since_ns, made.more, made.carried = (
            self.last,
            self.since_ns,
            dict(self.more),
            dict(self.carried),
        )
        return made

    def add(self, rows: Iterable[tuple[int, int, int, int]]) -> None:
        """Receipts, as `Looking.carried` gives them."""
        for changed, recorded, *carried in rows:
            _add(self.carried, recorded, *carried)
            if changed < recorded:
                _add(self.more, changed, *carried)
                _add(self.more, recorded, *(-count for count in carried))

    def forget(self, first: int) -> None:
        """What is older than the line is one sum."""
        for step in [step for step in self.more if step < first - 1]:
            _add(self.more, first - 1, *self.more.pop(step))
        for step in [step for step in self.carried if step < first]:
            del self.carried[step]


def _add(there: dict[int, tuple[int, int]], step: int, files: int, size: int) -> None:
    before = there.get(step, (0, 0))
    there[step] = before[0] + files, before[1] + size
