"""A damaged ledger is set aside, never mended and never trusted: a new one begins, and files are proved again.

What a ledger is lost for costs uploads that find their object there already. It is examined when the last process did not
close it (its write-ahead log is still there), and after any error that speaks of damage; a whole examination at every start
would cost minutes once there are millions of receipts.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3

FILE_NAME = "ledger.sqlite"
SUSPECT_NAME = "ledger.suspect"


def note_damage(state: str, error: sqlite3.Error) -> None:
    """Have the ledger examined at the next start, where the error speaks of damage. Never raises."""
    if isinstance(error, sqlite3.OperationalError | sqlite3.ProgrammingError):
        return  # Locked, full, read-only: the file is not at fault.
    with contextlib.suppress(OSError):
        os.close(os.open(os.path.join(state, SUSPECT_NAME), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))


def set_aside_if_damaged(state: str, wall_ns: int) -> str:
    """Examine the ledger where there is reason to, and move a damaged one aside with its log.

    Returns:
        Where it was moved to; '' where it was not.
    """
    path, suspect = os.path.join(state, FILE_NAME), os.path.join(state, SUSPECT_NAME)
    if not os.path.exists(path) or not (os.path.exists(suspect) or _left_open(path)):
        return ""
    aside = ""
    if not _is_whole(path):
        aside = os.path.join(state, f"ledger.damaged-{wall_ns}.sqlite")
        for end in ("-wal", "-shm", ""):
            with contextlib.suppress(FileNotFoundError):
                os.replace(path + end, aside + end)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(suspect)
    return aside


def _left_open(path: str) -> bool:
    try:
        return os.stat(f"{path}-wal").st_size > 0
    except FileNotFoundError:
        # A whole ledger begins with these bytes (SQLite, "Database File Format", section 1.3).
        with open(path, "rb") as file:
            return file.read(16) not in (b"SQLite format 3\0", b"")


def _is_whole(path: str) -> bool:
    database = None
    try:
        database = sqlite3.connect(path, isolation_level=None, timeout=10)
        return bool(database.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
    except sqlite3.OperationalError:
        return True  # It could not be examined; opening it will say why.
    except sqlite3.DatabaseError:
        return False
    finally:
        if database is not None:
            database.close()
