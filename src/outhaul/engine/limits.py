"""How many files and bytes of a job go: in a pass, and in a day or a month of its time zone.

What is admitted counts with its size until it has come home; then what was really sent does, and nothing for what the store had
before. So a limit is never passed by what was still under way when a file was admitted. A file that is larger than a whole limit
goes alone, as the first of its day or month, and on a day that begins with such a one nothing goes before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from copy import copy

from outhaul.engine.batches import Ports
from outhaul.model.evidence import Proof, Settled, stored_bytes
from outhaul.model.job import Job
from outhaul.model.lifecycle import REASONS, State
from outhaul.ports import Observation
from outhaul.ports.permits import Hindrance, Period


class Limits:
    """Those of one pass over one job."""

    def __init__(self, job: Job, place: int, ports: Ports) -> None:
        self._job = job
        self._files = self._bytes = 0
        self._spans = [
            _Span(job, place, ports, reason, most, period)
            for reason, most, period in (
                ("month-limit", job.bytes_a_month, ports.permits.month),
                ("day-limit", job.bytes_a_day, ports.permits.day),
            )
            if most
        ]
        self.resumes_ns = 0
        """When on the wall clock files go on that were refused for a day or a month; 0 where none was."""

    def beside(self) -> Limits:
        """Those of another pass while this one is under way: it may carry as much, but a day and a month are of both."""
        other = copy(self)
        other._files = other._bytes = other.resumes_ns = 0
        return other

    @property
    def any(self) -> bool:
        """Whether there is a limit."""
        return bool(self._job.files_max or self._job.bytes_max or self._spans)

    def refusal(self, files: Sequence[Settled], pasts: Sequence[Observation | None]) -> Hindrance | None:
        """Why these files, which go together, do not go in this pass; None where they do, and are counted.

        Args:
            files: What goes together: a file, or the members of a group.
            pasts: What was remembered of them. One that was tried, and did not go for a reason of its own, keeps no other out.
        """
        size = sum([settled.sighting.size for settled in files])
        tried = any(past is not None and _is_its_own(past.reason) for past in pasts)
        if not tried and self._is_beyond(size):
            return Hindrance("limit", "")
        for span in self._spans:
            if why := span.refusal(size):
                self.resumes_ns = max(self.resumes_ns, span.resumes_ns)
                return why
        for span in self._spans:
            span.first = 0
            span.under_way += size
        if not tried:
            self._files += len(files)
            self._bytes += size
        return None

    def home(self, files: Iterable[int], proofs: Sequence[Proof] = ()) -> None:
        """These sizes are not under way any more; of them the proofs are recorded."""
        if not self._spans:
            return
        size, sent = sum(files), stored_bytes([proof for proof in proofs if proof.sent])
        for span in self._spans:
            span.under_way -= size
            span.used += sent

    def _is_beyond(self, size: int) -> bool:
        """Whether a pass has enough; what is larger than all that it may carry goes as its only file."""
        job = self._job
        if job.files_max and self._files >= job.files_max:
            return True
        return bool(job.bytes_max) and self._bytes > 0 and self._bytes + size > job.bytes_max


class _Span:
    """A day or a month, and what went in it."""

    def __init__(
        self, job: Job, place: int, ports: Ports, reason: str, most: int, period: Callable[[Job, int], Period]
    ) -> None:
        self._job, self._place, self._ports = job, place, ports
        self._reason, self._most = reason, most
        self._period_of = period
        self._period = Period(0, 0, "", "")
        self.used = self.under_way = 0
        self.first = 0
        """The size of what is to go before all others."""
        self.resumes_ns = 0

    def refusal(self, size: int) -> Hindrance | None:
        """Why so many bytes do not go now."""
        now = self._ports.clock.wall_ns()
        if not self._period.begin_ns <= now < self._period.end_ns:
            self._begin(now)
        spent = self.used + self.under_way
        if (not spent and size >= self.first) or (not self.first and spent + size <= self._most):
            return None
        self.resumes_ns = now if self.under_way else self._period.end_ns
        return Hindrance(self._reason, _until(self._period.end))

    def _begin(self, now: int) -> None:
        """Another day, or the first look at this one; also where the wall clock was set."""
        self._period = self._period_of(self._job, now)
        self.used = self._ports.ledger.sent_since(self._place, self._period.begin_ns)
        if not self.used:
            # One that is not seen any more, in a directory that is closed, say, keeps others waiting for one day only.
            largest = self._ports.ledger.largest_waiting(self._place, self._reason, _until(self._period.begin))
            self.first = largest if largest > self._most else 0


def _until(then: str) -> str:
    return f"it goes on at {then}"


def _is_its_own(reason: str) -> bool:
    """Whether a file was tried, and did not go, while others may."""
    return reason in ("in-use", "writers-unknown", "changed") or REASONS[reason].state is State.HELD
