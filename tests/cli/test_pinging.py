"""A dead man's switch hears that a run starts and how it ends; and of a daemon, that all is well."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from cli.program import Program, Ran


class Switch(HTTPServer):
    """It writes down what it is told."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []
        self.status = 200
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def address(self) -> str:
        """That of one check."""
        return f"http://127.0.0.1:{self.server_port}/a-secret"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Switch)
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.heard.append((self.path, text))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def switch() -> Iterator[Switch]:
    """One that listens."""
    server = Switch()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def run(outhaul: Program, address: str, *options: str, more: str = "") -> Ran:
    """One run of a job."""
    config = (
        f'ping = "{address}"\n[[job]]\nname = "a"\nsource = "source"\nto = "target"\nsettle = {{ quiet = "0" }}\n{more}'
    )
    (outhaul.home / "outhaul.toml").write_text(config)
    return outhaul("run", "outhaul.toml", "--state", str(outhaul.state), *options)


def test_a_run_is_told_of(outhaul: Program, switch: Switch) -> None:
    """Its start, and a good end; of a dry run nothing."""
    outhaul.write("x")
    assert run(outhaul, switch.address, "--dry-run").code == 0
    assert switch.heard == []
    assert run(outhaul, switch.address).code == 0
    assert switch.heard == [("/a-secret/start", ""), ("/a-secret", "")]


def test_a_failure_is_told_of(outhaul: Program, switch: Switch) -> None:
    """With its exit code."""
    outhaul.target.mkdir()
    (outhaul.target / "x").write_bytes(b"other bytes")
    outhaul.write("x")
    assert run(outhaul, switch.address, more='on-conflict = "hold"').code == 1
    assert switch.heard == [("/a-secret/start", ""), ("/a-secret/fail", "exit code 1")]


@pytest.mark.parametrize("status", [404, 500])
def test_a_switch_that_does_not_hear_hinders_nothing(outhaul: Program, switch: Switch, status: int) -> None:
    """One line, without the address: whoever knows it can speak for us."""
    switch.status = status
    outhaul.write("x")
    said = run(outhaul, switch.address)
    assert (said.code, (outhaul.target / "x").exists(), "a-secret" in said.err) == (0, True, False)
    assert said.err.count("127.0.0.1 was not told how the run goes") == 2
    gone = run(outhaul, "http://127.0.0.1:9/a-secret")
    assert (gone.code, "a-secret" in gone.err, "refused" in gone.err) == (0, False, True)


def test_a_wrong_address_is_not_repeated(outhaul: Program) -> None:
    """It may be right but for one letter."""
    said = run(outhaul, "hc-ping.com/a-secret")
    assert (said.code, "a-secret" in said.err) == (2, False)
    assert 'outhaul.toml:1: ping: expected an address such as "https://hc-ping.com/your-uuid"' in said.err


def test_a_watch_is_told_of(outhaul: Program, switch: Switch) -> None:
    """That all is well at once, and that something is held when it is."""
    run(outhaul, switch.address, more='on-conflict = "hold"')
    switch.heard.clear()
    outhaul.target.mkdir(exist_ok=True)
    (outhaul.target / "x").write_bytes(b"other bytes")
    command = [sys.executable, "-m", "outhaul", "watch", "outhaul.toml", "--state", str(outhaul.state)]
    process = subprocess.Popen(command, cwd=outhaul.home, env=outhaul.environment, stderr=subprocess.DEVNULL)
    try:
        _until(lambda: ("/a-secret", "") in switch.heard)
        outhaul.write("x")
        _until(lambda: ("/a-secret/fail", "a: 1 file held") in switch.heard)
        assert len(switch.heard) == 2
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def _until(true: object) -> None:
    deadline = time.monotonic() + 10
    assert callable(true)
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)
