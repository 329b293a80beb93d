"""What the page shows, asked of the ledger in one go, beside a run, and no more often than costs a twentieth of a core."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from outhaul import app
from outhaul.fleet import told_here
from outhaul.frontends.telling.publishing import LEAST_SECONDS, TIMES
from outhaul.host import pauses
from outhaul.host.at_work import AtWork
from outhaul.host.permits import described
from outhaul.ledgers.counting import Counting
from outhaul.ledgers.history import RunRow
from outhaul.ledgers.looking import Looking, UnderWay
from outhaul.ledgers.over_time import OverTime, Step
from outhaul.ledgers.queries import GivenUp, JobStatus, Rate, ReceiptRow, Waiting
from outhaul.model.errors import LedgerError
from outhaul.model.forecast import Forecast
from outhaul.model.lifecycle import REASONS, State

SHOWN_MAX = 100
"""Of held files; of others fewer."""
MOMENT_NS = 60 * 10**9
"""What `now` means for a rate."""


class Shown(NamedTuple):
    """Everything at one moment."""

    fault: str = ""
    """Why there is nothing to show; '' where there is."""
    jobs: tuple[tuple[JobStatus, Forecast | None], ...] = ()
    rate: Rate = Rate(0, 0)
    """In the last minute."""
    latest: tuple[ReceiptRow, ...] = ()
    under_way: tuple[UnderWay, ...] = ()
    held: tuple[tuple[str, str, Waiting], ...] = ()
    waiting: tuple[tuple[str, str, Waiting], ...] = ()
    given_up: tuple[GivenUp, ...] = ()
    runs: tuple[RunRow, ...] = ()
    steps: tuple[Step, ...] = ()
    paused: Mapping[str, str] = MappingProxyType({})
    """Job, and since when, until when and why it is paused."""
    looks: Mapping[str, int] = MappingProxyType({})
    """Job, and when a watch looks at it again, where somebody knows."""
    orders: tuple[str, ...] = ()
    """What is done here by order of a fleet, or is refused, a line each."""
    at_work: AtWork | None = None
    """What is under way: of that, files that were found but now, and have not been carried, are known to nobody else."""

    def count(self, state: State) -> int:
        """Files in a state, of all jobs."""
        counts = (job.waiting.items() for job, _ in self.jobs)
        return sum(files for each in counts for reason, files in each if REASONS[reason].state is state)


class Picture:
    """Asks one ledger when somebody looks, one at a time."""

    def __init__(self, state: str) -> None:
        self._state = state
        self._counting, self._over_time = Counting(state), OverTime()
        self._lock = threading.Lock()
        self._last = Shown()
        self._until = 0.0

    def __call__(self) -> Shown:
        """What is known, or was a moment ago."""
        with self._lock:
            began = time.monotonic()
            if began >= self._until:
                try:
                    self._last = self._look()
                except LedgerError as error:
                    self._last = Shown(str(error))
                now = time.monotonic()
                self._until = now + max(LEAST_SECONDS, TIMES * (now - began))
            return self._last

    def _look(self) -> Shown:
        now_ns, at_work = time.time_ns(), app.at_work(self._state)  # First: what ends meanwhile is in what comes next.
        jobs = tuple((job, app.disk(job)) for job in self._counting.status())
        with Looking(self._state) as looking:
            return Shown(
                "",
                jobs,
                looking.rate(now_ns - MOMENT_NS),
                tuple(reversed(list(looking.receipts(app.EVERYTHING, 5)))),
                tuple(looking.under_way(8)),
                tuple(looking.standing(State.HELD, SHOWN_MAX)),
                tuple(looking.standing(State.WAITING, 20)),
                tuple(reversed(looking.given_up(limit=20))),
                tuple(reversed(looking.runs(limit=10))),
                tuple(self._over_time.steps(looking, now_ns)),
                _paused(self._state, [job.job for job, _ in jobs], now_ns),
                app.next_looks(self._state),
                tuple(told_here.lines(self._state)),
                at_work,
            )


def _paused(state: str, jobs: Sequence[str], now_ns: int) -> dict[str, str]:
    """As `outhaul status` says it."""
    try:
        there = pauses.read(state)
    except pauses.PausesUnreadable as error:
        return dict.fromkeys(jobs, str(error))
    found = {job: pauses.of_job(there, job, now_ns) for job in jobs}
    return {job: described(pause) for job, pause in found.items() if pause}
