"""One socket of a lane: what is under way on it, and what the system tells about it.

Not done here: deciding anything; `http_lane.py` does.
"""

from __future__ import annotations

import socket

from outhaul.ports.sending import Turn

MUCH = 1 << 62
Address = tuple[int, tuple[object, ...]]
"""Family and address, as `socket` wants them."""


class Connection:
    """One socket, and the request that is under way on it."""

    __slots__ = (
        "address", "bodiless", "body", "deadline", "events", "index", "leave", "left", "parked_ns", "ready", "received", "sock",
        "started_ns", "to_send", "turn", "used",
    )  # fmt: skip

    def __init__(self, sock: socket.socket, address: Address) -> None:
        self.sock = sock
        self.address = address
        self.ready = False  # Connected, and past the TLS handshake.
        self.used = False
        self.index = -1
        self.to_send: memoryview | None = None
        self.body: memoryview | None = None  # What follows it.
        self.bodiless = False  # Its answer has no body.
        self.turn: Turn | None = None
        self.leave = MUCH  # Bytes that may go.
        self.parked_ns = 0  # Since when it has waited for leave; 0 is not at all.
        self.received = b""
        self.started_ns = 0
        self.deadline = 0.0
        self.left = 0  # Bytes that the other side had not yet taken when they were last looked at.
        self.events = 0


def wants(error: OSError) -> bool:
    """Whether TLS merely asks for patience."""
    return type(error).__name__ in ("SSLWantReadError", "SSLWantWriteError")


def untaken(sock: socket.socket) -> int:
    """How many bytes the system holds that the other side has not acknowledged; 0 where it does not say."""
    try:
        import fcntl
        import struct
        import termios

        return int(struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)))[0])
    except (ImportError, AttributeError, OSError):
        return 0
