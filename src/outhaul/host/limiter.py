"""Bytes a second for a whole run: a bucket of leave that fills by the monotonic clock, and who gets of it next.

Whoever wants to send takes a turn. Leave is given in slices of a tenth of a second. It goes to the highest priority of which
somebody waits. Within one, small bodies and large ones get the same number of bytes as long as both wait; small ones go in the
order they came, large ones a slice each in turn, at most `_LARGE_AT_ONCE` of them: a store gives up on a body of which nothing
comes for some twenty seconds. So a small file waits for one slice of a large one, and for the small ones before it, and no
stream of small files keeps a large one standing. A lower priority gets nothing while a higher one waits.

True here: nothing is held for a body that has not asked; memory is a few words for each body under way. The wall clock only
chooses the line of the timetable.
Not done here: waiting. Whoever has no leave asks again after `seconds`.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

from outhaul.model.bandwidth import PRIORITIES, Priority

SMALL_MAX = 256 << 10
"""Bytes. Up to this a body counts as small."""
_SLICE_MIN, _SLICE_MAX = 4 << 10, 256 << 10
_SLICES_A_SECOND = 10
_FREE_SLICE = 1 << 20
"""Where there is no limit now, leave is given in such pieces: so one that begins is obeyed soon."""
_LEAST = 1 << 10
"""For what goes beside a body: its head."""
_SMALL_AT_ONCE, _LARGE_AT_ONCE = 1 << 20, 8
_WAIT_MIN_SECONDS, _WAIT_SECONDS, _WAIT_MAX_SECONDS = 0.001, 0.02, 0.25


class WallTime(NamedTuple):
    """What the clock on the wall shows."""

    day: int
    """0 is Monday."""
    minute: int
    """After midnight."""


def wall_time(time_zone: str = "") -> WallTime:
    """Now, in a time zone; '' is the machine's own."""
    if time_zone:
        from outhaul.host.calendar import week_time

        return WallTime(*week_time(time_zone, time.time_ns()))
    now = time.localtime()
    return WallTime(now.tm_wday, now.tm_hour * 60 + now.tm_min)


class _Class:
    """Those of one priority that wait, and are small, or are not."""

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        # Heaps by place; one that waits no more, or at another place, is thrown out when it comes up.
        self._fresh: list[tuple[int, _Turn]] = []
        self._going_on: list[tuple[int, _Turn]] = []
        self.begun: set[_Turn] = set()  # Those of which something has gone.
        self.given = 0.0  # Bytes; of two classes, the one with fewer is next.

    def line_up(self, turn: _Turn, place: int) -> None:
        turn.place = place
        heapq.heappush(self._going_on if turn in self.begun else self._fresh, (place, turn))

    def first(self) -> _Turn | None:
        """Who is next: whoever has begun, or anybody as long as not too many have."""
        fronts = [_front(self._going_on)]
        if len(self.begun) < self._at_once:
            fronts.append(_front(self._fresh))
        return min((turn for turn in fronts if turn is not None), key=_place, default=None)

    def give(self, turn: _Turn, slice_: int) -> None:
        turn.place = 0
        turn.ready += slice_
        turn.given += slice_
        self.given += slice_
        self.begun.add(turn)


def _front(line: list[tuple[int, _Turn]]) -> _Turn | None:
    while line and line[0][0] != line[0][1].place:
        heapq.heappop(line)
    return line[0][1] if line else None


def _place(turn: _Turn) -> int:
    return turn.place


class Rates(Protocol):
    """What says how many bytes a second may go: a `Bandwidth`, or what stands for one."""

    def at(self, day: int, minute: int) -> int | None:
        """See `Bandwidth.at`."""


