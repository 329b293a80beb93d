"""One trial: make files, start a server, let one tool work, look at what arrived and what is left, clean up.

True here: each trial has its own files, its own server and its own empty state, all of them made outside
the measured time; a trial counts as sound only when every file arrived whole and, after a move, no file is
left at the source.
Not done here: which trials, how many, and what follows from them.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from bench import processes, tools, trees
from bench.processes import Cost
from bench.results import Series, Trial
from bench.tools import Tool
from bench.workplace import Server, Workplace

SIZE = 4096


def timeout_for(files: int) -> float:
    """Return the seconds after which a program is given up: far more than any tool here takes."""
    return 60 + files / 50


def move(
    place: Workplace,
    tool: Tool,
    files: int,
    *,
    tls: bool = False,
    delay: float = 0.0,
    size: int = SIZE,
    real: bool = False,
    bundles: bool = False,
) -> Trial:
    """Let the tool move `files` fresh files to a fresh server; of bundles it is told only how many bytes arrived."""
    source, state = place.fresh(place.files, "source"), place.fresh(place.state, "state")
    state.mkdir()
    try:
        trees.make(source, files, size)
        with place.server(tls=tls, delay=delay, real=real) as server:
            cost = run(place, server, tool.move(source, server.target, state), files)
            arrived = server.bundles_problems if bundles else server.files_problems
            problems = program_problems(tool.name, cost) + arrived(files, size)
            left = trees.files_in(source)
            problems += [f"{left} files are left at the source"] if left else []
            return as_trial(files, cost, server, problems)
    finally:
        shutil.rmtree(source, ignore_errors=True)
        shutil.rmtree(state, ignore_errors=True)


def run(
    place: Workplace, server: Server, command: Sequence[str], files: int, extra: dict[str, str] | None = None
) -> Cost:
    """Run one command against the server, with an empty home directory."""
    home = place.state / "home"
    home.mkdir(exist_ok=True)
    environment = tools.environment(home, server.target) | (extra or {})
    return processes.measure(command, environment, timeout_for(files), home)


def program_problems(name: str, cost: Cost) -> list[str]:
    """Return what the program itself says went wrong."""
    if cost.timed_out:
        return [f"{name} was given up after {cost.seconds:.0f} s"]
    if cost.exit_code:
        lines = (cost.errors.strip() or cost.output.strip() or "no message").splitlines()
        return [f"{name} ended with exit code {cost.exit_code}: {lines[-1][:300]}"]
    return []


def as_trial(files: int, cost: Cost, server: Server, problems: Sequence[str]) -> Trial:
    """Join what the program cost with what the server counted."""
    counted = server.counters()
    return Trial(
        files=files,
        seconds=cost.seconds,
        cpu_seconds=cost.cpu_seconds,
        peak_bytes=cost.peak_bytes,
        requests=counted.requests if counted else None,
        most_in_flight=counted.most_in_flight if counted else None,
        connections=counted.connections if counted else None,
        server_cpu_seconds=server.server.cpu_seconds(),
        problems=tuple(problems),
    )


def tell(scenario: str, series: Series) -> None:
    """Show the newest trial on stderr, so that a long run can be followed."""
    trial = series.trials[-1]
    rate = f"{trial.seconds * 1e3:,.0f} ms" if series.in_ms else f"{trial.files / trial.seconds:,.0f} files/s"
    fault = f"  FAILED: {'; '.join(trial.problems)}" if trial.problems else ""
    print(f"bench: {scenario}: {series.tool}: {rate}{fault}", file=sys.stderr, flush=True)


def state_directory(place: Workplace) -> Path:
    """Return a new empty directory for a ledger."""
    state = place.fresh(place.state, "state")
    state.mkdir()
    return state
