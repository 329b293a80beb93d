"""The floors: how fast the parts of the work can go at all in Python on this machine, each alone.

True here: each floor runs in a process of its own and times its own loop, without the start of the
interpreter: `put` sends every file's bytes from memory with obstore on four threads and does nothing else;
`walk` finds and stats every file; `ledger` inserts one row a file in durable SQLite transactions of 512
(WAL, synchronous=FULL).
outhaul does all three and more for each file, so none of them can be beaten, and their sum in CPU time is
its floor.
Not done here: tuning. These loops are what a tuned program is held against.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench import processes, tools, trees, trial
from bench.peers import ROOT
from bench.results import Outcome, Series, Trial
from bench.workplace import Server, Workplace

THREADS = 4
A_TRANSACTION = 512


def floors(place: Workplace, files: int, runs: int) -> Outcome:
    """Measure each floor `runs` times in turn."""
    outcome = Outcome("floors", f"the parts alone ({files:,} files)", place.server_kind())
    series = {
        "put": Series(f"obstore put, {THREADS} threads"),
        "walk": Series("walk and stat"),
        "ledger": Series("SQLite insert, durable"),
    }
    if importlib.util.find_spec("obstore") is None:
        del series["put"]
        outcome.notes.append("obstore is not installed here; its floor is left out")
    outcome.series = list(series.values())
    source = place.fresh(place.files, "source")
    trees.make(source, files, trial.SIZE)
    for _ in range(runs):
        for name, one in series.items():
            with place.server() as server:
                one.trials.append(_floor(place, server, name, files, source))
                trial.tell("floors", one)
    return outcome


def _floor(place: Workplace, server: Server, name: str, files: int, source: Path) -> Trial:
    arguments = {
        "put": server.target.url,
        "walk": str(source),
        "ledger": str(place.fresh(place.state, "floor")),
    }
    command = [sys.executable, "-m", "bench.floors", name, str(files), arguments[name]]
    home = place.state / "home"
    home.mkdir(exist_ok=True)
    environment = tools.environment(home, server.target) | {"PYTHONPATH": str(ROOT)}
    cost = processes.measure(command, environment, trial.timeout_for(files), home)
    problems = trial.program_problems(name, cost)
    if problems:
        return trial.as_trial(files, cost, server, problems)
    loop = json.loads(cost.output)
    counted = server.counters() if name == "put" else None
    requests = counted.requests if counted else None
    return Trial(files, loop["seconds"], loop["cpu_seconds"], cost.peak_bytes, requests)


def _put(files: int, url: str) -> Callable[[], object]:
    import obstore
    from obstore.store import S3Store

    store = S3Store(
        tools.BUCKET,
        endpoint=url,
        region=tools.REGION,
        virtual_hosted_style_request=False,
        client_options={"allow_http": True},
    )
    body = bytes(trial.SIZE)

    def work(first: int) -> None:
        for number in range(first, files, THREADS):
            obstore.put(store, f"{tools.PREFIX}/{number}", body, use_multipart=False)

    def all_threads() -> None:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return all_threads


def _walk(_files: int, root: str) -> Callable[[], object]:
    def sizes(directory: str) -> Iterator[int]:
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    yield from sizes(entry.path)
                else:
                    yield entry.stat(follow_symlinks=False).st_size

    return lambda: sum(sizes(root))


def _ledger(files: int, path: str) -> Callable[[], object]:
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute(
        "CREATE TABLE receipts (id INTEGER PRIMARY KEY, path BLOB UNIQUE, size INTEGER, mtime_ns INTEGER,"
        " sha256 BLOB, key TEXT, etag TEXT, proved_at INTEGER)"
    )
    rows = [
        (
            file.path.encode(),
            trial.SIZE,
            1_700_000_000_000_000_000,
            bytes(32),
            file.path,
            file.md5,
            1_700_000_000,
        )
        for file in trees.plan(files, trial.SIZE)
    ]
    columns = "path, size, mtime_ns, sha256, key, etag, proved_at"
    insert = f"INSERT INTO receipts ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)"

    def work() -> None:
        for start in range(0, len(rows), A_TRANSACTION):
            database.execute("BEGIN")
            database.executemany(insert, rows[start : start + A_TRANSACTION])
            database.execute("COMMIT")

    return work


def _main() -> None:
    name, files, argument = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    work = {"put": _put, "walk": _walk, "ledger": _ledger}[name](files, argument)
    began, cpu_began = time.perf_counter(), time.process_time()
    work()
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu_began
    print(json.dumps({"seconds": seconds, "cpu_seconds": cpu_seconds}))


if __name__ == "__main__":
    _main()
