"""Word to the service manager, by the protocol of sd_notify(3): datagrams to the socket that NOTIFY_SOCKET names."""

from __future__ import annotations

import os
import socket
import time


class ServiceManager:
    """Who started us, where it wants to know how we are; nothing happens where nobody does."""

    def __init__(self) -> None:
        address = os.environ.get("NOTIFY_SOCKET", "")
        # "@" stands for the NUL of an abstract address (sd_notify(3)).
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._every = self._watchdog_seconds() / 2
        self._told = 0.0

    def tell(self, state: str) -> None:
        """Send one assignment or several, each on its line."""
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as there:
                there.settimeout(1)
                there.sendto(state.encode(), self._address)
        except OSError:
            return  # It does not listen; our work goes on.

    def alive(self) -> None:
        """Say that we are, as often as the watchdog wants to hear it. May be called as often as one likes."""
        if self._every and time.monotonic() - self._told >= self._every:
            self._told = time.monotonic()
            self.tell("WATCHDOG=1")

    @staticmethod
    def _watchdog_seconds() -> float:
        """WATCHDOG_USEC, where WATCHDOG_PID is ours (sd_watchdog_enabled(3))."""
        if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
            return 0.0
        try:
            return int(os.environ.get("WATCHDOG_USEC", "0")) / 10**6
        except ValueError:
            return 0.0
