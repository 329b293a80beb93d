"""Decide whether a file is finished. Pure: a sighting, what was seen of it before, and the time.

A file is settled when it has been left alone for as long as the job says. That is measured on the boot clock,
between outhaul's own observations, kept across runs with the boot id. The age that the wall clock gives may stand
in for it only where the caller says that it can be trusted (law L7), and never counts for longer than the machine has
been up. The check for open writers is not made here: it belongs to the moment of opening (`stages/package.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from outhaul.model.evidence import Settled, Sighting, same_generation
from outhaul.model.job import Job
from outhaul.model.patterns import compile_patterns
from outhaul.ports import Moment, Observation

SECOND_NS = 10**9


def settle(
    job: Job,
    sighting: Sighting,
    past: Observation | None,
    now: Moment,
    wall_clock_steady: bool,
    *,
    among_newest: bool = False,
) -> Settled | int:
    """Whether the file has been left alone for long enough: as the job says, or as it says of the newest ones.

    Returns:
        The settled file; or for how long, in nanoseconds, it still has to be left alone.
    """
    asked_ns = asked_quiet_ns(job, sighting.path)
    if among_newest:
        asked_ns = max(asked_ns, job.newest_limit_ns)
    observed_ns = observed_quiet_ns(sighting, past, now)
    if observed_ns >= asked_ns:
        return Settled(sighting, observed_ns)
    quiet_ns = observed_ns
    if wall_clock_steady:
        quiet_ns = max(quiet_ns, min(now.wall_ns - sighting.ctime_ns, now.boot_ns))
    return Settled(sighting, observed_ns) if quiet_ns >= asked_ns else asked_ns - quiet_ns


def asked_quiet_ns(job: Job, path: str) -> int:
    """For how long a file is to be left alone: as the first pattern says that it matches, or as the job does."""
    if job.quiet_for:
        for matches, quiet_ns in _quiet_for(job.quiet_for):
            if matches(path):
                return quiet_ns
    return job.quiet_ns


@cache
def _quiet_for(of_job: tuple[tuple[str, int], ...]) -> list[tuple[Callable[[str], bool], int]]:
    return [(matches, quiet_ns) for pattern, quiet_ns in of_job if (matches := compile_patterns([pattern]))]


def observed_quiet_ns(sighting: Sighting, past: Observation | None, now: Moment) -> int:
    """For how long outhaul itself has seen this very generation, within this boot of the machine."""
    if past is None or past.since.boot_id != now.boot_id or not same_generation(past.sighting, sighting):
        return 0
    return max(0, now.boot_ns - past.since.boot_ns)
