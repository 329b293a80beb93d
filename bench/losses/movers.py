"""The four tools: their command lines, and one run of any of them.

True here: every tool works with its own defaults; what stands on a command line says only where from, where to, and which
endpoint (`SETTINGS` repeats it in the output). All get the same credentials and an empty home directory.
A run leads a session of its own, has a time limit, and is ended by its process id.
Not done here: what happens to the files meanwhile (races.py).
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.tools import BUCKET, REGION, Target, environment

RUN_SECONDS = 60.0
_LOOK_SECONDS = 0.001

TITLES = {"aws": "aws s3 mv", "s5cmd": "s5cmd mv", "rclone": "rclone move", "outhaul": "outhaul move"}
SETTINGS = {
    "aws": "aws s3 mv SOURCE s3://BUCKET/PREFIX --recursive --no-progress --endpoint-url URL",
    "s5cmd": "s5cmd --endpoint-url URL mv SOURCE/ s3://BUCKET/PREFIX/",
    "rclone": "rclone move SOURCE :s3:BUCKET/PREFIX --config /dev/null --s3-provider Other --s3-env-auth "
    "--s3-endpoint URL --s3-region REGION",
    "outhaul": "outhaul move SOURCE s3://BUCKET/PREFIX --endpoint-url URL --region REGION --state DIR",
}


@dataclass(frozen=True)
class Mover:
    """A tool that moves a tree."""

    name: str
    program: Path

    def command(self, source: Path, url: str, prefix: str, state: Path) -> list[str]:
        """Return the command line that moves everything below `source` to the prefix of the bucket."""
        program, to = str(self.program), f"s3://{BUCKET}/{prefix}"
        match self.name:
            case "aws":
                return [program, "s3", "mv", str(source), to, "--recursive", "--no-progress", "--endpoint-url", url]
            case "s5cmd":
                return [program, "--endpoint-url", url, "mv", f"{source}/", f"{to}/"]
            case "rclone":
                server = ["--s3-provider", "Other", "--s3-env-auth", "--s3-endpoint", url, "--s3-region", REGION]
                return [program, "move", str(source), f":s3:{BUCKET}/{prefix}", "--config", os.devnull, *server]
            case _:
                options = ["--endpoint-url", url, "--region", REGION, "--state", str(state)]
                return [program, "move", str(source), to, *options]


@dataclass(frozen=True)
class Attempt:
    """How one run ended; the exit code is negative for a signal, and `said` is the end of the output."""

    exit_code: int
    seconds: float
    timed_out: bool
    said: str


class Running:
    """One run of a tool, from its start to `finish`."""

    def __init__(self, command: Sequence[str], home: Path, url: str) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self._place = str(home.parent)
        self._log = home / "output.log"
        self._began = time.monotonic()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                list(command),
                env=environment(home, Target(url)),
                cwd=home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_until(self, reached: Callable[[], bool]) -> bool:
        """Return True once it is so, False when the run ends before, or its time is over."""
        while not reached():
            if self._process.poll() is not None or self._left() <= 0:
                return False
            time.sleep(_LOOK_SECONDS)
        return self._process.poll() is None

    def kill(self) -> None:
        """End it, and all that it has started, with SIGKILL."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def finish(self) -> Attempt:
        """Wait for its end, and end it where it takes too long."""
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(max(0.0, self._left()))
        finally:
            if self._process.poll() is None:
                self.kill()
            code = self._process.wait()
        timed_out = code < 0 and self._left() <= 0
        said = self._log.read_text(errors="replace").replace(self._place, "MACHINE").strip()[-400:]
        return Attempt(code, time.monotonic() - self._began, timed_out, said)

    def _left(self) -> float:
        return self._began + RUN_SECONDS - time.monotonic()
