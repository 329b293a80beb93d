"""The real clocks: since boot, since 1970, and processor time."""

from __future__ import annotations

import os
import time

from outhaul.ports import Moment


class SystemClock:
    """The `Clock` of this machine."""

    def __init__(self) -> None:
        # Where the system names no boot, what another process has seen may be of another one, and counts for nothing (L7).
        self._boot_id = _boot_id() or f"process-{os.urandom(8).hex()}"
        # Linux: counts suspended time. macOS: its monotonic clock does not, so sleep only delays.
        self._boot_clock: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
        self.wall_ns = time.time_ns
        self.monotonic_ns = time.monotonic_ns
        self.cpu_ns = time.process_time_ns
        self.sleep = time.sleep

    def moment(self) -> Moment:
        """Now."""
        return Moment(self._boot_id, time.clock_gettime_ns(self._boot_clock), time.time_ns())


def _boot_id() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return _boot_session()


def _boot_session() -> str:
    """macOS: sysctl(3) kern.bootsessionuuid. Elsewhere ''."""
    import ctypes

    sysctl = getattr(ctypes.CDLL(None), "sysctlbyname", None)
    buffer, length = ctypes.create_string_buffer(64), ctypes.c_size_t(64)
    if sysctl is None or sysctl(b"kern.bootsessionuuid", buffer, ctypes.byref(length), None, 0) != 0:
        return ""
    return buffer.value.decode("ascii", "replace")
