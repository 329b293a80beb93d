"""Which held files of a job have been told: each once for a reason, and again where it is held again later."""

from __future__ import annotations

from collections.abc import Iterable

from outhaul.model.lifecycle import Standing

NAMED_MAX = 1000
"""Held files of a job that are remembered; beyond that none is told by name."""


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
