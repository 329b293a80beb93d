"""`python stay.py COMMAND...`: starts what would stay, ends it by SIGTERM once it hears that and rests, and has its code."""

import contextlib
import signal
import subprocess
import sys
import time
from pathlib import Path

_RESTS_SECONDS = 1.0
"""Without processor time, and wanting none: longer than a server on loopback takes to answer."""


def main() -> int:
    """How it ended; what ends by itself has failed to stay."""
    process = subprocess.Popen(sys.argv[1:])
    used, since = -1, time.monotonic()
    while process.poll() is None and time.monotonic() - since < _RESTS_SECONDS:
        time.sleep(0.05)
        with contextlib.suppress(OSError):  # It has ended meanwhile, or a thread of it has.
            if (now := _used(process.pid)) != used or _wants(process.pid) or not _hears(process.pid):
                used, since = now, time.monotonic()
    if process.poll() is not None:
        return process.returncode or 99
    process.terminate()
    return process.wait(timeout=60)


def _hears(number: int) -> bool:
    """Whether it has a handler for SIGTERM (proc(5), SigCgt)."""
    caught = int(_read(number, "status").partition("SigCgt:")[2].split()[0], 16)
    return bool(caught & 1 << signal.SIGTERM - 1)


def _used(number: int) -> int:
    """The processor time that it has taken, in ticks (proc(5), utime and stime)."""
    fields = _read(number, "stat").rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _wants(number: int) -> bool:
    """Whether a thread of it waits for the processor or a disk (proc(5), state)."""
    told = [path.read_text().rpartition(")")[2].split() for path in Path(f"/proc/{number}/task").glob("*/stat")]
    return any(fields[0] in "RD" for fields in told)


def _read(number: int, name: str) -> str:
    return Path(f"/proc/{number}/{name}").read_text()


if __name__ == "__main__":
    sys.exit(main())
