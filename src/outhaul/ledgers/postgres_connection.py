"""A connection to the PostgreSQL that holds a ledger: durable, in one dialect, and never opened a second time.

A commit must be on disk when it returns: `synchronous_commit` is switched on for the session, whatever the server's default is,
and a server without `fsync` is refused. No password is in an address, and none in a message (law L14).
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from outhaul.ledgers.postgres_schema import MIGRATIONS, SCHEMA, VERSION, check_version
from outhaul.model.errors import AnotherInstance, ConfigurationError, LedgerError
from outhaul.model.keys import printable

try:
    import psycopg
    from psycopg.types.numeric import IntLoader
    from psycopg.types.string import StrDumper
except ImportError as missing:
    raise ConfigurationError(
        "a ledger in PostgreSQL needs psycopg, which is not installed: pip install 'outhaul[postgres]'"
    ) from missing

Fault = psycopg.Error
_ROWS_AT_ONCE = 2000
Database = psycopg.Connection[tuple[Any, ...]]
_WAIT_FOR_LOCK = "2s"
"""For the session of a process that has just been killed: its server side ends when it notices."""
_ALIVE = {
    "connect_timeout": "20",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
    "application_name": "outhaul",
    "client_encoding": "UTF8",
}
_MIGRATING = 0x6F757468  # 'outh'


@contextlib.contextmanager
def faults(verb: str = "used") -> Iterator[None]:
    """What PostgreSQL, or a row that no outhaul wrote, does wrong is a `LedgerError`."""
    try:
        yield
    except (psycopg.Error, ValueError, TypeError, AttributeError) as error:
        raise LedgerError(f"the ledger cannot be {verb}: {first_line(error)}") from error


def first_line(error: Exception) -> str:
    """What an error says, without the advice beneath it."""
    lines = str(error).strip().splitlines()
    return printable(lines[0].strip()) if lines else type(error).__name__


def connect(address: str, *, read_only: bool = False) -> Database:
    """A session whose commits are durable.

    Raises:
        LedgerError: there is none to be had, or its commits would not be durable.
    """
    try:
        database = psycopg.connect(address, autocommit=True, **_ALIVE)  # type: ignore[arg-type]
    except (psycopg.Error, UnicodeError) as error:
        raise LedgerError(f"the ledger cannot be reached: {first_line(error)}") from error
    try:
        with faults():
            _prepare(database, read_only=read_only)
    except BaseException:
        database.close()
        raise
    return database


def _prepare(database: Database, *, read_only: bool) -> None:
    database.adapters.register_dumper(str, StrDumper)  # Text, so that functions of it know which they are.
    database.adapters.register_loader("numeric", IntLoader)  # Sums of whole numbers.
    for setting in ("synchronous_commit = on", f"search_path = {SCHEMA}", "tcp_keepalives_idle = 30"):
        database.execute(f"SET {setting}")
    if read_only:
        database.execute("SET default_transaction_read_only = on")
    for name, wanted, instead in (
        ("fsync", "on", "its commits do not survive a power cut"),
        ("synchronous_commit", "on", "its commits do not survive a power cut"),
        ("server_encoding", "UTF8", "it cannot hold every name; make a database with ENCODING UTF8"),
    ):
        row = database.execute(f"SHOW {name}").fetchone()
        if row is None or row[0] != wanted:
            raise LedgerError(f"this PostgreSQL has {name} = {row and row[0]}: {instead}; no ledger is kept there")


def migrate(database: Database) -> None:
    """Bring the ledger to the present version, one transaction for all steps.

    Raises:
        LedgerError: it was written by a newer outhaul.
    """
    if version(database) == VERSION:
        return
    with database.transaction():
        database.execute("SELECT pg_advisory_xact_lock(%s)", (_MIGRATING,))
        database.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        database.execute("CREATE TABLE IF NOT EXISTS version (number integer NOT NULL)")
        found = version(database)
        check_version(found)
        for step in MIGRATIONS[found:]:
            database.execute(step)
        database.execute("DELETE FROM version")
        database.execute("INSERT INTO version VALUES (%s)", (VERSION,))


def version(database: Database) -> int:
    """That of the ledger in this database; 0 where there is none."""
    if database.execute("SELECT to_regclass(%s)", (f"{SCHEMA}.version",)).fetchone() == (None,):
        return 0
    row = database.execute("SELECT max(number) FROM version").fetchone()
    return int(row[0] or 0) if row else 0


def hold(database: Database, place: int, owner: str, told: str) -> None:
    """Hold a place for this session: alone, or as one of several owners.

    Args:
        database: The session.
        place: Its number.
        owner: What this process is called among others of the place; '' where it works alone.
        told: What the place is called in the message.

    Raises:
        AnotherInstance: another session holds it.
    """
    alone, mine = lock_number(f"{place}"), lock_number(f"{place}/{owner}")
    with database.transaction():
        database.execute(f"SET LOCAL lock_timeout = '{_WAIT_FOR_LOCK}'")
        try:
            if owner:
                database.execute("SELECT pg_advisory_lock_shared(%s), pg_advisory_lock(%s)", (alone, mine))
            else:
                database.execute("SELECT pg_advisory_lock(%s)", (alone,))
        except psycopg.errors.LockNotAvailable:
            who = f"{owner} of {told}" if owner else told
            raise AnotherInstance(f"another outhaul works with {who} in this ledger; wait for it") from None


def lock_number(text: str) -> int:
    """The number of an advisory lock."""
    return int.from_bytes(hashlib.sha256(f"outhaul {text}".encode()).digest()[:8], signed=True)


def _in_our_words(question: str) -> str:
    for theirs, ours in (("?", "%s"), ("LIMIT -1", "LIMIT ALL"), ("CROSS JOIN", "JOIN")):
        question = question.replace(theirs, ours)
    return question


class Rows:
    """The rows of an answer. However they are taken, the server keeps none for us afterwards."""

    def __init__(self, cursor: psycopg.ServerCursor[tuple[Any, ...]], before: Callable[[], None] | None) -> None:
        self._cursor, self._before = cursor, before

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        with self._cursor:
            if self._before is None:
                yield from self._cursor
                return
            while True:  # One at a time: what was found is there when the time is over.
                self._before()
                if (row := self._cursor.fetchone()) is None:
                    return
                yield row

    def fetchone(self) -> tuple[Any, ...] | None:
        """The first; None where there is none."""
        with self._cursor:
            return self._cursor.fetchone()

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All of them."""
        with self._cursor:
            return self._cursor.fetchall()


