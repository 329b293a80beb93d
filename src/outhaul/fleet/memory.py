"""What a device remembers of what it has told, and of what it was told: small files in its state directory.

`fleet.json` may get lost: then receipts are told again, which does no harm. `fleet-control.json` is what refuses an old order,
and is durable before an order is obeyed. `fleet-order.json` says what is done by order, for whoever asks on this machine; it
decides nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
from typing import Any, NamedTuple

TOLD, CONTROL, HOLDS = "fleet.json", "fleet-control.json", "fleet-order.json"
_BYTES_MAX = 64 << 10


class Memory(NamedTuple):
    """What was told last."""

    to: str = ""
    """Where: elsewhere nothing has been told yet."""
    ledger: str = ""
    """Which ledger the next is of."""
    sent: int = 0
    """The last receipt that was told."""
    sequence: int = 0
    told_ns: int = 0
    """By the wall clock; 0 for never."""
    state: str = ""
    """A digest of what was told, without what changes all the time."""
    clock_offset_seconds: int | None = None
    """How far this clock was behind that of the store."""


def load(state: str) -> Memory:
    """What was saved; of what cannot be read, nothing."""
    tree = read(os.path.join(state, TOLD))
    kinds = (str, str, int, int, int, str, int | None)
    if tree is None or set(tree) != set(Memory._fields) or not all(map(isinstance, Memory(**tree), kinds)):
        return Memory()
    return Memory(**tree)


def save(state: str, memory: Memory) -> None:
    """Keep it. Raises OSError."""
    write(os.path.join(state, TOLD), memory._asdict())


def read(path: str) -> dict[str, Any] | None:
    """A table of JSON in a small file of ours; None where there is none, or no such."""
    try:
        with open(path, "rb") as file:
            tree = json.loads(file.read(_BYTES_MAX))
    except (OSError, ValueError, RecursionError):
        return None
    return tree if isinstance(tree, dict) else None


def write(path: str, tree: dict[str, Any]) -> None:
    """The whole of it or nothing, and on disk when this returns. Raises OSError."""
    beside = f"{path}.{os.getpid()}"
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump(tree, file)
            file.flush()
            os.fsync(file.fileno())
        os.rename(beside, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(beside)
        raise
    folder = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def forget(path: str) -> None:
    """Remove such a file, where there is one and that can be."""
    with contextlib.suppress(OSError):
        os.unlink(path)
