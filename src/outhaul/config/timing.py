"""When and how much, as people write it: schedules, time zones, quiet hours, and bytes of a run, a day, a month.

Pure, like `values.py`, but for the database of time zones and the reader of `cron`, which are asked whether they know a word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from outhaul.config.bandwidth import DAYS_PATTERN, days, minute
from outhaul.config.sizes import size_bytes
from outhaul.config.values import kept
from outhaul.config.wording import shown
from outhaul.model.bandwidth import Window
from outhaul.model.job import Job, Order

ORDERS: tuple[Order, ...] = ("oldest-first", "newest-first")
NICE_MOST = 19
ZONE = "^[A-Za-z][A-Za-z0-9_+-]{0,30}(?:/[A-Za-z0-9_+-]{1,30}){0,3}$"
"""What the name of a time zone looks like; the JSON Schema holds the same text, and that of the next two."""
CRON = r"^\s*\S+(?:\s+\S+){4}\s*$"
_TIME = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
HOURS = f"^(?:{DAYS_PATTERN[1:-1]} )?{_TIME}-(?:{_TIME}|24:00)$"
JITTER_LEAST_NS, JITTER_MOST_NS = 10**9, 24 * 3600 * 10**9


def time_zone(value: object) -> str:
    """The name of a time zone that this machine knows."""
    from zoneinfo import ZoneInfo

    if isinstance(value, str) and re.fullmatch(ZONE, value):
        try:
            ZoneInfo(value)
            return value
        except (LookupError, ValueError, OSError):
            pass
    raise ValueError(f'expected a time zone such as "Europe/Berlin" or "UTC", not {shown(value)}{_without_zones()}')


def _without_zones() -> str:
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo("UTC")
    except (LookupError, ValueError, OSError):
        return "; this machine has no time zones: install tzdata"
    return ""


def cron(value: object) -> str:
    """The five fields of a line of crontab(5), one blank between them."""
    from datetime import UTC, datetime

    from cronsim import CronSim, CronSimError

    if not isinstance(value, str) or not re.fullmatch(CRON, value):
        raise ValueError(f'expected five fields such as "10 2 * * 1-5", not {shown(value)}')
    fields = " ".join(value.split())
    try:
        next(CronSim(fields, datetime.now(UTC)))
    except CronSimError as error:
        fault = f"{str(error)[:1].lower()}{str(error)[1:]} in {shown(value)}"
        raise ValueError(f"{fault}; the fields are minute, hour, day, month, weekday") from None
    except StopIteration:
        raise ValueError(f"{shown(value)} never comes") from None
    return fields


def jitter(value: object) -> int:
    """Up to how much later, in nanoseconds."""
    found = kept(value)
    if not JITTER_LEAST_NS <= found <= JITTER_MOST_NS:
        raise ValueError(f'expected from "1s" to "24h", not {shown(value)}')
    return found


def quiet_hours(value: object) -> tuple[Window, ...]:
    """Hours in which nothing is sent: one or several."""
    hours = value if isinstance(value, list) and value else [value]
    return tuple(_hours(each) for each in hours)


def _hours(value: object) -> Window:
    if not isinstance(value, str) or not re.fullmatch(HOURS, value):
        raise ValueError(f'expected hours such as "22:00-06:00" or "mon-fri 08:00-18:00", not {shown(value)}')
    on, _, times = value.rpartition(" ")
    begin, _, end = times.partition("-")
    if begin == end:
        raise ValueError(f'{shown(value)} begins when it ends; write "00:00-24:00" for the whole day')
    return Window(0, days(on) if on else frozenset(range(7)), minute(begin), minute(end))


def bytes_max(value: object) -> int:
    """How many bytes may go."""
    most = size_bytes(value, "500MB")
    if not most:
        raise ValueError(f'expected a size such as "500MB", not {shown(value)}; leave it out for no limit')
    return most


def nice(value: object) -> int:
    """How much others go before us: see nice(2)."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= NICE_MOST:
        raise ValueError(f"expected a number from 0 to {NICE_MOST}, not {shown(value)}")
    return value


def unsuited_times(job: Job) -> Iterator[tuple[tuple[str, ...], str]]:
    """What of the times of a job does not go together; as `together.unsuited`."""
    given = [key for key, value in (("every", job.every_ns), ("at", job.at), ("cron", job.cron)) if value]
    if len(given) > 1:
        yield (given[1],), f"does not go with {given[0]}: both say when; leave one out"
    if job.jitter_ns and not given:
        yield ("jitter",), "says nothing without every, at or cron; leave it out"
    if job.bytes_a_day and job.bytes_a_month and job.bytes_a_month < job.bytes_a_day:
        yield ("max-bytes-per-month",), "is less than max-bytes-per-day; leave one out"
    if _covers_the_week(job.quiet_hours):
        yield ("quiet-hours",), "leaves no minute of the week; `outhaul pause` stops a job"


def _covers_the_week(hours: tuple[Window, ...]) -> bool:
    return bool(hours) and all(
        any(one.holds(day, minute_) for one in hours) for day in range(7) for minute_ in range(24 * 60)
    )
