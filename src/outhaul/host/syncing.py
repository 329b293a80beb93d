"""Making many files durable at once: syncfs(2), where it can be relied upon.

It also writes what others have written to that file system, which delays nobody who only writes. An error of any of it
counts as ours: what is not known to be on disk is not (L11).
"""

from __future__ import annotations

import ctypes
import errno
import os

from outhaul.host.system_calls import LINUX

_syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None) if LINUX else None


def syncs_file_systems() -> bool:
    """Whether there is such a call, and it tells of failed writes: from Linux 5.8 on (syncfs(2), "BUGS")."""
    return _syncfs is not None and _told


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
