"""Bundles that were about to be sent: written down before, and forgotten with the receipts of their files."""

from __future__ import annotations

import sqlite3

from outhaul.ledgers.rows import members_blob, members_of_blob
from outhaul.model.bundle import Bundle
from outhaul.ports import BegunBundle


def of(database: sqlite3.Connection, place: int) -> list[BegunBundle]:
    """See `ports.Ledger.bundles`."""
    rows = database.execute(
        "SELECT id, begun_ns, kind, key, size, sha256, md5, codec, members FROM bundle "
        "WHERE place = ? AND members IS NOT NULL ORDER BY id",
        (place,),
    ).fetchall()
    return [
        BegunBundle(number, begun_ns, Bundle._make([*told, members_of_blob(blob)]))
        for number, begun_ns, *told, blob in rows
    ]


def begin(database: sqlite3.Connection, place: int, bundle: Bundle, now_ns: int) -> int:
    """See `ports.Ledger.begin_bundle`; the transaction is the caller's."""
    kind, key, size, sha256, md5, codec, members = bundle
    row = database.execute(
        "INSERT INTO bundle (place, kind, key, size, sha256, md5, codec, files, begun_ns, members) "
        "VALUES (?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO UPDATE "
        "SET members = excluded.members, begun_ns = excluded.begun_ns RETURNING id",
        (place, kind, key, size, sha256, md5, codec, len(members), now_ns, members_blob(members)),
    ).fetchone()
    return int(row[0])
