"""Some space that is kept for the day on which there is none (law L12).

Recording and removing needs a little: SQLite's log and its shared index, a directory entry. On a full file system the reserve is
given up before the ledger is opened; when files have gone and there is room again, it is taken anew.
"""

from __future__ import annotations

import contextlib
import os

NAME = "reserve"
_BYTES_MAX = 4 << 20


def give_up_where_full(state: str) -> None:
    """Remove the reserve of a state directory whose file system has hardly any room left. Never raises."""
    with contextlib.suppress(OSError):
        wanted, free = _sizes(state)
        if free < wanted:
            os.unlink(os.path.join(state, NAME))


def keep(state: str) -> None:
    """Make the reserve of a state directory where it is missing and there is room for it. Never raises."""
    path = os.path.join(state, NAME)
    with contextlib.suppress(OSError):
        wanted, free = _sizes(state)
        if os.path.exists(path) or free < 4 * wanted or not hasattr(os, "posix_fallocate"):
            return
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, wanted)
        except OSError:
            os.unlink(path)
        finally:
            os.close(descriptor)


def _sizes(state: str) -> tuple[int, int]:
    """How large the reserve is to be, and how many bytes are free to us."""
    system = os.statvfs(state)
    return min(_BYTES_MAX, system.f_blocks * system.f_frsize // 8), system.f_bavail * system.f_frsize
