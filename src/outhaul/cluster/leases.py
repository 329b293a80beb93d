"""One limit for all workers: a pool lends each worker that is really sending a rate, for a second.

The pool is an actor of Dask, on one of the workers. A worker asks it twice a second while something wants to be sent, and says
how much it can make use of; who asks for nothing has nothing, and what one cannot use is lent to others. A lease counts from
before it was asked for, so it ends with the worker before it ends with the pool. Where the pool is lost, a worker sends nothing
until all leases are over, and from then on its equal part.

True here: what is lent at any moment, and what is kept back for workers of a pool that was lost, is no more than the limit.
Not done here: sending slowly. That is the business of each worker's `Limiter`.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

from outhaul.host.limiter import Limiter, WallTime, wall_time
from outhaul.model.bandwidth import Bandwidth
from outhaul.model.job import Job
from outhaul.ports import Store
from outhaul.wiring import open_store, opener

LEASE_SECONDS = 1.0
_RENEWED_SECONDS = LEASE_SECONDS / 2
_TICK_SECONDS = 0.1
_ANSWER_SECONDS = 1.5
_SILENCES_MAX = 3
_LEAST = 64 << 10
"""Bytes a second that a worker can make use of in any case."""
_NOTHING = 1
"""Byte a second: a limiter divides by it."""


class Lease(NamedTuple):
    """What a worker has."""

    rate: int
    until: float


class Pool:
    """See above. Its methods are called one after the other."""

    def __init__(
        self,
        bandwidth: Bandwidth,
        time_zone: str = "",
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], WallTime] | None = None,
    ) -> None:
        self._bandwidth, self._clock = bandwidth, clock
        self._wall = wall or partial(wall_time, time_zone)
        self._kept_back = 0.0
        self._leases: dict[str, Lease] = {}
        self._wants: dict[str, float] = {}

    def keep_back(self, part: float) -> None:
        """Have so much of the limit, 0 to 1, for workers that do not know of this pool."""
        self._kept_back = min(1.0, part)

    def ask(self, worker: str, wants: float) -> int | None:
        """What a worker may send for a second, in bytes a second; None is no limit.

        Args:
            worker: Its address.
            wants: What it can make use of, in bytes a second.
        """
        now, limit = self._clock(), self._bandwidth.at(*self._wall())
        if limit is None:
            return None
        there = limit * (1 - self._kept_back)
        self._leases = {name: lease for name, lease in self._leases.items() if lease.until > now or name == worker}
        self._wants = {name: want for name, want in self._wants.items() if name in self._leases} | {worker: wants}
        lent = sum(lease.rate for name, lease in self._leases.items() if name != worker)
        rate = max(_NOTHING, int(min(self._fair(worker, there), there - lent)))
        self._leases[worker] = Lease(rate, now + LEASE_SECONDS)
        return rate

    def _fair(self, worker: str, there: float) -> float:
        """Everybody an equal part, but none more than it can use: that is for the others."""
        wanting = sorted(self._wants.values())
        for left, wants in zip(range(len(wanting), 0, -1), wanting, strict=True):
            if wants >= there / left:
                return min(self._wants[worker], there / left)
            there -= wants
        return self._wants[worker]


class Leases:
    """What a worker has of a pool, for its limiter: it stands for a `Bandwidth`.

    Args:
        ask: As `Pool.ask`, but for the name. `TimeoutError` is no answer, any other error that there is no pool any more.
        part: What holds without it.
    """

    def __init__(
        self, ask: Callable[[float], int | None], part: Bandwidth, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ask, self._part, self._clock = ask, part, clock
        self._rate: int | None = _NOTHING
        self._until = self._renewed = -LEASE_SECONDS
        self._given = self._silences = 0
        self._lost: float | None = None

    def at(self, day: int, minute: int) -> int | None:
        """See `Bandwidth.at`."""
        now = self._clock()
        if self._lost is not None and now >= self._lost + LEASE_SECONDS:
            return self._part.at(day, minute)
        return self._rate if now < self._until else _NOTHING

    def tick(self, asked: float, given: int) -> None:
        """Ask for more where that is due; called often.

        Args:
            asked: When somebody wanted to send something last, by the clock.
            given: Bytes that have had leave to go until now.
        """
        now = self._clock()
        if self._lost is not None or now - asked > _RENEWED_SECONDS or now - self._renewed < _RENEWED_SECONDS:
            return
        passed, rate = now - self._renewed, self._rate if self._renewed + LEASE_SECONDS > now else None
        used = (given - self._given) / passed
        try:
            # Who uses nearly all that he has can use more.
            self._rate = self._ask(float("inf") if rate is None or used > 0.8 * rate else max(_LEAST, 1.5 * used))
        except TimeoutError:
            self._silences += 1
            self._lost = now if self._silences >= _SILENCES_MAX else None
        except Exception:  # Whatever Dask makes of it.
            self._lost = now
        else:
            self._silences, self._given = 0, given
            self._renewed, self._until = now, now + LEASE_SECONDS


class Lending(NamedTuple):
    """What a worker has to know of the limit."""

    part: Bandwidth
    """Its equal part."""
    pool: tuple[str, str] | None
    """Address of the worker that has the pool, and the key; None for none."""
    time_zone: str = ""
    among: int = 1
    """How many such parts there are."""


@contextlib.contextmanager
def lent(lending: Lending | None, state: str) -> Iterator[Callable[[Job], Store]]:
    """What opens stores that send no more than they may. Called by a thread that Dask has given a task to."""
    if lending is None or lending.pool is None:
        part, zone = (lending.part, lending.time_zone) if lending else (None, "")
        yield opener(part, lambda: False, state, zone)
        return
    leases = Leases(_asking(*lending.pool), lending.part)
    limiter = Limiter(leases, wall=partial(wall_time, lending.time_zone), holds_seconds=_TICK_SECONDS / 2)
    over = threading.Event()

    def renew() -> None:
        while not over.wait(_TICK_SECONDS):
            leases.tick(limiter.asked, limiter.given)

    thread = threading.Thread(target=renew, name="outhaul-leases", daemon=True)
    thread.start()
    try:
        yield lambda job: open_store(job, limiter.share(job.priority), lambda: False, state)
    finally:
        over.set()
        thread.join()


def _asking(address: str, key: str) -> Callable[[float], int | None]:
    """What asks an actor. Given as an argument of a task it would be one of its dependencies, and take the task with it."""
    from distributed import get_worker
    from distributed.actor import Actor

    pool: Any = Actor(Pool, address, key)
    pool._future = None  # Else it would wait for an actor that was lost.
    name = get_worker().address

    def ask(wants: float) -> int | None:
        rate: int | None = pool.ask(name, wants).result(timeout=_ANSWER_SECONDS)
        return rate

    return ask
