"""Whether files of a job may go now: not while it is paused, and not in its quiet hours.

What was found holds for half a second, so that it may be asked for each file; and it may be asked from several threads.
A file of pauses that cannot be read is a pause: somebody wanted one. The calendar is loaded when a job has need of it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from outhaul.host import pauses
from outhaul.host.pauses import Pause, PausesUnreadable
from outhaul.model.bandwidth import Window
from outhaul.model.job import Job
from outhaul.ports.permits import Hindrance, Period, Permits

_HOLDS_SECONDS = 0.5
_WEEK_MINUTES = 7 * 24 * 60
_MINUTE_NS = 60 * 10**9


def permits(state: str) -> Permits:
    """Those of this machine, with the pauses of a state directory."""
    return Permits(HostPermits(state).hindrance, _day, _month)


def _day(job: Job, wall_ns: int) -> Period:
    from outhaul.host import calendar

    return calendar.day(job, wall_ns)


def _month(job: Job, wall_ns: int) -> Period:
    from outhaul.host import calendar

    return calendar.month(job, wall_ns)


class HostPermits:
    """See `ports.permits`."""

    def __init__(
        self, state: str, wall_ns: Callable[[], int] = time.time_ns, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._state = state
        self._wall_ns = wall_ns
        self._monotonic = monotonic
        self._known: dict[str, tuple[float, Hindrance | None]] = {}
        self._read: tuple[object, dict[str, Pause] | str] = (None, {})

    def hindrance(self, job: Job) -> Hindrance | None:
        """Why nothing of a job may begin now; None where it may."""
        now = self._monotonic()
        until, found = self._known.get(job.name, (0.0, None))
        if now >= until:
            found = self._paused(job) or self._quiet(job)
            self._known[job.name] = now + _HOLDS_SECONDS, found
        return found

    def _paused(self, job: Job) -> Hindrance | None:
        there = self._pauses()
        if isinstance(there, str):
            return Hindrance("paused", there)
        found = pauses.of_job(there, job.name, self._wall_ns())
        return Hindrance("paused", described(found, job.time_zone)) if found else None

    def _pauses(self) -> dict[str, Pause] | str:
        """What the file says, read where it is another than before; or why that cannot be known."""
        try:
            found = os.stat(os.path.join(self._state, pauses.FILE_NAME))
            mark: object = (found.st_ino, found.st_mtime_ns, found.st_size)
        except OSError as error:
            mark = error.errno
        if mark != self._read[0]:
            try:
                self._read = mark, pauses.read(self._state)
            except PausesUnreadable as error:
                self._read = mark, str(error)
        return self._read[1]

    def _quiet(self, job: Job) -> Hindrance | None:
        if not job.quiet_hours:
            return None
        from outhaul.host import calendar

        now = self._wall_ns()
        if not _holds(job.quiet_hours, *calendar.week_time(job.time_zone, now)):
            return None
        return Hindrance("quiet-hours", f"until {_end(job, now)}")


def _holds(hours: tuple[Window, ...], day: int, minute: int) -> bool:
    return any(window.holds(day, minute) for window in hours)


def _end(job: Job, now: int) -> str:
    """When the quiet hours are over, in words; a clock that is set forward or back in between is followed."""
    from outhaul.host import calendar

    begin = now // _MINUTE_NS * _MINUTE_NS
    for minutes in range(1, _WEEK_MINUTES + 1):
        then = begin + minutes * _MINUTE_NS
        if not _holds(job.quiet_hours, *calendar.week_time(job.time_zone, then)):
            return calendar.shown(then / 10**9, calendar.zone(job.time_zone))
    return "a person changes them"


def described(pause: Pause, zone: str = "") -> str:
    """A pause in words."""
    from outhaul.host import calendar

    where = calendar.zone(zone)
    until = f"until {calendar.shown(pause.until_ns / 10**9, where)}" if pause.until_ns else "until `outhaul resume`"
    text = f"{until}, by {pause.by} since {calendar.shown(pause.since_ns / 10**9, where)}"
    return f"{text}: {pause.why}" if pause.why else text
