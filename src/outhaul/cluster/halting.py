"""What a driver tells all workers while they carry: a job is paused, or the run is to end.

A worker also looks at the hours itself. A process that has begun since knows of nothing, and is given nothing.
"""

from __future__ import annotations

import contextlib
import threading
from functools import partial
from typing import Any

from outhaul.model.job import Job
from outhaul.ports.permits import Hindrance, Permits
from outhaul.wiring import permits

END = Hindrance("", "")
"""The run is to end."""
_told: dict[str, Hindrance] = {}
"""What is to end, by its token."""


def tell_all(there: Any, token: str, why: Hindrance) -> None:
    """Have all workers know. It is not waited for: one that does not answer holds up nobody."""

    def tell() -> None:
        with contextlib.suppress(Exception):  # Whatever Dask makes of workers that have gone, or of a client that has.
            there.run(halt, token, why, on_error="ignore")

    threading.Thread(target=tell, name="outhaul-halt", daemon=True).start()


def halt(token: str, why: Hindrance) -> None:
    """Run by each worker, beside its tasks."""
    _told[token] = why


def is_to_end(token: str) -> bool:
    """Whether the run is to end: what is under way is brought home."""
    return _told.get(token) == END


def permits_of(token: str, state: str) -> Permits:
    """Whether files may go, as far as a worker knows."""
    own = permits(state)
    return own._replace(hindrance=partial(_hindrance, token, own))


def _hindrance(token: str, own: Permits, job: Job) -> Hindrance | None:
    why = _told.get(token)
    return own.hindrance(job) if why is None or why == END else why
