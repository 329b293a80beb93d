"""The two programs that meet in the source directory: the producer, and the mover that is killed.

Each runs as a process of its own and is stopped by its process id in every case. The mover leads a process
group, so that SIGKILL reaches whatever it has started, all at one moment.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from kill.moments import Moment

TESTS = Path(__file__).parent.parent
_RUN_SECONDS = 60.0
_BETWEEN_LOOKS_SECONDS = 0.0002
_FINISH_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one run of the mover ended; `code` is negative for a signal."""

    code: int
    seconds: float
    output: str

    @property
    def killed(self) -> bool:
        """True if the run was still going when it was killed."""
        return self.code == -signal.SIGKILL


@dataclass(frozen=True, slots=True)
class Mover:
    """The command that carries everything from the source once, and where its output goes."""

    command: Sequence[str]
    environ: Mapping[str, str]
    log: Path

    def run(self) -> Outcome:
        """Run to the end; a run that takes longer than a minute is killed."""
        return self.run_and_kill(lambda: False)

    def run_and_kill(self, moment: Moment) -> Outcome:
        """Run, and kill with SIGKILL what still runs when the moment has come."""
        start = time.monotonic()
        with self.log.open("wb") as output:
            process = subprocess.Popen(
                self.command,
                env=dict(self.environ),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            while process.poll() is None:
                if moment() or time.monotonic() > start + _RUN_SECONDS:
                    os.killpg(process.pid, signal.SIGKILL)
                    break
                time.sleep(_BETWEEN_LOOKS_SECONDS)
        finally:
            process.kill()
            code = process.wait()
        return Outcome(code, time.monotonic() - start, self.log.read_text(errors="replace"))


@dataclass(frozen=True, slots=True)
class LiveProducer:
    """A producer that begins a file for each byte of its input, and finishes when that ends."""

    process: subprocess.Popen[bytes]
    grants: IO[bytes]

    def begin(self, files: int) -> None:
        """Let it begin so many more files."""
        self.grants.write(bytes(files))
        self.grants.flush()

    def finish(self) -> None:
        """Let it close everything; raises where it fails or does not come to an end."""
        self.grants.close()
        code = self.process.wait(_FINISH_SECONDS)
        if code:
            raise RuntimeError(f"the producer ended with code {code}")


@contextmanager
def live_producer(source: Path, journal: Path, *, seed: int, rate: float, seconds: float) -> Iterator[LiveProducer]:
    """A producer that works while the block runs, at most for that many seconds."""
    limits = ["--seed", str(seed), "--rate", str(rate), "--seconds", str(seconds)]
    command = [sys.executable, "-m", "kill.producer", str(source), str(journal), *limits]
    process = subprocess.Popen(command, cwd=TESTS, stdin=subprocess.PIPE)
    assert process.stdin is not None
    try:
        yield LiveProducer(process, process.stdin)
    finally:
        process.stdin.close()
        process.kill()
        process.wait()
