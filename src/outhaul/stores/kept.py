"""Destinations that stay open from one pass over their job to the next: for a process that stays.

Opening one costs reading the certificates of the system, connecting and a TLS handshake, which a small machine notices when files
come every few seconds. What could not be used is closed, and opened anew: credentials and names are looked up again then. One
that nobody needs for a while is closed too, so that a process that rests holds no connection.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from outhaul.model.job import Job
from outhaul.ports import Store

IDLE_SECONDS = 30.0
"""Servers close connections on which nothing happens after about as long, or a little more."""


class Kept:
    """The open destinations of jobs between their passes.

    Args:
        open_store: Opens one.
        now: Seconds that only grow.
    """

    def __init__(self, open_store: Callable[[Job], Store], now: Callable[[], float] = time.monotonic) -> None:
        self._open_store, self._now = open_store, now
        self._left: dict[str, tuple[Store, float]] = {}

    def open(self, job: Job) -> Store:
        """The one that was left for this job, or a new one. Raises as `open_store`."""
        store, _ = self._left.pop(job.name, (None, 0.0))
        return store or self._open_store(job)

    def leave(self, job: Job, store: Store) -> None:
        """A pass is over, and needs it no more."""
        # Another program that stands between has a memory of its own of what it was told. Two passes of a job have one each.
        if job.via or job.name in self._left:
            store.close()
        else:
            self._left[job.name] = store, self._now()

    def close_idle(self) -> None:
        """Close those that nobody has needed for a while."""
        before = self._now() - IDLE_SECONDS
        self._close([name for name, (_, left_at) in self._left.items() if left_at <= before])

    def close(self) -> None:
        """Close those that nobody has taken."""
        self._close(list(self._left))

    def _close(self, names: list[str]) -> None:
        for name in names:
            self._left.pop(name)[0].close()
