"""Times as people write them, in a time zone: when a job is due next, what hour of the week it is, and what day and month.

A time that summer time skips comes an hour later on that day, and one that comes twice comes once, the first time (`zoneinfo`,
with `fold` 0). What a `cron` expression does then is cronsim's to say, which does as Debian's cron: a job of every hour or
minute follows the clock, another one that is skipped comes right after the gap, and none comes twice.
Not done here: deciding anything by these times but when to look, and whether to send (law L7).
"""

from __future__ import annotations

import functools
import hashlib
import io
import os
import socket
import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from outhaul.model.job import Job
from outhaul.ports.permits import Period

_SECOND_NS = 10**9
_LOCALTIME, _MACHINE_ID = "/etc/localtime", "/etc/machine-id"


def next_time(job: Job, wall_ns: int) -> int | None:
    """The next moment after this one at which a job is due, in nanoseconds since 1970; None for one without such times."""
    if not job.at and not job.cron:
        return None
    late_ns = jitter_ns(job)
    before = datetime.fromtimestamp((wall_ns - late_ns) / _SECOND_NS, zone(job.time_zone))
    found = _by_cron(job.cron, before) if job.cron else min(_by_day(job.at, before))
    return round(found.timestamp()) * _SECOND_NS + late_ns


def _by_day(times: tuple[int, ...], before: datetime) -> Iterator[datetime]:
    for days in range(3):  # The day after tomorrow, too: today's may all be over, and tomorrow's be skipped.
        midnight = datetime(before.year, before.month, before.day, tzinfo=before.tzinfo) + timedelta(days)
        for seconds in times:
            moment = midnight + timedelta(seconds=seconds)  # By the clock on the wall.
            if moment.timestamp() > before.timestamp():
                yield moment


def _by_cron(expression: str, before: datetime) -> datetime:
    from cronsim import CronSim

    return next(CronSim(expression, before))


def jitter_ns(job: Job) -> int:
    """How much later than its times a job of this machine is looked at: always the same, and spread over machines and jobs."""
    if not job.jitter_ns:
        return 0
    number = int.from_bytes(hashlib.sha256(f"{_machine()}\0{job.name}".encode("utf-8", "surrogateescape")).digest()[:8])
    return number % (job.jitter_ns // _SECOND_NS * _SECOND_NS + 1)


@functools.cache
def _machine() -> str:
    """What tells this machine from others: machine-id(5), or its name where there is none (a fresh container)."""
    try:
        with open(_MACHINE_ID, encoding="ascii") as file:
            found = file.read().strip()
    except (OSError, ValueError):
        found = ""
    return f"{found}\0{socket.gethostname()}"  # Images are cloned with their machine-id.


def week_time(name: str, wall_ns: int) -> tuple[int, int]:
    """The day of the week, 0 for Monday, and the minute of it."""
    now = datetime.fromtimestamp(wall_ns / _SECOND_NS, zone(name))
    return now.weekday(), now.hour * 60 + now.minute


def day(job: Job, wall_ns: int) -> Period:
    """The day that a moment is in."""
    now = datetime.fromtimestamp(wall_ns / _SECOND_NS, zone(job.time_zone))
    begin = now.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    return _period(begin, begin + timedelta(1))


def month(job: Job, wall_ns: int) -> Period:
    """The month that a moment is in."""
    now = datetime.fromtimestamp(wall_ns / _SECOND_NS, zone(job.time_zone))
    begin = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0, fold=0)
    return _period(begin, (begin + timedelta(32)).replace(day=1))


def _period(begin: datetime, end: datetime) -> Period:
    seconds = [int(moment.timestamp()) for moment in (begin, end)]
    words = [shown(moment, begin.tzinfo) for moment in seconds]
    return Period(seconds[0] * _SECOND_NS, seconds[1] * _SECOND_NS, *words)


def shown(seconds: float, where: tzinfo | None = None) -> str:
    """A moment in words, with its zone."""
    return datetime.fromtimestamp(seconds, where or zone("")).strftime("%Y-%m-%d %H:%M %Z").strip()


@functools.cache
def zone(name: str) -> tzinfo:
    """A time zone by its name; '' is the machine's own.

    Raises:
        ValueError, LookupError: there is no such zone here.
    """
    if name:
        return ZoneInfo(name)
    given = os.environ.get("TZ", "").removeprefix(":")
    try:
        if given:
            return ZoneInfo(given)
        with open(_LOCALTIME, "rb") as file:
            return ZoneInfo.from_file(file)
    except (OSError, ValueError, LookupError):
        return _by_rule(given)


def _by_rule(rule: str) -> tzinfo:
    """A zone by a rule such as `CET-1CEST,M3.5.0,M10.5.0/3` (tzset(3)): a file of tzfile(5) that holds nothing else."""
    block = b"TZif2" + bytes(15) + struct.pack(">6l", 0, 0, 0, 0, 1, 4) + bytes(6) + b"UTC\0"
    try:
        return ZoneInfo.from_file(io.BytesIO(block + block + b"\n" + rule.encode("ascii") + b"\n"))
    except ValueError:
        return UTC  # As localtime(3) does where it understands nothing.
