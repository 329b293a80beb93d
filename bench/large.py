"""One large file, copied to a real server by each tool in turn: `python -m bench.large [--mebibytes 2048] [--runs 3]`.

True here: each trial has a server of its own, which holds the object in memory, and the object is compared with the file by
its length. outhaul reads, hashes, proves and records; the others do not.
Not done here: many large files; removal (all tools copy).
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench import peers, processes, tools
from bench.real_server import KEY, SECRET, RealServer
from bench.signed_requests import Client
from bench.tools import BUCKET, PREFIX, Target

NAMES = ("outhaul", "s5cmd", "aws", "rclone")
_COPIES = {"move": "copy", "mv": "cp"}
_BLOCK = 1 << 20


def write_file(path: Path, mebibytes: int) -> None:
    """Fill a file with bytes that do not compress."""
    with path.open("wb") as file:
        for _ in range(mebibytes):
            file.write(os.urandom(_BLOCK))


def trial(name: str, program: Path, rclone: Path, source: Path, folder: Path) -> tuple[float, float, float]:
    """Seconds, processor seconds and MB of memory of one copy.

    Raises:
        BenchError: it failed, or what arrived is not what was sent.
    """
    with tempfile.TemporaryDirectory(dir=folder) as home:
        server = RealServer(rclone, Path(home, "server"), BUCKET)
        try:
            target = Target(server.url)
            command = tools.tool(name, program).move(source, target, Path(home, "state"))
            command = [_COPIES.get(word, word) for word in command]
            cost = processes.measure(command, tools.environment(Path(home), target), 600, Path(home))
            if cost.exit_code or cost.timed_out:
                raise processes.BenchError(f"{name}: {cost.errors.strip() or cost.output.strip()}")
            _check(server, next(source.iterdir()))
            return cost.seconds, cost.cpu_seconds, cost.peak_bytes / 1e6
        finally:
            server.stop()


def _check(server: RealServer, file: Path) -> None:
    client = Client(server.url, KEY, SECRET, None)
    stored = client.list_objects(BUCKET, f"{PREFIX}/")
    client.close()
    found = stored.get(f"{PREFIX}/{file.name}")
    if found is None or found.size != file.stat().st_size:
        raise processes.BenchError(f"{file.name} did not arrive whole")


def tell(results: dict[str, list[tuple[float, float, float]]], mebibytes: int) -> None:
    """A line for each tool; ratios are of medians."""
    ours = statistics.median(seconds for seconds, _, _ in results["outhaul"])
    print(f"{'tool':<9} {'seconds':>22} {'MiB/s':>7} {'outhaul is':>11} {'CPU s':>7} {'peak MB':>8}")
    for name, trials in results.items():
        seconds = [one for one, _, _ in trials]
        median = statistics.median(seconds)
        cpu, memory = statistics.median(one for _, one, _ in trials), max(one for _, _, one in trials)
        spread = f"{median:.2f} ({min(seconds):.2f} to {max(seconds):.2f})"
        print(f"{name:<9} {spread:>22} {mebibytes / median:7.0f} {median / ours:10.2f}x {cpu:7.2f} {memory:8.0f}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Choose, run in turn, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.large", description=__doc__)
    parser.add_argument("--mebibytes", type=int, default=2048)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args(arguments)
    programs = peers.ensure([name for name in NAMES if name != "outhaul"])
    own = peers.outhaul()
    if own is None:
        print("bench: outhaul is not installed beside this Python", file=sys.stderr)
        return 2
    programs["outhaul"] = own
    print(
        f"{options.mebibytes} MiB to rclone serve s3 :memory:, {options.runs} runs, load before {os.getloadavg()[0]:.2f}"
    )
    results: dict[str, list[tuple[float, float, float]]] = {name: [] for name in NAMES}
    shm = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=shm) as files, tempfile.TemporaryDirectory() as folder:
        source = Path(files, "source")
        source.mkdir()
        write_file(source / "large.bin", options.mebibytes)
        for _ in range(options.runs):
            for name in NAMES:
                results[name].append(trial(name, programs[name], programs["rclone"], source, Path(folder)))
    tell(results, options.mebibytes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
