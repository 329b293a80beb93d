"""Which jobs are paused: a small file in the state directory, written whole and synced; a `watch` beside reads it in a second.

It needs no ledger, and nobody has to be asked: whoever may write the state directory may pause. Times are those of the wall
clock.
Not done here: stopping anything. Whoever is about to begin something asks.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import NamedTuple

from outhaul.model.errors import OuthaulError

FILE_NAME = "pauses.json"
ALL = "*"
"""Stands for all jobs; no job is called so."""
_SECOND_NS = 10**9


class Pause(NamedTuple):
    """That a job is paused."""

    since_ns: int
    """Wall clock."""
    until_ns: int
    """Wall clock; 0 is until somebody ends it."""
    by: str
    why: str


class PausesUnreadable(OuthaulError):
    """The file is there and cannot be read, or is none of ours."""


def read(state: str) -> dict[str, Pause]:
    """Job, or `ALL`, to its pause; those that are over, too.

    Raises:
        PausesUnreadable: it cannot be known.
    """
    path = os.path.join(state, FILE_NAME)
    try:
        with open(path, encoding="utf-8") as file:
            told = json.load(file)
        return {str(name): _pause(fields) for name, fields in told["paused"].items()}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise PausesUnreadable(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise PausesUnreadable(f"{path} is damaged; `outhaul resume` removes it") from error


def _pause(fields: dict[str, object]) -> Pause:
    since, until, by, why = (fields[name] for name in ("since", "until", "by", "why"))
    if not isinstance(since, int) or not isinstance(until, int):
        raise TypeError("no times")
    return Pause(since, until, str(by), str(why))


def write(state: str, pauses: dict[str, Pause]) -> None:
    """These, and no others. When it returns, they survive a power cut.

    Raises:
        OuthaulError: they cannot be written.
    """
    fields = {name: {"since": p.since_ns, "until": p.until_ns, "by": p.by, "why": p.why} for name, p in pauses.items()}
    try:
        os.makedirs(state, mode=0o700, exist_ok=True)
        import tempfile

        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=state, prefix=".pauses-", delete=False) as file:
            json.dump({"paused": fields}, file, indent=1)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        os.replace(file.name, os.path.join(state, FILE_NAME))
        directory = os.open(state, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        raise OuthaulError(f"{state}: the pause cannot be written: {error.strerror}") from error


def of_job(pauses: dict[str, Pause], job: str, wall_ns: int) -> Pause | None:
    """The pause that holds for a job now, the longer of two; None where none does."""
    holding = [one for name in (job, ALL) if (one := pauses.get(name)) and holds(one, wall_ns)]
    return max(holding, key=_end, default=None)


def holds(pause: Pause, wall_ns: int) -> bool:
    """Whether it is not over."""
    return not pause.until_ns or wall_ns < pause.until_ns


def without(pauses: dict[str, Pause], jobs: Iterable[str], wall_ns: int) -> dict[str, Pause]:
    """Those that are left when these jobs are resumed; none is left of what is over."""
    gone = set(jobs)
    return {name: one for name, one in pauses.items() if name not in gone and holds(one, wall_ns)}


def _end(pause: Pause) -> int:
    return pause.until_ns or 1 << 62
