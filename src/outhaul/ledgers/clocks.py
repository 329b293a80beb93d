"""How the wall clock has stood against the boot clock, as far as a ledger has seen."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from outhaul.ports import Moment


def steady_since(
    database: sqlite3.Connection, now: Moment, tolerance_ns: int
) -> tuple[bool, list[tuple[str, Sequence[object]]]]:
    """Whether they have kept step (`ports.Ledger`), and the statements that remember this moment."""
    offset = now.wall_ns - now.boot_ns
    latest = database.execute("SELECT coalesce(max(latest_wall_ns), 0) FROM boot").fetchone()[0]
    row = database.execute("SELECT offset_ns, jumped FROM boot WHERE id = ?", (now.boot_id,)).fetchone()
    is_behind, is_ahead = now.wall_ns < latest, now.wall_ns > latest
    if row is None:
        first = (now.boot_id, offset, now.wall_ns, is_behind)
        insert = "INSERT OR IGNORE INTO boot (id, offset_ns, latest_wall_ns, jumped) VALUES (?,?,?,?)"
        return not is_behind, [(insert, first)]
    jumped = bool(row[1]) or abs(offset - row[0]) > tolerance_ns
    if jumped == bool(row[1]) and not is_ahead:
        return not jumped, []
    update = "UPDATE boot SET latest_wall_ns = max(latest_wall_ns, ?), jumped = ? WHERE id = ?"
    return not jumped, [(update, (now.wall_ns, jumped, now.boot_id))]
