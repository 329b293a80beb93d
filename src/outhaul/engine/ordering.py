"""Which of the files that are ready goes first: by modification time where a job says so, the largest on a disk that is too full.

The files that a walk finds pass through here. With up to `FILES_MAX` of them that is their order. With more, each that goes is
the first of those that wait here at that moment: the order is exact among `FILES_MAX` neighbours of the walk, and the walk
takes directories by name (`stages/discover.py`). A backlog of any size is not sorted: that takes memory for all of it, or a
walk for each piece.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator

from outhaul.model.evidence import Settled, Sighting
from outhaul.model.job import Order

FILES_MAX = 8192


def _oldest(sighting: Sighting) -> int:
    return sighting.mtime_ns


def _newest(sighting: Sighting) -> int:
    return -sighting.mtime_ns


def _largest(sighting: Sighting) -> int:
    return -sighting.size


_KEYS: dict[Order, Callable[[Sighting], int] | None] = {
    "": None, "oldest-first": _oldest, "newest-first": _newest,
}  # fmt: skip


class Reservoir:
    """The files of one walk that wait for those that go before them."""

    def __init__(self, order: Order, *, largest_first: bool = False) -> None:
        """Prepare. `largest_first`: what frees most goes first, whatever the order."""
        self._key = _largest if largest_first else _KEYS[order]
        self._heap: list[tuple[int, int, Settled]] = []
        self._count = 0

    def put(self, settled: Settled) -> Settled | None:
        """One more; gives the one that goes now, where there is one."""
        if self._key is None:
            return settled
        self._count += 1  # Of two of one time, the one that was found first; and files themselves are never compared.
        entry = (self._key(settled.sighting), self._count, settled)
        if len(self._heap) < FILES_MAX:
            heapq.heappush(self._heap, entry)
            return None
        return heapq.heappushpop(self._heap, entry)[2]

    def rest(self) -> Iterator[Settled]:
        """The walk is over: those that are left, in their order."""
        while self._heap:
            yield heapq.heappop(self._heap)[2]
