"""What a page asks the ledger for: what goes on at this moment, and a search that ends in time.

Reading only, beside a run. Each question is bounded: by the number of a receipt, by a limit, or by a time after which it ends
with what it has found.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol, cast

from outhaul.ledgers import numbers
from outhaul.ledgers.history import History
from outhaul.ledgers.queries import RECEIPT_ROWS, Rate, ReceiptRow, Waiting, receipt_of, waiting_of
from outhaul.ledgers.rows import to_path
from outhaul.ledgers.searching import condition
from outhaul.model.lifecycle import REASONS, State

_HELD = ", ".join(f"'{reason}'" for reason, one in REASONS.items() if one.state is State.HELD)
_STANDING = (
    "SELECT p.job, p.source, d.path, s.name, s.size, s.reason, s.detail, s.wall_ns, s.attempts "
    "FROM sighting s JOIN directory d ON d.id = s.directory JOIN place p ON p.id = d.place "
)
_STEPS = 2_000
"""Instructions of SQLite between two looks at the clock."""


class _Timed(Protocol):
    def in_time(self, seconds: float) -> AbstractContextManager[list[bool]]: ...


class UnderWay(NamedTuple):
    """A large file whose upload was begun, and is not known to have ended."""

    job: str
    source: str
    path: str
    size: int
    begun_ns: int


class Found(NamedTuple):
    """What a search has found."""

    receipts: list[ReceiptRow]
    """The latest first."""
    waiting: list[tuple[str, str, Waiting]]
    """Files that have not been carried, each with its job and source."""
    whole: bool
    """Whether that is all; else its time was over, or there is more than was asked for."""


class Looking(History):
    """A ledger opened for reading. Used as a context manager."""

    def first_since(self, since_ns: int) -> int:
        """The number of the first receipt that was recorded then or later; one above the last where there is none."""
        with self._faults():
            return numbers.first_since(self._database, since_ns)

    def rate(self, since_ns: int) -> Rate:
        """What was recorded then or later."""
        first = self.first_since(since_ns)
        with self._faults():
            row = self._database.execute(
                "SELECT count(*), coalesce(sum(size), 0) FROM receipt WHERE id >= ?", (first,)
            ).fetchone()
            return Rate(*row)

    def under_way(self, limit: int) -> list[UnderWay]:
        """Large uploads that were begun, the latest first."""
        with self._faults():
            rows = self._database.execute(
                "SELECT p.job, p.source, d.path, u.name, u.size, u.begun_ns FROM upload u "
                "JOIN directory d ON d.id = u.directory JOIN place p ON p.id = d.place ORDER BY u.begun_ns DESC LIMIT ?",
                (limit,),
            ).fetchall()
            return [UnderWay(row[0], to_path(row[1]), _path(row[2], row[3]), row[4], row[5]) for row in rows]

    def standing(self, state: State, limit: int) -> list[tuple[str, str, Waiting]]:
        """Files that are held, or that wait, those first that have done so longest, each with its job and source."""
        inside = "" if state is State.HELD else "NOT "
        with self._faults():
            return list(self._standing(f"s.reason {inside}IN ({_HELD})", [limit]))

    def search(self, text: str, *, job: str = "", limit: int, seconds: float) -> Found:
        """Receipts and waiting files whose path or key has this text in it.

        Args:
            text: Part of a path or a key, in small or capital letters; with `*` and `?`, a pattern for the whole of it; or
                eight or more digits that a SHA-256 begins with.
            job: Only this one; '' is any.
            limit: How many of each at most.
            seconds: After so long it ends with what it has found.
        """
        waiting: list[tuple[str, str, Waiting]] = []
        receipts: list[ReceiptRow] = []
        mine, values = ("p.job = ? AND ", [job]) if job else ("", [])
        with self._faults(), self._in_time(seconds) as over:
            test, of_test = condition(self._database, text, "s.name")
            for one in self._standing(mine + test, [*values, *of_test, limit + 1]):
                waiting.append(one)
            test, of_test = condition(self._database, text, "r.name", "r.key", "r.sha256")
            query = f"{RECEIPT_ROWS}WHERE {mine}{test} ORDER BY r.id DESC LIMIT ?"
            for row in self._database.execute(query, [*values, *of_test, limit + 1]):
                receipts.append(receipt_of(row))
        whole = not over and max(len(receipts), len(waiting)) <= limit
        return Found(receipts[:limit], waiting[:limit], whole)

    def up_to(self, number: int) -> tuple[int, int]:
        """Number and time of the last receipt up to this number; (0, 0) where there is none."""
        with self._faults():
            return numbers.up_to(self._database, number)

    def settled(self, now_ns: int) -> tuple[int, int]:
        """The same of the last one below which none is still to come."""
        with self._faults():
            return numbers.settled(self._database, now_ns)

    def carried(self, step_ns: int, after: int, upto: int, first: int) -> list[tuple[int, int, int, int]]:
        """Of the receipts with these numbers: the step in which the file changed last, `first` at the earliest, the step in which
        it was recorded, files, and their bytes. Receipts of a rebuilt ledger know no such change, and are left out."""
        with self._faults():
            rows: list[tuple[int, int, int, int]] = self._database.execute(
                "SELECT CASE WHEN ctime_ns / ? > ? THEN ctime_ns / ? ELSE ? END, recorded_ns / ?, count(*), sum(size) "
                "FROM receipt WHERE id > ? AND id <= ? AND ctime_ns > 0 GROUP BY 1, 2",
                (step_ns, first, step_ns, first, step_ns, after, upto),
            ).fetchall()
            return rows

    def seen(self, step_ns: int) -> list[tuple[int, int, int]]:
        """Of the files that have not been carried: the step in which they were first seen, files, and their bytes."""
        with self._faults():
            rows: list[tuple[int, int, int]] = self._database.execute(
                "SELECT wall_ns / ?, count(*), sum(size) FROM sighting GROUP BY 1", (step_ns,)
            ).fetchall()
            return rows

    def _standing(self, where: str, values: Sequence[object]) -> Iterator[tuple[str, str, Waiting]]:
        query = f"{_STANDING}WHERE {where} ORDER BY s.wall_ns, d.path, s.name LIMIT ?"
        return ((row[0], to_path(row[1]), waiting_of(row[2:])) for row in self._database.execute(query, values))

    def _in_time(self, seconds: float) -> AbstractContextManager[list[bool]]:
        """The database is asked to end then; what it gives is filled where it was."""
        database = self._database
        return (
            _in_time(database, seconds)
            if isinstance(database, sqlite3.Connection)
            else cast(_Timed, database).in_time(seconds)
        )


@contextlib.contextmanager
def _in_time(database: sqlite3.Connection, seconds: float) -> Iterator[list[bool]]:
    """See SQLite, "sqlite3_progress_handler"."""
    over: list[bool] = []
    until = time.monotonic() + seconds
    database.set_progress_handler(lambda: time.monotonic() > until, _STEPS)
    try:
        yield over
    except sqlite3.OperationalError as error:
        if str(error) != "interrupted":
            raise
        over.append(True)
    finally:
        database.set_progress_handler(None, 0)


def _path(directory: bytes, name: bytes) -> str:
    return to_path(directory + b"/" + name if directory else name)
