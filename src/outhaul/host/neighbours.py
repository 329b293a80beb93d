"""Private directories of several processes in one source: who holds which, and what dead ones have left.

Shards and workers have one each, beneath `.outhaul`, and beside it a file that its owner holds by a lock of the kernel. The lock
ends with the process, so a directory whose lock can be had is nobody's any more, whichever number or machine it was made by. A
file is locked, not the directory: over NFS a directory cannot be. Where there are no locks, nothing of another is touched.
A process that is alone in a source holds its directory by a shared lock on the directory itself.
Not done here: saying what becomes of what was left. It goes back to where it was (`engine/recovery.py`).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import threading
import time
from collections.abc import Iterator

from outhaul.model.errors import SourceStuck

_NEIGHBOUR = re.compile(r"((?:shard|worker)-[0-9a-z-]+)(?:\.lock)?")
BATCHES_NAME = "batches.lock"
"""What `fences.py` locks."""
LOCK_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WAIT_SECONDS = 10.0
"""For whoever puts back what was left there: that takes a moment."""


def is_neighbour(entry: str) -> bool:
    """Whether an entry of `.outhaul` is the directory, or the lock, of a shard or a worker, or what workers lock together."""
    return entry == BATCHES_NAME or _NEIGHBOUR.fullmatch(entry) is not None


class Holds:
    """What this process holds, over all sources and jobs: two jobs of it may share one directory."""

    def __init__(self) -> None:
        self._held: dict[tuple[int, int, str], tuple[int, int]] = {}
        self._lock = threading.Lock()

    def take(self, outer: int, name: str) -> None:
        """Hold the directory `name` of the directory `outer`, whether or not it is there yet.

        Raises:
            SourceStuck: another process has it.
            OSError: the lock cannot be made.
        """
        place = _place(outer, name)
        with self._lock:
            descriptor, count = self._held.get(place, (-1, 0))
            if not count:
                descriptor = _locked(outer, name, _WAIT_SECONDS)
            self._held[place] = descriptor, count + 1

    def give_back(self, outer: int, name: str, *, remove: bool) -> None:
        """Hold it no more; `remove` takes it away with its lock, where it is empty."""
        place = _place(outer, name)
        with self._lock:
            descriptor, count = self._held.pop(place)
            if count > 1:
                self._held[place] = descriptor, count - 1
                return
            if remove:
                _remove(outer, name)
            os.close(descriptor)


def _place(outer: int, name: str) -> tuple[int, int, str]:
    state = os.fstat(outer)
    return state.st_dev, state.st_ino, name


def abandoned(outer: int, own: str) -> Iterator[str]:
    """The names of those directories in `outer` whose owner is not alive, each held as long as it is looked at.

    Args:
        outer: The descriptor of `.outhaul`.
        own: That of this process, which is none of them; '' for none.
    """
    names = {found[1] for entry in os.listdir(outer) if (found := _NEIGHBOUR.fullmatch(entry))}
    for name in sorted(names - {own}):
        try:
            descriptor = _locked(outer, name, 0)
        except SourceStuck:
            continue
        try:
            yield name
        finally:
            _remove(outer, name)
            os.close(descriptor)


def _locked(outer: int, name: str, seconds: float) -> int:
    """The descriptor of the lock, which is had. The file may have been removed, and made again, before that."""
    deadline = time.monotonic() + seconds
    while True:
        descriptor = os.open(f"{name}.lock", LOCK_FLAGS, 0o600, dir_fd=outer)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_linked(descriptor):
                return descriptor
        except BlockingIOError:
            if time.monotonic() >= deadline:
                os.close(descriptor)
                raise SourceStuck(
                    f"another outhaul has {name} of this source; each number is for one process"
                ) from None
            time.sleep(0.02)
        except OSError as error:
            if seconds:
                return descriptor  # No locks here: nobody else will touch what is in it either.
            os.close(descriptor)
            raise SourceStuck(f"the file system has no locks: {error.strerror}") from error
        os.close(descriptor)


def _is_linked(descriptor: int) -> bool:
    return os.fstat(descriptor).st_nlink > 0


def _remove(outer: int, name: str) -> None:
    """Only while its lock is held. What is not empty stays, and its lock with it."""
    with contextlib.suppress(OSError):
        with contextlib.suppress(FileNotFoundError):
            os.rmdir(name, dir_fd=outer)
        os.unlink(f"{name}.lock", dir_fd=outer)


def share(folder: int) -> None:
    """Hold a directory as one that works alone in its source; it ends with the descriptor."""
    with contextlib.suppress(OSError):  # No locks here: nobody else will touch what is in it either.
        fcntl.flock(folder, fcntl.LOCK_SH)


def is_abandoned(folder: int) -> bool:
    """Whether nobody holds such a directory. If so, nobody does until the descriptor is closed."""
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
