"""Word of changes in directories, from inotify(7) where there is such; elsewhere there is none, and looks are enough.

Watches are limited (`fs.inotify.max_user_watches`) and see nothing of what other machines write to a network file system.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Collection
from typing import Any

Place = tuple[int, str]
"""Number of a job, and a directory of its source."""


class HostHints:
    """The `Hints` of this machine.

    Args:
        notice: Is told, once, that not every directory can be covered.
    """

    def __init__(self, notice: Callable[[str], None]) -> None:
        self._notice = notice
        self._watches: dict[int, set[Place]] = {}
        self._covered: set[Place] = set()
        self._full = False
        self._inotify: Any = None
        try:
            from inotify_simple import INotify, flags
        except ImportError:
            return
        try:
            self._inotify = INotify()
        except OSError as error:
            notice(f"changes are not told ({error.strerror}); sources are looked at now and then")
            return
        written = flags.CLOSE_WRITE | flags.MOVED_TO
        self._mask = written | flags.CREATE | flags.ONLYDIR | flags.DONT_FOLLOW | flags.EXCL_UNLINK
        self._counts, self._folder = int(written), int(flags.ISDIR)
        self._overflow, self._ended = int(flags.Q_OVERFLOW), int(flags.IGNORED)

    def cover(self, job: int, source: str, directories: Collection[str]) -> None:
        """See `ports.Hints`."""
        if self._inotify is None or self._full:
            return
        for directory in directories:
            place = (job, directory)
            if place not in self._covered and not self._add(place, os.path.join(source, directory)):
                return

    def wait(self, seconds: float) -> tuple[set[Place], bool]:
        """See `ports.Hints`."""
        if self._inotify is None:
            time.sleep(seconds)
            return set(), False
        found, lost = set[Place](), False
        for event in self._inotify.read(timeout=int(seconds * 1000) + 1):
            lost = lost or bool(event.mask & self._overflow)
            places = self._watches.get(event.wd, set())
            if event.mask & self._ended:
                self._covered -= self._watches.pop(event.wd, set())
            elif event.mask & (self._counts | self._folder):  # A file that was merely created will be closed.
                found |= places
        return found, lost

    def close(self) -> None:
        """Let go of all of it."""
        if self._inotify is not None:
            self._inotify.close()

    def _add(self, place: Place, path: str) -> bool:
        """False where there can be no more."""
        try:
            watch = self._inotify.add_watch(path, self._mask)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.ENOMEM):
                return True  # It is gone, or no directory any more: nothing is to be told of it.
            self._notice(
                f"{len(self._covered):,} directories are told of, and no more can be: fs.inotify.max_user_watches is reached; "
                "the others are looked at now and then"
            )
            self._full = True
            return False
        self._watches.setdefault(watch, set()).add(place)
        self._covered.add(place)
        return True
