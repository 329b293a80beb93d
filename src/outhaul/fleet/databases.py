"""Databases that take what a fleet tells: PostgreSQL, DuckDB and SQLite, with the same tables (docs/fleet.md).

True here: a segment and the word that it is there are one transaction; a receipt that is there already stays as it is. So an
import may end anywhere, be done again, and run twice at once.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from outhaul.fleet.segments import Row
from outhaul.model.columns import COLUMNS
from outhaul.model.errors import ConfigurationError, OuthaulError
from outhaul.model.fleet import Segment

if TYPE_CHECKING:
    import psycopg

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KINDS = {int: "BIGINT", str: "TEXT", bool: "BOOLEAN"}
_RECEIPT = {"device": "TEXT", "ledger": "TEXT", **{name: _KINDS[kind] for name, kind in COLUMNS.items()}}
_DEVICE = {
    "device": "TEXT", "heard_at": "{time}", "next_by": "{time}", "version": "TEXT", "files_waiting": "BIGINT",
    "bytes_waiting": "BIGINT", "files_held": "BIGINT", "files_carried": "BIGINT", "bytes_carried": "BIGINT",
    "files_given_up": "BIGINT", "fault": "TEXT", "paused": "BOOLEAN", "unreadable": "TEXT", "status": "TEXT",
}  # fmt: skip
_TABLES = ("outhaul_receipts", "outhaul_devices", "outhaul_segments")
Device = tuple[Any, ...]
"""In the order of the columns of `outhaul_devices`; times are nanoseconds since 1970, or None."""


class DatabaseFailed(OuthaulError):
    """A database cannot be used."""


class Database(Protocol):
    """One that has the tables."""

    def known(self, keys: Sequence[str]) -> set[str]:
        """Those of the segments that are there."""

    def add(self, segment: Segment, rows: Sequence[Row]) -> None:
        """A segment, whole."""

    def put(self, devices: Sequence[Device]) -> None:
        """How these devices are now."""

    def close(self) -> None:
        """The end."""


def open_database(where: str) -> Database:
    """The database of an address or a file; its tables are made where they are missing.

    Raises:
        ConfigurationError: it is none that outhaul knows, or its library is not installed.
        DatabaseFailed: it cannot be used.
    """
    if where.startswith(("postgresql://", "postgres://")):
        return _Postgres(where)
    if where.endswith(".duckdb"):
        return _DuckDB(where)
    if where.endswith((".sqlite", ".sqlite3")):
        return _SQLite(where)
    raise ConfigurationError("--to: write postgresql://user@host/database, or a file: fleet.duckdb, fleet.sqlite")


def _statements(time: str) -> Iterator[str]:
    columns = ", ".join(f'"{name}" {kind} NOT NULL' for name, kind in _RECEIPT.items())
    yield f"CREATE TABLE IF NOT EXISTS outhaul_receipts ({columns}, recorded_at {time} NOT NULL, " \
          "PRIMARY KEY (device, ledger, receipt))"  # fmt: skip
    columns = ", ".join(f"{name} {kind.format(time=time)}" for name, kind in _DEVICE.items())
    yield f"CREATE TABLE IF NOT EXISTS outhaul_devices ({columns}, PRIMARY KEY (device))"
    columns = f"key TEXT PRIMARY KEY, files BIGINT NOT NULL, imported_at {time} NOT NULL"
    yield f"CREATE TABLE IF NOT EXISTS outhaul_segments ({columns})"


def moment(then_ns: int) -> datetime:
    """A time, to the microsecond."""
    return _EPOCH + timedelta(microseconds=then_ns // 1000)


_RECORDED = list(_RECEIPT).index("recorded_ns")
_NAMES = ", ".join(f'"{name}"' for name in (*_RECEIPT, "recorded_at"))


def _whole(segment: Segment, row: Row) -> tuple[Any, ...]:
    whole = (segment.device, segment.ledger, *row)
    return (*whole, moment(int(whole[_RECORDED])))


def _update() -> str:
    return ", ".join(f"{name} = excluded.{name}" for name in _DEVICE if name != "device")


def _times(device: Device) -> Device:
    return (device[0], *(value if value is None else moment(value) for value in device[1:3]), *device[3:])


class _Postgres:
    """By psycopg 3. Its errors may hold the address, which may hold a password: they are told without it (law L14)."""

    def __init__(self, where: str) -> None:
        try:
            import psycopg
        except ModuleNotFoundError:
            raise ConfigurationError("--to: PostgreSQL needs the extra: pip install 'outhaul[postgres]'") from None
        self._errors: type[Exception] = psycopg.Error
        with self._faults():
            self._database: psycopg.Connection[Any] = psycopg.connect(
                where, connect_timeout=10, application_name="outhaul fleet import"
            )
            with self._database.transaction():
                # Two that make the same table at once would fail.
                self._database.execute("SELECT pg_advisory_xact_lock(hashtext('outhaul fleet'))")
                for statement in _statements("TIMESTAMPTZ"):
                    self._database.execute(statement.encode())

    @contextlib.contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except self._errors as error:
            said = getattr(getattr(error, "diag", None), "message_primary", None) or type(error).__name__
            raise DatabaseFailed(f"PostgreSQL: {said}") from None

    def known(self, keys: Sequence[str]) -> set[str]:
        """See `Database`."""
        with self._faults(), self._database.transaction():
            rows = self._database.execute("SELECT key FROM outhaul_segments WHERE key = ANY(%s)", (list(keys),))
            return {row[0] for row in rows}

    def add(self, segment: Segment, rows: Sequence[Row]) -> None:
        """See `Database`. By COPY, into a table of this transaction alone."""
        with self._faults(), self._database.transaction():
            self._database.execute("CREATE TEMP TABLE coming (LIKE outhaul_receipts) ON COMMIT DROP")
            with self._database.cursor().copy(f"COPY coming ({_NAMES}) FROM STDIN".encode()) as copy:
                for row in rows:
                    copy.write_row(_whole(segment, row))
            self._database.execute("INSERT INTO outhaul_receipts SELECT * FROM coming ON CONFLICT DO NOTHING")
            self._database.execute(
                "INSERT INTO outhaul_segments VALUES (%s, %s, now()) ON CONFLICT DO NOTHING", (segment.key, len(rows))
            )

    def put(self, devices: Sequence[Device]) -> None:
        """See `Database`."""
        marks = ", ".join(["%s"] * len(_DEVICE))
        statement = f"INSERT INTO outhaul_devices VALUES ({marks}) ON CONFLICT (device) DO UPDATE SET {_update()}"
        with self._faults(), self._database.transaction(), self._database.cursor() as cursor:
            cursor.executemany(statement.encode(), [_times(device) for device in devices])

    def close(self) -> None:
        """See `Database`."""
        self._database.close()


class _SQLite:
    """Of the standard library. Times are text, as those of CURRENT_TIMESTAMP there: UTC, and compared as text."""

    _time, _conflict = "TEXT", "OR IGNORE "

    def __init__(self, where: str) -> None:
        self._errors: type[Exception] = sqlite3.Error
        with self._faults():
            self._database: Any = sqlite3.connect(where, isolation_level=None)
            self._prepare()

    def _prepare(self) -> None:
        for statement in _statements(self._time):
            self._database.execute(statement)

    @contextlib.contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except self._errors as error:
            raise DatabaseFailed(f"--to: {' '.join(str(error).split())[:300]}") from None

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._faults():
            self._database.execute("BEGIN")
            try:
                yield
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    def known(self, keys: Sequence[str]) -> set[str]:
        """See `Database`."""
        with self._faults():
            rows = self._database.execute(
                "SELECT key FROM outhaul_segments WHERE key >= ? AND key <= ?", (min(keys), max(keys))
            )
            return {row[0] for row in rows.fetchall()} & set(keys)

    def add(self, segment: Segment, rows: Sequence[Row]) -> None:
        """See `Database`."""
        with self._transaction():
            self._insert(segment, rows)
            self._database.execute(
                f"INSERT {self._conflict}INTO outhaul_segments VALUES (?, ?, ?)",
                (segment.key, len(rows), self._moment(moment(time.time_ns()))),
            )

    def _moment(self, when: datetime | None) -> Any:
        return when and when.replace(tzinfo=None).isoformat(" ", "microseconds")

    def _insert(self, segment: Segment, rows: Sequence[Row]) -> None:
        marks = ", ".join(["?"] * (len(_RECEIPT) + 1))
        whole = ((*one[:-1], self._moment(one[-1])) for one in (_whole(segment, row) for row in rows))
        self._database.executemany(f"INSERT OR IGNORE INTO outhaul_receipts ({_NAMES}) VALUES ({marks})", whole)

    def put(self, devices: Sequence[Device]) -> None:
        """See `Database`."""
        marks = ", ".join(["?"] * len(_DEVICE))
        statement = f"INSERT INTO outhaul_devices VALUES ({marks}) ON CONFLICT (device) DO UPDATE SET {_update()}"
        timed = [_times(device) for device in devices]
        with self._transaction():
            self._database.executemany(
                statement, [(one[0], self._moment(one[1]), self._moment(one[2]), *one[3:]) for one in timed]
            )

    def close(self) -> None:
        """See `Database`."""
        self._database.close()


class _DuckDB(_SQLite):
    """As SQLite, but that its receipts go through a file: row by row it takes a hundred times as long."""

    _time = "TIMESTAMPTZ"

    def __init__(self, where: str) -> None:
        try:
            import duckdb
        except ModuleNotFoundError:
            raise ConfigurationError("--to: DuckDB needs the extra: pip install 'outhaul[duckdb]'") from None
        self._errors = duckdb.Error
        with self._faults():
            self._database = duckdb.connect(where)
            self._prepare()

    def _moment(self, when: datetime | None) -> Any:
        return when

    def _insert(self, segment: Segment, rows: Sequence[Row]) -> None:
        kinds = {**_RECEIPT, "recorded_at": self._time}
        columns = ", ".join(f"'{name}': '{kind}'" for name, kind in kinds.items())
        with tempfile.TemporaryDirectory(prefix="outhaul-") as folder:
            path = os.path.join(folder, "rows.json")
            with open(path, "w", encoding="utf-8") as file:
                for row in rows:
                    *whole, when = _whole(segment, row)
                    file.write(json.dumps(dict(zip(kinds, (*whole, when.isoformat()), strict=True))) + "\n")
            self._database.execute(
                f"INSERT OR IGNORE INTO outhaul_receipts ({_NAMES}) SELECT {_NAMES} FROM "
                f"read_json(?, format = 'newline_delimited', columns = {{{columns}}})",
                [path],
            )


class Count(NamedTuple):
    """What an import came to."""

    segments: int
    receipts: int
    devices: int
    refused: list[tuple[str, str]]
    """Segments that are none, and why."""
