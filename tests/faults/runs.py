"""Runs of the shipped entry point, and what every run must keep to, whatever goes wrong beneath it.

A run ends by itself in bounded time, with an exit code that `outhaul --help` names, and says what is wrong in lines
for people: never with a Python traceback.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from faults.world import World

LONGEST_SECONDS = 90.0
SENSIBLE_CODES = frozenset({0, 1, 2, 4})


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended. `code` is None where it had to be stopped."""

    code: int | None
    output: bytes
    errors: bytes

    @property
    def faults(self) -> list[str]:
        """What no run may do."""
        found = []
        if self.code is None:
            found.append(f"hangs for more than {LONGEST_SECONDS:.0f} s")
        elif self.code not in SENSIBLE_CODES:
            found.append(f"exit code {self.code}")
        if b"Traceback (most recent call last)" in self.errors + self.output:
            found.append(f"traceback: {self.errors.decode(errors='replace').strip().splitlines()[-1]}")
        return found

    def __str__(self) -> str:
        return f"code {self.code}\n{self.output[-1000:].decode(errors='replace')}\n{self.errors[-3000:].decode(errors='replace')}"


def run(command: Sequence[str], environ: Mapping[str, str] | None = None, seconds: float = LONGEST_SECONDS) -> Ended:
    """Run a command in a session of its own, and stop all of it when its time is over."""
    process = subprocess.Popen(
        command,
        env=dict(os.environ if environ is None else environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    code: int | None
    try:
        output, errors = process.communicate(timeout=seconds)
        code = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, errors = process.communicate()
        code = None
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    return Ended(code, output, errors)


def outhaul(*arguments: str) -> list[str]:
    """The command line of the shipped entry point."""
    return [sys.executable, "-m", "outhaul", *arguments]


def move(world: World, *, before: Sequence[str] = (), seconds: float = LONGEST_SECONDS) -> Ended:
    """Carry everything of a world once, under another program where one is given."""
    return run([*before, *outhaul("move", str(world.source), *world.destination, "--state", str(world.state))],
               world.environ, seconds)  # fmt: skip
