"""While a run is sending, nothing says that all is carried: what a pass has just found is in no ledger. Real, slow processes."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli.program import Program
from outhaul.host import at_work as at_work_module
from outhaul.host.at_work import FILE_NAME, AtWork, Noting, at_work
from outhaul.model.events import Tally
from outhaul.testing.monitor import RecordingMonitor
from web.serving import Serving

MB = 10**6


@contextmanager
def sending(outhaul: Program, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    """A command that sends a megabyte a second, of one large and one small file."""
    outhaul.write("large", bytes(20 * MB))
    outhaul.write("small", b"x" * 1000)
    configuration = outhaul.home / "o.toml"
    configuration.write_text(
        f'bandwidth = "1MB/s"\n[[job]]\nname = "a"\nsource = "{outhaul.source}"\nto = "{outhaul.target}"\n'
        'after = "keep"\nsettle = { quiet = "0s" }\n'
    )
    outhaul.target.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "outhaul", *command, str(configuration), "--state", str(outhaul.state)],
        env=outhaul.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _until(lambda: at_work(str(outhaul.state)) is not None)
        yield process
    finally:
        process.kill()
        process.wait()


def _until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize("command", ["run", "watch"])
def test_a_page_and_status_say_that_a_run_is_under_way(outhaul: Program, command: str) -> None:
    """Since when, and what it has carried; and no more once it has ended, or was killed."""
    with sending(outhaul, command) as process:
        _until(lambda: (now := at_work(str(outhaul.state))) is not None and now[1:] == (1, 1000))
        found = at_work(str(outhaul.state))
        assert found is not None
        assert 0 <= time.time_ns() - found.since_ns < 20 * 10**9
        _until(lambda: (outhaul.state / "ledger.sqlite").exists())
        with Serving(str(outhaul.state)) as serving:
            serving.enter()
            text = serving.ask().text
            said = ["A run is under way</strong> since", "so far", "All is carried", ">Now 0 files,"]
            assert [word in text for word in said] == [True, True, False, False]
        status = outhaul("status", "--state", str(outhaul.state))
        assert "a run is under way, begun " in status.out
        events = outhaul("status", "--json", "--state", str(outhaul.state)).events
        assert [event["since_ns"] for event in events if event["event"] == "at-work"] == [found.since_ns]
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert (outhaul.state / FILE_NAME).exists()
        with Serving(str(outhaul.state)) as serving:
            serving.enter()
            assert "A run is under way" not in serving.ask().text
        assert "under way" not in outhaul("status", "--state", str(outhaul.state)).out


def test_nothing_is_left_of_a_run_that_has_ended(outhaul: Program) -> None:
    """And nothing is written by one that only says what it would do."""
    outhaul.write("one")
    assert outhaul.copy("--dry-run").code == 0
    assert not (outhaul.state / FILE_NAME).exists()
    assert outhaul.copy().code == 0
    assert at_work(str(outhaul.state)) is None
    assert (outhaul.state / FILE_NAME).read_bytes().strip() == b""


def test_a_watch_that_looks_shortly_writes_nothing(tmp_path: Path) -> None:
    """A machine at rest spares its card; what takes longer is written down, once in two seconds at most."""
    noting = Noting(RecordingMonitor(), str(tmp_path), 0.05)
    noting.begins()
    assert os.listdir(tmp_path) == []
    time.sleep(0.06)
    noting.progress(None, Tally())  # type: ignore[arg-type]
    found = at_work(str(tmp_path))
    assert isinstance(found, AtWork)
    noting.begins()
    noting.ended()
    assert at_work(str(tmp_path)) == found
    noting.ended()
    assert at_work(str(tmp_path)) is None


def test_who_asks_at_that_moment_is_in_nobodys_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that does not get the lock takes it with the next word."""
    monkeypatch.setattr(at_work_module, "_APART_SECONDS", 0.0)
    with (tmp_path / FILE_NAME).open("w") as asking:
        fcntl.flock(asking, fcntl.LOCK_SH)
        noting = Noting(RecordingMonitor(), str(tmp_path))
        noting.begins()
    assert at_work(str(tmp_path)) is None
    noting.progress(None, Tally())  # type: ignore[arg-type]
    assert at_work(str(tmp_path)) is not None
    noting.close()


@pytest.mark.parametrize("text", [b"", b"[1]", b"[1, 2, true]", b'{"a": 1}', b"\xff", b"[" * 200])
def test_what_is_none_of_ours_says_nothing(tmp_path: Path, text: bytes) -> None:
    """Whoever holds it, and whatever stands in it."""
    noting = Noting(RecordingMonitor(), str(tmp_path))
    noting.begins()
    (tmp_path / FILE_NAME).write_bytes(text)
    assert at_work(str(tmp_path)) is None
    noting.close()


def test_a_directory_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    """A full disk, or one that is gone."""
    noting = Noting(RecordingMonitor(), str(tmp_path / "gone"))
    noting.begins()
    noting.close()
    assert at_work(str(tmp_path / "gone")) is None
