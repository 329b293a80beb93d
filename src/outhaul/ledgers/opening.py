"""Open the database of a ledger, and hold its lock.

A commit must be on disk when it returns: WAL with `synchronous=FULL`, and nothing less is taken. The lock is the kernel's own,
on a file beside the database, and dies with the process.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import sqlite3

from outhaul.ledgers.damage import note_damage
from outhaul.model.errors import InUse, LedgerError, NoStateDirectory

LOCK_NAME = "lock"
_NO_PLACE = {errno.ENOTDIR, errno.EEXIST, errno.ENOENT, errno.EACCES, errno.EPERM, errno.EROFS}


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
        NoStateDirectory: it is a file, or may not be written.
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
        if error.errno in _NO_PLACE:
            raise NoStateDirectory(_no_place(state, error)) from error
        raise LedgerError(f"{path}: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = _holder(descriptor)
        os.close(descriptor)
        raise InUse(f"another outhaul works with {state}{holder}; wait for it") from None
    except OSError as error:
        os.close(descriptor)
        raise LedgerError(f"{path}: {error.strerror}") from error
    with contextlib.suppress(OSError):  # A full disk is no reason not to work (L12): the number is for people only.
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
    return descriptor


def _no_place(state: str, error: OSError) -> str:
    if os.path.lexists(state) and not os.path.isdir(state):
        return f"{state} is no directory; --state names one, for the ledger and private files"
    return f"{state} cannot hold the state: {error.strerror}; name another directory with --state, or give the rights to it"


def _holder(descriptor: int) -> str:
    """Which process wrote its number into the lock, for a person to look at; no decision rests on it."""
    with contextlib.suppress(OSError):
        number = os.pread(descriptor, 32, 0).strip()
        return f" (process {int(number)})" if number.isdigit() else ""
    return ""
