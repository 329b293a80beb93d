"""How full a file system is, as statvfs(3) tells."""

from __future__ import annotations

import os

from outhaul.ports import Space


def space(path: str) -> Space | None:
    """Of the file system that this path lies on; None where it does not tell, or nothing can be written there at all.

    What only root may still write does not count as free (f_bavail). One that is read only, as an image or a CD, has nothing free
    from the beginning, and is not full.
    """
    try:
        told = os.statvfs(path)
    except (OSError, ValueError):
        return None
    if told.f_flag & os.ST_RDONLY:
        return None
    return Space(told.f_bavail * told.f_frsize, told.f_blocks * told.f_frsize)
