"""Runs of the command in forked processes: a start costs milliseconds, so hundreds of cases take seconds.

The child of a process that does nothing else (`nursery.py`) runs `main` of the shipped command with its own output files,
and is killed by an alarm when it hangs. A traceback goes where Python would print it.
"""

import functools
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from faults.runs import LONGEST_SECONDS, Ended


def outhaul(*arguments: str, environ: Mapping[str, str] | None = None) -> Ended:
    """Run one command, and return what it said."""
    with tempfile.TemporaryDirectory() as directory:
        output, errors = Path(directory, "output"), Path(directory, "errors")
        request = {
            "arguments": arguments, "environ": dict(os.environ if environ is None else environ),
            "output": str(output), "errors": str(errors),
        }  # fmt: skip
        nursery = _nursery()
        assert nursery.stdin is not None
        assert nursery.stdout is not None
        nursery.stdin.write(json.dumps(request) + "\n")
        nursery.stdin.flush()
        code = int(nursery.stdout.readline())
        return Ended(None if code == -signal.SIGALRM else code, output.read_bytes(), errors.read_bytes())


@functools.cache
def _nursery() -> subprocess.Popen[str]:
    """One for this process; it ends when its standard input does."""
    return subprocess.Popen(
        [sys.executable, "-m", "fuzz.nursery", str(int(LONGEST_SECONDS))],
        cwd=Path(__file__).parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
