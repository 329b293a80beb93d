"""That files are being carried at this moment, since when, and how many have been so far: for whoever asks beside it.

What a pass has just found stands in no ledger, so that a ledger alone would look as if all were carried. A small file in the
state directory says that a pass is under way. The kernel holds a lock on it for as long as that is so: what a killed process
has left behind says nothing. Whoever asks has that lock for a moment where nobody else has it; a run that meets him there takes
it two seconds later. Nothing is decided by it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Sequence
from typing import NamedTuple

from outhaul.model.events import Tally
from outhaul.model.evidence import Proof, Receipt
from outhaul.model.job import Job
from outhaul.ports import Monitor

FILE_NAME = "at-work.json"
_APART_SECONDS = 2.0
_BYTES = 128
"""The file is always as long as this, so that each write is one, over all of it."""


class AtWork(NamedTuple):
    """Passes are under way."""

    since_ns: int
    """Wall clock, when the first of them began; since then there was always one."""
    files: int
    """Carried since then."""
    bytes: int
    """The size of those."""


class Noting:
    """A monitor before another one, which writes down that passes are under way.

    Args:
        monitor: Who is told all of it.
        state: The state directory, which this process holds.
        after_seconds: What takes less is not written down: a watch looks often, and a machine at rest spares its card.
    """

    def __init__(self, monitor: Monitor, state: str, after_seconds: float = 0.0) -> None:
        self._monitor = monitor
        self._path = os.path.join(state, FILE_NAME)
        self._after = after_seconds
        self._passes = 0
        self._now = AtWork(0, 0, 0)
        self._write_at = 0.0
        self._descriptor = -1
        self.standing, self.released, self.notice = monitor.standing, monitor.released, monitor.notice
        self.finished = monitor.finished

    def begins(self) -> None:
        """Something is under way, until `ended`."""
        if not self._passes:
            self._now, self._write_at = AtWork(time.time_ns(), 0, 0), time.monotonic() + self._after
        self._passes += 1
        self._tell()

    def started(self, job: Job) -> None:
        """See `ports.Monitor`."""
        self.begins()
        self._monitor.started(job)

    def carried(self, job: Job, receipts: Sequence[Receipt], proofs: Sequence[Proof]) -> None:
        """See `ports.Monitor`."""
        size = sum([receipt.sighting.size for receipt in receipts])
        self._now = self._now._replace(files=self._now.files + len(receipts), bytes=self._now.bytes + size)
        self._tell()
        self._monitor.carried(job, receipts, proofs)

    def progress(self, job: Job, tally: Tally) -> None:
        """See `ports.Monitor`."""
        self._tell()
        self._monitor.progress(job, tally)

    def ended(self) -> None:
        """A pass that was started is over, however it went: `finished` is not told of one whose source went away."""
        self._passes -= 1
        if not self._passes:
            self.close()

    def close(self) -> None:
        """Nothing is under way any more."""
        self._passes = 0
        if self._descriptor >= 0:
            with contextlib.suppress(OSError):
                os.pwrite(self._descriptor, b" " * _BYTES, 0)
            os.close(self._descriptor)
            self._descriptor = -1

    def _tell(self) -> None:
        """Write it down, every two seconds at most; on a full disk the files go all the same."""
        if (now := time.monotonic()) < self._write_at:
            return
        self._write_at = now + _APART_SECONDS
        with contextlib.suppress(OSError):
            if self._descriptor < 0:
                self._descriptor = _held(self._path)
            os.pwrite(self._descriptor, json.dumps(self._now).ljust(_BYTES).encode(), 0)


def _held(path: str) -> int:
    """The file, with its lock. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def at_work(state: str) -> AtWork | None:
    """What is under way on this state directory; None where nothing is, or that cannot be told."""
    with contextlib.suppress(OSError, ValueError, TypeError), open(os.path.join(state, FILE_NAME), "rb") as file:
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            found = AtWork(*json.loads(file.read(_BYTES)))
            return found if all(type(value) is int for value in found) else None
    return None
