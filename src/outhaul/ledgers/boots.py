"""What the ledger remembers of the clocks of each boot: whether the wall clock has kept step with the boot clock (law L7)."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from outhaul.ports import Moment

Note = tuple[str, Sequence[object]]
"""A statement, and its values."""


def steady_since(database: sqlite3.Connection, now: Moment, tolerance_ns: int) -> tuple[bool, list[Note]]:
    """See `ports.Ledger`; and what is to be noted of it."""
    offset = now.wall_ns - now.boot_ns
    latest = database.execute("SELECT coalesce(max(latest_wall_ns), 0) FROM boot").fetchone()[0]
    row = database.execute("SELECT offset_ns, jumped FROM boot WHERE id = ?", (now.boot_id,)).fetchone()
    is_behind, is_ahead = now.wall_ns < latest, now.wall_ns > latest
    if row is None:
        return not is_behind, [(
            "INSERT OR IGNORE INTO boot (id, offset_ns, latest_wall_ns, jumped) VALUES (?,?,?,?)",
            (now.boot_id, offset, now.wall_ns, is_behind),
        )]  # fmt: skip
    jumped = bool(row[1]) or abs(offset - row[0]) > tolerance_ns
    if jumped == bool(row[1]) and not is_ahead:
        return not jumped, []
    return not jumped, [(
        "UPDATE boot SET latest_wall_ns = max(latest_wall_ns, ?), jumped = ? WHERE id = ?",
        (now.wall_ns, jumped, now.boot_id),
    )]  # fmt: skip