class Asked:
    """A database that is asked in the words of SQLite, where those of PostgreSQL are nearly the same: `?`, `LIMIT -1`.

    Rows come from the server some at a time, so that a question after millions needs no memory for them.
    """

    def __init__(self, address: str) -> None:
        self._database = connect(address, read_only=True)
        self._database.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        self._count = 0
        self._until = 0.0

    @contextlib.contextmanager
    def in_time(self, seconds: float) -> Iterator[list[bool]]:
        """Within it each question ends after so long in all, with what it has found; then nothing more can be asked.

        See PostgreSQL, "statement_timeout". What is given is filled where the time was over.
        """
        over: list[bool] = []
        self._until = time.monotonic() + seconds
        try:
            yield over
            self._database.execute("SET LOCAL statement_timeout = 0")
        except psycopg.errors.QueryCanceled:
            over.append(True)
        finally:
            self._until = 0.0

    def _limit(self) -> None:
        left = int((self._until - time.monotonic()) * 1000)
        if left <= 0:
            raise psycopg.errors.QueryCanceled
        self._database.execute(f"SET LOCAL statement_timeout = {left}")

    def version(self) -> int:
        """See `version`."""
        return version(self._database)

    def execute(self, question: str, values: Sequence[Any] = ()) -> Rows:
        """The rows of an answer."""
        self._count += 1
        cursor = self._database.cursor(name=f"asked_{self._count}")
        cursor.itersize = _ROWS_AT_ONCE
        if self._until:
            self._limit()
        return Rows(cursor.execute(_in_our_words(question), values), self._limit if self._until else None)

    def close(self) -> None:
        """Give it back."""
        self._database.close()
