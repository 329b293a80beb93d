"""What has been said of a job: each held file once for a reason, and again where it is held again later; each notice once."""

from __future__ import annotations

from collections.abc import Iterable

from outhaul.model.events import Tally
from outhaul.model.job import Job
from outhaul.model.lifecycle import Standing

NAMED_MAX = 1000
"""Held files of a job that are remembered; beyond that none is told by name."""
NOTICES_MAX = 20
"""Notices of a job that are remembered, so that none is repeated while it stands as it stands."""


class HeldOnce:
    """What has been told of one job."""

    def __init__(self, told: Iterable[tuple[str, str]] = ()) -> None:
        """Prepare.

        Args:
            told: Path and reason of what was told before.
        """
        self.told = set(told)
        self._now: set[tuple[str, str]] = set()

    def begin(self) -> None:
        """A pass begins."""
        self._now = set()

    def is_new(self, standing: Standing) -> bool:
        """Whether this one is still to be told."""
        what = (standing.path, standing.reason)
        if len(self._now) <= NAMED_MAX:
            self._now.add(what)
        if what in self.told or len(self.told) >= NAMED_MAX:
            return False
        self.told.add(what)
        return True

    def end(self, *, whole: bool) -> None:
        """A pass has ended; what is not held any more, only a look at everything can tell, where the destination can be used."""
        if whole and len(self._now) <= NAMED_MAX:
            self.told &= self._now


class Noticed:
    """What was said of a job since it last changed: it is not said again; nor, while it cannot go on, why not at each try.

    So weeks without a network are a few lines, whatever each try ended with.
    """

    def __init__(self) -> None:
        self._told: set[str] = set()
        self.fault = ""

    def is_new(self, job: Job, text: str) -> bool:
        """Whether a notice is still to be told."""
        again = text in self._told or (self.fault and text.startswith(f"{job.destination.address} cannot be used"))
        if again or len(self._told) >= NOTICES_MAX:
            return False
        self._told.add(text)
        return True

    def passed(self, tally: Tally, fault: str) -> bool:
        """Take what a pass came to; whether that is another state than before."""
        if not fault and _HINDERED & tally.by_reason.keys():
            return False  # Nothing was tried.
        before, self.fault = self.fault, fault
        if before and not fault:
            self._told.clear()
        return bool(fault) != bool(before)


_HINDERED = {"paused", "quiet-hours"}
