"""Look again and again: each job at its own times, a part of its source when there is word of it, and the whole now and then.

A hint only hurries a look; what it says is looked at like anything else, and what it does not say is found by the next whole
pass. Between passes it is known when the first waiting file of a directory will be ready, so that it goes then. How often a
job is looked at whole follows from what that costs, where the job does not say: half a percent of a core.
Not done here: waiting for a network to come back by asking for it, and a second pass over a job while one is under way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from outhaul.engine.batches import Ports
from outhaul.engine.passes import Outcome, Scope
from outhaul.engine.retry import pause_ns
from outhaul.engine.side_by_side import run_jobs
from outhaul.model.job import Job
from outhaul.ports import Moment
from outhaul.ports.hints import Hints
from outhaul.stages.discover import Part
from outhaul.stages.settle import SECOND_NS

LEAST_NS, MOST_NS = 10 * SECOND_NS, 3600 * SECOND_NS
"""How often a source is looked at whole, where its job says nothing of it: its bounds, and what lies between them."""
LOOK_NS = 200 * 8_000
"""Nanoseconds for each entry that was seen: a look at one takes up to 8 microseconds, and half a percent of the time."""
REST_SECONDS = 0.5
"""How long it rests at most before it looks whether it is asked to end."""
GATHER_NS = SECOND_NS // 10
"""How long word of a directory is gathered before it is looked at."""
PAUSE_FACTOR, PAUSES_MAX = 10, 8
"""A job whose source or destination cannot be used is left alone for so many times the pauses of a run: up to five minutes."""
_NEVER = 1 << 62


class Attention:
    """What is known of one job between its passes. All times are of the boot clock, in nanoseconds."""

    def __init__(self, job: Job, calendar: Callable[[Job, int], int | None], now: Moment) -> None:
        self.job = job
        self._calendar = calendar
        at = calendar(job, now.wall_ns)
        self._whole_at = now.boot_ns if at is None else now.boot_ns + at - now.wall_ns
        self._not_before = 0
        self._due: dict[str, int] = {}
        self._known: set[str] = set()
        self._failures = 0
        self._by_parts = not job.groups and at is None

    @property
    def next_at(self) -> int:
        """When there is something to do."""
        due = min(self._due.values(), default=_NEVER) if not self._failures else _NEVER
        return min(self._whole_at, max(self._not_before, due))

    def heard(self, directory: str, now: int) -> None:
        """There is word of a directory. A job with times of the day waits for them."""
        if self._by_parts or self.job.groups:
            self._ripens(directory, now + GATHER_NS)

    def hurry(self, now: int) -> None:
        """Word was lost: the whole source is to be looked at."""
        if self._by_parts or self.job.groups:
            self._whole_at = min(self._whole_at, max(now, self._not_before))

    def scope(self, now: int) -> Scope:
        """What is to be looked at now. The files of a group may lie anywhere beneath it, so its source is looked at whole."""
        if now >= self._whole_at or not self._by_parts:
            self._due.clear()
            return Scope(None, tells_directories=True)
        ripe = [directory for directory, at in self._due.items() if at <= now]
        for directory in ripe:
            del self._due[directory]
        return Scope(Part(ripe, self._known), tells_directories=True)

    def passed(self, scope: Scope, outcome: Outcome, took_ns: int, now: Moment) -> None:
        """Take what a pass came to, and set the next times."""
        self._known = (self._known if scope.part else set()) | set(outcome.directories)
        if self._by_parts or self.job.groups:
            for directory, at in outcome.ready_at.items():
                self._ripens(directory, at)
        # However busy a source is, it is looked at half of the time at most.
        self._not_before = now.boot_ns + took_ns
        if outcome.destination_fault or outcome.source_fault:
            self._failures += 1
            self._whole_at = now.boot_ns + PAUSE_FACTOR * pause_ns(min(self._failures, PAUSES_MAX), now.boot_ns)
        elif scope.part is None or self._failures:
            self._failures = 0
            self._whole_at = now.boot_ns + self._until_next(outcome.tally.seen, now.wall_ns)

    def _ripens(self, directory: str, at: int) -> None:
        self._due[directory] = min(self._due.get(directory, _NEVER), at)

    def _until_next(self, seen: int, wall_ns: int) -> int:
        at = self._calendar(self.job, wall_ns)
        if at is not None:
            return at - wall_ns
        return self.job.every_ns or min(max(LEAST_NS, LOOK_NS * seen), MOST_NS)


class Watch:
    """Jobs that are looked at until it is asked to end."""

    def __init__(
        self,
        jobs: Sequence[Job],
        ports: Ports,
        hints: Hints,
        calendar: Callable[[Job, int], int | None],
        tell: Callable[[Job, Outcome], None],
    ) -> None:
        """Prepare.

        Args:
            jobs: Those of a higher priority first.
            ports: The world.
            hints: Word of changes.
            calendar: When on the wall clock a job is next due after a moment; None for one without times of the day.
            tell: Is told what each pass came to.
        """
        self._ports = ports
        self._hints = hints
        self._tell = tell
        now = ports.clock.moment()
        self._jobs = [Attention(job, calendar, now) for job in jobs]

    def run(self, until: Callable[[], bool]) -> None:
        """Go on until this says so, or the run is asked to end. Raises LedgerError."""
        while not (until() or self._ports.stopped()):
            now = self._ports.clock.moment().boot_ns
            if ready := [index for index, one in enumerate(self._jobs) if one.next_at <= now]:
                self._pass(ready, now)
            else:
                self._rest(now)

    def _pass(self, ready: list[int], now: int) -> None:
        scopes = [self._jobs[index].scope(now) for index in ready]
        clock = self._ports.clock
        began = clock.monotonic_ns()
        for place, outcome in run_jobs([self._jobs[index].job for index in ready], self._ports, scopes=scopes):
            one, ended = self._jobs[ready[place]], clock.monotonic_ns()
            one.passed(scopes[place], outcome, ended - began, clock.moment())
            began = ended
            self._hints.cover(ready[place], one.job.source, outcome.directories)
            self._tell(one.job, outcome)

    def _rest(self, now: int) -> None:
        next_at = min([one.next_at for one in self._jobs], default=_NEVER)
        found, lost = self._hints.wait(max(0.0, min(REST_SECONDS, (next_at - now) / SECOND_NS)))
        now = self._ports.clock.moment().boot_ns
        for index, directory in found:
            self._jobs[index].heard(directory, now)
        if lost:
            for one in self._jobs:
                one.hurry(now)
