"""Several processes on one source: what it is filled with, how they are started, and the moment at which they are in the midst.

A machine may be fast or slow, so no clock says when they are killed: they send at a rate that gives each of them
seconds of work, and are killed once a file has left the source.
"""

import random
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kill.moments import after_removal_began
from kill.places import files

FILES_A_ROUND = 1500
_RATE = ["--bandwidth", "150KiB/s"]
_LONGEST_SECONDS = 30.0


@dataclass(slots=True)
class Shards:
    """`count` processes of one command, each with its number; `written` is what the source was filled with, by name."""

    source: Path
    command: Sequence[str]
    environ: Mapping[str, str]
    output: Path
    rng: random.Random
    written: dict[str, bytes] = field(default_factory=dict)

    def fill(self) -> None:
        """So many more files, some of them empty, in 111 directories."""
        for number in range(len(self.written), len(self.written) + FILES_A_ROUND):
            name = f"d{number % 37}/e{number % 3}/{number}.csv"
            self.written[name] = b"%d:" % number + self.rng.randbytes(self.rng.choice((0, 200, 2500)))
            (self.source / name).parent.mkdir(parents=True, exist_ok=True)
            (self.source / name).write_bytes(self.written[name])

    def start_slowly(self, count: int) -> list["subprocess.Popen[bytes]"]:
        """Run them, and return once some file has left the source: each has work for seconds then."""
        there = list(files(self.source))
        processes = self._start(count, _RATE)
        moment, end = after_removal_began(there, 0.0), time.monotonic() + _LONGEST_SECONDS
        while not moment() and any(process.poll() is None for process in processes):
            assert time.monotonic() < end, self.said()
            time.sleep(0.005)
        return processes

    def run(self, count: int) -> list[int]:
        """Run them to their ends, as fast as they can, and return how each ended."""
        return [process.wait(60) for process in self._start(count)]

    def said(self) -> str:
        """Everything that they printed."""
        return self.output.read_text()

    def _start(self, count: int, more: Sequence[str] = ()) -> list["subprocess.Popen[bytes]"]:
        with self.output.open("ab") as file:
            return [
                subprocess.Popen(
                    [*self.command, *more, "--shard", f"{n}/{count}"], env=dict(self.environ), stdout=file, stderr=file
                )
                for n in range(1, count + 1)
            ]
