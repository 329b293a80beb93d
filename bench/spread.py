"""One tree, moved by one process and by workers: `python -m bench.spread --ledger postgresql://host/database`.

True here: each trial has files made anew (4 KiB each, 500 a directory) and a null server started anew, and what arrived is
counted. The database is the caller's, and is empty at the start; what a receipt takes in it is measured at the end. Times are of
the whole command, the start of Dask's processes among them. `--tasks` measures what Dask itself needs for tasks that do nothing.
Not done here: several machines. Workers, scheduler, database and server share this one.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import peers, processes, tools
from bench.null_server import NullServer
from bench.tools import Target

_FILES_A_DIRECTORY = 500
_WAYS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("one process, SQLite", ()),
    ("one process, PostgreSQL", ("LEDGER",)),
    ("--on local:1", ("LEDGER", "--on", "local:1")),
    ("--on local:2", ("LEDGER", "--on", "local:2")),
)


def write_files(folder: Path, files: int) -> None:
    """Fill a tree."""
    block = os.urandom(4096 - 8)
    for number in range(files):
        directory = folder / f"d{number // _FILES_A_DIRECTORY}"
        if number % _FILES_A_DIRECTORY == 0:
            directory.mkdir(parents=True)
        (directory / f"{number}.dat").write_bytes(number.to_bytes(8) + block)


def trial(program: Path, more: Sequence[str], ledger: str, files: int, folder: Path) -> float:
    """Seconds of one move.

    Raises:
        BenchError: it failed, or not everything arrived.
    """
    with tempfile.TemporaryDirectory(dir=folder) as home:
        source = Path(home, "source")
        write_files(source, files)
        server = NullServer(Path(home, "server"))
        try:
            target = Target(server.url)
            command = tools.tool("outhaul", program).move(source, target, Path(home, "state"))
            command += [word for one in more for word in (("--ledger", ledger) if one == "LEDGER" else (one,))]
            environment = {**tools.environment(Path(home), target), "PGPASSWORD": os.environ.get("PGPASSWORD", "")}
            cost = processes.measure(command, environment, 600, Path(home))
            if cost.exit_code or server.counters().puts < files:
                raise processes.BenchError(f"{cost.errors.strip()[-400:]}; {server.counters().puts} of {files} arrived")
            return cost.seconds
        finally:
            server.stop()


def tasks(count: int) -> tuple[float, float]:
    """Tasks a second that do nothing, eight at a time as by a run; bytes of memory that the scheduler kept for each."""
    from distributed import wait

    from outhaul.cluster.launching import client

    with client("local:2") as there:
        there.submit(int, 0).result()
        before, start = _memory(), time.monotonic()
        under_way: set[Any] = set()
        handed_out = 0
        while handed_out < count or under_way:
            while handed_out < count and len(under_way) < 8:
                under_way.add(there.submit(int, handed_out, pure=False))
                handed_out += 1
            under_way -= wait(under_way, return_when="FIRST_COMPLETED").done
        return count / (time.monotonic() - start), (_memory() - before) / count


def _memory() -> int:
    """Resident bytes of this process, in which the scheduler runs."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def ledger_bytes(ledger: str) -> tuple[int, int]:
    """Receipts in the database, and bytes of them with their indices."""
    import psycopg

    with psycopg.connect(ledger) as connection:
        count = connection.execute("SELECT count(*) FROM outhaul.receipt").fetchone()
        size = connection.execute(
            "SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid "
            "WHERE c.relkind = 'r'"
        ).fetchone()
    return int(count[0]) if count else 0, int(size[0] or 0) if size else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Each way in turn, then what Dask and the ledger cost."""
    parser = argparse.ArgumentParser(prog="python -m bench.spread", description=__doc__)
    parser.add_argument("--ledger", required=True, help="address of an empty database")
    parser.add_argument("--files", type=int, default=50_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--tasks", type=int, default=5_000)
    options = parser.parse_args(arguments)
    program = peers.outhaul()
    if program is None:
        print("bench: outhaul is not installed beside this Python", file=sys.stderr)
        return 2
    print(f"{options.files} files of 4 KiB, {options.runs} runs, load before {os.getloadavg()[0]:.2f}")
    results: dict[str, list[float]] = {name: [] for name, _ in _WAYS}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(options.runs):
            for name, more in _WAYS:
                results[name].append(trial(program, more, options.ledger, options.files, Path(folder)))
    for name, seconds in results.items():
        median = statistics.median(seconds)
        spread = f"{median:6.1f} s ({min(seconds):.1f} to {max(seconds):.1f})"
        print(f"{name:<26}{spread:<26}{options.files / median:8,.0f} files/s")
    rate, memory = tasks(options.tasks)
    print(f"Dask: {rate:,.0f} tasks a second that do nothing, {memory:,.0f} bytes kept for each")
    receipts, size = ledger_bytes(options.ledger)
    print(f"ledger: {receipts:,} receipts, {size / max(receipts, 1):,.0f} bytes each with their indices")
    return 0


if __name__ == "__main__":
    sys.exit(main())
