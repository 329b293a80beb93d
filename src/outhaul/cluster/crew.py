"""Who is there to work. A scheduler without workers takes what it is given, and waits for ever; a run says so, and
gives up."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

TOLD_SECONDS = 10.0
"""After so long without any worker a person is told."""
GIVEN_UP_SECONDS = 300.0
"""After so long a run ends."""
_LOOK_SECONDS = 0.1


class Crew:
    """The workers of a run.

    Args:
        there: A client of Dask.
        notice: Is told that nobody is there, once each time.
        stopped: Whether the run is to end.
    """

    def __init__(self, there: Any, notice: Callable[[str], None], stopped: Callable[[], bool]) -> None:
        self.there, self._notice, self.stopped = there, notice, stopped
        self._missed_since: float | None = None
        self._is_told = False
        self.fault = ""
        """Why nobody is waited for any more."""

    def workers(self) -> set[str]:
        """Their addresses now; to be asked often. Raises OSError."""
        known, now = set(self.there.nthreads()), time.monotonic()
        if known:
            self._missed_since, self._is_told = None, False
            return known
        since = self._missed_since = now if self._missed_since is None else self._missed_since
        if now - since >= TOLD_SECONDS and not self._is_told:
            self._is_told = True
            self._notice("the scheduler of --on has no workers: waiting for one")
        if now - since >= GIVEN_UP_SECONDS:
            self.fault = (
                f"the scheduler of --on had no workers for {GIVEN_UP_SECONDS:.0f} seconds: start some, and run again"
            )
        return known

    def sleep(self, seconds: float) -> None:
        """So long, or until the run is to end."""
        until = time.monotonic() + seconds
        while not self.stopped() and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _LOOK_SECONDS))
