"""A device tells: what, how often, with which permissions, and that nothing waits for it."""

from __future__ import annotations

import gzip
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.program import Program
from outhaul.app import status
from outhaul.fleet import memory
from outhaul.fleet.status import read_status
from outhaul.fleet.telling import Teller, encoded
from outhaul.frontends.cli.show import receipt_fields
from outhaul.model.fleet import STATUS_BYTES_MAX, Fleet
from outhaul.model.job import Connection, Destination
from outhaul.ports.meeting import Meeting
from outhaul.wiring import open_meeting

SECOND_NS = 10**9
CONFIG = """
[fleet]
to = "meet"
device = "logger-17"
interval = "{interval}"
[[job]]
name = "a"
source = "source"
to = "target"
settle = {{ quiet = "0s" }}
"""


@pytest.fixture
def outhaul(tmp_path: Path) -> Program:
    """The command, with a fleet that meets in a directory."""
    (tmp_path / "outhaul.toml").write_text(CONFIG.format(interval="1s"))
    return Program(tmp_path)


def run(outhaul: Program) -> None:
    """One pass, that must be well and say nothing of the fleet."""
    ran = outhaul("run", "outhaul.toml", "--state", str(outhaul.state), "-q")
    assert (ran.code, ran.err) == (0, "")


def told(home: Path) -> dict[str, Any]:
    """The status."""
    found: dict[str, Any] = json.loads((home / "meet/.outhaul/fleet/status/logger-17.json").read_text())
    return found


