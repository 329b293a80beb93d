"""A proxy that does one harm to the bytes between a client and a server, at a chosen offset.

The harm is done once, in one direction, on whichever connection reaches that offset first; all other bytes pass
untouched. Loopback only; one thread for each connection and direction.
"""

import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

KINDS = ("cut", "stall", "slow", "flip", "truncate", "twice")
DIRECTIONS = ("request", "answer")
_STALL_SECONDS = 0.4
_SLOW_SECONDS = 0.002
_SLOW_BYTES = 100
_PIECE = 65536


@dataclass(frozen=True, slots=True)
class Harm:
    """What is done, in which direction, after how many bytes of a connection."""

    kind: str
    direction: str
    offset: int

    def __str__(self) -> str:
        return f"{self.kind} at byte {self.offset} of the {self.direction}"


def random_harm(rng: random.Random) -> Harm:
    """Any harm; offsets reach from the first byte to far into the bodies."""
    return Harm(rng.choice(KINDS), rng.choice(DIRECTIONS), int(10 ** rng.uniform(0, 4.2)))


class Proxy:
    """Stands before a server; `harm` is what happens next, and None once it has happened."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname or "", parts.port or 80)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.harm: Harm | None = None
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
            except OSError:
                return
            for direction, source, sink in (("request", client, server), ("answer", server, client)):
                threading.Thread(target=self._pass, args=(direction, source, sink), daemon=True).start()

    def _pass(self, direction: str, source: socket.socket, sink: socket.socket) -> None:
        """All bytes of one direction, to the end of either side."""
        passed = 0
        with suppress(OSError):
            while data := source.recv(_PIECE):
                harm = self._due(direction, passed, len(data))
                if harm is None:
                    sink.sendall(data)
                elif not _do(harm.kind, data, harm.offset - passed, sink):
                    for end in (source, sink):
                        end.shutdown(socket.SHUT_RDWR)
                    return
                passed += len(data)
            sink.shutdown(socket.SHUT_WR)

    def _due(self, direction: str, passed: int, length: int) -> Harm | None:
        """The harm, if its place is in these bytes; it is then taken."""
        with self._lock:
            harm = self.harm
            if harm is None or harm.direction != direction or not passed <= harm.offset < passed + length:
                return None
            self.harm = None
            return harm


def _do(kind: str, data: bytes, at: int, sink: socket.socket) -> bool:
    """Pass these bytes with their harm; False where the connection ends with it."""
    match kind:
        case "cut":
            sink.sendall(data[:at])
            return False
        case "truncate":
            sink.sendall(data[:at])
            sink.shutdown(socket.SHUT_WR)
            return False
        case "stall":
            sink.sendall(data[:at])
            time.sleep(_STALL_SECONDS)
            sink.sendall(data[at:])
        case "slow":
            sink.sendall(data[:at])
            for start in range(at, min(len(data), at + _SLOW_BYTES)):
                sink.sendall(data[start : start + 1])
                time.sleep(_SLOW_SECONDS)
            sink.sendall(data[at + _SLOW_BYTES :])
        case "flip":
            sink.sendall(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        case "twice":
            sink.sendall(data[: at + 1] + data[at:])
    return True


@contextmanager
def proxy(target: str) -> Iterator[Proxy]:
    """A proxy before a server, for the length of a block."""
    made = Proxy(target)
    try:
        yield made
    finally:
        made.close()
