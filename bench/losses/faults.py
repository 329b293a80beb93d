"""What a proxy may do to one upload: hold it, hold its answer, alter a byte, cut it short.

True here: a fault strikes the first PUT of the name it is for, once, and tells by `met` that it did; a fault that
holds goes on when it is `released`, and by itself after HOLD_SECONDS, so that no connection is held for ever.
Not done here: connections and HTTP (proxy.py).
"""

from __future__ import annotations

import threading
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass

HOLD_SECONDS = 20.0


@dataclass(frozen=True)
class Head:
    """The first lines of a request; the names of the headers are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    raw: bytes

    @property
    def length(self) -> int:
        """Return how many bytes of body follow."""
        return int(self.headers.get("content-length", "0"))

    def with_length(self, length: int) -> bytes:
        """Return the lines as they were, but for another Content-Length."""
        lines = self.raw.split(b"\r\n")
        new = b"Content-Length: %d" % length
        return b"\r\n".join(new if line.lower().startswith(b"content-length:") else line for line in lines)


class Fault:
    """Passes everything on as it is; what does more overrides a step."""

    def __init__(self, name: str) -> None:
        self.met = threading.Event()
        self.released = threading.Event()
        self._name = name
        self._claimed = threading.Lock()

    def claims(self, head: Head) -> bool:
        """Whether this request is the one to strike; true once."""
        path = urllib.parse.unquote(head.target.partition("?")[0])
        return head.method == "PUT" and path.endswith(f"/{self._name}") and self._claimed.acquire(blocking=False)

    def head(self, head: Head) -> bytes:
        """Return the lines that the server gets."""
        return head.raw

    def body(self, offset: int, data: bytes) -> bytes:
        """Return what the server gets for these bytes, which begin at `offset` of the body."""
        return data

    def reply(self) -> None:
        """Return when the answer, of which the first bytes have come, may go on to the client."""

    def _hold(self) -> None:
        self.met.set()
        self.released.wait(HOLD_SECONDS)


class HoldBody(Fault):
    """The body stops before the bytes that contain number `at`."""

    def __init__(self, name: str, at: int) -> None:
        super().__init__(name)
        self._at = at

    def body(self, offset: int, data: bytes) -> bytes:
        """Hold once."""
        if not self.met.is_set() and offset + len(data) > self._at:
            self._hold()
        return data


class HoldReply(Fault):
    """The server has done its work and answered; the client does not know yet."""

    def reply(self) -> None:
        """Hold."""
        self._hold()


class FlipByte(Fault):
    """The lowest bit of byte `at` of the body arrives inverted. The answer is passed on as it is."""

    def __init__(self, name: str, at: int) -> None:
        super().__init__(name)
        self._at = at

    def body(self, offset: int, data: bytes) -> bytes:
        """Alter the byte when it comes."""
        place = self._at - offset
        if not 0 <= place < len(data):
            return data
        self.met.set()
        return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


class CutShort(Fault):
    """Only the first bytes of the body arrive, and Content-Length says that there are no more."""

    def __init__(self, name: str, length: int) -> None:
        super().__init__(name)
        self._length = length

    def head(self, head: Head) -> bytes:
        """Announce the shorter body."""
        self.met.set()
        return head.with_length(min(self._length, head.length))

    def body(self, offset: int, data: bytes) -> bytes:
        """Drop what is beyond."""
        return data[: max(0, self._length - offset)]
