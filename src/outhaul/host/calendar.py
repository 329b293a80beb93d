"""When a job that names times of the day is due next, in the local time of this machine."""

from __future__ import annotations

import time

from outhaul.model.job import Job


def next_time(job: Job, wall_ns: int) -> int | None:
    """The next such moment after this one, in nanoseconds since 1970; None for a job without times of the day.

    A time that summer time skips comes an hour later on that day, and one that comes twice comes once (mktime(3)).
    """
    if not job.at:
        return None
    now = wall_ns / 10**9
    today = time.localtime(now)
    found = [
        moment
        for day in range(3)
        for seconds in job.at
        if (moment := time.mktime((today.tm_year, today.tm_mon, today.tm_mday + day, 0, 0, seconds, 0, 0, -1))) > now
    ]
    return int(min(found)) * 10**9
