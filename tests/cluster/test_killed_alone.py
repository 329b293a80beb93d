"""Workers without a database are killed in the middle of batches, and their driver: nothing is lost, every receipt is merged."""

import hashlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from distributed import Client

from cluster.lab import FILES, SEED, Lab, workers
from kill.places import files
from servers.start import Unavailable, rclone

KILLS = 6

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


class Alone(Lab):
    """With nothing but the bucket."""

    def recorded(self) -> dict[str, bytes]:
        """Path to digest, as the receipts of the driver say; two of one file say the same, and lead to one key."""
        with closing(sqlite3.connect(self.home / "state" / "ledger.sqlite")) as ledger:
            rows = ledger.execute(
                "SELECT DISTINCT d.path, r.name, r.sha256, r.key FROM receipt r JOIN directory d ON d.id = r.directory"
            ).fetchall()
        found = {f"{path.decode()}/{name.decode()}": bytes(sha256) for path, name, sha256, _ in rows}
        assert len(rows) == len(found)
        return found

    def check(self) -> None:
        """Every file is in the bucket, under one key, with a receipt; none is left, and nothing of the workers."""
        assert list(files(self.home / "source")) == [], f"seed {SEED}"
        assert self.stored() == self.written, f"seed {SEED}"
        assert self.recorded() == {name: hashlib.sha256(content).digest() for name, content in self.written.items()}
        assert list((self.home / "state" / "workers").glob("*/worker-*")) == []
        assert not (self.home / "source" / ".outhaul").exists()


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Alone]:
    """With a real server; it knows no If-None-Match, so a segment that is there has to be seen before it is written over."""
    try:
        with rclone(tmp_path / "objects") as server:
            for name, value in server.environ().items():
                monkeypatch.setenv(name, value)
            yield Alone(tmp_path, server.make_bucket(), server.endpoint_url)
    except Unavailable as reason:
        pytest.skip(str(reason))


def test_workers_that_are_killed_lose_nothing(lab: Alone, record_property: Callable[[str, object], None]) -> None:
    """Others take up what they had, and ship what they had recorded; the run itself goes on to its end."""
    kills = 0
    with lab.start() as process:
        lab.wait_until_some_are_there(process)
        while process.poll() is None and kills < KILLS:
            if there := workers(process.pid):
                os.kill(lab.rng.choice(there), signal.SIGKILL)
                kills += 1
            time.sleep(lab.rng.uniform(0.3, 0.8))
        code = process.wait(150)
    assert code == 0, lab.output[-2000:]
    lab.check()
    assert kills >= 3
    record_property("figure", f"workers of Dask killed without a database: {kills}; {FILES} files whole, none twice")


def test_a_driver_that_is_killed_loses_nothing(lab: Alone) -> None:
    """The next run takes up what was left, and merges what nobody had merged; then a run alone finds nothing to do."""
    with lab.start() as process:
        lab.wait_until_some_are_there(process)
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    assert lab.lost() == []
    with lab.start() as process:
        assert process.wait(150) == 0, lab.output[-2000:]
    lab.check()


def test_a_machine_that_is_lost_is_named(lab: Alone) -> None:
    """Also where it was lost with its first receipt, which is on its disk; later runs do not fail for it, and name no other.

    Once it is back, the next run ships and merges it.
    """
    lab.command[lab.command.index("local:3")] = "dask://127.0.0.1:0"
    with Dask(lab.home) as dask:
        lab.command[lab.command.index("dask://127.0.0.1:0")] = dask.address
        dask.start_worker("127.0.0.1")
        other = dask.start_worker("127.0.0.2")
        lab.command += ["--bandwidth", "1MB/s"]
        with lab.start() as process:
            while True:
                dask.wait_for_receipts("127.0.0.2", process)
                other.send_signal(signal.SIGSTOP)
                if dask.has_receipts("127.0.0.2"):  # It has not shipped them while we looked.
                    break
                other.send_signal(signal.SIGCONT)
            other.kill()
            assert process.wait(150) == 1, lab.output[-2000:]
        assert "may be on 127.0.0.2, where no worker is left" in lab.output
        assert list(files(lab.home / "source")) == []
        missing = lab.written.keys() - lab.recorded().keys()
        assert 0 < len(missing) < FILES
        assert lab.stored() == lab.written
        before = len(lab.output)
        with lab.start() as process:
            assert process.wait(150) == 0, lab.output[-2000:]
        assert "may be on 127.0.0.2, where no worker is left" in lab.output[before:]
        dask.start_worker("127.0.0.2")
        with lab.start() as process:
            assert process.wait(150) == 0, lab.output[-2000:]
    lab.check()


def test_a_worker_is_known_by_its_name_and_by_its_number(lab: Alone) -> None:
    """It calls itself by a name, which the scheduler has looked up. Killed, another one of its machine ships what it had."""
    at = lab.command.index("local:3")
    with Dask(lab.home) as dask:
        lab.command[at] = dask.address
        first = dask.start_worker("127.0.0.1", name="localhost")
        lab.command += ["--bandwidth", "1MB/s"]
        with lab.start() as process:
            dask.wait_for_receipts("127.0.0.1", process)
            first.kill()
            first.wait()
            dask.start_worker("127.0.0.1", name="localhost")
            assert process.wait(150) == 0, lab.output[-2000:]
    lab.check()


