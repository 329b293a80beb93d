"""Somebody asks a `watch` to look at a directory now: a small file in the state directory, written whole.

A word of it hurries a look, as one of inotify does, and stands in for none: what is then done with a file is what its
job says. Where no watch runs nobody takes it, and the next run looks at everything anyway. Whoever may write the
state directory may ask. Not done here: asking for anything else.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from typing import NamedTuple, Protocol

from outhaul.model.errors import OuthaulError
from outhaul.ports.hints import Hints, Word

ASKED_NAME, TAKEN_NAME = "asked.json", "asked-taken.json"
ASKED_MAX = 100
"""The latest so many are kept."""
_BYTES_MAX = 1 << 20


class Asked(NamedTuple):
    """That somebody asked."""

    at_ns: int
    """Wall clock. It is also what tells one from another: none is earlier than one before it."""
    source: str
    directory: str
    """Relative to the source, '' for itself."""


def ask(state: str, source: str, directory: str) -> Asked:
    """Ask for a look at a directory.

    Raises:
        OuthaulError: it cannot be written down.
    """
    before = _read(os.path.join(state, ASKED_NAME))
    last = max((one[0] for one in before), default=0)
    asked = Asked(max(time.time_ns(), last + 1), source, directory)
    write(state, ASKED_NAME, [*before, asked][-ASKED_MAX:])
    return asked


def taken(state: str) -> tuple[int, int]:
    """Up to which one, by its time, a watch has taken them, and when it did so; 0 where none has."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        with open(os.path.join(state, TAKEN_NAME), "rb") as file:
            upto, at_ns = json.loads(file.read(_BYTES_MAX))
        return int(upto), int(at_ns)
    return 0, 0


class ClosingHints(Hints, Protocol):
    """Hints that hold something."""

    def close(self) -> None:
        """Let go of all of it."""


class AskedHints:
    """Hints, and among them what people ask for. One that was asked for before it began is looked at anyway."""

    def __init__(self, hints: ClosingHints, state: str) -> None:
        self._hints = hints
        self._state = state
        self._path = os.path.join(state, ASKED_NAME)
        self._sources: dict[str, set[int]] = {}
        self._stamp: tuple[int, int] | None = _stamp(self._path)
        self._upto = max((one.at_ns for one in _read(self._path)), default=0)
        if self._upto:
            self._tell()

    def cover(self, job: int, source: str, directory: str) -> None:
        """See `ports.Hints`."""
        self._sources.setdefault(source, set()).add(job)
        self._hints.cover(job, source, directory)

    def wait(self, seconds: float) -> Word:
        """See `ports.Hints`."""
        word = self._hints.wait(seconds)
        stamp = _stamp(self._path)
        if stamp == self._stamp:
            return word
        self._stamp = stamp
        asked = [one for one in _read(self._path) if one.at_ns > self._upto]
        if asked:
            self._upto = asked[-1].at_ns
            self._tell()
        for one in asked:
            word.written.update((job, one.directory) for job in self._sources.get(one.source, ()))
        return word

    def close(self) -> None:
        """Let go of all of it."""
        self._hints.close()

    def _tell(self) -> None:
        with contextlib.suppress(OuthaulError):  # A full disk: the file is looked at all the same.
            write(self._state, TAKEN_NAME, [self._upto, time.time_ns()])


def _stamp(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def _read(path: str) -> list[Asked]:
    """What is there, in the order of time; nothing where it is not ours."""
    try:
        with open(path, "rb") as file:
            rows = json.loads(file.read(_BYTES_MAX))
        return sorted(filter(_is_one, (Asked(*row) for row in rows)))
    except (OSError, ValueError, TypeError):
        return []


def _is_one(asked: Asked) -> bool:
    kinds = zip(asked, (int, str, str), strict=True)
    known = all(isinstance(value, kind) for value, kind in kinds)
    return known and not asked.directory.startswith("/") and ".." not in asked.directory.split("/")


def write(state: str, name: str, value: object) -> None:
    """Have this in a file of the state directory: as it was, or whole.

    Raises:
        OuthaulError: it cannot be written.
    """
    path = os.path.join(state, name)
    beside = f"{path}.{os.getpid()}"
    try:
        with open(
            os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600), "w"
        ) as file:
            json.dump(value, file)
        os.replace(beside, path)
    except OSError as error:
        raise OuthaulError(f"{path} cannot be written: {error.strerror}") from error
