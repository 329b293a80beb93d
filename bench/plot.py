"""The results as one small SVG: a bar for each tool in each scenario, with its range.

True here: each scenario has its own scale, from zero; the whisker goes from the slowest to the fastest
trial; the text is text, so that the picture can be searched and read aloud. It follows a light or a dark
page.
Not done here: choosing what is measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from bench.results import Outcome, Series

WIDTH, LABELS, VALUES = 760, 190, 170
LINE, BAR_HEIGHT, HEADING, MARGIN = 24, 14, 34, 20
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-weight: 600; font-size: 17px } .head { font-weight: 600 }
.dim { fill: #6e7781; font-size: 12px; font-weight: 400 }
.ours { fill: #0a7ea4 } .peer { fill: #b6bec8 } .range { stroke: #24292f; stroke-width: 1.2; opacity: .65 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .dim { fill: #8b949e } .ours { fill: #39b0d8 } .peer { fill: #57606a }
  .range { stroke: #e6edf3 }
}"""


@dataclass(frozen=True)
class _Value:
    middle: float
    low: float
    high: float
    text: str


def write(path: Path, outcomes: Sequence[Outcome], caption: str) -> None:
    """Write the plot of all scenarios that have anything to show."""
    shown = [outcome for outcome in outcomes if any(series.trials for series in outcome.series)]
    parts: list[str] = []
    top = MARGIN + 46
    for outcome in shown:
        parts += _scenario(outcome, top)
        top += HEADING + LINE * sum(1 for series in outcome.series if series.trials) + 14
    height = top + MARGIN
    start = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"'
        f' width="{WIDTH}" height="{height}"'
        f' role="img" aria-label="Benchmark of outhaul and its peers"><style>{STYLE}</style>'
    )
    title = _text(MARGIN, MARGIN + 14, "outhaul and its peers", "title")
    subtitle = _text(MARGIN, MARGIN + 33, caption, "dim")
    path.write_text("\n".join([start, title, subtitle, *parts, "</svg>"]) + "\n")


def _scenario(outcome: Outcome, top: int) -> list[str]:
    measured = [series for series in outcome.series if series.trials]
    values = [_value(outcome, series) for series in measured]
    longest = max(value.high for value in values) or 1.0
    scale = (WIDTH - LABELS - VALUES - 2 * MARGIN) / longest
    heading = f"{escape(outcome.title)} <tspan class='dim'>{escape(_what(outcome))}</tspan>"
    parts = [f'<text x="{MARGIN}" y="{top + 14}" class="head">{heading}</text>']
    for number, (series, value) in enumerate(zip(measured, values, strict=True)):
        parts += _bar(series, value, top + HEADING + number * LINE, scale)
    return parts


def _bar(series: Series, value: _Value, top: int, scale: float) -> list[str]:
    left, middle = MARGIN + LABELS, top + BAR_HEIGHT / 2
    kind = "ours" if series.tool.startswith("outhaul") else "peer"
    label = _text(left - 10, top + 12, series.tool, "", "end")
    width = max(value.middle * scale, 1)
    bar = f'<rect x="{left}" y="{top}" width="{width:.1f}" height="{BAR_HEIGHT}" rx="2" class="{kind}"/>'
    parts = [label, bar]
    if value.high > value.low:
        low, high = left + value.low * scale, left + value.high * scale
        line = f"M{low:.1f} {middle}H{high:.1f}M{low:.1f} {top + 3}v8M{high:.1f} {top + 3}v8"
        parts.append(f'<path d="{line}" class="range" fill="none"/>')
    return [*parts, _text(left + max(value.high, value.middle) * scale + 8, top + 12, value.text, "")]


def _value(outcome: Outcome, series: Series) -> _Value:
    if series.problems:
        return _Value(0, 0, 0, "failed its checks")
    if outcome.scenario == "memory":
        figure = series.peak
        return _Value(figure.middle, figure.low, figure.high, f"{figure.middle:.0f} MB")
    if series.in_ms:
        figure = series.milliseconds
        return _Value(figure.middle, figure.low, figure.high, f"{figure.middle:.0f} ms")
    figure = series.rate
    cpu = f"{series.cpu.middle:.0f}" if series.cpu.middle >= 10 else f"{series.cpu.middle:.1f}"
    return _Value(figure.middle, figure.low, figure.high, f"{figure.middle:,.0f}/s, {cpu} µs CPU")


def _what(outcome: Outcome) -> str:
    if outcome.scenario == "memory":
        return "peak memory, less is better"
    if any(series.in_ms for series in outcome.series):
        return "wall time, less is better"
    return "files a second, more is better"


def _text(x: float, y: float, text: str, kind: str, anchor: str = "start") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y}"{named} text-anchor="{anchor}">{escape(text)}</text>'
