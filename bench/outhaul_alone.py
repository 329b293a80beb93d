"""The scenarios that concern outhaul alone: memory as files grow in number, an idle run, a second copy.

True here: each has a bar of the project's plan. Memory is the peak of the process; idle time is the wall
time from the start of the process to its end; a second copy must not send a single request.
Not done here: comparison with peers (comparisons.py).
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from bench import tools, trees, trial
from bench.results import Bar, Outcome, Series, Trial, Verdict
from bench.tools import Tool
from bench.workplace import Server, Workplace

PEAK = Bar(80, 50, " MB")
GROWTH = Bar(1.15, unit="x", decimals=2)
IDLE = Bar(120, 60, " ms")
AGAIN = Bar(50_000, 100_000, " files/s", at_least=True)
NO_REQUESTS = Bar(0)
HEAVY = ("boto3", "botocore", "obstore", "psycopg", "rich")
WAITING = 1_000

CONFIG = """\
[[job]]
name = "idle"
source = "{source}"
settle = {{ quiet = "1h" }}
to = "{destination}"
"""


def memory(place: Workplace, tool: Tool, few: int, many: int, runs: int) -> Outcome:
    """Move a few and many files in turn, and compare the peaks."""
    outcome = Outcome("memory", f"peak memory, {few:,} and {many:,} files", place.server_kind())
    series = {count: Series(f"outhaul, {count:,} files") for count in (few, many)}
    outcome.series = list(series.values())
    for _ in range(runs):
        for count, one in series.items():
            one.trials.append(trial.move(place, tool, count))
            trial.tell("memory", one)
    sound = not any(one.problems for one in series.values())
    small, large = series[few].peak.middle, series[many].peak.middle
    outcome.verdicts = [
        PEAK.verdict("peak memory", max(small, large), sound),
        GROWTH.verdict(f"peak at {many:,} to {few:,} files", large / small if small else None, sound),
    ]
    return outcome


def idle(place: Workplace, tool: Tool, runs: int) -> Outcome:
    """Run a job whose files all wait: how long from start to exit, and what was imported on the way."""
    outcome = Outcome("idle", f"run with nothing to do, {WAITING:,} waiting files", place.server_kind())
    source, state = place.fresh(place.files, "source"), trial.state_directory(place)
    trees.make(source, WAITING, trial.SIZE)
    series = Series("outhaul run", in_ms=True)
    outcome.series = [series]
    config = place.fresh(place.state, "config").with_suffix(".toml")
    config.write_text(CONFIG.format(source=source, destination=tools.Target("").destination))
    with place.server() as server:
        command = [str(tool.program), "run", str(config), *tools.outhaul_options(server.target, state)]
        trial.run(place, server, command, WAITING)  # the first sight of the files is not what is measured
        for _ in range(runs):
            series.trials.append(_idle_trial(place, server, command, source))
        trial.tell("idle", series)
        listed = trial.run(place, server, command, WAITING, {"PYTHONPROFILEIMPORTTIME": "1"})
    found = _heavy_imports(listed.errors)
    imports = Verdict("heavy imports", "none", ", ".join(found) or "none", not found)
    outcome.verdicts = [
        IDLE.verdict("start to exit", series.milliseconds.middle, not series.problems),
        imports,
    ]
    outcome.notes.append(f"heavy imports are: {', '.join(HEAVY)}")
    return outcome


def copy_again(place: Workplace, tool: Tool, files: int, runs: int) -> Outcome:
    """Copy a tree, then copy it again, unchanged: the second time nothing may be sent."""
    outcome = Outcome("copy-again", f"second copy of {files:,} unchanged files", place.server_kind())
    source, state = place.fresh(place.files, "source"), trial.state_directory(place)
    first, again = Series("outhaul copy, the first time"), Series("outhaul copy, again")
    outcome.series = [first, again]
    try:
        trees.make(source, files, trial.SIZE)
        with place.server() as server:
            options = tools.outhaul_options(server.target, state)
            command = [str(tool.program), "copy", str(source), server.target.destination, *options]
            first.trials.append(_copy_trial(place, server, command, source, files, arriving=True))
            trial.tell("copy-again", first)
            for _ in range(runs):
                _reset(server)
                again.trials.append(_copy_trial(place, server, command, source, files, arriving=False))
                trial.tell("copy-again", again)
    finally:
        shutil.rmtree(source, ignore_errors=True)
    sound = not first.problems and not again.problems
    requests = [one.requests for one in again.trials if one.requests is not None]
    outcome.verdicts = [
        AGAIN.verdict("files looked at", again.rate.middle, sound),
        NO_REQUESTS.verdict("requests in all", max(requests) if requests else None, sound),
    ]
    return outcome


def _idle_trial(place: Workplace, server: Server, command: Sequence[str], source: Path) -> Trial:
    cost = trial.run(place, server, command, WAITING)
    problems = trial.program_problems("outhaul", cost)
    left = trees.files_in(source)
    problems += [f"{WAITING - left} of the waiting files are gone"] if left != WAITING else []
    return trial.as_trial(WAITING, cost, server, problems)


def _copy_trial(
    place: Workplace, server: Server, command: Sequence[str], source: Path, files: int, *, arriving: bool
) -> Trial:
    cost = trial.run(place, server, command, files)
    problems = trial.program_problems("outhaul", cost)
    problems += server.files_problems(files, trial.SIZE) if arriving else []
    left = trees.files_in(source)
    problems += [f"{left} files are at the source, not {files}"] if left != files else []
    return trial.as_trial(files, cost, server, problems)


def _reset(server: Server) -> None:
    reset = getattr(server.server, "reset", None)
    if reset is not None:
        reset()


def _heavy_imports(listing: str) -> list[str]:
    """Return which of the heavy packages are in what Python's import-time profile wrote."""
    imported = set(re.findall(r"^import time:.*\| *(\w+)", listing, re.MULTILINE))
    return [name for name in HEAVY if name in imported]
