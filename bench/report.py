"""The results for people: a table on stdout, and all raw trials as JSON.

True here: one line a tool, then one line for each bar that is not a ratio; a bar was reached (yes), or
not (NO), or the better limit in brackets was reached too; what failed its checks is said last and plainly.
Not done here: the plot (plot.py).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

from bench.comparisons import ratio
from bench.results import Figure, Outcome, Series, Verdict

HEADINGS = (
    "scenario",
    "tool",
    "median",
    "min..max",
    "ours/it",
    "CPU µs/file",
    "peak MB",
    "req/file",
    "bar",
    "reached",
)
LEFT = frozenset({0, 1, 8, 9})


def table(outcomes: Sequence[Outcome]) -> str:
    """Return everything that was measured, as one table."""
    rows = [list(HEADINGS)]
    for outcome in outcomes:
        rows += _rows(outcome)
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    lines = []
    for row in rows:
        if row[0]:
            lines.append("-" * (sum(widths) + 2 * len(widths) - 2))
        cells = (
            cell.ljust(width) if column in LEFT else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines[1:])


def notes(outcomes: Sequence[Outcome]) -> str:
    """Return the server of each scenario, its notes, and every failed check."""
    lines = []
    for outcome in outcomes:
        lines.append(f"{outcome.scenario}: {outcome.title}; server: {outcome.server}")
        lines += [f"  {note}" for note in outcome.notes]
        for series in outcome.series:
            lines += [f"  FAILED {series.tool}: {problem}" for problem in dict.fromkeys(series.problems)]
    return "\n".join(lines)


def failed(outcomes: Sequence[Outcome]) -> bool:
    """Whether any trial of any tool failed its checks."""
    return any(series.problems for outcome in outcomes for series in outcome.series)


def write_json(path: Path, facts: dict[str, object], outcomes: Sequence[Outcome]) -> None:
    """Write all raw trials, the verdicts, and the facts that came with them."""
    measured = [dataclasses.asdict(outcome) for outcome in outcomes]
    for outcome, written in zip(outcomes, measured, strict=True):
        for series, item in zip(outcome.series, written["series"], strict=True):
            item["summary"] = _summary(outcome, series)
    path.write_text(json.dumps({**facts, "outcomes": measured}, indent=1, ensure_ascii=False) + "\n")


def _summary(outcome: Outcome, series: Series) -> dict[str, object]:
    figures = {"files_per_second": series.rate, "cpu_us_per_file": series.cpu, "peak_mb": series.peak}
    summary: dict[str, object] = {name: dataclasses.asdict(figure) for name, figure in figures.items()}
    return {**summary, "requests_per_file": series.requests, "outhaul_to_it": ratio(outcome, series.tool)}


def _rows(outcome: Outcome) -> list[list[str]]:
    left = list(outcome.verdicts)
    rows = []
    for series in outcome.series:
        judged = next((verdict for verdict in left if verdict.about == f"{outcome.ours} to {series.tool}"), None)
        if judged:
            left.remove(judged)
        rows.append(_row(outcome, series, judged))
    for verdict in left:
        measured = [f"- {verdict.about}", verdict.measured]
        rows.append(["", *measured, *[""] * 5, verdict.bar, _reached(verdict)])
    if rows:
        rows[0][0] = outcome.scenario
    return rows


def _row(outcome: Outcome, series: Series, judged: Verdict | None) -> list[str]:
    if not series.trials:
        return ["", series.tool, "-", "", "", "", "", "", "", ""]
    middle = series.milliseconds if series.in_ms else series.rate
    times = ratio(outcome, series.tool) if series.tool != outcome.ours else None
    unit = " ms" if series.in_ms else "/s"
    return [
        "",
        series.tool,
        f"{middle.middle:,.0f}{unit}",
        _range(middle),
        f"{times:.2f}" if times else "",
        f"{series.cpu.middle:,.1f}" if series.cpu.middle < 10 else f"{series.cpu.middle:,.0f}",
        f"{series.peak.middle:.0f}",
        f"{series.requests:.2f}" if series.requests is not None else "-",
        judged.bar if judged else "",
        _reached(judged) if judged else "FAILED" if series.problems else "",
    ]


def _range(figure: Figure) -> str:
    return f"{figure.low:,.0f}..{figure.high:,.0f}"


def _reached(verdict: Verdict) -> str:
    if verdict.stretch:
        return "yes, and the better one"
    return {True: "yes", False: "NO", None: "not known"}[verdict.reached]
