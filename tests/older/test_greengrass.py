"""`outhaul-greengrass` as a process: its arguments, its log, its end, and what it does while a service is away."""

from __future__ import annotations

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

from older.greengrass import Component
from servers.server import Server
from servers.stream_manager import StreamManager, stream_manager
from servers.token_exchange import TOKEN, TokenExchange, token_exchange

PROGRAM = [sys.executable, "-c", "from outhaul.frontends.older.greengrass import entry; entry()"]


def run(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command to its end."""
    return subprocess.run([*PROGRAM, *arguments], capture_output=True, text=True, timeout=60, cwd=tmp_path, check=False)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([], "expected PathName BucketName ObjectKeyPrefix Interval LogLevel [Via]; these are 0 values"),
        (["/d/*", "b", "", "1"], "expected PathName BucketName ObjectKeyPrefix Interval LogLevel [Via]; these are 4 values"),
        (["/d/*", "bucket", "", "soon", "INFO"],
         'arguments: Interval: expected a whole number of seconds such as 60, not "soon"'),
        (["/d/*", "bucket", "", "1", "loud"],
         'arguments: LogLevel: expected DEBUG, INFO, WARNING, ERROR or CRITICAL, not "LOUD"'),
        (["d/*", "bucket", "", "1", "INFO"],
         'arguments: PathName: "d/*" begins nowhere; write the whole path, such as /data/outbox/*.csv'),
    ],
)  # fmt: skip
def test_wrong_arguments_are_one_line(tmp_path: Path, values: list[str], said: str) -> None:
    """And exit code 2: it was 0, or a traceback, or one every minute for ever."""
    ran = run(tmp_path, "--", *values)
    assert (ran.returncode, ran.stdout, ran.stderr) == (2, "", f"outhaul-greengrass: {said}\n")


@pytest.fixture
def tokens(rclone_server: Server) -> Iterator[TokenExchange]:
    """A token exchange service."""
    with token_exchange(rclone_server) as running:
        yield running


@pytest.fixture
def manager(rclone_server: Server) -> Iterator[StreamManager]:
    """A Stream Manager."""
    with stream_manager(rclone_server) as running:
        yield running


@pytest.fixture
def device(tmp_path: Path, rclone_server: Server, manager: StreamManager, tokens: TokenExchange) -> Component:
    """What a component has around it."""
    return Component(tmp_path, rclone_server, manager, tokens)


class Running:
    """The command while it runs."""

    def __init__(self, device: Component, via: str, level: str) -> None:
        self._log = device.home / "log"
        clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        around = {
            "AWS_ENDPOINT_URL": device.server.endpoint_url, "HOME": str(device.home), "NO_PROXY": "127.0.0.1,localhost",
            "STREAM_MANAGER_SERVER_PORT": str(device.manager.port),
        }  # fmt: skip
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [*PROGRAM, f"{device.source}/*", device.bucket, "/site/", "1", level, via],
                stderr=log, cwd=device.home, env=clean | device.tokens.environ | around,
            )  # fmt: skip

    def log(self) -> str:
        """All that it has said."""
        return self._log.read_text()

    def until(self, found: Callable[[], bool], seconds: float = 30) -> None:
        """Wait for something to come true."""
        deadline = time.monotonic() + seconds
        while not found():
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.05)

    def end(self) -> tuple[int, float]:
        """Ask it to end: exit code, and how many seconds that took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20), time.monotonic() - began


@contextmanager
def running(device: Component, via: str = "S3", level: str = "INFO") -> Iterator[Running]:
    """The command for the length of a `with`; it is killed where a test fails."""
    process = Running(device, via, level)
    try:
        yield process
    finally:
        process.process.kill()
        process.process.wait()


@pytest.mark.slow
@pytest.mark.parametrize("via", ["S3", "StreamManager"])
def test_it_carries_until_it_is_told_to_end(device: Component, via: str) -> None:
    """Files come while it runs, and go; a signal ends it within two seconds, with exit code 0."""
    device.write("a.csv", "first", age_seconds=30)
    device.write("newest.csv")
    with running(device, via) as component:
        component.until(lambda: device.names() == ["newest.csv"])
        device.write("b.csv", "second", age_seconds=20)
        component.until(lambda: device.names() == ["newest.csv"])
        code, seconds = component.end()
    assert (code, seconds < 2) == (0, True)
    assert device.objects() == {"site/a.csv": "first", "site/b.csv": "second"}
    lines = component.log().splitlines()
    assert f"INFO:outhaul-greengrass:Uploaded {device.source}/a.csv to s3://{device.bucket}/site/a.csv" in lines
    assert f"INFO:outhaul-greengrass:Removed {device.source}/a.csv" in lines
    assert ("Traceback" in component.log(), len(device.manager.tasks)) == (False, 0 if via == "S3" else 2)


@pytest.mark.slow
def test_services_that_are_away_are_waited_for(device: Component) -> None:
    """No directory, no credentials, keys that end soon: each is told once, and the files go when all is there."""
    device.source.rmdir()
    device.tokens.status = 503
    with running(device) as component:
        component.until(lambda: "it is not there any more; it is tried again" in component.log())
        time.sleep(2.5)
        assert component.log().count("it is tried again") == 1
        device.source.mkdir()
        device.write("a.csv", age_seconds=30)
        device.write("newest.csv")
        component.until(lambda: "credentials cannot be had" in component.log())
        device.tokens.lifetime_seconds = 2
        device.tokens.status = 200
        component.until(lambda: device.names() == ["newest.csv"])
        component.until(lambda: "All is well again." in component.log())
        assert component.end()[0] == 0
    assert "Traceback" not in component.log()
    assert component.log().count("it is tried again") <= 4


@pytest.mark.slow
def test_no_secret_reaches_the_log(device: Component) -> None:
    """At DEBUG, of outhaul and of every library; also when the service of credentials fails."""
    device.write("a.csv", age_seconds=30)
    device.write("newest.csv")
    with running(device, "StreamManager", "DEBUG") as component:
        component.until(lambda: device.names() == ["newest.csv"])
        device.tokens.status = 403
        device.write("b.csv", age_seconds=30)
        component.until(lambda: "credentials cannot be had" in component.log(), 60)
        component.end()
    for secret in (TOKEN, "session-token-0123456789", device.server.secret_key, device.server.access_key):
        assert secret not in component.log()


@pytest.mark.slow
def test_it_stays_as_small_as_it_is(device: Component, monkeypatch: pytest.MonkeyPatch) -> None:
    """Passes through both ways leave no threads, no descriptors, and no memory that grows."""
    around = device.tokens.environ | {
        "AWS_ENDPOINT_URL": device.server.endpoint_url, "HOME": str(device.home), "NO_PROXY": "127.0.0.1,localhost",
        "STREAM_MANAGER_SERVER_PORT": str(device.manager.port),
    }  # fmt: skip
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in around.items():
        monkeypatch.setenv(name, value)
    sizes: list[tuple[int, int, int]] = []
    for via in ("S3", "StreamManager"):
        passes = device.passes(via=via, newest_limit="0", state=f"state of {via}")
        for number in range(60):
            device.write(f"{via}-{number}.csv")
            assert passes.once(lambda: False) == ""
            if number in (20, 59):
                sizes.append((threading.active_count(), len(os.listdir("/proc/self/fd")), _resident_kib()))
    assert device.names() == []
    for early, late in ((sizes[0], sizes[1]), (sizes[2], sizes[3])):
        assert late[0] <= early[0] + 2
        assert late[1] <= early[1] + 4
        assert late[2] - early[2] < 16 << 10, sizes


def _resident_kib() -> int:
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))
