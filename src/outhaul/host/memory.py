"""What the C library keeps of memory that was given back to it: for a process that stays for years, as little as may be.

glibc has an arena for each of many threads, and returns of each what lies at its top (mallopt(3), malloc_trim(3)). Where there is
another C library nothing is done.
"""

from __future__ import annotations

import ctypes

_M_ARENA_MAX = -8
_ARENAS = 2


class Memory:
    """The C library's."""

    def __init__(self) -> None:
        """Have it keep few arenas, from now on."""
        try:
            self._library: ctypes.CDLL | None = ctypes.CDLL(None)
            self._library.mallopt(_M_ARENA_MAX, _ARENAS)
        except (OSError, AttributeError):
            self._library = None

    def give_back(self) -> None:
        """Return to the system what is free."""
        if self._library is not None and hasattr(self._library, "malloc_trim"):
            self._library.malloc_trim(0)
