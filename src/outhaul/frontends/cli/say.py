"""Figures and files in words: sizes, times, counts, tables. Nothing a terminal would interpret leaves here (L13)."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterable, Sequence

from outhaul.model.keys import printable
from outhaul.model.lifecycle import REASONS, State


def size(count: int) -> str:
    """Bytes in decimal units, three figures."""
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if amount < 999.5 or unit == "TB":
            break
        amount /= 1000
    return f"{amount:.0f} {unit}" if unit == "B" or amount >= 100 else f"{amount:.1f} {unit}"


def files(count: int) -> str:
    """'1 file', '1,200 files'."""
    return f"{count:,} file{'' if count == 1 else 's'}"


def ago(then_ns: int) -> str:
    """How long ago, roughly."""
    return f"{span(max(0, time.time_ns() - then_ns) // 10**9)} ago"


def span(seconds: int) -> str:
    """How long, roughly: '3 hours'."""
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            count = seconds // length
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return f"{seconds} s"


def moment(then_ns: int) -> str:
    """A time, UTC, ISO 8601, to the second; '' for none."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(then_ns // 10**9)) if then_ns else ""


def reasons(by_reason: dict[str, int], state: State) -> str:
    """'3 open for writing by another process, 1 changed too short a time ago', most first."""
    counts = [(count, reason) for reason, count in by_reason.items() if REASONS[reason].state is state]
    return ", ".join(f"{count:,} {REASONS[reason].meaning}" for count, reason in sorted(counts, reverse=True))


def path_fields(path: str) -> dict[str, str]:
    """A path for JSON: as text, and as its bytes in base64, which alone is sure to be lossless."""
    raw = path.encode("utf-8", "surrogateescape")
    return {"path": raw.decode("utf-8", "replace"), "path_base64": base64.b64encode(raw).decode()}


def table(
    header: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[int] = (), width: int = 0
) -> list[str]:
    """Lines of a table with its columns under each other.

    Args:
        header: Titles.
        rows: Cells.
        right: Columns set to the right.
        width: Where to cut the last column; 0 is nowhere.
    """
    cells = [[*header], *([printable(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    lines = []
    for row in cells:
        parts = [
            cell.rjust(widths[column]) if column in right else cell.ljust(widths[column])
            for column, cell in enumerate(row)
        ]
        line = "  ".join(parts).rstrip()
        lines.append(line if not width or len(line) <= width else line[: width - 3] + "...")
    return lines


def beneath(text: str, width: int) -> list[str]:
    """What is written under the line that it belongs to: indented, and broken between words where the terminal ends."""
    import textwrap

    margin = "    "
    return textwrap.wrap(
        printable(text), max(width, 40), initial_indent=margin, subsequent_indent=margin,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
