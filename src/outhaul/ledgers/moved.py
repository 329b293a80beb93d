"""That an object of a receipt has been copied to another key, byte by byte compared, and is about to go from its own.

The receipts stay: they say what was. Beside each comes one of the same file, with the key where its bytes are from now on, so
that whoever wants a file back is led there. No run may be under way meanwhile.
"""

from __future__ import annotations

import os
import sqlite3
import time
from typing import NamedTuple

from outhaul.ledgers.damage import FILE_NAME
from outhaul.ledgers.opening import connect
from outhaul.ledgers.rows import RECEIPT_COLUMNS
from outhaul.model.errors import LedgerError


class Moved(NamedTuple):
    """An object and its copy."""

    key: str
    etag: str
    """Of the object that was copied: receipts of others that were under its key before are left alone."""
    to: str
    to_etag: str
    to_version: str


_CHANGED = ("key", "etag", "version", "proof", "sent", "proved_ns", "recorded_ns")
_SAME = [column for column in RECEIPT_COLUMNS.split(", ") if column not in ("id", *_CHANGED)]
_COPIED = ", ".join([*_SAME, "disposal", "disposed_ns"])


def record_moved(state: str, destination: str, moved: Moved) -> int:
    """Make it durable where the bytes of an object are from now on.

    Args:
        state: The state directory.
        destination: Address of the destination of its receipts.
        moved: The object and its copy, which has been read and compared.

    Returns:
        How many receipts that was; those that know already are not counted.

    Raises:
        LedgerError: the ledger cannot be written.
    """
    path = os.path.join(state, FILE_NAME)
    if not os.path.exists(path):
        return 0
    now = time.time_ns()
    database = connect(path)
    try:
        with database:
            database.execute("BEGIN IMMEDIATE")
            made = database.execute(
                f"INSERT INTO receipt ({', '.join(_CHANGED)}, {_COPIED}) SELECT ?, ?, ?, 'read-back', 1, ?, ?, {_COPIED} "
                "FROM receipt r WHERE key = ? AND etag = ? AND directory IN (SELECT d.id FROM directory d "
                "JOIN place p ON p.id = d.place WHERE p.destination = ?) AND NOT EXISTS (SELECT 1 FROM receipt n "
                "WHERE n.directory = r.directory AND n.name = r.name AND n.key = ? AND n.sha256 = r.sha256)",
                (moved.to, moved.to_etag, moved.to_version, now, now, moved.key, moved.etag, destination, moved.to),
            )
            return made.rowcount
    except sqlite3.Error as error:
        raise LedgerError(f"the ledger cannot be written: {error}") from error
    finally:
        database.close()