class Limiter:
    """One for a run. May be used from several threads."""

    def __init__(
        self,
        bandwidth: Rates,
        stopped: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], WallTime] = wall_time,
        holds_seconds: float = 1.0,
    ) -> None:
        self._bandwidth = bandwidth
        self._holds_seconds = holds_seconds
        self.asked = -1e9
        """When somebody wanted leave last, by the clock."""
        self.given = 0
        """Bytes of leave until now."""
        self.stopped = stopped
        self._clock = clock
        self._wall = wall
        self._lock = threading.Lock()
        self._classes = [(_Class(_SMALL_AT_ONCE), _Class(_LARGE_AT_ONCE)) for _ in PRIORITIES]
        self._at = clock()
        self._rate: int | None = None
        self._rate_until = self._at
        self._leave = 0.0
        self._numbers = 0

    def share(self, priority: Priority) -> JobShare:
        """What a job of this priority has of it."""
        return JobShare(self, PRIORITIES.index(priority))

    def new_turn(self, rank: int, length: int) -> _Turn:
        """See `JobShare.turn`."""
        with self._lock:
            self._numbers += 1
            return _Turn(self, rank, length, self._numbers)

    def take(self, turn: _Turn) -> int:
        """Leave that this turn has been given, or is given now; it waits from now on where there is none."""
        with self._lock:
            self.asked = self._clock()
            if not turn.ready and not turn.place:
                self._line_up(turn)
            self._give_out()
            given, turn.ready = turn.ready, 0
            return given

    def seconds(self) -> float:
        """How long until the next one can be given leave."""
        with self._lock:
            if self._rate is None or (turn := self._next()) is None:
                return _WAIT_SECONDS
            missing = self._wanted(turn, self._rate) - self._leave
            return min(_WAIT_MAX_SECONDS, max(_WAIT_MIN_SECONDS, missing / self._rate))

    def done(self, turn: _Turn, unused: int) -> None:
        """It wants no more; what it did not use is for others."""
        with self._lock:
            turn.place = 0
            self._class_of(turn).begun.discard(turn)
            if self._rate is not None:
                self._leave += min(turn.ready + unused, turn.given)
            turn.ready = turn.given = 0

    def _line_up(self, turn: _Turn) -> None:
        mine = self._class_of(turn)
        if mine.first() is None:  # Nobody saves up for having been away.
            mine.given = max(each.given for each in self._classes[turn.rank])
        self._numbers += 1
        mine.line_up(turn, self._numbers if turn.length > SMALL_MAX else turn.number)

    def _class_of(self, turn: _Turn) -> _Class:
        return self._classes[turn.rank][turn.length > SMALL_MAX]

    def _give_out(self) -> None:
        """Give what there is to those who are next, whoever of them is asking: each finds it when it asks again."""
        now = self._clock()
        rate = self._rate_at(now)
        if rate is not None:
            self._leave = min(self._leave + (now - self._at) * rate, 2 * rate / _SLICES_A_SECOND + _SLICE_MIN)
        self._at = now
        while (turn := self._next()) is not None:
            wanted = _FREE_SLICE if rate is None else self._wanted(turn, rate)
            if rate is not None and self._leave < wanted:
                return
            self._leave -= 0 if rate is None else wanted
            self.given += wanted
            self._class_of(turn).give(turn, wanted)

    def _wanted(self, turn: _Turn, rate: int) -> int:
        slice_ = min(_SLICE_MAX, max(_SLICE_MIN, rate // _SLICES_A_SECOND))
        return min(slice_, max(_LEAST, turn.length - turn.given))

    def _next(self) -> _Turn | None:
        for small, large in self._classes:
            first, other = small.first(), large.first()
            if first is not None and other is not None:
                return first if small.given <= large.given else other
            if first is not None or other is not None:
                return first or other
        return None

    def _rate_at(self, now: float) -> int | None:
        if now >= self._rate_until:
            self._rate = self._bandwidth.at(*self._wall())
            self._rate_until = now + self._holds_seconds
        return self._rate


class _Turn:
    """See `ports.sending.Turn`."""

    __slots__ = ("_limiter", "given", "length", "number", "place", "rank", "ready")

    def __init__(self, limiter: Limiter, rank: int, length: int, number: int) -> None:
        self._limiter = limiter
        self.rank = rank
        self.length = length
        self.number = number
        self.place = 0  # In its line; 0 where it does not wait.
        self.ready = 0  # Bytes of leave that it has not been told of yet.
        self.given = 0  # Bytes of leave in all.

    def take(self) -> int:
        """See `ports.sending.Turn`."""
        return self._limiter.take(self)

    def seconds(self) -> float:
        """See `ports.sending.Turn`."""
        return self._limiter.seconds()

    def done(self, unused: int = 0) -> None:
        """See `ports.sending.Turn`."""
        self._limiter.done(self, unused)


class JobShare:
    """See `ports.sending.Share`."""

    def __init__(self, limiter: Limiter, rank: int) -> None:
        self._limiter = limiter
        self._rank = rank

    def turn(self, length: int) -> _Turn:
        """See `ports.sending.Share`."""
        return self._limiter.new_turn(self._rank, length)

    @property
    def over(self) -> bool:
        """See `ports.sending.Share`."""
        return self._limiter.stopped()
