"""When a disk will be full, as far as the last measurements tell. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

HOUR_NS = 3600 * 10**9
_SPANS_NS = (HOUR_NS, 6 * HOUR_NS, 72 * HOUR_NS)
_SPAN_LEAST_NS = 600 * 10**9
_MEASUREMENTS_MAX = 60
_FAR_SECONDS = 90 * 24 * 3600
_FULL = 1000
"""A disk is full where no more than this part of it is free: where files come, so little is nothing."""


class Forecast(NamedTuple):
    """How full a disk is, and where that goes."""

    free: int
    """Bytes, at the last measurement."""
    size: int
    """Bytes in all."""
    bytes_per_second: float
    """By how much what is free changes; below 0 it becomes less. 0 where it has not been measured for long enough."""
    over_seconds: int
    """How long the measurements were that say so."""
    full_in_seconds: int | None
    """0: it is full. None: not within three months, or nobody knows."""

    @property
    def is_full(self) -> bool:
        """Whether it is full now."""
        return self.full_in_seconds == 0


def forecast(measured: Sequence[tuple[int, int]], size: int) -> Forecast:
    """What these measurements say.

    The change is the median of the changes between any two of them (Theil, 1950; Sen, 1968), so that a log that is rotated or a
    package that is installed in between does not make a trend. The last hour counts, where that was measured for ten minutes;
    else the last six hours, and else three days. A disk that is full is so at once and for as long as it is: what is free does
    not change then, and what has not changed for an hour would make no trend.

    Args:
        measured: Time in nanoseconds and bytes that were free, in the order of time; at least one.
        size: Bytes in all; 0 where the file system does not tell.
    """
    now_ns, free = measured[-1]
    is_full = size > 0 and free * _FULL <= size
    for span_ns in _SPANS_NS:
        some = [one for one in measured if one[0] >= now_ns - span_ns]
        over_ns = now_ns - some[0][0]
        if over_ns >= _SPAN_LEAST_NS:
            rate = _rate(some)
            seconds = free / -rate if rate < 0 else _FAR_SECONDS
            full_in = 0 if is_full else max(1, int(seconds)) if seconds < _FAR_SECONDS else None
            return Forecast(free, size, rate, over_ns // 10**9, full_in)
    return Forecast(free, size, 0.0, 0, 0 if is_full else None)


def _rate(measured: Sequence[tuple[int, int]]) -> float:
    """Bytes a second."""
    step = -(-len(measured) // _MEASUREMENTS_MAX)
    some = [*measured[::step], measured[-1]] if step > 1 else measured
    changes = [
        (later[1] - earlier[1]) * 10**9 / (later[0] - earlier[0])
        for index, earlier in enumerate(some)
        for later in some[index + 1 :]
        if later[0] > earlier[0]
    ]
    return float(median(changes))
