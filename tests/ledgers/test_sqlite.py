"""The ledger in SQLite: durable, private, one process, and never guessed at when it is damaged (L5, L10)."""

import os
import re
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from outhaul.ledgers.damage import FILE_NAME
from outhaul.ledgers.opening import LOCK_NAME, connect
from outhaul.ledgers.schema import VERSION
from outhaul.ledgers.sqlite import SqliteLedger
from outhaul.model.errors import AnotherInstance, LedgerError
from outhaul.testing.contracts.ledger import JOB, NOW, observation, proof, sighting


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory that is not there yet."""
    return tmp_path / "with % ? # space" / "state"


@pytest.fixture
def ledger(state: Path) -> Iterator[SqliteLedger]:
    """Open."""
    ledger = SqliteLedger(str(state), lambda: NOW.wall_ns)
    yield ledger
    ledger.close()


def rows(state: Path, query: str) -> list[tuple[object, ...]]:
    """What another process, that reads only, sees at this moment."""
    database = connect(str(state / FILE_NAME), read_only=True)
    try:
        return database.execute(query).fetchall()
    finally:
        database.close()


def test_a_receipt_is_on_disk_when_record_returns(ledger: SqliteLedger, state: Path) -> None:
    """Another connection sees a receipt as soon as `record` has returned, and the commit was synced (L5)."""
    place = ledger.place(JOB)
    ledger.record(place, [proof(sighting("x", inode=5))])
    assert rows(state, "SELECT name, inode FROM receipt") == [(b"x", 5)]
    assert rows(state, "PRAGMA journal_mode") == [("wal",)]
    assert ledger._database.execute("PRAGMA synchronous").fetchone()[0] == 2


def test_notes_wait_for_company(ledger: SqliteLedger, state: Path) -> None:
    """What may be lost costs no transaction of its own."""
    place = ledger.place(JOB)
    ledger.record(place, [proof(sighting("x"))])
    ledger.note(place, observed=[observation("y")])
    assert rows(state, "SELECT name FROM sighting") == []
    ledger.settle()
    assert rows(state, "SELECT name FROM sighting") == [(b"y",)]


def test_nobody_else_may_read_it(ledger: SqliteLedger, state: Path) -> None:
    """The ledger and its lock belong to outhaul's user alone."""
    ledger.record(ledger.place(JOB), [proof(sighting("x"))])
    modes = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in state.iterdir()}
    assert {FILE_NAME, LOCK_NAME} <= set(modes)
    assert [0o600] * len(modes) == list(modes.values())
    assert stat.S_IMODE(state.stat().st_mode) == 0o700


def test_the_lock_dies_with_its_process(state: Path) -> None:
    """A process that was killed holds nothing; while it lives, nobody else gets in."""
    program = (
        "import sys; from outhaul.ledgers.sqlite import SqliteLedger; kept = SqliteLedger(sys.argv[1], lambda: 1);"
        "print('ready', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(state)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        with pytest.raises(AnotherInstance, match=rf"{re.escape(str(state))} \(process {process.pid}\); wait for it$"):
            SqliteLedger(str(state), lambda: 1)
        process.kill()
        process.wait()
    SqliteLedger(str(state), lambda: 1).close()


def test_a_newer_ledger_is_refused(state: Path) -> None:
    """A ledger of a newer outhaul is left alone, and its lock is given back."""
    SqliteLedger(str(state), lambda: 1).close()
    database = sqlite3.connect(state / FILE_NAME)
    database.execute(f"PRAGMA user_version = {VERSION + 1}")
    database.close()
    for _ in range(2):
        with pytest.raises(LedgerError, match="newer"):
            SqliteLedger(str(state), lambda: 1)


def test_a_damaged_ledger_is_set_aside(state: Path) -> None:
    """A file that is no database is never taken for an empty ledger: it is kept as it is, and that is told (L10)."""
    state.mkdir(parents=True)
    (state / FILE_NAME).write_bytes(b"this is not a database, and has been here before\n" * 100)
    ledger = SqliteLedger(str(state), lambda: 1)
    ledger.close()
    assert Path(ledger.set_aside).read_bytes().startswith(b"this is not")


def test_after_a_failed_commit_nothing_more_is_recorded(ledger: SqliteLedger, state: Path) -> None:
    """What is on disk is then unknown: every further record and note is refused (L11)."""
    place = ledger.place(JOB)
    ledger.record(place, [proof(sighting("x"))])
    ledger._database.execute("PRAGMA query_only = ON")
    with pytest.raises(LedgerError):
        ledger.record(place, [proof(sighting("y"))])
    ledger._database.execute("PRAGMA query_only = OFF")
    with pytest.raises(LedgerError):
        ledger.record(place, [proof(sighting("z"))])
    assert rows(state, "SELECT name FROM receipt") == [(b"x",)]


def test_reading_beside_a_run(ledger: SqliteLedger, state: Path) -> None:
    """Who reads neither waits for a run nor makes it wait."""
    place = ledger.place(JOB)
    reader = connect(str(state / FILE_NAME), read_only=True)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM receipt").fetchone()
    ledger.record(place, [proof(sighting("x"))])
    reader.execute("COMMIT")
    assert reader.execute("SELECT count(*) FROM receipt").fetchone() == (1,)
    reader.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_state_directory_that_may_not_be_written(tmp_path: Path) -> None:
    """It is an error with its path, before anything else is done."""
    tmp_path.chmod(0o500)
    with pytest.raises(LedgerError, match=str(tmp_path)):
        SqliteLedger(str(tmp_path / "state"), lambda: 1)


def test_the_clock_is_asked_about_twice_before_anything_is_written(tmp_path: Path) -> None:
    """As by two jobs of one run: the second answer is the first, and both can be written."""
    ledger = SqliteLedger(str(tmp_path), lambda: NOW.wall_ns)
    assert [ledger.steady_since(NOW, 10**9), ledger.steady_since(NOW, 10**9)] == [True, True]
    ledger.settle()
    ledger.close()
