"""What hooks have told, from one process to the next: a cron run every ten minutes is not to tell of the same file each time.

One small file in the state directory. Where it cannot be read or written, something is told twice, and nothing else happens.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable

FILE_NAME = "told.json"
_BYTES_MAX = 64 << 20


class Memory:
    """What was told of each job."""

    def __init__(self, state: str) -> None:
        self._path = os.path.join(state, FILE_NAME)
        self._known: dict[str, tuple[bool, frozenset[tuple[str, str]]]] = {}
        with contextlib.suppress(OSError, ValueError, TypeError, AttributeError, KeyError):
            if os.path.getsize(self._path) <= _BYTES_MAX:
                with open(self._path, encoding="utf-8") as file:
                    self._known = {
                        str(job): (bool(one["fault"]), frozenset((str(path), str(why)) for path, why in one["held"]))
                        for job, one in json.load(file).items()
                    }

    def of(self, job: str) -> tuple[bool, frozenset[tuple[str, str]]]:
        """Whether a fault of it was told last, and path and reason of the held files that were."""
        return self._known.get(job, (False, frozenset()))

    def keep(self, job: str, fault: bool, held: Iterable[tuple[str, str]]) -> None:
        """Remember this of a job; it is written where it is new."""
        now = (fault, frozenset(held))
        if now == self.of(job):
            return
        self._known[job] = now
        text = json.dumps({name: {"fault": bad, "held": sorted(held)} for name, (bad, held) in self._known.items()})
        with contextlib.suppress(OSError):
            beside = f"{self._path}.new"
            with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as file:
                file.write(text)
            os.replace(beside, self._path)
