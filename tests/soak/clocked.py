"""outhaul as a process whose wall clock is off by what a file says: `python -m soak.clocked FILE ARGUMENTS...`.

Only what this process is told changes: the kernel's stamps on files, and every other process, keep the true time. The boot
clock is as it is, since nobody can set that.
"""

import mmap
import struct
import sys
import time
from pathlib import Path

_true_ns = time.time_ns


def main() -> None:
    """Run it; it ends the process."""
    path, *arguments = sys.argv[1:]
    with Path(path).open("rb") as file:
        off = mmap.mmap(file.fileno(), 8, prot=mmap.PROT_READ)

    def time_ns() -> int:
        return _true_ns() + int(struct.unpack("q", off[:8])[0])

    time.time_ns = time_ns
    time.time = lambda: time_ns() / 10**9
    from outhaul.frontends.cli.main import entry

    sys.argv = ["outhaul", *arguments]
    entry()


if __name__ == "__main__":
    main()
