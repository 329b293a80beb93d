"""A run that nobody works for says so and ends; and one that is asked to end does not wait for workers."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cluster.lab import workers
from cluster.test_killed_alone import Dask
from kill.places import files
from outhaul.cluster import crew
from outhaul.cluster.crew import Crew
from outhaul.cluster.driver import run
from outhaul.model.job import Destination, Job
from outhaul.testing.monitor import RecordingMonitor

_MISSED = "the scheduler of --on has no workers: waiting for one"


class _Scheduler:
    """As a client of Dask knows it."""

    def __init__(self) -> None:
        self.there: dict[str, int] = {}

    def nthreads(self) -> dict[str, int]:
        return self.there


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """With one file."""
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    (tmp_path / "here" / "file").write_bytes(b"content")
    os.utime(tmp_path / "here" / "file", (1_600_000_000, 1_600_000_000))
    there = str(tmp_path / "there")
    return Job("one", str(tmp_path / "here"), Destination(f"file://{there}", "file", "", "", there), one_off=True)


def test_that_nobody_is_there_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each time; and only after so long in a row is it a fault."""
    now, told, there = [0.0], list[str](), _Scheduler()
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    some = Crew(there, told.append, lambda: False)
    found = []
    for moment in (0.0, 9.0, 11.0, 200.0, 201.0, 202.0, 213.0, 500.0, 503.0):
        now[0], there.there = moment, {"tcp://10.0.0.1:1": 1} if moment == 201.0 else {}
        found.append((sorted(some.workers()), len(told), bool(some.fault)))
    assert found == [
        ([], 0, False), ([], 0, False), ([], 1, False), ([], 1, False), (["tcp://10.0.0.1:1"], 1, False),
        ([], 1, False), ([], 2, False), ([], 2, False), ([], 2, True),
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(100)
def test_a_run_without_workers_ends(tmp_path: Path, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line. Also where nobody is there for what an earlier run has left."""
    monkeypatch.setattr(crew, "TOLD_SECONDS", 0.5)
    monkeypatch.setattr(crew, "GIVEN_UP_SECONDS", 2.0)
    with Dask(tmp_path) as dask:
        for _ in range(2):
            monitor, since = RecordingMonitor(), time.monotonic()
            report = run([job], on=dask.address, ledger="", state=str(tmp_path / "state"), monitor=monitor)
            fault = "the scheduler of --on had no workers for 2 seconds: start some, and run again"
            assert (report.exit_code, monitor.notices) == (1, [_MISSED, fault])
            assert 2 < time.monotonic() - since < 20
    assert [path.name for path in files(tmp_path / "here")] == ["file"]


@pytest.mark.slow
@pytest.mark.timeout(100)
def test_a_run_that_is_to_end_waits_for_no_answer(tmp_path: Path, job: Job) -> None:
    """Of workers that have what an earlier run gave them, and say nothing; it is the next one that asks."""
    with Dask(tmp_path) as dask:
        worker = dask.start_worker("127.0.0.1")
        dask.wait_for_workers(1)
        state = str(tmp_path / "state")
        assert run([job], on=dask.address, ledger="", state=state, monitor=RecordingMonitor()).exit_code == 0
        worker.send_signal(signal.SIGSTOP)
        monitor, since = RecordingMonitor(), time.monotonic()
        report = run(
            [job],
            on=dask.address,
            ledger="",
            state=state,
            monitor=monitor,
            stopped=lambda: time.monotonic() - since > 2,
        )
        assert (report.exit_code, monitor.notices) == (130, [])
        assert time.monotonic() - since < 7


@pytest.mark.slow
@pytest.mark.timeout(200)
@pytest.mark.parametrize("seconds", [0.0, 0.2, 0.5, 1.0])
def test_an_interrupt_of_the_terminal_is_obeyed(tmp_path: Path, job: Job, seconds: float) -> None:
    """It reaches all processes, also those that have only begun; none of them has anything to say of it."""
    (tmp_path / "here" / "large").write_bytes(bytes(1 << 20))
    command = [sys.executable, "-m", "outhaul", "move", job.source, job.destination.address, "--on", "local:2"]
    command += ["--state", str(tmp_path / "state"), "--bandwidth", "8KiB/s"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as process:
        while process.poll() is None and not workers(process.pid):
            time.sleep(0.01)
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGINT)
        told = process.communicate(timeout=60)[0]
    assert (process.returncode, "Traceback" in told) == (130, False), told
