"""The ledger of a worker goes while its lock is held, and takes nothing of another with it."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from outhaul.ledgers.removing import remove_ledger, remove_state
from outhaul.ledgers.sqlite import SqliteLedger
from outhaul.model.job import Destination, Job

JOB = Job("one", "/source", Destination("file:///there", "file", "", "", "/there"))


def test_all_of_it_goes(tmp_path: Path) -> None:
    """But for what no ledger makes."""
    state = tmp_path / "state"
    with closing(SqliteLedger(str(state), lambda: 1)) as ledger:
        ledger.place(JOB)
        remove_ledger(ledger)
    assert not state.exists()
    state.mkdir()
    (state / "something").touch()
    (state / "lock").touch()
    remove_state(str(state))
    assert os.listdir(state) == ["something"]


def test_one_that_is_made_meanwhile_is_left_alone(tmp_path: Path) -> None:
    """Also by SQLite, which removes its own files by name when it closes."""
    state = tmp_path / "state"
    before = SqliteLedger(str(state), lambda: 1)
    before.place(JOB)
    remove_ledger(before)
    with closing(SqliteLedger(str(state), lambda: 1)) as ledger:
        ledger.place(JOB)
        before.close()
        with closing(sqlite3.connect(state / "ledger.sqlite")) as beside:
            assert beside.execute("SELECT job FROM place").fetchall() == [("one",)]
