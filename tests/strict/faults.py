"""Faults as data: which request is struck, and what happens to it.

A fault counts the requests of its operation whose key holds a certain text, and strikes from the `nth` on, so many `times`.
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

ALWAYS = 1 << 30


class Kind(StrEnum):
    """What happens."""

    # The request has no effect.
    ERROR = "an error is answered"
    CLOSE = "the connection is closed without an answer"
    STALL = "nothing is ever answered"
    # It has its effect, if `effect` says so, but the answer is not what it should be.
    LOST = "the connection is closed after the effect, without an answer"
    HALF = "the connection is closed after half of the answer"
    RESET = "the connection is reset after the effect"
    TRICKLE = "the answer comes byte by byte, slowly"
    SAYS = "status 200 with some other body"
    # The answer is as it should be, and a lie.
    NOT_STORED = "nothing is stored"
    TRUNCATED = "half of it is stored"
    FLIPPED = "one bit of what is stored is another"
    DELAYED = "it is missed by the next readers"
    OVERWRITTEN = "somebody else replaces it at once"
    # Reading.
    CUT = "the body breaks off in the middle"
    BENT = "one bit of the body is another"
    HEADERS = "the answer has these headers too, in place of its own"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault."""

    operation: str
    """Such as 'PutObject'; '*' for any."""
    kind: Kind
    key: str = ""
    """It strikes requests whose key holds this."""
    nth: int = 1
    times: int = 1
    code: str = "InternalError"
    """Of ERROR."""
    status: int = 0
    """Of ERROR, where it is not the one of the code."""
    message: str = "We encountered an internal error. Please try again."
    headers: dict[str, str] = field(default_factory=dict)
    """Of ERROR, SAYS and HEADERS. '{endpoint}' in a value stands for the server's own address."""
    body: bytes | None = None
    """Of ERROR and SAYS, in place of the error document."""
    effect: bool = False
    """Of STALL and SAYS: whether the request has its effect nevertheless."""
    etag: Literal["sent", "stored"] = "sent"
    """Of TRUNCATED and FLIPPED: of which bytes the ETag and checksums are that are told."""
    requests: int = 2
    """Of DELAYED."""
    pause_seconds: float = 0.2
    """Of TRICKLE, between two bytes."""

    def __str__(self) -> str:
        code = f" {self.status or ''} {self.code}" if self.kind is Kind.ERROR else ""
        return f"{self.operation}: {self.kind}{code}"


class Script:
    """The faults of a server, and how often each has struck."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._matched: list[int] = []
        self._struck: list[int] = []

    def add(self, faults: Iterable[Fault]) -> None:
        """Have these too."""
        with self._lock:
            for fault in faults:
                self._faults.append(fault)
                self._matched.append(0)
                self._struck.append(0)

    def clear(self) -> None:
        """Have none any more."""
        with self._lock:
            self._faults, self._matched, self._struck = [], [], []

    def take(self, operation: str, key: str) -> Fault | None:
        """The fault that strikes this request; every fault counts it."""
        taken: Fault | None = None
        with self._lock:
            for index, fault in enumerate(self._faults):
                if fault.operation in ("*", operation) and fault.key in key:
                    self._matched[index] += 1
                    due = fault.nth <= self._matched[index] < fault.nth + fault.times
                    if due and taken is None:
                        taken = fault
                        self._struck[index] += 1
        return taken

    def unused(self) -> list[Fault]:
        """Those that have struck nothing."""
        with self._lock:
            return [fault for fault, struck in zip(self._faults, self._struck, strict=True) if not struck]


def flipped(data: bytes) -> bytes:
    """`data` with one bit changed in its middle."""
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 0x10]) + data[middle + 1 :] if data else data
