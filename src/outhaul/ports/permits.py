"""Whether files of a job may go now, as far as a person or the hour decides it; and how long a day and a month are."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from outhaul.model.job import Job


class Hindrance(NamedTuple):
    """Why nothing of a job may begin now."""

    reason: str
    """A key of `lifecycle.REASONS`."""
    detail: str
    """Until when, and why, in words."""

    @property
    def words(self) -> str:
        """All of it in a line."""
        return f"{_WORDS[self.reason]}: {self.detail}; its files wait"


class Period(NamedTuple):
    """A day or a month, in the time zone of a job. Wall clock, in nanoseconds since 1970."""

    begin_ns: int
    end_ns: int
    """The first moment that is no part of it."""
    begin: str
    """Its beginning in words."""
    end: str
    """Its end in words."""


class Permits(NamedTuple):
    """What may be asked. Each may be called from several threads, and as often as one likes."""

    hindrance: Callable[[Job], Hindrance | None]
    """Why nothing of a job may begin now; None where it may."""
    day: Callable[[Job, int], Period]
    """The day that a moment of the wall clock is in."""
    month: Callable[[Job, int], Period]


_WORDS = {
    "paused": "paused", "quiet-hours": "quiet hours", "limit": "as many as it carries in a run",
    "day-limit": "as much as it sends in a day", "month-limit": "as much as it sends in a month",
}  # fmt: skip
_ALWAYS = Period(0, 1 << 62, "", "")
FREE = Permits(lambda _job: None, lambda _job, _wall_ns: _ALWAYS, lambda _job, _wall_ns: _ALWAYS)
"""Nothing hinders, and a day never ends."""
