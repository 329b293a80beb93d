"""Workers go on only as long as a person, the hour and the limits of the job let them."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


class Lab:
    """A tree, a configuration, and a directory to carry to."""

    def __init__(self, home: Path, more: str = "") -> None:
        self.home, self.there = home, home / "there"
        self.there.mkdir()
        self.fill()
        told = f'[[job]]\nname = "one"\nsource = "{home / "source"}"\nto = "file://{self.there}"\n'
        told += f'settle = {{ quiet = "0s" }}\nafter = "delete"\n{more}\n'
        (home / "outhaul.toml").write_text(told)

    def fill(self, first: int = 0) -> None:
        """Have 300 files of 10 kB in it, with numbers from this one on."""
        for number in range(first, first + 300):
            folder = self.home / "source" / f"d{number % 10}"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{number}.bin").write_bytes(os.urandom(16) + bytes(9984))

    def start(self, *more: str) -> "subprocess.Popen[str]":
        """A run on two workers."""
        command = ["run", str(self.home / "outhaul.toml"), "--on", "local:2", *more]
        return subprocess.Popen(self._command(*command), stderr=subprocess.PIPE, text=True)

    def run(self, *more: str) -> str:
        """The same, to its end; what it said."""
        with self.start(*more) as process:
            said = process.communicate(timeout=120)[1]
        assert process.returncode == 0, said
        return said

    def call(self, *command: str) -> None:
        """Another command."""
        subprocess.run(self._command(*command), check=True, capture_output=True)

    def _command(self, *command: str) -> list[str]:
        return [sys.executable, "-m", "outhaul", *command, "--state", str(self.home / "state")]

    def stored(self) -> list[int]:
        """The sizes of what is there."""
        return [path.stat().st_size for path in self.there.glob("d*/*.bin")]

    def left(self) -> int:
        """How many files are here."""
        return len(list((self.home / "source").glob("d*/*.bin")))

    def receipts(self) -> int:
        """Of files that have gone, in the ledger of the driver."""
        with closing(sqlite3.connect(self.home / "state" / "ledger.sqlite")) as ledger:
            found = ledger.execute(
                "SELECT count(DISTINCT directory || '/' || name) FROM receipt WHERE disposal = 'removed'"
            )
            return int(found.fetchone()[0])


def test_a_paused_job_does_not_begin(tmp_path: Path) -> None:
    """It is told, and goes once it is resumed."""
    lab = Lab(tmp_path)
    lab.run()
    lab.fill(300)
    lab.call("pause", "one")
    assert "paused: until `outhaul resume`" in lab.run()
    assert lab.left() == 300
    lab.call("resume", "one")
    lab.run()
    assert (lab.left(), lab.receipts(), len(lab.stored())) == (0, 600, 600)


def test_a_pause_ends_what_is_under_way(tmp_path: Path) -> None:
    """Within seconds; and what has gone is recorded."""
    lab = Lab(tmp_path)
    with lab.start("--bandwidth", "200kB/s") as process:
        _until_some_are_there(lab, process)
        lab.call("pause", "one")
        began = time.monotonic()
        said = process.communicate(timeout=60)[1]
        assert time.monotonic() - began < 20
    assert process.returncode == 0, said
    assert "one: paused: " in said
    assert 0 < lab.left() < 300
    assert lab.receipts() == 300 - lab.left()


def test_quiet_hours_hold(tmp_path: Path) -> None:
    """For the driver as for the workers."""
    now = time.time()
    begin, end = (time.strftime("%H:%M", time.localtime(now + hours * 3600)) for hours in (-1, 2))
    lab = Lab(tmp_path, f'quiet-hours = "{begin}-{end}"')
    assert "quiet hours" in lab.run()
    assert lab.left() == 300


def test_a_run_that_is_interrupted_brings_home_what_it_began(tmp_path: Path) -> None:
    """The whole process group is told, as by a terminal; what has gone is recorded."""
    lab = Lab(tmp_path)
    command = lab._command("run", str(tmp_path / "outhaul.toml"), "--on", "local:2", "--bandwidth", "200kB/s")
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        _until_some_are_there(lab, process)
        os.killpg(process.pid, signal.SIGINT)
        said = process.communicate(timeout=60)[1]
    assert process.returncode == 130, said
    assert "Traceback" not in said
    lab.run()
    assert (lab.left(), lab.receipts(), len(lab.stored())) == (0, 300, 300)


def test_no_more_goes_in_a_day_than_may(tmp_path: Path) -> None:
    """However many workers there are, and in however many runs; what waits is told."""
    lab = Lab(tmp_path, 'max-bytes-per-day = "1MB"')
    lab.run()
    assert 900_000 <= sum(lab.stored()) <= 1_000_000
    lab.run()
    assert sum(lab.stored()) <= 1_000_000
    assert lab.receipts() == len(lab.stored())


def test_no_more_files_go_in_a_run_than_may(tmp_path: Path) -> None:
    """Each run carries as many again."""
    lab = Lab(tmp_path, "max-files = 120")
    for there in (120, 240, 300):
        lab.run()
        assert len(lab.stored()) == there


def _until_some_are_there(lab: Lab, process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + 60
    while len(lab.stored()) < 20:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
