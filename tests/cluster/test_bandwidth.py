"""Workers that are really there send within one limit, and who is busy alone has nearly all of it."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cluster.lab import workers

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

LIMIT = 2_000_000


@contextmanager
def moving(home: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """The command, on three workers."""
    (home / "there").mkdir()
    command = [sys.executable, "-m", "outhaul", "move", str(home / "source"), f"file://{home / 'there'}"]
    command += ["--state", str(home / "state"), "--on", "local:3", "--bandwidth", f"{LIMIT // 1000}kB/s"]
    with (home / "output").open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        yield process


def write(home: Path, directories: int, files: int, size: int) -> int:
    """A tree; all of its bytes."""
    for directory in range(directories):
        folder = home / "source" / f"d{directory}"
        folder.mkdir(parents=True)
        for number in range(files):
            (folder / str(number)).write_bytes(os.urandom(16) + bytes(size - 16))
    return directories * files * size


class Meter:
    """How many bytes are there, again and again."""

    def __init__(self, there: Path) -> None:
        self._there, self._over = there, threading.Event()
        self.seen: list[tuple[float, int]] = []
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> "Meter":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.2):
            began, size = time.monotonic(), 0
            for folder in self._there.glob("d*"):
                size += sum(entry.stat().st_size for entry in os.scandir(folder) if entry.name.isdecimal())
            self.seen.append(((began + time.monotonic()) / 2, size))

    def fastest(self, seconds: float) -> float:
        """The most bytes a second over so long a time."""
        found = [
            (size - before) / (now - then)
            for index, (then, before) in enumerate(self.seen)
            for now, size in self.seen[index + 1 :]
            if now - then >= seconds
        ]
        return max(found, default=0.0)


def test_a_worker_that_is_busy_alone_has_nearly_all(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """One batch of three workers' work takes as long as the limit makes it, and not three times that."""
    size = write(tmp_path, 1, 200, 100_000)
    with Meter(tmp_path / "there") as meter, moving(tmp_path) as process:
        assert process.wait(120) == 0
    busy = [when for when, there in meter.seen if 0 < there < size]
    rate = size / (busy[-1] - busy[0])
    assert meter.fastest(3) < 1.1 * LIMIT
    assert rate > 0.75 * LIMIT
    record_property("figure", f"one busy worker of three: {rate / LIMIT:.0%} of the limit")


def test_workers_that_are_killed_leave_the_limit_whole(tmp_path: Path) -> None:
    """One of them has the pool: another one is made, and nobody sends more than there is meanwhile."""
    size = write(tmp_path, 3, 3000, 4000)
    with Meter(tmp_path / "there") as meter, moving(tmp_path) as process:
        for at in (0.15, 0.4):
            deadline = time.monotonic() + 60
            while not meter.seen or meter.seen[-1][1] < at * size:
                assert time.monotonic() < deadline, (tmp_path / "output").read_text()
                time.sleep(0.1)
            for worker in workers(process.pid)[:2]:
                os.kill(worker, signal.SIGKILL)
        assert process.wait(150) == 0, (tmp_path / "output").read_text()
    assert meter.seen[-1][1] == size
    assert meter.fastest(4) < 1.15 * LIMIT
