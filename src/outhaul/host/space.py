"""How full a file system is, as statvfs(3) tells."""

from __future__ import annotations

import os

from outhaul.ports import Space


def space(path: str) -> Space | None:
    """Of the file system that this path lies on; None where it does not tell.

    What only root may still write does not count as free (f_bavail).
    """
    try:
        told = os.statvfs(path)
    except (OSError, ValueError):
        return None
    return Space(told.f_bavail * told.f_frsize, told.f_blocks * told.f_frsize)
