"""What has been decided: the SQLite file of Kingfisher Archive, which goes on working where it is.

Its table `collections` is kept as it was. A table beside it has the reason of each decision, and which collections are in the
archive while their files are yet to be let go. A DO NOT ARCHIVE without a reason is one of the older program: it may have
been said of a directory that was not mounted for a moment, so it is looked at again.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

from outhaul.model.errors import OuthaulError

ARCHIVED, DO_NOT_ARCHIVE = "ARCHIVED", "DO NOT ARCHIVE"
_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS collections (collection_id INTEGER PRIMARY KEY NOT NULL, state TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS outhaul_decisions (collection_id INTEGER PRIMARY KEY NOT NULL, reason TEXT NOT NULL, "
    "detail TEXT NOT NULL, decided_at TEXT NOT NULL, bytes INTEGER NOT NULL, pending TEXT NOT NULL)",
)


class MemoryFailed(OuthaulError):
    """What has been decided cannot be read or written: nothing is done."""


class Remembered(NamedTuple):
    """What is known of one collection."""

    state: str
    """'' where nothing was decided."""
    reason: str = ""
    """'' of a decision that the older program made."""
    pending: str = ""
    """What is left to be let go, as whoever recorded it wrote it; '' for nothing."""
    bytes: int = 0


class Memory:
    """The file. Used as a context manager.

    Raises:
        MemoryFailed: it cannot be opened, or is no such file.
    """

    def __init__(self, path: str, *, read_only: bool = False) -> None:
        self._path = path
        with self._faults():
            if read_only:  # A dry run makes no file, and no table.
                there = os.path.exists(path)
                self._database = sqlite3.connect(f"file:{_quoted(path)}?mode=ro" if there else ":memory:", uri=there)
                self._tell_of_reasons = there and self._has("outhaul_decisions")
                self._tell = there and self._has("collections")
                return
            self._database = sqlite3.connect(path, isolation_level=None)
            self._database.execute("PRAGMA synchronous = FULL")
            for statement in _SCHEMA:
                self._database.execute(statement)
            self._tell = self._tell_of_reasons = True

    def __enter__(self) -> Memory:
        return self

    def __exit__(self, *exception: object) -> None:
        self._database.close()

    def of(self, number: int) -> Remembered:
        """What is known of a collection."""
        with self._faults():
            row = self._row("SELECT state FROM collections WHERE collection_id = ?", number) if self._tell else None
            query = "SELECT reason, pending, bytes FROM outhaul_decisions WHERE collection_id = ?"
            why = self._row(query, number) if self._tell_of_reasons else None
        return Remembered(row[0] if row else "", *(why if row and why else ("", "", 0)))

    def decide(self, number: int, state: str, reason: str, detail: str, *, bytes: int = 0, pending: str = "") -> None:
        """Remember a decision. When this returns, it is on disk."""
        with self._faults(), self._transaction():
            self._database.execute("REPLACE INTO collections VALUES (?, ?)", (number, state))
            self._database.execute(
                "REPLACE INTO outhaul_decisions VALUES (?, ?, ?, datetime('now'), ?, ?)",
                (number, reason, detail, bytes, pending),
            )

    def let_go(self, number: int) -> None:
        """Nothing is left of the files of a collection that is archived."""
        with self._faults():
            self._database.execute("UPDATE outhaul_decisions SET pending = '' WHERE collection_id = ?", (number,))

    def forget(self, number: int) -> None:
        """It is to be decided anew."""
        with self._faults(), self._transaction():
            for table in ("collections", "outhaul_decisions"):
                self._database.execute(f"DELETE FROM {table} WHERE collection_id = ?", (number,))

    def kept_back(self) -> tuple[int, int]:
        """How many collections are not archived, and how many bytes they had when that was decided."""
        if not self._tell or not self._tell_of_reasons:
            return 0, 0
        with self._faults():
            count, total = self._database.execute(
                "SELECT count(*), coalesce(sum(bytes), 0) FROM collections JOIN outhaul_decisions USING (collection_id) "
                "WHERE state = ?",
                (DO_NOT_ARCHIVE,),
            ).fetchone()
        return int(count), int(total)

    def _row(self, query: str, number: int) -> tuple[str, ...] | None:
        row: tuple[str, ...] | None = self._database.execute(query, (number,)).fetchone()
        return row

    def _has(self, table: str) -> bool:
        query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
        return self._database.execute(query, (table,)).fetchone() is not None

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    @contextlib.contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise MemoryFailed(f"{self._path} (DBARCHIVE.FILEPATH): {error}") from error


def _quoted(path: str) -> str:
    return path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
