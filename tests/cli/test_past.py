"""`find`, `history` and `export`: what the ledger knows, without the network."""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cli.program import Program, Ran
from outhaul.frontends.cli.times import sample_of, time_of


class Past(Program):
    """The program with a ledger that has something to tell."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        for name in ("a.csv", "d/b.csv", "d/c.log"):
            self.write(name, name.encode())
        assert self.move().code == 0
        self.write("a.csv", b"again")
        assert self.copy().code == 0

    def ask(self, *arguments: str) -> Ran:
        """A command on that ledger."""
        return self(*arguments, "--state", str(self.state))

    def found(self, *arguments: str) -> list[str]:
        """The paths that `find` names."""
        return [event["path"] for event in self.ask("find", "--json", *arguments).events]


@pytest.fixture
def past(tmp_path: Path) -> Past:
    """It."""
    return Past(tmp_path)


def test_find(past: Past) -> None:
    """By path, directory, pattern, digest, key, job and time; nothing found is exit code 1."""
    digest = hashlib.sha256(b"d/b.csv").hexdigest()
    second = past.ask("find", "a.csv", "--json", "--job", "copy").events[-1]["key"]
    assert second.startswith("a.csv~")
    for arguments, paths in (
        ([], ["a.csv", "d/b.csv", "d/c.log", "a.csv"]),
        (["*.csv"], ["a.csv", "d/b.csv", "a.csv"]),
        (["d"], ["d/b.csv", "d/c.log"]),
        ([str(past.source / "d/b.csv")], ["d/b.csv"]),
        (["--sha256", digest], ["d/b.csv"]),
        (["--sha256", digest[:8].upper()], ["d/b.csv"]),
        (["--key", "d/c.log"], ["d/c.log"]),
        (["--key", second], ["a.csv"]),
        (["--since", "1h"], ["a.csv", "d/b.csv", "d/c.log", "a.csv"]),
        (["--until", "2001-01-01"], []),
        (["--since", "1h", "--limit", "1"], ["a.csv"]),
        (["*.log", "--limit", "1"], ["d/c.log"]),
    ):
        assert (arguments, sorted(past.found(*arguments))) == (arguments, sorted(paths))
    assert past.ask("find", "*.csv").out.count("\n") == 3
    assert past.ask("find", "nothing").code == 1
    assert [past.ask("find", "--sha256", text).code for text in ("abc", "x" * 8)] == [2, 2]


@pytest.mark.parametrize(
    "command",
    [["find"], ["ls"], ["ls", "--given-up"], ["history"], ["export", "--format", "csv", "-o", "out.csv"], ["audit"],
     ["restore", "--to", "back"]],
    ids=" ".join,
)  # fmt: skip
def test_a_job_that_is_not_there(past: Past, command: list[str]) -> None:
    """A mistyped name is told with those that are there, and is not nothing; no file is made. The two runs had one pair."""
    ran = past.ask(*command, "--job", "nope")
    assert ran == (2, "", "outhaul: --job nope: there is no such job; there is copy\n")
    assert not any((past.home / name).exists() for name in ("out.csv", "back"))
    assert past.ask(*command, "--job", "copy").code == 0


def test_history(past: Past) -> None:
    """The runs, oldest first; and what happened with one path, by either of its names."""
    runs = past.ask("history", "--json").events
    assert [(run["seen"], run["bytes_carried"]) for run in runs] == [(3, 19), (1, 5)]
    assert past.ask("history", "--limit", "1").out.count("\n") == 1
    for path in ("a.csv", str(past.source / "a.csv")):
        events = past.ask("history", path, "--json").events
        assert [event["event"] for event in events] == ["carried", "removed", "carried"]
    told = past.ask("history", "d/b.csv").out
    assert told.splitlines()[0] == f"{past.source}/d/b.csv, job copy"
    assert f"sent to file://{past.target}/d/b.csv: 7 bytes" in told
    assert "removed from the source (receipt " in told
    lines = past.on_terminal("history", "--state", str(past.state)).splitlines()
    assert [line for line in lines if len(line) > 80] == []
    assert [line for line in lines if line.startswith(" ")] == ["    copy"] * 2
    assert past.on_terminal("history", "--state", str(past.state), columns=120) == past.ask("history").out
    assert past.ask("history", "never/seen") == (1, "", "outhaul: nothing is known of never/seen\n")


def test_export_as_text(past: Past) -> None:
    """CSV and JSON lines hold the same receipts; a file is new, or nothing is written."""
    lines = [json.loads(line) for line in past.ask("export", "--format", "jsonl").out.splitlines()]
    assert lines == past.ask("find", "--json").events
    table = past.home / "receipts.csv"
    assert past.ask("export", "--format", "csv", "-o", str(table)) == (0, "", "")
    rows = list(csv.DictReader(table.open(newline="")))
    assert rows == [{name: str(value) for name, value in line.items()} for line in lines]
    before = table.read_bytes()
    ran = past.ask("export", "--format", "csv", "-o", str(table))
    assert (ran.code, ran.out, ran.err.count("\n"), table.read_bytes()) == (2, "", 1, before)
    assert past.ask("export", "d/*", "--format", "jsonl").out.count("\n") == 2


def test_a_carriage_return_in_a_name(tmp_path: Path) -> None:
    """It does not end a row of CSV (RFC 4180, 2.6): the field is quoted."""
    outhaul = Program(tmp_path)
    for name in ("cr\r", "crlf\r\n", "plain"):
        outhaul.write(name)
    assert outhaul.move().code == 0
    table = tmp_path / "receipts.csv"
    assert outhaul("export", "--format", "csv", "-o", str(table), "--state", str(outhaul.state)).code == 0
    with table.open(newline="") as file:
        assert {row["path"] for row in csv.DictReader(file)} == {"cr\r", "crlf\r\n", "plain"}


def test_export_as_parquet(past: Past) -> None:
    """The same again, in the types that they are."""
    arro3 = pytest.importorskip("arro3.io", reason="the extra `parquet` is not installed")
    table = past.home / "receipts.parquet"
    assert past.ask("export", "--format", "parquet", "-o", str(table)) == (0, "", "")
    read = arro3.read_parquet(str(table)).read_all()
    rows = past.ask("find", "--json").events
    columns = {name: read.column(name).to_pylist() for name in read.schema.names}
    assert columns == {name: [row[name] for row in rows] for name in rows[0]}
    assert past.ask("export", "--format", "parquet").code == 2


def test_parquet_without_its_extra(past: Past) -> None:
    """One line that says what to install, and no file."""
    (past.home / "arro3").mkdir()
    (past.home / "arro3" / "__init__.py").write_text("raise ImportError")
    target = past.home / "x.parquet"
    ran = past(
        "export", "--format", "parquet", "-o", str(target), "--state", str(past.state), PYTHONPATH=_path_with(past.home)
    )
    assert ran == (2, "", "outhaul: --format parquet needs the extra: pip install 'outhaul[parquet]'\n")
    assert not target.exists()


def _path_with(first: Path) -> str:
    import os

    return os.pathsep.join([str(first), *filter(None, [os.environ.get("PYTHONPATH")])])


@pytest.mark.slow
@pytest.mark.parametrize("command", [["find"], ["history"], ["history", "a.csv"], ["export", "--format", "csv"]])
def test_no_client_is_loaded(past: Past, command: list[str]) -> None:
    """What the ledger alone can answer loads neither a store's client nor the terminal's library."""
    line = [sys.executable, "-X", "importtime", "-m", "outhaul", *command, "--state", str(past.state)]
    done = subprocess.run(line, capture_output=True, text=True, env=past.environment, check=True, timeout=60)
    loaded = {text.split("|")[-1].strip().split(".")[0] for text in done.stderr.splitlines() if "import time:" in text}
    assert loaded & {"obstore", "botocore", "rich", "arro3", "ssl", "http"} == set()
    assert "sqlite3" in loaded


@pytest.mark.parametrize(
    ("text", "end", "seconds"),
    [
        ("2026-03-01", False, 1_772_323_200),
        ("2026-03-01", True, 1_772_323_200 + 86_400),
        ("2026-03-01T12:00Z", False, 1_772_366_400),
        ("2026-03-01T12:00", True, 1_772_366_401),
        ("2026-03-01T13:00+01:00", False, 1_772_366_400),
    ],
)
def test_times(text: str, end: bool, seconds: int) -> None:
    """Without a zone it is UTC; a day stands for its end or its beginning."""
    assert time_of(end=end)(text) == seconds * 10**9 - int(end)


def test_times_ago() -> None:
    """A duration is so long ago; what is neither is told."""
    assert abs(time.time_ns() - 7200 * 10**9 - time_of(end=True)("2h")) < 60 * 10**9
    for text in ("yesterday", "", "2026-13-01", "1%"):
        with pytest.raises(argparse.ArgumentTypeError):
            time_of(end=True)(text)


def test_samples() -> None:
    """A share, or a number."""
    assert [sample_of(text) for text in ("1%", "0.5%", "100%", "500")] == [(0.01, 0), (0.005, 0), (1.0, 0), (0.0, 500)]
    for text in ("", "0", "0%", "101%", "-1", "1.5", "nan%", "inf%", "x"):
        with pytest.raises(argparse.ArgumentTypeError):
            sample_of(text)
