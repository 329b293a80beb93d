"""What was sent when: a sum for each quarter of an hour, kept in the transaction that records the receipts.

A month is some three thousand rows, whatever the number of files. Not done here: saying what a day is.
"""

from __future__ import annotations

import sqlite3

QUARTER_NS = 900 * 10**9
MOST = 1 << 50
"""Bytes of one transaction; what says more is no size of files, and would be more than the column holds."""


def add(database: sqlite3.Connection, place: int, wall_ns: int, sent: int) -> None:
    """So many bytes more, in the transaction that is open."""
    database.execute(
        "INSERT INTO traffic (place, quarter, bytes) VALUES (?, ?, ?) "
        "ON CONFLICT DO UPDATE SET bytes = bytes + excluded.bytes",
        (place, wall_ns // QUARTER_NS, min(sent, MOST)),
    )


def since(database: sqlite3.Connection, place: int, wall_ns: int) -> int:
    """The bytes of a job since the beginning of a quarter of an hour."""
    row = database.execute(
        "SELECT coalesce(sum(t.bytes), 0) FROM traffic t JOIN place p ON p.id = t.place "
        "WHERE p.job = (SELECT job FROM place WHERE id = ?) AND t.quarter >= ?",
        (place, wall_ns // QUARTER_NS),
    ).fetchone()
    return int(row[0])


def largest_waiting(database: sqlite3.Connection, place: int, reason: str, detail: str) -> int:
    """See `ports.Ledger`."""
    row = database.execute(
        "SELECT coalesce(max(s.size), 0) FROM sighting s JOIN directory d ON d.id = s.directory "
        "WHERE d.place = ? AND s.reason = ? AND s.detail = ?",
        (place, reason, detail),
    ).fetchone()
    return int(row[0])