def segments(home: Path) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Each segment of receipts, by its name."""
    for path in sorted((home / "meet/.outhaul/fleet/receipts").rglob("*.jsonl.gz")):
        yield path.name, [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


def teller(outhaul: Program, interval_ns: int = 1, heartbeat_ns: int = 3600 * SECOND_NS) -> Teller:
    """What tells, in this process."""
    directory = str(outhaul.home / "meet")
    there = Destination(f"file://{directory}", "file", "", "", directory)
    fleet = Fleet(there, Connection(), "logger-17", interval_ns, heartbeat_ns)
    where = lambda: open_meeting(there, Connection())  # noqa: E731
    return Teller(fleet, str(outhaul.state), where, receipt_fields, "0.1.0", lambda: False)


def test_a_run_tells_of_itself(outhaul: Program) -> None:
    """Its receipts as they are exported, and how the device is; once an interval."""
    outhaul.write("a.csv")
    outhaul.write("b.csv")
    run(outhaul)
    exported = outhaul("export", "--format", "jsonl", "--state", str(outhaul.state)).out
    assert [[json.loads(line) for line in exported.splitlines()]] == [rows for _, rows in segments(outhaul.home)]
    first = told(outhaul.home)
    expected: tuple[object, ...] = ("logger-17", 1, 2, 14, {})
    assert expected == (
        first["device"], first["sequence"], first["carried"]["files"], first["carried"]["bytes"], first["waiting"]["held"],
    )  # fmt: skip
    (outhaul.home / "outhaul.toml").write_text(CONFIG.format(interval="1h"))
    outhaul.write("c.csv")
    run(outhaul)
    assert first == told(outhaul.home)
    assert not (outhaul.target / ".outhaul").exists()


def test_what_has_not_changed_is_not_told_again_before_a_heartbeat(outhaul: Program) -> None:
    """The interval is over, and all is as it was; a heartbeat is told nevertheless, and a change at once."""
    outhaul.write("a.csv")
    run(outhaul)
    assert [
        teller(outhaul).tell({}), teller(outhaul, heartbeat_ns=1).tell({}), teller(outhaul).tell({}),
    ] == [False, True, False]  # fmt: skip
    assert (teller(outhaul).tell({"a": "its disk is gone"}), told(outhaul.home)["sequence"]) == (True, 3)
    assert told(outhaul.home)["fault"] == "a: its disk is gone"


def test_the_end_of_a_run_sets_right_what_it_told_before(outhaul: Program) -> None:
    """Once more within the interval, where it told while it went on; the next run waits for its time."""
    outhaul.copy("-q")
    first = teller(outhaul, 3600 * SECOND_NS)
    assert (first.tell({}), first.tell({"a": "x"}), first.tell({"a": "x"}, ending=True)) == (True, False, True)
    assert not teller(outhaul, 3600 * SECOND_NS).tell({"a": "y"}, ending=True)


def test_a_full_disk_is_told_of(outhaul: Program) -> None:
    """Though nothing can be remembered there."""
    outhaul.write("a.csv")
    outhaul.copy("-q")
    (outhaul.state / memory.TOLD).mkdir()
    one = teller(outhaul, 3600 * SECOND_NS)
    assert (one.tell({}), one.tell({"a": "x"})) == (True, False)
    assert told(outhaul.home)["receipts_told"] == 1


@pytest.mark.slow
def test_receipts_that_come_meanwhile_wait_for_the_next_time(outhaul: Program) -> None:
    """While a long backlog is carried there are always more: how the device is, is told nevertheless."""
    outhaul.write("0.csv")
    outhaul.copy("-q")
    one = teller(outhaul)
    one._opened = _Busy(one._meeting, outhaul)
    assert one.tell({})
    assert (told(outhaul.home)["receipts_told"], told(outhaul.home)["carried"]["files"]) == (1, 2)


class _Busy:
    """A place that takes so long that another file has been carried meanwhile."""

    def __init__(self, there: Meeting, outhaul: Program) -> None:
        self._outhaul = outhaul
        self.replace, self.read_one, self.read_many, self.listing = (
            there.replace, there.read_one, there.read_many, there.listing,
        )  # fmt: skip
        self._create = there.create
        self._count = 0

    def create(self, key: str, body: bytes) -> None:
        """See `ports.Meeting`."""
        self._count += 1
        self._outhaul.write(f"{self._count}.csv")
        self._outhaul.copy("-q")
        self._create(key, body)


@pytest.mark.slow
def test_a_memory_that_is_lost_costs_a_segment_again(outhaul: Program) -> None:
    """The same receipts are the same bytes under the same key; with more since, under another, and the import knows them."""
    outhaul.write("a.csv")
    run(outhaul)
    before = [name for name, _ in segments(outhaul.home)]
    (outhaul.state / memory.TOLD).write_text("{nonsense")
    assert teller(outhaul).tell({})
    assert before == [name for name, _ in segments(outhaul.home)]


@pytest.mark.slow
def test_a_new_ledger_is_another_one(outhaul: Program) -> None:
    """It begins to count anew, and its receipts are told under its own name."""
    outhaul.write("a.csv")
    run(outhaul)
    for path in outhaul.state.glob("ledger*"):
        path.unlink()
    outhaul.write("b.csv")
    outhaul.copy("-q")
    assert teller(outhaul).tell({})
    names = [name.split("-") for name, _ in segments(outhaul.home)]
    assert [(name[1], name[2]) for name in names] == [("000000000001", "000000000001")] * 2
    assert len({name[0] for name in names}) == 2


@pytest.mark.slow
def test_a_place_that_cannot_be_used_is_one_line_and_changes_nothing(outhaul: Program) -> None:
    """Files are carried, and the exit code is that of the jobs."""
    (outhaul.home / "meet").write_text("a file")
    outhaul.write("a.csv")
    ran = outhaul("run", "outhaul.toml", "--state", str(outhaul.state), "-q")
    assert (ran.code, ran.err.count("\n"), list(outhaul.stored())) == (0, 1, ["a.csv"])
    assert "was not told how this device is" in ran.err


@pytest.mark.slow
def test_a_daemon_tells_while_it_carries(outhaul: Program) -> None:
    """It says that it is there, and then what has changed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "outhaul", "watch", "outhaul.toml", "--state", str(outhaul.state)],
        cwd=outhaul.home, env=outhaul.environment, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        outhaul.write("a.csv")
        end = time.monotonic() + 30
        while time.monotonic() < end and not list((outhaul.home / "meet").rglob("*.jsonl.gz")):
            time.sleep(0.1)
        assert len(list(segments(outhaul.home))) == 1
    finally:
        process.terminate()
        process.communicate(timeout=30)


