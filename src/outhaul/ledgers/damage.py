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
_CERTAIN = b"damaged\n"
_NO_FAULT_OF_THE_FILE = (
    "database is locked",
    "database table is locked",
    "disk I/O error",
    "database or disk is full",
    "attempt to write a readonly database",
    "unable to open database file",
    "interrupted",
    "out of memory",
    "locking protocol",
)
"""How SQLite's messages of these begin (SQLite, "Result and Error Codes")."""


def note_damage(state: str, error: Exception) -> None:
    """Have the ledger examined at the next start, where the error speaks of damage. Never raises.

    What SQLite finds whole may still hold rows that no outhaul wrote: text that is none, numbers that are text. No
    examination would find those again, so such a ledger is set aside without one.
    """
    if isinstance(error, sqlite3.ProgrammingError) or str(error).startswith(_NO_FAULT_OF_THE_FILE):
        return
    # An operational error of another kind is a table or column that is not there, or text that is none.
    examined = isinstance(error, sqlite3.Error) and not isinstance(error, sqlite3.OperationalError)
    certain = b"" if examined else _CERTAIN
    with contextlib.suppress(OSError):
        descriptor = os.open(os.path.join(state, SUSPECT_NAME), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, certain)
        finally:
            os.close(descriptor)


def set_aside_if_damaged(state: str, wall_ns: int) -> str:
    """Examine the ledger where there is reason to, and move a damaged one aside with its log.

    Returns:
        Where it was moved to; '' where it was not.
    """
    path, suspect = os.path.join(state, FILE_NAME), os.path.join(state, SUSPECT_NAME)
    if not os.path.exists(path) or not (os.path.exists(suspect) or _left_open(path)):
        return ""
    aside = ""
    if _is_certain(suspect) or not _is_whole(path):
        aside = os.path.join(state, f"ledger.damaged-{wall_ns}.sqlite")
        for end in ("-wal", "-shm", ""):
            with contextlib.suppress(FileNotFoundError):
                os.replace(path + end, aside + end)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(suspect)
    return aside


def _is_certain(suspect: str) -> bool:
    try:
        with open(suspect, "rb") as file:
            return file.read() == _CERTAIN
    except OSError:
        return False


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
    except (sqlite3.DatabaseError, ValueError):
        return False
    finally:
        if database is not None:
            database.close()
