"""Processes of the benchmark: measured programs and background servers, each ended by its own process id.

True here: nothing that was started outlives the harness (a server is stopped by the one who started it, and
once more at exit); every wait has an end. A measured program is started by the small launcher.py, for
honest memory figures.
Not done here: the command lines themselves (tools.py), and the servers' configuration.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

LAUNCHER = Path(__file__).with_name("launcher.py")
_PORTS_FROM = 10_240
_CHANCE = random.SystemRandom()


class BenchError(Exception):
    """The benchmark cannot go on; the text says why, for a person."""


@dataclass(frozen=True)
class Cost:
    """What one run of a program took: wall and CPU time in seconds, peak resident memory in bytes."""

    exit_code: int
    seconds: float
    cpu_seconds: float
    peak_bytes: int
    timed_out: bool
    output: str
    errors: str


def measure(command: Sequence[str], environment: Mapping[str, str], timeout: float, cwd: Path) -> Cost:
    """Run the program to its end, or kill it after `timeout` seconds; the end of its output is kept.

    Raises BenchError when it could not be started at all.
    """
    with tempfile.TemporaryDirectory(dir=cwd) as place:
        result, out, err = (Path(place) / name for name in ("result", "out", "err"))
        start = [sys.executable, "-I", "-S", str(LAUNCHER), str(result), str(timeout), *command]
        with out.open("wb") as out_file, err.open("wb") as err_file:
            launcher = subprocess.Popen(
                start,
                env=dict(environment),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=out_file,
                stderr=err_file,
            )
            try:
                launcher.wait(timeout + 30)
            except BaseException:
                launcher.terminate()  # the launcher kills the program and then ends by itself
                with contextlib.suppress(subprocess.TimeoutExpired):
                    launcher.wait(10)
                launcher.kill()
                raise
        output, errors = _end_of(out), _end_of(err)
        if not result.exists():
            raise BenchError(f"{command[0]} could not be started: {errors.strip()[-500:]}")
        code, seconds, cpu, peak, timed_out = result.read_text().split()
    return Cost(int(code), float(seconds), float(cpu), int(peak), timed_out == "1", output, errors)


class Background:
    """A server process, from its start until `stop` (or the end of the harness)."""

    def __init__(self, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> None:
        self.log = log
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                list(command),
                env=dict(environment) if environment is not None else None,
                cwd=log.parent,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the harness, which then stops its servers in order
            )
        atexit.register(self.stop)

    def running(self) -> bool:
        """Whether the process still lives."""
        return self._process.poll() is None

    def cpu_seconds(self) -> float:
        """Return the CPU time used so far, or 0 where the system does not tell."""
        try:
            stat = Path(f"/proc/{self._process.pid}/stat").read_text()
        except OSError:
            return 0.0
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        """End it: politely, then for good. Doing so twice is harmless."""
        atexit.unregister(self.stop)
        if not self.running():
            return
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on, and that no connection is given until somebody does.

    A port that bind(2) finds for 0 is one of those that the kernel gives to outgoing connections (ip(7),
    ip_local_port_range), so another process may have it before the server does: tests that ran side by side met that.
    Where that range begins so low that nothing is below it, one of those has to do.
    """
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        tried = _CHANCE.randrange(_PORTS_FROM, first) if first > _PORTS_FROM else 0
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", tried)) as probe:
            port: int = probe.getsockname()[1]
            return port


def wait_for_port(port: int, server: Background, seconds: float = 10.0) -> None:
    """Return once the server accepts connections. Raises BenchError when it ends before, or never does."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if not server.running():
            raise BenchError(f"the server ended at once: {_end_of(server.log).strip()[-500:]}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.01)
    raise BenchError(f"the server did not accept connections within {seconds:.0f} s")


def end_as_by_keyboard(number: int) -> None:
    """Make this signal end the harness as Ctrl-C does, so that servers are stopped and files removed."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(number, interrupt)


def _end_of(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - 400_000))
        return file.read().decode(errors="replace")
