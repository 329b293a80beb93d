"""Large files, copied to a server by each tool in turn: `python -m bench.large [--files 1000 --mebibytes 1] [--server null]`.

True here: each trial has a server of its own. `rclone` is `rclone serve s3 :memory:`, which checks signatures and holds the
objects; `null` is nginx with Lua, which reads each body, digests it (MD5) and forgets it; `sink` is the same, but digests
nothing, keeps the SHA-256 that a request tells, and gives ETags that are no digests, as with SSE-KMS: the least that a server
can cost. What arrived is compared by number and length.
outhaul reads, hashes, proves and records; the others do not.
Not done here: removal (all tools copy).
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bench import peers, processes, tools
from bench.null_server import NullServer
from bench.real_server import KEY, SECRET, RealServer
from bench.signed_requests import Client
from bench.tools import BUCKET, PREFIX, Target

NAMES = ("outhaul", "s5cmd", "aws", "rclone")
SERVERS = ("rclone", "null", "sink")
_BLOCK = 1 << 20


class Trial(NamedTuple):
    """What one copy took."""

    seconds: float
    cpu_seconds: float
    peak_mb: float
    server_cpu_seconds: float


def write_files(folder: Path, files: int, mebibytes: int) -> None:
    """Fill a directory with files of bytes that do not compress."""
    folder.mkdir()
    for number in range(files):
        with (folder / f"large-{number:05}.bin").open("wb") as file:
            for _ in range(mebibytes):
                file.write(os.urandom(_BLOCK))


def trial(name: str, program: Path, server_kind: str, rclone: Path, source: Path, folder: Path) -> Trial:
    """One copy.

    Raises:
        BenchError: it failed, or what arrived is not what was sent.
    """
    with tempfile.TemporaryDirectory(dir=folder) as home:
        where = Path(home, "server")
        server = RealServer(rclone, where, BUCKET) if server_kind == "rclone" else _null(server_kind, where)
        try:
            target = Target(server.url)
            command = tools.copying(tools.tool(name, program).move(source, target, Path(home, "state")))
            cost = processes.measure(command, tools.environment(Path(home), target), 600, Path(home))
            if cost.exit_code or cost.timed_out:
                raise processes.BenchError(f"{name}: {cost.errors.strip() or cost.output.strip()}")
            _check(server, source)
            return Trial(cost.seconds, cost.cpu_seconds, cost.peak_bytes / 1e6, server.cpu_seconds())
        finally:
            server.stop()


def _null(kind: str, where: Path) -> RealServer | NullServer:
    return NullServer(where, keeps=kind == "sink")


def _check(server: RealServer | NullServer, source: Path) -> None:
    sizes = {file.name: file.stat().st_size for file in source.iterdir()}
    if isinstance(server, NullServer):
        came = server.counters()
        fine = (came.puts, came.bytes) == (len(sizes), sum(sizes.values()))
    else:
        client = Client(server.url, KEY, SECRET, None)
        stored = client.list_objects(BUCKET, f"{PREFIX}/")
        client.close()
        fine = all(f"{PREFIX}/{name}" in stored and stored[f"{PREFIX}/{name}"].size == sizes[name] for name in sizes)
    if not fine:
        raise processes.BenchError("not everything arrived whole")


def tell(results: dict[str, list[Trial]], mebibytes: int) -> None:
    """A line for each tool; ratios are of medians."""
    ours = statistics.median(one.seconds for one in results["outhaul"])
    print(
        f"{'tool':<9} {'seconds':>22} {'MiB/s':>7} {'outhaul is':>11} {'CPU s':>7} {'peak MB':>8} {'server CPU s':>13}"
    )
    for name, trials in results.items():
        seconds = [one.seconds for one in trials]
        median = statistics.median(seconds)
        cpu, memory = statistics.median(one.cpu_seconds for one in trials), max(one.peak_mb for one in trials)
        spread = f"{median:.2f} ({min(seconds):.2f} to {max(seconds):.2f})"
        served = statistics.median(one.server_cpu_seconds for one in trials)
        print(
            f"{name:<9} {spread:>22} {mebibytes / median:7.0f} {median / ours:10.2f}x {cpu:7.2f} {memory:8.0f}"
            f" {served:13.2f}"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Choose, run in turn, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.large", description=__doc__)
    parser.add_argument("--files", type=int, default=1)
    parser.add_argument("--mebibytes", type=int, default=2048, help="size of each file")
    parser.add_argument("--server", choices=SERVERS, default="rclone")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args(arguments)
    programs = peers.ensure([name for name in NAMES if name != "outhaul"])
    own = peers.outhaul()
    if own is None:
        print("bench: outhaul is not installed beside this Python", file=sys.stderr)
        return 2
    programs["outhaul"] = own
    print(
        f"{options.files} x {options.mebibytes} MiB to the {options.server} server, {options.runs} runs,"
        f" load before {os.getloadavg()[0]:.2f}"
    )
    results: dict[str, list[Trial]] = {name: [] for name in NAMES}
    shm = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=shm) as files, tempfile.TemporaryDirectory() as folder:
        source = Path(files, "source")
        write_files(source, options.files, options.mebibytes)
        for _ in range(options.runs):
            for name in NAMES:
                once = trial(name, programs[name], options.server, programs["rclone"], source, Path(folder))
                results[name].append(once)
    tell(results, options.files * options.mebibytes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
