"""What the C library keeps of memory that was given back to it: for a process that stays for years, as little as may be.

glibc has an arena for each of many threads, and returns of each what lies at its top (mallopt(3), malloc_trim(3)). Where there is
another C library nothing is done.
"""

from __future__ import annotations

import ctypes
import time

_M_ARENA_MAX, _ARENAS = -8, 2
_M_MMAP_THRESHOLD, _APART_BYTES = -3, 512 << 10
"""What is as large as this lies apart, and is returned once it is free. Unless told, the bound rises with what is larger."""
TIDY_SECONDS = 5.0
"""How often at most."""


class Memory:
    """The C library's."""

    def __init__(self) -> None:
        """Have it keep few arenas, and nothing that is large, from now on."""
        self._is_used, self._tidied = False, 0.0
        try:
            self._library: ctypes.CDLL | None = ctypes.CDLL(None)
            self._library.mallopt(_M_ARENA_MAX, _ARENAS)
            self._library.mallopt(_M_MMAP_THRESHOLD, _APART_BYTES)
        except (OSError, AttributeError):
            self._library = None

    def used(self) -> None:
        """There is something to be given back before long."""
        self._is_used = True

    def tidy(self) -> None:
        """Now and then, where something was used: return what is free to the system."""
        now = time.monotonic()
        if not self._is_used or now - self._tidied < TIDY_SECONDS:
            return
        self._is_used, self._tidied = False, now
        if self._library is not None and hasattr(self._library, "malloc_trim"):
            self._library.malloc_trim(0)
