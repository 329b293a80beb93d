"""What happens in a run or a watch, as lines of the log: one for each change of state, and a sum now and then.

However long a destination is away, that is one line; so is each held file. Every file by name is of level debug.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from outhaul.frontends.cli import say
from outhaul.frontends.cli.monitors import summary
from outhaul.frontends.telling.log import DEBUG, ERROR, INFO, WARNING, Log
from outhaul.frontends.telling.said_once import HeldOnce, Noticed
from outhaul.model.events import Tally
from outhaul.model.evidence import Disposal, Proof, Receipt, stored_bytes
from outhaul.model.job import Job
from outhaul.model.keys import printable
from outhaul.model.lifecycle import REASONS, Standing, State

SUM_SECONDS = 60.0
"""How often what was carried is summed up, while something is."""


class _State:
    """What was said of one job."""

    def __init__(self) -> None:
        self.noticed = Noticed()
        self.files = self.bytes = 0
        self.since = 0.0
        self.held = HeldOnce()


class LogMonitor:
    """Writes what changes."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self._jobs: dict[str, _State] = {}

    # --- ports.Monitor --------------------------------------------------------------------------------------------------

    def started(self, job: Job) -> None:
        """See `ports.Monitor`."""
        self._of(job).held.begin()

    def standing(self, job: Job, standing: Standing) -> None:
        """See `ports.Monitor`. A held file is named once for each reason."""
        if standing.state is State.HELD and self._of(job).held.is_new(standing):
            detail = f" ({standing.detail})" if standing.detail else ""
            text = f"held: {printable(standing.path)}: {REASONS[standing.reason].meaning}{detail}"
            self.log.say(ERROR, text, job=job.name, event="held", path=standing.path, reason=standing.reason)

    def carried(self, job: Job, receipts: Sequence[Receipt], proofs: Sequence[Proof]) -> None:
        """See `ports.Monitor`."""
        one = self._of(job)
        one.files += len(receipts)
        one.bytes += stored_bytes(proofs)
        if self.log.level <= DEBUG:
            for proof in proofs:
                text = f"carried: {printable(proof.sighting.path)} -> {proof.key} ({proof.kind.value})"
                self.log.say(DEBUG, text, job=job.name, event="carried", path=proof.sighting.path)

    def released(self, job: Job, disposals: Sequence[Disposal], earlier: Sequence[Receipt]) -> None:
        """See `ports.Monitor`."""
        if self.log.level <= DEBUG:
            for path, key in [(receipt.sighting.path, receipt.key) for receipt in earlier]:
                text = f"carried: {printable(path)} -> {key} (by an earlier run)"
                self.log.say(DEBUG, text, job=job.name, event="carried", path=path)

    def progress(self, job: Job, tally: Tally) -> None:
        """See `ports.Monitor`."""

    def notice(self, job: Job, text: str) -> None:
        """See `ports.Monitor`. What was said since the job last changed is not said again."""
        if self._of(job).noticed.is_new(job, text):
            self.log.say(WARNING, text, job=job.name, event="notice")

    def finished(self, job: Job, tally: Tally) -> None:
        """See `ports.Monitor`."""

    # --- what a pass came to --------------------------------------------------------------------------------------------

    def passed(self, job: Job, tally: Tally, fault: str, *, whole: bool) -> None:
        """Say what has changed.

        Args:
            job: It has been looked at.
            tally: What that came to.
            fault: Why its source or destination cannot be used; '' where both can.
            whole: Whether that was a look at everything.
        """
        one = self._of(job)
        one.held.end(whole=whole and not fault)
        if one.noticed.passed(tally, fault):
            if fault:
                self.log.say(ERROR, f"{fault}; tried again in a while", job=job.name, event="failure")
            else:
                self.log.say(INFO, "it goes on", job=job.name, event="recovered")
        if one.files and (time.monotonic() - one.since >= SUM_SECONDS):
            self._sum(job.name, one)

    def over(self) -> None:
        """The end: what was not summed up yet."""
        for name, one in self._jobs.items():
            if one.files:
                self._sum(name, one)

    def _sum(self, name: str, one: _State) -> None:
        self.log.say(INFO, f"{say.files(one.files)} carried ({say.size(one.bytes)})", job=name, event="success")
        one.files = one.bytes = 0
        one.since = time.monotonic()

    def _of(self, job: Job) -> _State:
        return self._jobs.setdefault(job.name, _State())


class RunLog(LogMonitor):
    """The same of a run, which ends with an account of each job."""

    def __init__(self, log: Log) -> None:
        super().__init__(log)
        self._began: dict[str, float] = {}

    def started(self, job: Job) -> None:
        """See `ports.Monitor`."""
        super().started(job)
        self._began[job.name] = time.monotonic()

    def finished(self, job: Job, tally: Tally) -> None:
        """See `ports.Monitor`."""
        first, *more = summary(job, tally, time.monotonic() - self._began[job.name])
        for line in (first.removeprefix(f"{job.name}: "), *more):
            self.log.say(INFO, line.strip(), job=job.name, event="summary")

    def passed(self, job: Job, tally: Tally, fault: str, *, whole: bool) -> None:
        """See `LogMonitor`."""
        if fault:
            self.log.say(ERROR, fault, job=job.name, event="failure")

    def over(self) -> None:
        """The account has told it."""
