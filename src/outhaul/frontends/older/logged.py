"""What happens in a run, as records of the standard `logging`: the base of the older programs' own lines."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence

from outhaul.frontends.cli.monitors import describe, summary
from outhaul.model.events import Tally
from outhaul.model.evidence import Disposal, Proof, Receipt
from outhaul.model.job import Job
from outhaul.model.keys import printable
from outhaul.model.lifecycle import Standing, State

_LEVELS = {State.HELD: logging.ERROR, State.WAITING: logging.INFO, State.VANISHED: logging.INFO}
FAILED = ("retry", "destination", "failing", "refused", "unproved", "not-as-asked", "conflict")
"""Reasons that mean: it was tried, and did not arrive."""


class LoggingMonitor:
    """Logs what waits and what is held. Subclasses say how a file is told that has arrived, and one that has not."""

    def __init__(self, logger: logging.Logger) -> None:
        self.logger = logger
        self._sources: dict[int, str] = {}

    def arrived(self, job: Job, path: str, proof: Proof) -> None:
        """A file is proved and recorded; `path` is absolute."""

    def failed(self, job: Job, path: str, standing: Standing) -> None:
        """A file was tried, and did not arrive."""
        self.logger.warning("%s", describe(standing._replace(path=path)))

    def let_go(self, job: Job, path: str) -> None:
        """Its source has been let go."""

    # --- ports.Monitor --------------------------------------------------------------------------------------------------

    def started(self, job: Job) -> None:
        """See `ports.Monitor`."""
        self._sources.clear()

    def standing(self, job: Job, standing: Standing) -> None:
        """See `ports.Monitor`. What a job does not ask for is not logged."""
        path = printable(os.path.join(job.source, standing.path))
        if standing.reason in FAILED:
            self.failed(job, path, standing)
        elif standing.state in _LEVELS:
            self.logger.log(_LEVELS[standing.state], "%s", describe(standing._replace(path=path)))

    def carried(self, job: Job, receipts: Sequence[Receipt], proofs: Sequence[Proof]) -> None:
        """See `ports.Monitor`."""
        for receipt, proof in zip(receipts, proofs, strict=True):
            path = printable(os.path.join(job.source, receipt.sighting.path))
            if job.after != "keep":
                self._sources[receipt.number] = path
            self.arrived(job, path, proof)

    def released(self, job: Job, disposals: Sequence[Disposal], earlier: Sequence[Receipt]) -> None:
        """See `ports.Monitor`."""
        for receipt in earlier:
            self._sources[receipt.number] = printable(os.path.join(job.source, receipt.sighting.path))
        for disposal in disposals:
            self.let_go(job, self._sources.pop(disposal.number, f"the file of receipt {disposal.number}"))

    def progress(self, job: Job, tally: Tally) -> None:
        """See `ports.Monitor`."""

    def notice(self, job: Job, text: str) -> None:
        """See `ports.Monitor`."""
        self.logger.warning("%s", printable(f"{job.name}: {text}"))

    def finished(self, job: Job, tally: Tally) -> None:
        """See `ports.Monitor`."""
        for line in summary(job, tally, 0)[1:]:
            self.logger.debug("%s", line)