@pytest.mark.slow
def test_names_that_are_no_text_are_told_as_text(outhaul: Program) -> None:
    """Long ones are cut; what is told is read again."""
    name = os.fsdecode(b"\xff" + b"\xc3\xbc" * 100)
    outhaul.write("a.csv")
    run(outhaul)
    with sqlite3.connect(outhaul.state / "ledger.sqlite") as database:
        database.execute(
            "INSERT INTO sighting SELECT directory, ?, device, inode, size, mtime_ns, ctime_ns, 'b', 0, 5, 'unreadable', '', 1 "
            "FROM receipt", (os.fsencode(name),),
        )  # fmt: skip
    assert sum(status(str(outhaul.state))[0].waiting.values()) == 1
    assert teller(outhaul).tell({})
    found = read_status((outhaul.home / "meet/.outhaul/fleet/status/logger-17.json").read_bytes(), "logger-17")
    assert ("\ufffd" if "\ufffd" in found.oldest_path else "?") + "ü" * 100 == found.oldest_path


def test_one_that_would_be_too_large_goes_without_its_jobs(outhaul: Program) -> None:
    """Never larger than what is read."""
    status = {"jobs": [{"job": "x" * 400, "fault": "y" * 4000}] * 50, "jobs_left_out": 3}
    body = encoded(status)
    assert len(body) < STATUS_BYTES_MAX
    assert json.loads(body) == {"jobs": [], "jobs_left_out": 53}


@pytest.mark.slow
def test_no_data_job_takes_the_reserved_prefix_for_its_own(outhaul: Program) -> None:
    """The fleet meets where the job's files go: restore from there alone, rebuild, mirror leave it out."""
    config = outhaul.home / "outhaul.toml"
    config.write_text(config.read_text().replace('"meet"', '"target"'))
    outhaul.write("a.csv")
    run(outhaul)
    assert len(outhaul.stored()) == 3
    ran = outhaul("restore", f"file://{outhaul.target}", "--to", "back", "-q")
    back = [path.name for path in (outhaul.home / "back").rglob("*") if path.is_file()]
    assert (ran.code, back) == (0, ["a.csv"])
    ran = outhaul("rebuild", f"file://{outhaul.target}", "--source", str(outhaul.source), "--state", "new")
    listed = outhaul("ls", "--json", "--state", "new")
    assert (ran.code, [row["path"] for row in listed.events]) == (0, ["a.csv"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("to = 's3://bucket/p'\ndevice = 'a/b'", "expected 1 to 63 letters"),
        ("to = 's3://bucket/p'\ninterval = '2h'\nheartbeat = '1h'", "is shorter than interval"),
        ("to = 's3://bucket/p'\nheartbeat = '90d'", "nobody would notice"),
        ("device = 'a'", "to: is missing"),
        ("to = 's3://bucket/p'\nevery = '1h'", "unknown key"),
        ("to = 's3://bucket/p'\ncontrol-key = 'secret'", "outhaul fleet keygen"),
    ],
)
def test_a_wrong_table_is_one_line(outhaul: Program, table: str, expected: str) -> None:
    """What is wrong, and where."""
    config = outhaul.home / "outhaul.toml"
    config.write_text(f"[fleet]\n{table}\n[[job]]" + config.read_text().partition("[[job]]")[2])
    ran = outhaul("run", "outhaul.toml", "--state", str(outhaul.state))
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert expected in ran.err
