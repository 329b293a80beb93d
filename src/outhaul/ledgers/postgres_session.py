"""The session of a ledger in PostgreSQL: transactions, the numbers of directories, and the partitions of receipts.

After a failed commit, or with the connection lost, it refuses everything until the program is started anew: what is on disk is
then unknown (law L11), and so is who holds a place. Nothing here reconnects, and nothing is tried again.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import psycopg

from outhaul.ledgers.postgres_connection import connect, faults, first_line, migrate
from outhaul.ledgers.postgres_schema import month_of, of_month
from outhaul.ledgers.rows import to_bytes
from outhaul.model.errors import LedgerError

_DIRECTORIES_REMEMBERED_MAX = 4096


class Session:
    """One connection, and what it remembers.

    Raises:
        LedgerError: it cannot be had, or would not be durable.
    """

    def __init__(self, address: str, held: int | None = None) -> None:
        self._held = held
        self._database = connect(address)
        try:
            with faults():
                migrate(self._database)
        except BaseException:
            self._database.close()
            raise
        self._directories: dict[tuple[int, str], int] = {}
        self._months: set[tuple[int, tuple[int, int]]] = set()
        self._broken = False

    def close(self) -> None:
        """Give it back, and with it what it holds."""
        self._database.close()
        if self._held is not None:
            with contextlib.suppress(OSError):
                os.close(self._held)
            self._held = None

    def _each(self, statement: str, rows: Sequence[Sequence[object]]) -> None:
        """One statement for many rows, in one round trip (psycopg documentation, "Pipeline mode support")."""
        if rows:
            with self._database.cursor() as cursor:
                cursor.executemany(statement, rows)

    def _rows(self, question: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with faults():
            return self._database.execute(question, values).fetchall()

    def _row(self, statement: str, values: Sequence[object]) -> tuple[Any, ...]:
        row = self._database.execute(statement, values).fetchone()
        if row is None:
            raise LedgerError("the ledger gave no number for a row")
        return row

    def _directory(self, place: int, path: str) -> int | None:
        number = self._directories.get((place, path))
        if number is None:
            rows = self._rows("SELECT id FROM directory WHERE place = %s AND path = %s", (place, to_bytes(path)))
            number = self._remember(place, path, rows[0][0]) if rows else None
        return number

    def _made(self, place: int, paths: Iterable[str]) -> dict[str, int]:
        """The numbers of these directories, in the transaction at hand. Another process may be making the same."""
        found = {path: self._directory(place, path) for path in paths}
        new = sorted(to_bytes(path) for path, number in found.items() if number is None)
        if new:
            self._database.execute(
                "INSERT INTO directory (place, path) SELECT %s, unnest(%s::bytea[]) ON CONFLICT DO NOTHING",
                (place, new),
            )
        numbers = {path: number or self._directory(place, path) for path, number in found.items()}
        if lacking := [path for path, number in numbers.items() if number is None]:
            raise LedgerError(f"the ledger has no number for {len(lacking)} directories")
        return {path: number for path, number in numbers.items() if number is not None}

    def _remember(self, place: int, path: str, number: int) -> int:
        if len(self._directories) >= _DIRECTORIES_REMEMBERED_MAX:
            self._directories.clear()
        self._directories[place, path] = number
        return number

    def _make_month(self, place: int, wall_ns: int) -> None:
        """The table for what is recorded now, in a transaction of its own."""
        month = month_of(wall_ns)
        if (place, month) not in self._months:
            self._make_table(f"receipt_{place}_{month[0]:04}{month[1]:02}", of_month(place, month))
            self._months.add((place, month))

    def _make_table(self, name: str, statement: str) -> None:
        if self._rows("SELECT to_regclass(%s)", (name,)) == [(None,)]:
            with self._transaction():
                self._database.execute("LOCK TABLE receipt IN ACCESS EXCLUSIVE MODE")
                self._database.execute(statement)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        if self._broken:
            raise LedgerError("the ledger could not be written earlier in this run; nothing more is let go")
        try:
            with self._database.transaction():
                yield
        except BaseException as error:
            self._broken = True
            self._directories.clear()
            if isinstance(error, psycopg.Error):
                raise LedgerError(f"the ledger cannot be written: {first_line(error)}") from error
            raise
