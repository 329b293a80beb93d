"""What a page asks the ledger for: what goes on at this moment, and a search that ends in time.

Reading only, beside a run. Each question is bounded: by the number of a receipt, by a limit, or by a time after which it ends
with what it has found. Numbers of receipts grow with time, so that the first of some time is found by halving.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from outhaul.ledgers.history import History
from outhaul.ledgers.queries import RECEIPT_ROWS, Rate, ReceiptRow, Waiting, receipt_of, waiting_of
from outhaul.ledgers.rows import to_path
from outhaul.model.errors import LedgerError
from outhaul.model.lifecycle import REASONS, State

_HELD = ", ".join(f"'{reason}'" for reason, one in REASONS.items() if one.state is State.HELD)
_STANDING = (
    "SELECT p.job, p.source, d.path, s.name, s.size, s.reason, s.detail, s.wall_ns, s.attempts "
    "FROM sighting s JOIN directory d ON d.id = s.directory JOIN place p ON p.id = d.place "
)
_STEPS = 2_000
"""Instructions of SQLite between two looks at the clock."""
_DIGITS = re.compile("[0-9a-f]{8,64}").fullmatch


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

    def __init__(self, state: str) -> None:
        super().__init__(state)
        if not isinstance(self._database, sqlite3.Connection):
            self._database.close()
            raise LedgerError(f"{state}: the page shows a ledger of this machine only; `outhaul status` reads this one")
        self._sqlite = self._database

    def first_since(self, since_ns: int) -> int:
        """The number of the first receipt that was recorded then or later; one above the last where there is none."""
        ask = self._database.execute
        with self._faults():
            low, high = ask("SELECT coalesce(min(id), 1), coalesce(max(id), 0) + 1 FROM receipt").fetchone()
            while low < high:
                middle = (low + high) // 2
                row = ask("SELECT id, recorded_ns FROM receipt WHERE id >= ? ORDER BY id LIMIT 1", (middle,)).fetchone()
                low, high = (low, middle) if row is None or row[1] >= since_ns else (row[0] + 1, high)
            return int(low)

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
            text: Part of a path or a key, in small or capital letters; with `*` and `?`, a pattern for the whole of it (SQLite,
                "GLOB"); or eight or more digits that a SHA-256 begins with.
            job: Only this one; '' is any.
            limit: How many of each at most.
            seconds: After so long it ends with what it has found.
        """
        waiting: list[tuple[str, str, Waiting]] = []
        receipts: list[ReceiptRow] = []
        text = text.lower()
        mine, values = ("p.job = ? AND ", [job]) if job else ("", [])
        with self._faults(), self._in_time(seconds) as over:
            test, of_test = _test(text, "s.name")
            waiting.extend(self._standing(mine + test, [*values, *of_test, limit + 1]))
            test, of_test = _test(text, "r.name", "r.key", "r.sha256")
            query = f"{RECEIPT_ROWS}WHERE {mine}{test} ORDER BY r.id DESC LIMIT ?"
            receipts.extend(map(receipt_of, self._database.execute(query, [*values, *of_test, limit + 1])))
        whole = not over and max(len(receipts), len(waiting)) <= limit
        return Found(receipts[:limit], waiting[:limit], whole)

    def latest_receipt(self, number: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Number and time of the receipt with this number, and of the last there is; (0, 0) where there is none."""
        with self._faults():
            row = "SELECT id, recorded_ns FROM receipt WHERE id = "
            this = self._database.execute(f"{row}?", (number,)).fetchone()
            last = self._database.execute(f"{row}(SELECT max(id) FROM receipt)").fetchone()
            return this or (0, 0), last or (0, 0)

    def carried(self, step_ns: int, after: int, upto: int, first: int) -> list[tuple[int, int, int, int]]:
        """Of the receipts with these numbers: the step in which the file changed last, `first` at the earliest, the step in which
        it was recorded, files, and their bytes. Receipts of a rebuilt ledger know no such change, and are left out."""
        with self._faults():
            return self._sqlite.execute(
                "SELECT max(?, ctime_ns / ?), recorded_ns / ?, count(*), sum(size) FROM receipt "
                "WHERE id > ? AND id <= ? AND ctime_ns > 0 GROUP BY 1, 2",
                (first, step_ns, step_ns, after, upto),
            ).fetchall()

    def seen(self, step_ns: int) -> list[tuple[int, int, int]]:
        """Of the files that have not been carried: the step in which they were first seen, files, and their bytes."""
        with self._faults():
            return self._sqlite.execute(
                "SELECT wall_ns / ?, count(*), sum(size) FROM sighting GROUP BY 1", (step_ns,)
            ).fetchall()

    def _standing(self, where: str, values: Sequence[object]) -> Iterator[tuple[str, str, Waiting]]:
        query = f"{_STANDING}WHERE {where} ORDER BY s.wall_ns, d.path, s.name LIMIT ?"
        return ((row[0], to_path(row[1]), waiting_of(row[2:])) for row in self._database.execute(query, values))

    @contextlib.contextmanager
    def _in_time(self, seconds: float) -> Iterator[list[bool]]:
        """SQLite is asked to end then ("sqlite3_progress_handler"); what it gives is filled where it was."""
        over: list[bool] = []
        until = time.monotonic() + seconds
        self._sqlite.set_progress_handler(lambda: time.monotonic() > until, _STEPS)
        try:
            yield over
        except sqlite3.OperationalError as error:
            if str(error) != "interrupted":
                raise
            over.append(True)
        finally:
            self._sqlite.set_progress_handler(None, 0)


def _test(text: str, name: str, key: str = "", sha256: str = "") -> tuple[str, list[str]]:
    """A condition on the path, and on key and digest where there are such. LIKE would read % and _ as patterns."""
    within = "CASE WHEN d.path = X'' THEN '' ELSE CAST(d.path AS TEXT) || '/' END"
    path = f"lower({within} || CAST({name} AS TEXT))"
    sign = "GLOB ?" if any(mark in text for mark in "*?") else None
    columns = [path, *([f"lower({key})"] if key else [])]
    tests = [f"{column} {sign}" if sign else f"instr({column}, ?)" for column in columns]
    values = [text] * len(columns)
    if sha256 and _DIGITS(text):
        tests.append(f"substr(lower(hex({sha256})), 1, {len(text)}) = ?")
        values.append(text)
    return f"({' OR '.join(tests)})", values


def _path(directory: bytes, name: bytes) -> str:
    return to_path(directory + b"/" + name if directory else name)