def test_a_scheduler_that_dies_is_told_in_one_line(lab: Alone) -> None:
    """Nothing is lost; the files go on with the next run."""
    at = lab.command.index("local:3")
    with Dask(lab.home) as dask:
        lab.command[at] = dask.address
        dask.start_worker("127.0.0.1")
        with lab.start() as process:
            lab.wait_until_some_are_there(process)
            dask.kill_scheduler()
            assert process.wait(100) == 1, lab.output[-2000:]
    assert "the scheduler of --on does not answer any more; run again" in lab.output
    assert "Traceback" not in lab.output
    assert lab.lost() == []


def test_a_worker_that_is_still_busy_for_a_dead_driver_is_waited_for(tmp_path: Path) -> None:
    """That it has shipped nothing when the next run asks says nothing: its receipt is merged once it comes."""
    source, there, state = (tmp_path / name for name in ("source", "there", "state"))
    source.mkdir()
    there.mkdir()
    content = os.urandom(90 << 20)
    (source / "large").write_bytes(content)
    os.utime(source / "large", (1_600_000_000, 1_600_000_000))
    with Dask(tmp_path) as dask:
        dask.start_worker("127.0.0.1")
        command = [sys.executable, "-m", "outhaul", "move", str(source), f"file://{there}", "--on", dask.address]
        command += ["--state", str(state)]
        with subprocess.Popen([*command, "--bandwidth", "1MB/s"], stdout=subprocess.DEVNULL) as process:
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline and not list((tmp_path / "dask").glob("127.0.0.1/outhaul-*/*/worker-*")):
                time.sleep(0.2)
            time.sleep(3)
            process.kill()
        done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
        assert "a worker did not answer" in done.stdout + done.stderr
        assert done.returncode == 0, done.stdout + done.stderr
    with closing(sqlite3.connect(state / "ledger.sqlite")) as ledger:
        assert ledger.execute("SELECT sha256 FROM receipt").fetchall() == [(hashlib.sha256(content).digest(),)]
    assert (there / "large").read_bytes() == content
    assert list(files(source)) == []


class Dask:
    """A scheduler, and workers each on a disk of its own."""

    def __init__(self, home: Path) -> None:
        self._home, self._processes = home / "dask", list[subprocess.Popen[bytes]]()
        self._home.mkdir()

    def __enter__(self) -> "Dask":
        told = self._home / "scheduler.json"
        self._start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(told))
        deadline = time.monotonic() + 60
        while not told.exists() or not told.read_text():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        self._tcp = json.loads(told.read_text())["address"]
        self.address = self._tcp.replace("tcp://", "dask://")
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._processes):
            process.kill()
            process.wait()

    def kill_scheduler(self) -> None:
        """As when its machine dies."""
        self._processes[0].kill()

    def start_worker(self, host: str, within: tuple[str, ...] = (), name: str = "") -> "subprocess.Popen[bytes]":
        """One without a nanny, which nobody starts again.

        Args:
            host: Where it listens.
            within: A command that runs another.
            name: What it calls its host.
        """
        where = ["--host", host]
        if name:
            with socket.socket() as free:
                free.bind((host, 0))
                port = free.getsockname()[1]
            where = ["--listen-address", f"tcp://{host}:{port}", "--contact-address", f"tcp://{name}:{port}"]
        more = [*where, "--no-nanny", "--no-dashboard", "--nthreads", "1", "--local-directory"]
        arguments = "worker", self._tcp, *more, str(self._home / host)
        return self._start(*arguments, within=within, XDG_STATE_HOME=str(self._home / host))

    def wait_for_workers(self, count: int) -> None:
        """Until so many are there."""
        with Client(self._tcp, timeout=20) as there:
            there.wait_for_workers(count, timeout=60)

    def wait_for_receipts(self, host: str, process: "subprocess.Popen[bytes]") -> None:
        """Until a worker has recorded some that it has not shipped."""
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            if self.has_receipts(host):
                return
            time.sleep(0.02)
        raise AssertionError("no receipts")

    def has_receipts(self, host: str) -> bool:
        """Whether there are some now."""
        for path in (self._home / host).glob("outhaul-workers-*/*/*/ledger.sqlite"):
            with closing(sqlite3.connect(path)) as ledger, suppress(sqlite3.Error):
                if ledger.execute("SELECT count(*) FROM receipt WHERE disposal IS NOT NULL").fetchone()[0]:
                    return True
        return False

    def _start(
        self, what: str, *arguments: str, within: tuple[str, ...] = (), **environ: str
    ) -> "subprocess.Popen[bytes]":
        command = [*within, sys.executable, "-m", "distributed.cli.dask_" + what, *arguments]
        with (self._home / f"{what}-{len(self._processes)}.log").open("wb") as log:
            process = subprocess.Popen(command, env=os.environ | environ, stdout=log, stderr=log)
        self._processes.append(process)
        return process
