"""Open the database of a ledger, and hold its lock.

A commit must be on disk when it returns: WAL with `synchronous=FULL`, and nothing less is taken. The lock is the kernel's own,
on a file beside the database, and dies with the process.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3

from outhaul.ledgers.damage import note_damage
from outhaul.model.errors import InUse, LedgerError

LOCK_NAME = "lock"


def connect(path: str, *, read_only: bool = False) -> sqlite3.Connection:
    """Open the database, and make sure that its commits are durable.

    Raises:
        LedgerError: it cannot be opened, is damaged, or would not be durable.
    """
    try:
        if not read_only:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        mode = "ro" if read_only else "rw"
        name = path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
        database = sqlite3.connect(f"file:{name}?mode={mode}", uri=True, isolation_level=None, timeout=10)
        database.execute("PRAGMA foreign_keys = OFF")
        if not read_only:
            mode_now = database.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            database.execute("PRAGMA synchronous = FULL")
            database.execute("PRAGMA cache_size = -2000")
            if mode_now != "wal" or database.execute("PRAGMA synchronous").fetchone()[0] != 2:
                raise LedgerError(f"{path}: this file system gives no write-ahead log; put the state on a local disk")
    except OSError as error:
        raise LedgerError(f"{path}: {error.strerror}") from error
    except (sqlite3.Error, ValueError, TypeError) as error:
        note_damage(os.path.dirname(path), error)
        raise LedgerError(f"{path}: {error}") from error
    return database


def lock(state: str, name: str = LOCK_NAME) -> int:
    """The descriptor that holds the lock of a state directory, which is made where it is missing.

    Args:
        state: The directory.
        name: Of the file; another than the ledger's is for whoever holds something of his own.

    Raises:
        InUse: another process holds it.
        LedgerError: it cannot be had.
    """
    path = os.path.join(state, name)
    while True:
        descriptor = _locked(path, state)
        if os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)  # Whoever had it has taken the directory away (`removing.py`), or is about to.


def _locked(path: str, state: str) -> int:
    try:
        os.makedirs(state, mode=0o700, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise LedgerError(f"{path}: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise InUse(f"another outhaul works with {state}; wait for it, or use another --state") from None
    except OSError as error:
        os.close(descriptor)
        raise LedgerError(f"{path}: {error.strerror}") from error
    return descriptor
