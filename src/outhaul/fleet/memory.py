"""What a device remembers of what it has told, and of what it was told: small files in its state directory.

`fleet.json` may get lost: then receipts are told again, which does no harm. `fleet-control.json` is what refuses an old order,
and is durable before an order is obeyed. `fleet-order.json` says what is done by order, for whoever asks on this machine; it
decides nothing.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from outhaul.ledgers.small_tables import read, write

TOLD, CONTROL, HOLDS = "fleet.json", "fleet-control.json", "fleet-order.json"


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
