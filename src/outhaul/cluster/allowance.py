"""How much of a job the workers may carry together: files in a run, bytes in a day and in a month.

A batch is handed out with a part of what is left, which nobody else has until it has come back. In it a worker obeys the same
rules as a run alone does (`engine/limits.py`), by the job and by what it is told was sent before. What was in the store before
counts too: it may be what a worker had sent that has died. So less may go than the limit, and never more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, cast

from outhaul.cluster.plan import Batch
from outhaul.model.events import Tally
from outhaul.model.job import Job
from outhaul.model.lifecycle import REASONS, State
from outhaul.ports import Ledger
from outhaul.ports.permits import Hindrance, Period, Permits

_MORE = 1 << 20
"""Bytes that a batch may have beyond twice what was seen of it: files come meanwhile."""


class Allowance(NamedTuple):
    """What one batch may take."""

    job: Job
    """With no other limits than these."""
    files: int
    size: int
    """Bytes; 0 where none are counted."""
    spent: int = 0
    """What the worker is to take for sent already."""


class Allowances:
    """Those of one job in one run.

    Args:
        job: What is carried.
        permits: Tells days and months.
        wall_ns: The wall clock.
        used: Bytes that are recorded as sent since a moment of it.
    """

    def __init__(self, job: Job, permits: Permits, wall_ns: Callable[[], int], used: Callable[[int], int]) -> None:
        self._job, self._wall_ns, self._used = job, wall_ns, used
        self._spans: list[tuple[str, int, Callable[[Job, int], Period]]] = [
            (field, most, period)
            for field, most, period in (
                ("day", job.bytes_a_day, permits.day),
                ("month", job.bytes_a_month, permits.month),
            )
            if most
        ]
        self._bare = job._replace(files_max=0, bytes_a_day=0, bytes_a_month=0)
        self._files = self._files_away = self._bytes_away = 0
        self._came: list[tuple[int, int]] = []
        self._before: dict[int, int] = {}

    def of(self, batch: Batch) -> Allowance | Hindrance:
        """What a batch may take now; or why it gets nothing."""
        found = Allowance(self._bare, 0, 0)
        if files_max := self._job.files_max:
            if (left := files_max - self._files - self._files_away) <= 0:
                return Hindrance("limit", f"{files_max:,} files")
            found = found._replace(files=min(left, max(1, batch.files)))
            found = found._replace(job=self._bare._replace(files_max=found.files))
        if self._spans:
            left, field, most, period = min(self._left(*span) for span in self._spans)
            if left <= 0:
                return Hindrance(f"{field}-limit", f"it goes on at {period.end}")
            size = min(left, 2 * batch.size + _MORE)
            job = found.job
            job = job._replace(bytes_a_day=most) if field == "day" else job._replace(bytes_a_month=most)
            found = found._replace(job=job, size=size, spent=most - size)
        self._files_away += found.files
        self._bytes_away += found.size
        return found

    def _left(self, field: str, most: int, period_of: Callable[[Job, int], Period]) -> tuple[int, str, int, Period]:
        now = self._wall_ns()
        period = period_of(self._job, now)
        if period.begin_ns not in self._before:
            self._before[period.begin_ns] = self._used(period.begin_ns) if not self._came else 0
        came = self._before[period.begin_ns] + sum(size for when, size in self._came if when >= period.begin_ns)
        return most - max(came, self._used(period.begin_ns)) - self._bytes_away, field, most, period

    def home(self, allowance: Allowance, tally: Tally | None) -> None:
        """A batch has come back; None where nobody knows what became of it."""
        self._files_away -= allowance.files
        self._bytes_away -= allowance.size
        if tally is None:
            self._files += allowance.files
            self._came.append((self._wall_ns(), allowance.size))
            return
        carried = {reason for reason in tally.by_reason if REASONS[reason].state is State.CARRIED} - {"unchanged"}
        self._files += sum(tally.by_reason[reason] for reason in carried)
        if tally.bytes_carried:
            self._came.append((self._wall_ns(), tally.bytes_carried))


class Spent:
    """A ledger in which so many bytes were sent already. What else it is asked, the real one answers."""

    def __init__(self, ledger: Ledger, spent: int) -> None:
        self._ledger, self._spent = ledger, spent

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    def sent_since(self, place: int, wall_ns: int) -> int:
        """See `ports.Ledger`."""
        return self._spent


def after(ledger: Ledger, spent: int) -> Ledger:
    """This ledger, with so many bytes sent already."""
    return cast(Ledger, Spent(ledger, spent))
