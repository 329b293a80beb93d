"""A server process that ends with the test that started it.

The process runs on a leash (see `leash`), in a session of its own, so that Ctrl-C in the terminal reaches the
tests first. Its output is kept in a file; `StartFailed` shows the end of it.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

_LEASH = Path(__file__).with_name("leash.py")
_STOP_SECONDS = 10.0
_START_SECONDS = 30.0

T = TypeVar("T")


class StartFailed(Exception):
    """A server did not answer in time, or ended at once."""


@dataclass(frozen=True, slots=True)
class Running:
    """A process on its leash and the file that takes its output."""

    process: subprocess.Popen[bytes]
    log: Path

    def output(self) -> str:
        """All that the process has written so far."""
        return self.log.read_text(errors="replace")

    def wait_for(self, probe: Callable[[], T | None], seconds: float = _START_SECONDS) -> T:
        """Ask `probe` until it answers; raises StartFailed when time is up or the process has ended."""
        deadline = time.monotonic() + seconds
        while True:
            ended = self.process.poll()
            with suppress(OSError):
                if ended is None and (answer := probe()) is not None:
                    return answer
            if ended is not None or time.monotonic() > deadline:
                what = "did not answer" if ended is None else f"ended with code {ended}"
                raise StartFailed(f"{self.process.args!r} {what}; its output:\n{self.output()[-4000:]}")
            time.sleep(0.02)


@contextmanager
def running(
    command: Sequence[str], log: Path, environ: Mapping[str, str], pass_fds: Sequence[int] = ()
) -> Iterator[Running]:
    """Run the command while the block runs; it has ended when the block is left, however it is left."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-I", str(_LEASH), *command],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environ),
            pass_fds=pass_fds,
            start_new_session=True,
        )
    try:
        yield Running(process, log)
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Close the leash; where that is not enough, kill the session that was started for it."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
