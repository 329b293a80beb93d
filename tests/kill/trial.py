"""One trial: the mover is started and killed again and again beside a live producer, and checked in between.

A kill comes at a random moment (see `moments`) of the time that a complete run takes. Every few kills one run is
let through, so that this time is known and the work goes on. At the end the producer finishes and the mover runs to
completion: then everything must have been carried, and nothing may be left behind.
"""

import itertools
import random
import statistics
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from kill.checker import Checker, Report
from kill.journal import JournalReader
from kill.moments import Moment, choose
from kill.places import files
from kill.processes import LiveProducer, Mover, Outcome

KILLS_BETWEEN_FULL_CHECKS = 10
KILLS_BETWEEN_COMPLETE_RUNS = 5
FILES_FOR_A_RUN = 45
FILES_WATCHED = 20
_WAIT_SECONDS = 20.0


class Violation(AssertionError):
    """A rule that must hold was broken."""


@dataclass(slots=True)
class Tally:
    """What the trial did, for people: when the kills came, and what they left."""

    kills: Counter[str] = field(default_factory=Counter)
    idle_seconds: float = 0.0
    complete_seconds: list[float] = field(default_factory=list)
    most_in_private: int = 0
    last: Report = field(default_factory=Report)

    def __str__(self) -> str:
        kinds = ", ".join(f"{count} {kind}" for kind, count in self.kills.most_common())
        median = statistics.median(self.complete_seconds or [0.0])
        return (
            f"{self.kills.total()} kills: {kinds}\n"
            f"complete runs: {len(self.complete_seconds)}, median {median:.2f} s; idle {self.idle_seconds:.2f} s\n"
            f"files in private areas after a kill: at most {self.most_in_private}\n"
            f"{self.last}"
        )


@dataclass(slots=True)
class Trial:
    """The mover, the producer and the checker that work on the same trees."""

    mover: Mover
    producer: LiveProducer
    checker: Checker
    journal: JournalReader
    source: Path
    rng: random.Random
    tally: Tally = field(default_factory=Tally)
    _kills_since_complete: int = 0

    def run(self, kills: int) -> Tally:
        """Kill that many runs, then carry everything; raises Violation at the first fault."""
        self._complete(wait=False)
        self.tally.idle_seconds = self.tally.complete_seconds.pop()
        self._complete()
        for attempt in itertools.count(1):
            if self.tally.kills.total() >= kills:
                break
            if attempt > 4 * kills:
                raise Violation(f"too many runs ended before their kill: {self.tally}")
            self._kill()
            if self._kills_since_complete >= KILLS_BETWEEN_COMPLETE_RUNS:
                self._complete()
        self.producer.finish()
        for _ in range(2):
            self._complete(wait=False)
        self._check(full=True)
        if not self.tally.last.complete:
            raise Violation(f"something is left behind after the last run: {self.tally.last}")
        return self.tally

    def _complete(self, *, wait: bool = True) -> None:
        """Let one run through to its end."""
        if wait:
            self._wait_for_work()
        outcome = self.mover.run()
        self._note_complete(outcome)
        self._check(full=False)

    def _kill(self) -> None:
        """Kill one run at a random moment, and check."""
        self._wait_for_work()
        before = self.tally.last
        outcome = self.mover.run_and_kill(self._moment())
        full = outcome.killed and (self.tally.kills.total() + 1) % KILLS_BETWEEN_FULL_CHECKS == 0
        after = self._check(full=full)
        if outcome.killed:
            self.tally.kills[_stage(before, after)] += 1
            self.tally.most_in_private = max(self.tally.most_in_private, len(after.left_in_private))
            self._kills_since_complete += 1
        else:
            self._note_complete(outcome)

    def _moment(self) -> Moment:
        """A random moment of the run that is about to start."""
        there = sorted(path for path in files(self.source) if not path.name.startswith("."))
        watched = self.rng.sample(there, min(len(there), FILES_WATCHED))
        whole = statistics.median(self.tally.complete_seconds[-3:])
        return choose(self.rng, self.tally.idle_seconds, whole, watched)

    def _wait_for_work(self) -> None:
        """Let the producer begin more files, and wait until some are there; it goes on while the run works."""
        self.journal.advance()
        enough = len(self.journal.contents) + FILES_FOR_A_RUN // 2
        self.producer.begin(FILES_FOR_A_RUN)
        deadline = time.monotonic() + _WAIT_SECONDS
        while len(self.journal.contents) < enough:
            if time.monotonic() > deadline:
                raise Violation(f"the producer made no work in {_WAIT_SECONDS:.0f} s")
            time.sleep(0.02)
            self.journal.advance()

    def _check(self, *, full: bool) -> Report:
        report = self.tally.last = self.checker.check(full=full)
        if not report.sound:
            raise Violation(f"after {self.tally.kills.total()} kills: {report}")
        return report

    def _note_complete(self, outcome: Outcome) -> None:
        """A run that was not killed must have carried everything or have had nothing to do."""
        if outcome.code:
            raise Violation(f"a run that was not killed ended with code {outcome.code}:\n{outcome.output}")
        self.tally.complete_seconds.append(outcome.seconds)
        self._kills_since_complete = 0


def _stage(before: Report, after: Report) -> str:
    """How far a killed run had come, as it shows from outside."""
    if after.objects == before.objects:
        return "before the first new object"
    if after.left_in_private:
        return "with a file in a private area"
    if not after.still_at_source:
        return "with all that was uploaded removed"
    removed = (after.ok - after.still_at_source) - (before.ok - before.still_at_source)
    return "in the midst of removals" if removed > 0 else "between upload and removal"
