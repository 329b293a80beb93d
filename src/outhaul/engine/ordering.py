"""Which of the files that are ready goes first, where a job says so: by modification time, among so many as memory is given for.

The files that a walk finds pass through here. With up to `FILES_MAX` of them that is their order. With more, each that goes is
the first of those that wait here at that moment: the order is exact among `FILES_MAX` neighbours of the walk, and the walk
takes directories by name (`stages/discover.py`). A backlog of any size is not sorted: that takes memory for all of it, or a
walk for each piece.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator

from outhaul.model.evidence import Settled
from outhaul.model.job import Order

FILES_MAX = 8192


class Reservoir:
    """The files of one walk that wait for those that go before them."""

    def __init__(self, order: Order) -> None:
        self._sign = {"": 0, "oldest-first": 1, "newest-first": -1}[order]
        self._heap: list[tuple[int, int, Settled]] = []
        self._count = 0

    def put(self, settled: Settled) -> Settled | None:
        """One more; gives the one that goes now, where there is one."""
        if not self._sign:
            return settled
        self._count += 1  # Of two of one time, the one that was found first; and files themselves are never compared.
        entry = (self._sign * settled.sighting.mtime_ns, self._count, settled)
        if len(self._heap) < FILES_MAX:
            heapq.heappush(self._heap, entry)
            return None
        return heapq.heappushpop(self._heap, entry)[2]

    def rest(self) -> Iterator[Settled]:
        """The walk is over: those that are left, in their order."""
        while self._heap:
            yield heapq.heappop(self._heap)[2]
