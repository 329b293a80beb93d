"""How many bytes a second may go, by the day of the week and the time of day. Pure.

Times are those of the machine's own clock on the wall, as it shows them: on the night on which it is set forward or back, an hour
of a timetable is missing, or comes twice. Nothing but the speed depends on it (law L7).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Priority = Literal["high", "normal", "low"]
PRIORITIES: tuple[Priority, ...] = ("high", "normal", "low")
"""The first goes first."""
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MINUTES = 24 * 60


class Window(NamedTuple):
    """Some hours of some days, and what holds in them."""

    limit: int | None
    """Bytes a second; None is no limit."""
    days: frozenset[int] = frozenset(range(7))
    """On which it begins; 0 is Monday."""
    begin: int = 0
    """Minutes after midnight."""
    end: int = DAY_MINUTES
    """The first minute that is no part of it; at or before `begin` it is one of the next day."""

    def holds(self, day: int, minute: int) -> bool:
        """Whether a minute of a day of the week is in it."""
        if self.begin < self.end:
            return day in self.days and self.begin <= minute < self.end
        return (day in self.days and minute >= self.begin) or ((day - 1) % 7 in self.days and minute < self.end)


class Bandwidth(NamedTuple):
    """What a run may send."""

    limit: int | None
    """Bytes a second at all times that are in no window; None is no limit."""
    times: tuple[Window, ...] = ()
    """The first that holds counts."""

    def among(self, count: int) -> Bandwidth:
        """An equal part of it for each of so many."""
        part = tuple(window._replace(limit=_part(window.limit, count)) for window in self.times)
        return Bandwidth(_part(self.limit, count), part)

    def at(self, day: int, minute: int) -> int | None:
        """Bytes a second at a minute of a day of the week; None is no limit."""
        for window in self.times:
            if window.holds(day, minute):
                return window.limit
        return self.limit


def _part(limit: int | None, count: int) -> int | None:
    return None if limit is None else max(1, limit // count)
