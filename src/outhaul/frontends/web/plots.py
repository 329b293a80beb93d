"""Lines and bars as inline SVG. Pure: numbers in, the attributes of shapes out; a template writes them.

The picture is stretched to the width of the page, so no text is in it: that stands around it, and can be read on a
phone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

WIDTH, HEIGHT = 576, 120


class Plot(NamedTuple):
    """One picture."""

    line: str
    """The `points` of a polyline, or '' where there is nothing to see."""
    area: str
    """The same with what is beneath it."""
    bars: list[tuple[float, float, float, float]]
    """x, y, width and height of rectangles."""
    most: float
    """What the top stands for."""


def line(values: Sequence[float]) -> Plot:
    """A line from left to right."""
    most = max(values, default=0)
    if len(values) < 2:
        return Plot("", "", [], most)
    step = WIDTH / (len(values) - 1)
    points = " ".join(f"{index * step:.1f},{_y(value, most):.1f}" for index, value in enumerate(values))
    return Plot(points, f"0,{HEIGHT} {points} {WIDTH},{HEIGHT}", [], most)


def bars(values: Sequence[float]) -> Plot:
    """A bar for each value that is not 0."""
    most = max(values, default=0)
    step = WIDTH / max(1, len(values))
    found = [
        (round(index * step, 1), round(_y(value, most), 1), round(step, 1), round(HEIGHT - _y(value, most), 1))
        for index, value in enumerate(values)
        if value > 0
    ]
    return Plot("", "", found, most)


def _y(value: float, most: float) -> float:
    """From the top; what is not 0 is seen."""
    return HEIGHT - (max(1.0, value / most * HEIGHT) if value > 0 else 0.0)
