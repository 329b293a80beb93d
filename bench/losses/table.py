"""What came of the races: one table of races by tools, one line a race and tool with every count, Markdown, JSON.

True here: a cell speaks of all its trials; where they differ, each class is named with its number of trials. Only what
the judge found is in it, and the exit codes.
Not done here: any judgement.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.losses.movers import TITLES
from bench.losses.races import Race
from bench.losses.trials import Trial

ORDER = ("lost", "corrupt", "overwritten", "stuck", "kept", "damaged object left", "carried later", "ok", "not met")
GOOD = ("ok", "carried later")
SAFE = (*GOOD, "damaged object left")
WORDS = {
    "stuck": "did not end",
    "kept": "kept, not carried",
    "damaged object left": "kept, carried later; a damaged object stays",
    "carried later": "kept, carried later",
    "not met": "moment not met",
}
COUNTS = (
    "runs",
    "met",
    "exit",
    "later",
    "B gone",
    "lost",
    "corrupt",
    "overwritten",
    "damaged",
    "kept",
    "carried later",
)


def cell(trials: Sequence[Trial]) -> str:
    """Return what came of one race for one tool."""
    if not trials:
        return "-"
    if {trial.outcome for trial in trials} == set(GOOD):
        return f"ok, or kept and carried later{_exits(trials)}"
    parts = []
    for outcome in ORDER:
        some = [trial for trial in trials if trial.outcome == outcome]
        if some:
            share = "" if len(some) == len(trials) else f"{len(some)} of {len(trials)}: "
            parts.append(f"{share}{_words(outcome, some)}{_exits(some)}")
    return "; ".join(parts)


def _words(outcome: str, trials: Sequence[Trial]) -> str:
    gone = _range([trial.final.bytes_gone for trial in trials])
    files = _range([trial.final.missing for trial in trials])
    in_files = "" if files == "1" else f" in {files} files"
    if outcome in ("lost", "overwritten"):
        return f"{outcome} {gone} B{in_files}"
    if outcome == "corrupt":
        return f"corrupt, {gone} B wrong{in_files}, source gone"
    return WORDS.get(outcome, outcome)


def _exits(trials: Sequence[Trial]) -> str:
    """Return the exit codes of the disturbed runs, or where they were all killed, of the runs after them."""
    codes = {attempt.exit_code for trial in trials for attempt in trial.first or trial.later}
    return ", exit " + " or ".join(str(code) for code in sorted(codes)) if codes else ""


def _range(numbers: Sequence[int]) -> str:
    low, high = min(numbers), max(numbers)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def matrix(trials: Sequence[Trial], races: Sequence[Race], tools: Sequence[str]) -> list[list[str]]:
    """Return the rows of the table, the heads first."""
    rows = [["race", *(TITLES[tool] for tool in tools)]]
    for race in races:
        rows.append([race.title, *(cell(_of(trials, race.name, tool)) for tool in tools)])
    return rows


def details(trials: Sequence[Trial], races: Sequence[Race], tools: Sequence[str]) -> list[list[str]]:
    """Return every count by race and tool, summed over the trials."""
    rows = [["race", "tool", *COUNTS]]
    for race in races:
        for tool in tools:
            some = _of(trials, race.name, tool)
            if some:
                rows.append([race.name, tool, *_counts(some)])
    return rows


def _counts(trials: Sequence[Trial]) -> list[str]:
    ends = [trial.final for trial in trials]
    between = [trial.between for trial in trials]
    later = sorted({attempt.exit_code for trial in trials for attempt in trial.later})
    first = sorted({attempt.exit_code for trial in trials for attempt in trial.first})
    numbers = [
        sum(end.bytes_gone for end in ends),
        sum(end.lost for end in ends),
        sum(end.corrupt for end in ends),
        sum(end.overwritten for end in ends),
        sum(end.damaged for end in ends),
        sum(one.kept + one.aside for one in between),
        sum(trial.carried_later for trial in trials),
    ]
    codes = [",".join(map(str, some)) or "-" for some in (first, later)]
    return [str(len(trials)), str(sum(trial.met for trial in trials)), *codes, *(f"{number:,}" for number in numbers)]


def text(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as aligned text."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(value.ljust(width) for value, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def markdown(rows: Sequence[Sequence[str]], facts: Mapping[str, object]) -> str:
    """Return the table and what it depends on, to be included in a page."""
    versions, settings = facts["versions"], facts["settings"]
    assert isinstance(versions, dict) and isinstance(settings, dict)
    lines = [f"<!-- Made by `python -m bench.losses` on {facts['measured']}; do not edit. -->", ""]
    lines += [_row(rows[0]), _row(["---"] * len(rows[0])), *(_row(_loud(row)) for row in rows[1:]), ""]
    what = f"{facts['runs']} runs of each race and tool, seed {facts['seed']}"
    lines.append(f"Measured {facts['measured']}: {what}, against {facts['server']}.")
    lines += ["", "| tool | version | what was run; all else is its default |", "|---|---|---|"]
    lines += [_row([TITLES[name], str(versions[name]), f"`{settings[name]}`"]) for name in settings]
    return "\n".join(lines) + "\n"


def _row(values: Sequence[str]) -> str:
    return "| " + " | ".join(value.replace("|", "\\|") for value in values) + " |"


def _loud(row: Sequence[str]) -> list[str]:
    """Losses stand out."""
    bad = ("lost", "corrupt", "overwritten")
    return [row[0], *(f"**{value}**" if any(word in value for word in bad) else value for value in row[1:])]


def write_json(path: Path, trials: Sequence[Trial], facts: Mapping[str, object]) -> None:
    """Write every trial, with what each run said at its end."""
    shown = [dataclasses.asdict(trial) | {"outcome": trial.outcome} for trial in trials]
    path.write_text(json.dumps({**facts, "trials": shown}, indent=1) + "\n")


def _of(trials: Sequence[Trial], race: str, tool: str) -> list[Trial]:
    return [trial for trial in trials if (trial.race, trial.tool) == (race, tool)]
