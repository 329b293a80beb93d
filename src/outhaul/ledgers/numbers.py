"""Numbers of receipts, which grow with time: the first of some time is found by halving, and nothing is counted twice.

In a ledger that several share, a receipt may come with a number below that of one that is there: its transaction had its number
before, and ended later. So there what is older than `SETTLING_NS` alone is taken to be all that there will be.
"""

from __future__ import annotations

import sqlite3

from outhaul.ledgers.queries import Database

SETTLING_NS = 300 * 10**9
"""Longer than a batch of receipts is on its way into the database, and than the clocks of its machines are apart."""
_ROW = "SELECT id, recorded_ns FROM receipt WHERE id "


def first_since(database: Database, since_ns: int) -> int:
    """The number of the first receipt that was recorded then or later; one above the last where there is none."""
    ask = database.execute
    low, high = ask("SELECT coalesce(min(id), 1), coalesce(max(id), 0) + 1 FROM receipt").fetchone()
    while low < high:
        middle = (low + high) // 2
        row = ask(f"{_ROW}>= ? ORDER BY id LIMIT 1", (middle,)).fetchone()
        low, high = (low, middle) if row is None or row[1] >= since_ns else (row[0] + 1, high)
    return int(low)


def up_to(database: Database, number: int) -> tuple[int, int]:
    """Number and time of the last receipt up to this number; (0, 0) where there is none."""
    number, recorded_ns = database.execute(f"{_ROW}<= ? ORDER BY id DESC LIMIT 1", (number,)).fetchone() or (0, 0)
    return number, recorded_ns


def settled(database: Database, now_ns: int) -> tuple[int, int]:
    """The same of the last one below which none is still to come.

    Args:
        database: Opened for reading.
        now_ns: On the wall clock.
    """
    if isinstance(database, sqlite3.Connection):  # One process writes there.
        return up_to(database, (1 << 63) - 1)
    return up_to(database, first_since(database, now_ns - SETTLING_NS) - 1)
