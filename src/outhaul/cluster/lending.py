"""The driver's side of a limit for all workers: it has a pool made, looks after it, and has another one made where it is lost."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from outhaul.cluster.leases import Lending, Pool
from outhaul.model.bandwidth import Bandwidth

_LOOKED_AFTER_SECONDS = 1.0
_ANSWER_SECONDS = 2.0
_SILENCES_MAX = 5
_MADE_SECONDS = 20.0


class Lender:
    """One for a run.

    Args:
        there: A client of Dask.
        bandwidth: What all workers together may send.
        time_zone: Its times are in.
    """

    def __init__(self, there: Any, bandwidth: Bandwidth, time_zone: str) -> None:
        self._there, self._bandwidth, self._time_zone = there, bandwidth, time_zone
        self._future: Any = None
        self._pool: Any = None
        self._looked = 0.0
        self._silences = 0

    def lending(self, workers: int) -> Lending:
        """What a worker is told with a batch, so many workers being there."""
        pool = None if self._pool is None else (str(self._pool._address), str(self._future.key))
        return Lending(self._bandwidth.among(workers), pool, self._time_zone, workers)

    def look_after(self, under_way: Iterable[Lending], workers: int) -> None:
        """Make sure that there is a pool.

        Args:
            under_way: What was told with the batches that are under way.
            workers: How many can have one of them at a time.
        """
        if time.monotonic() - self._looked < _LOOKED_AFTER_SECONDS:
            return
        from distributed import TimeoutError as NoAnswer

        try:
            if self._pool is None:
                self._future = self._there.submit(Pool, self._bandwidth, self._time_zone, actor=True, pure=False)
                self._pool = self._future.result(timeout=_MADE_SECONDS)
            now = self.lending(workers).pool
            strangers = sorted((1 / one.among for one in under_way if one.pool != now), reverse=True)
            self._pool.keep_back(sum(strangers[:workers])).result(timeout=_ANSWER_SECONDS)
            self._silences = 0
        except (NoAnswer, TimeoutError):
            self._silences += 1
            if self._silences >= _SILENCES_MAX:
                self._give_up()
        except Exception:  # Whatever Dask makes of a worker that has died.
            self._give_up()
        self._looked = time.monotonic()

    def _give_up(self) -> None:
        """Nobody is lent anything by it any more."""
        self._future.cancel()
        self._future = self._pool = None
        self._silences = 0

    def close(self) -> None:
        """The run is over."""
        if self._future is not None:
            self._give_up()
