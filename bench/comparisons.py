"""The scenarios in which outhaul and its peers do the same work in turn: they move many files.

True here: the tools take turns (A B C, A B C ...), so that a change in the machine's mood falls on all of
them; the bars are those of the project's plan, ratios of medians of the same run.
Not done here: the scenarios that concern outhaul alone (outhaul_alone.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench import trial
from bench.processes import BenchError
from bench.results import Bar, Outcome, Series, Trial
from bench.tools import Tool
from bench.workplace import Workplace

CPU = Bar(160, 110, " µs")
REQUESTS = Bar(1.0, decimals=2)
BUNDLE_REQUESTS = Bar(20)
BUNDLES = "outhaul-bundles"
SLOW_TOOLS = {"aws": 1}  # at most so many trials: it takes as long as all the others together


@dataclass(frozen=True)
class Comparison:
    """One scenario: which server, which peers, and how many times as fast as each outhaul has to be."""

    name: str
    title: str
    ratios: Mapping[str, Bar]
    limits: bool = False
    tls: bool = False
    delay: float = 0.0
    real: bool = False
    size: int = trial.SIZE
    share: float = 1.0
    """Of the usual number of files."""
    ours: str = "outhaul"
    others: Sequence[str] = field(default_factory=tuple)


def _times(limit: float, stretch: float | None = None) -> Bar:
    return Bar(limit, stretch, "x", at_least=True, decimals=1)


COMPARISONS = (
    Comparison(
        "move-small",
        "move files of 4 KiB",
        {"s5cmd": _times(1.5, 1.9), "rclone": _times(3.0), "aws": _times(15.0)},
        limits=True,
        others=("rclone-tuned",),
    ),
    Comparison(
        "move-small-50ms",
        "the same, each reply 50 ms later",
        {"s5cmd": _times(1.0, 1.5)},
        delay=0.05,
        others=("rclone-tuned",),
    ),
    Comparison(
        "move-small-tls",
        "the same, to a real server over TLS",
        {"s5cmd": _times(1.3, 1.7)},
        tls=True,
        others=("rclone-tuned",),
    ),
    Comparison(
        "bundles",
        "move files of 4 KiB in bundles, and without",
        {"outhaul": _times(1.3, 2.0)},
        ours=BUNDLES,
        others=("s5cmd",),
    ),
    Comparison(
        "bundles-50ms",
        "the same, each reply 50 ms later",
        {"s5cmd": _times(3.0, 5.0)},
        delay=0.05,
        ours=BUNDLES,
        others=("outhaul",),
    ),
    Comparison(
        "move-1m",
        "move files of 1 MiB to a real server",
        {"s5cmd": _times(1.2), "rclone": _times(2.0)},
        real=True,
        size=1 << 20,
        share=0.1,
        others=("aws",),
    ),
)


def compare(place: Workplace, what: Comparison, tools: Sequence[Tool], files: int, runs: int) -> Outcome:
    """Let each tool have its turn `runs` times, then judge."""
    if what.delay and not place.has_null_server:
        raise BenchError("needs the null server, for the delay")
    files = max(1, round(files * what.share))
    title = f"{what.title} ({files:,} files)"
    outcome = Outcome(what.name, title, place.server_kind(tls=what.tls, real=what.real), ours=what.ours)
    wanted = [tool for tool in tools if tool.name in {what.ours, *what.ratios, *what.others}]
    turns = {tool.name: Series(tool.name) for tool in wanted}
    outcome.series = list(turns.values())
    for tool in wanted:
        _trial(place, tool, min(files, 200), what)  # not counted: fills caches
    for turn in range(runs):
        for tool in wanted:
            series = turns[tool.name]
            if turn < SLOW_TOOLS.get(tool.name, runs) and not (turn and series.problems):
                series.trials.append(_trial(place, tool, files, what))
                trial.tell(what.name, series)
    _judge(outcome, what)
    return outcome


def ratio(outcome: Outcome, peer: str) -> float | None:
    """Return how many times as fast as the peer outhaul was, or None when one was not there or failed its checks."""
    ours, theirs = outcome.of(outcome.ours), outcome.of(peer)
    if ours is None or theirs is None or ours.problems or theirs.problems:
        return None
    return ours.rate.middle / theirs.rate.middle


def _trial(place: Workplace, tool: Tool, files: int, what: Comparison) -> Trial:
    return trial.move(
        place, tool, files, tls=what.tls, delay=what.delay, size=what.size, real=what.real,
        bundles=tool.name == BUNDLES,
    )  # fmt: skip


def _judge(outcome: Outcome, what: Comparison) -> None:
    ours = outcome.of(what.ours)
    sound = ours is None or not ours.problems
    for peer, bar in what.ratios.items():
        theirs = outcome.of(peer)
        if theirs is not None:
            both = sound and not theirs.problems
            outcome.verdicts.append(bar.verdict(f"{what.ours} to {peer}", ratio(outcome, peer), both))
    if what.limits and ours is not None:
        requests = round(ours.requests, 2) if ours.requests is not None else None
        outcome.verdicts.append(CPU.verdict("CPU a file", ours.cpu.middle, sound))
        outcome.verdicts.append(REQUESTS.verdict("requests a file", requests, sound))
    if what.ours == BUNDLES and ours is not None:
        asked = [one.requests for one in ours.trials if one.requests is not None]
        outcome.verdicts.append(BUNDLE_REQUESTS.verdict("requests in all", max(asked, default=None), sound))
    for series in outcome.series:
        flying = [one.most_in_flight for one in series.trials if one.most_in_flight is not None]
        opened = [one.connections for one in series.trials if one.connections is not None]
        if flying and opened:
            outcome.notes.append(
                f"{series.tool}: at most {max(flying)} requests in flight, {max(opened):,} connections opened"
            )
