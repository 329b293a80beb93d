"""Take away the state directory of a worker whose ledger tells nothing that is not known elsewhere."""

from __future__ import annotations

import contextlib
import os
import sqlite3

from outhaul.ledgers.choice import ADDRESS_NAME
from outhaul.ledgers.damage import FILE_NAME
from outhaul.ledgers.opening import LOCK_NAME
from outhaul.ledgers.reserve import NAME as RESERVE_NAME
from outhaul.ledgers.sqlite import SqliteLedger

_NAMES = (FILE_NAME, f"{FILE_NAME}-wal", f"{FILE_NAME}-shm", RESERVE_NAME, ADDRESS_NAME, LOCK_NAME)


def remove_ledger(ledger: SqliteLedger) -> None:
    """Close a ledger, and remove it with its state directory, while its lock is held; closing it again gives that back.

    SQLite removes its own files by name when it closes: after the lock is given back they might be another process's.
    """
    with contextlib.suppress(sqlite3.Error):
        ledger._database.close()
    remove_state(ledger._state)


def remove_state(state: str) -> None:
    """Remove what a ledger makes, its lock last, and nothing else; a directory with more in it stays. Never raises."""
    with contextlib.suppress(OSError):
        folder = os.open(state, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            for name in _NAMES:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=folder)
        finally:
            os.close(folder)
        os.rmdir(state)
