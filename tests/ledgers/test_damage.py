"""A ledger that is damaged in any way costs proving again, and never a byte (hazard 81)."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from outhaul.ledgers.queries import Reading
from outhaul.ledgers.sqlite import SqliteLedger
from outhaul.model.errors import LedgerError
from outhaul.ports import Observation
from outhaul.testing.contracts.ledger import JOB, NOW, proof, sighting

pytestmark = pytest.mark.slow

FILES = 30


def outhaul(home: Path, verb: str) -> subprocess.CompletedProcess[str]:
    """One run over the source, to a directory."""
    command = [
        sys.executable,
        "-m",
        "outhaul",
        verb,
        str(home / "source"),
        str(home / "target"),
        "--state",
        str(home / "state"),
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def damage(path: Path, how: str) -> None:
    """Spoil a ledger."""
    content = bytearray(path.read_bytes())
    chance = random.Random(how)
    if how == "empty":
        content = bytearray()
    elif how == "no database":
        content = bytearray(chance.randbytes(5000))
    elif how == "cut off":
        content = content[: len(content) // 2]
    elif how == "a page of zeros":
        content[4096:8192] = bytes(4096)
    elif how == "flipped bytes":
        for _ in range(200):
            content[chance.randrange(100, len(content))] ^= 0xFF
    elif how.startswith("flipped bits"):
        chance = random.Random(int(how.split()[-1]))
        for _ in range(chance.choice([1, 3, 20, 300])):
            content[chance.randrange(16, len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)


# The seeds have been stuck once: a receipt that fits no file, a column that is not there, text that is none.
@pytest.mark.parametrize(
    "how",
    ["empty", "no database", "cut off", "a page of zeros", "flipped bytes", "flipped bits 3", "flipped bits 13",
     "flipped bits 15", "flipped bits 18", "flipped bits 23"],
)  # fmt: skip
def test_a_damaged_ledger_costs_no_byte(tmp_path: Path, how: str) -> None:
    """Within three runs everything is carried; what was there is adopted; every content is in the target, whole."""
    source = tmp_path / "source"
    source.mkdir()
    contents = {f"{number}.csv": f"content {number}".encode() * 20 for number in range(FILES)}
    for name, content in contents.items():
        (source / name).write_bytes(content)
    assert outhaul(tmp_path, "copy").returncode == 0
    damage(tmp_path / "state" / "ledger.sqlite", how)
    runs = [outhaul(tmp_path, "move") for _ in range(3)]
    assert runs[-1].returncode == 0, runs
    assert not any("Traceback" in run.stderr for run in runs)
    assert contents == {path.name: path.read_bytes() for path in (tmp_path / "target").iterdir()}
    assert list(source.iterdir()) == []


@pytest.mark.parametrize("table", ["receipt", "sighting"])
def test_a_size_that_is_none_is_told_in_one_line(tmp_path: Path, table: str) -> None:
    """SQLite holds no page to what a table was made with: such damage shows where its rows are added up."""
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    with closing(SqliteLedger(str(state), lambda: 1)) as ledger:
        place = ledger.place(JOB)
        ledger.record(place, [proof(sighting("a", "d"), "site/a")])
        seen = Observation(sighting("b", "d")._replace(birth_ns=0), NOW, "quiet", "", 1)
        ledger.note(place, observed=[seen])
        ledger.settle()
    with closing(sqlite3.connect(state / "ledger.sqlite")) as raw:
        raw.execute("PRAGMA writable_schema = ON")
        raw.execute(
            "UPDATE sqlite_schema SET sql = replace(sql, 'size INTEGER NOT NULL', 'size INTEGER') WHERE name = ?",
            (table,),
        )
        raw.commit()
    with closing(sqlite3.connect(state / "ledger.sqlite")) as raw, raw:
        raw.execute(f"UPDATE {table} SET size = NULL")
    with Reading(str(state)) as ledger_of_status, pytest.raises(LedgerError, match="cannot be read"):
        ledger_of_status.status()
