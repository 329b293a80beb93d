"""Making many files durable at once: syncfs(2), where it can be relied upon, shared by all threads that wait for one.

It also writes what others have written to that file system, which delays nobody who only writes. An error of any of it
counts as ours, and is final: the kernel tells it once, so nothing that is synced after it is believed (L11).
"""

from __future__ import annotations

import ctypes
import errno
import os
import threading

from outhaul.host.system_calls import LINUX

_syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None) if LINUX else None


def syncs_file_systems() -> bool:
    """Whether there is such a call, and it tells of failed writes: from Linux 5.8 on (syncfs(2), "BUGS")."""
    return _syncfs is not None and _told


class SharedSync:
    """Syncs of the file system of one open directory. A sync that begins after a call covers that call."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.device = os.fstat(descriptor).st_dev
        self._lock = threading.Lock()
        self._begun = 0
        self._done = 0
        self._error: OSError | None = None

    def sync(self) -> None:
        """Make durable whatever has been written before this call.

        Raises:
            OSError: something of it could not be written, now or at an earlier call.
        """
        mine = self._begun + 1
        with self._lock:
            if self._error is not None:
                raise OSError(self._error.errno, self._error.strerror)
            if self._done >= mine:
                return
            self._begun += 1
            try:
                sync_file_system(self._descriptor)
            except OSError as error:
                self._error = error
                raise
            self._done = self._begun


def sync_file_system(descriptor: int) -> None:
    """Write all of the file system that this open file is in.

    Raises:
        OSError: something of it could not be written.
    """
    assert _syncfs is not None
    while _syncfs(descriptor) != 0:
        number = ctypes.get_errno()
        if number != errno.EINTR:
            raise OSError(number, os.strerror(number))


def _tells(release: str) -> bool:
    parts = release.replace("-", ".").split(".")
    return len(parts) > 1 and all(part.isdecimal() for part in parts[:2]) and (int(parts[0]), int(parts[1])) >= (5, 8)


_told = _tells(os.uname().release)
