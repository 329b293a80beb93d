"""Let other programs go first: for the processor by nice(2), for disks by ioprio_set(2) on Linux.

Linux derives the priority at a disk from the one at the processor as long as nobody sets it, so nice(2) is enough; only the
last step, 19, also asks for the idle class, which waits until nobody else wants the disk. Threads inherit what holds when they
are started, so this is done before there are any. Nothing is ever given back: only root may.
"""

from __future__ import annotations

import os
import platform
import sys

_IDLE_FROM = 19
_IOPRIO_SET = {"x86_64": 251, "aarch64": 30, "armv7l": 314, "armv6l": 314, "i686": 289, "riscv64": 30}
"""Number of the system call, which libc has no function for (syscalls(2))."""
_WHO_PROCESS, _IDLE = 1, 3 << 13


def step_back(nice: int) -> str:
    """Be as nice as this, 1 to 19, and never less than before.

    Returns:
        What could not be done, in a line; '' where all was.
    """
    try:
        before = os.getpriority(os.PRIO_PROCESS, 0)
        if nice > before:
            os.setpriority(os.PRIO_PROCESS, 0, nice)
    except OSError as error:
        return f"nice {nice} cannot be set ({error.strerror}); it goes on as it is"
    if nice < _IDLE_FROM:
        return ""
    return "" if _idle_disk() else "the disk knows no idle class here; only the processor is shared so"


def _idle_disk() -> bool:
    number = _IOPRIO_SET.get(platform.machine())
    if number is None or not sys.platform.startswith("linux"):
        return False
    import ctypes

    return bool(ctypes.CDLL(None).syscall(number, _WHO_PROCESS, 0, _IDLE) == 0)
