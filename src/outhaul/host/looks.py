"""When a `watch` looks at its jobs again, for whoever asks beside it: a small file in the state directory, written whole.

Only jobs of which something waits are in it, so that a machine at rest writes nothing. Nothing is decided by it, and it is not
synced: where it is lost, or of a process that has ended, nobody knows when.
"""

from __future__ import annotations

import contextlib
import json
import os
import time

from outhaul.host.asked import write
from outhaul.model.errors import OuthaulError

FILE_NAME = "looks.json"
_OVERDUE_NS = 60 * 10**9
"""One that is past by more is of a process that has ended, or the clock was set."""
_FAR_NS = 10 * 366 * 86400 * 10**9
_APART_SECONDS = 1.0
_BYTES_MAX = 1 << 20


class Looks:
    """What a watch writes down. A file that cannot be written, on a full disk, stops nothing."""

    def __init__(self, state: str) -> None:
        self._state = state
        self._next: dict[str, int] = {}
        self._written: dict[str, int] = {}
        self._written_at = -_APART_SECONDS

    def tell(self, job: str, wall_ns: int) -> None:
        """This job is looked at again then; 0 where nothing of it waits."""
        self._next.pop(job, None)
        if wall_ns:
            self._next[job] = wall_ns

    def write(self) -> None:
        """Write down what is new, once a second at most."""
        if self._next == self._written or time.monotonic() - self._written_at < _APART_SECONDS:
            return
        self._write()

    def close(self) -> None:
        """The watch ends: nobody looks again."""
        self._next.clear()
        if self._written:
            self._write()

    def _write(self) -> None:
        self._written, self._written_at = dict(self._next), time.monotonic()
        with contextlib.suppress(OuthaulError):
            write(self._state, FILE_NAME, self._next)


def next_looks(state: str) -> dict[str, int]:
    """Job, and when on the wall clock a watch looks at it again, in nanoseconds; without those of which nobody knows."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        with open(os.path.join(state, FILE_NAME), "rb") as file:
            there = json.loads(file.read(_BYTES_MAX))
        now = time.time_ns()
        return {job: at for job, at in there.items() if isinstance(at, int) and -_OVERDUE_NS < at - now < _FAR_NS}
    return {}
