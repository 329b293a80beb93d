"""Stay, and do something once and then daily at a time of the machine's clock, until told to end.

The next moment is worked out anew at every step of the sleep, so that a clock that is set, daylight saving time or a night
in suspend cost no pass: what was slept through is done at once. A clock that is set back may bring one pass more.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta

from outhaul.model.errors import AnotherInstance
from outhaul.ports import Clock

STEP_SECONDS = 1.0
"""How long a signal may go unnoticed."""
UNUSABLE, AGAIN_SECONDS = 4, 600.0
"""The exit code that says that a destination cannot be used, and how soon that is tried again: tomorrow would be late."""
BUSY_SECONDS = 5.0
"""How soon it is tried again when another outhaul works with the state directory."""


def next_moment(after: float, at: time) -> float:
    """When local clocks show a time next.

    Args:
        after: Seconds since 1970; the moment is later than that.
        at: The time. One that a change to summer time leaves out comes as much later; one that is there twice comes first.
    """
    day, ahead = date.fromtimestamp(after), 0
    while (found := datetime.combine(day + timedelta(days=ahead), at).timestamp()) <= after:
        ahead += 1
    return found


def every_day(
    at: time, work: Callable[[], int], clock: Clock, stopped: Callable[[], bool], say: Callable[[str], None]
) -> int:
    """Do the work at once, and then each day.

    Args:
        at: The time, by the machine's clock.
        work: Gives an exit code.
        clock: Asked for the time, and slept on.
        stopped: Once it is true, this ends.
        say: Told when the next pass is.

    Returns:
        The code of the last pass.
    """
    code = work()
    while not stopped():
        due = next_moment(_now(clock), at)
        if code == UNUSABLE:
            due = min(due, _now(clock) + AGAIN_SECONDS)
        say(
            f"next run {datetime.fromtimestamp(due):%Y-%m-%d %H:%M:%S}; Ctrl-C or SIGTERM ends it, --once runs once only"
        )
        if not _came(due, at, clock, stopped):
            break
        code = work()
    return code


def patiently(
    work: Callable[[], int], clock: Clock, stopped: Callable[[], bool], say: Callable[[str], None]
) -> Callable[[], int]:
    """The same work, which waits for another outhaul that works with the state directory."""

    def waiting() -> int:
        told = False
        while True:
            try:
                return work()
            except AnotherInstance as error:
                if stopped():
                    return 130
                if not told:
                    say(str(error))
                told = True
                _pass_time(BUSY_SECONDS, clock, stopped)

    return waiting


def _came(due: float, at: time, clock: Clock, stopped: Callable[[], bool]) -> bool:
    """Wait for a moment. Whether it has come."""
    while not stopped():
        now = _now(clock)
        if now >= due:
            return True
        due = min(due, next_moment(now, at))  # The clock has been set back: it is not years away.
        clock.sleep(min(STEP_SECONDS, due - now))
    return False


def _pass_time(seconds: float, clock: Clock, stopped: Callable[[], bool]) -> None:
    end = clock.monotonic_ns() + seconds * 10**9
    while clock.monotonic_ns() < end and not stopped():
        clock.sleep(STEP_SECONDS)


def _now(clock: Clock) -> float:
    return clock.wall_ns() / 10**9
