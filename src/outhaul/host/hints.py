"""Word of changes in directories, from inotify(7) where there is such, and in the network; elsewhere there is none, and looks are
enough.

Watches are limited (`fs.inotify.max_user_watches`) and see nothing of what other machines write to a network file system.
"""

from __future__ import annotations

import errno
import os
import select
from collections.abc import Callable
from typing import Any

from outhaul.host.network import Network
from outhaul.ports.hints import Place, Word


class HostHints:
    """The `Hints` of this machine.

    Args:
        notice: Is told, once, that not every directory can be covered.
    """

    def __init__(self, notice: Callable[[str], None]) -> None:
        self._notice = notice
        self._watches: dict[int, set[Place]] = {}
        self._full = False
        self._inotify: Any = None
        self._network = Network()
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

    def cover(self, job: int, source: str, directory: str) -> None:
        """See `ports.Hints`. Asked for anew each time: another directory may have taken the place of one."""
        if self._inotify is not None and not self._full:
            self._add((job, directory), os.path.join(source, directory))

    def wait(self, seconds: float) -> Word:
        """See `ports.Hints`."""
        poll = select.poll()
        for each in (self._inotify, self._network):
            if each is not None and each.fileno() >= 0:
                poll.register(each.fileno(), select.POLLIN)
        poll.poll(-(-seconds * 1000 // 1))
        word = Word(set(), set(), False, self._network.heard())
        for event in self._inotify.read(timeout=0) if self._inotify is not None else ():
            places = self._watches.get(event.wd, set())
            if event.mask & self._overflow:
                word = word._replace(lost=True)
            elif event.mask & self._ended:
                self._watches.pop(event.wd, None)
            elif event.mask & self._folder:
                word.made.update((job, os.path.join(directory, event.name)) for job, directory in places)
            elif event.mask & self._counts:  # A file that was merely created will be closed.
                word.written.update(places)
        return word

    def close(self) -> None:
        """Let go of all of it."""
        self._network.close()
        if self._inotify is not None:
            self._inotify.close()

    def _add(self, place: Place, path: str) -> None:
        try:
            watch = self._inotify.add_watch(path, self._mask)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.ENOMEM):
                self._full = True
                self._notice(
                    f"{len(self._watches):,} directories are told of, and no more can be: fs.inotify.max_user_watches is "
                    "reached; the others are looked at now and then"
                )
            return  # Else it is gone, or no directory any more: nothing is to be told of it.
        self._watches.setdefault(watch, set()).add(place)
