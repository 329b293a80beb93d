"""Durations as people write them: `30m`, `1h30m`, `500ms`, `0`."""

from __future__ import annotations

import re

_UNITS_NS = {"d": 86_400 * 10**9, "h": 3_600 * 10**9, "m": 60 * 10**9, "s": 10**9, "ms": 10**6}


def _pattern(number: str) -> str:
    return "(?:0|(?=[0-9])" + "".join(f"(?:{number}{unit})?" for unit in _UNITS_NS) + ")"


PATTERN = f"^{_pattern('[0-9]{1,9}')}$"
"""What a duration looks like; the JSON Schema holds the same text."""

_numbers = re.compile(_pattern("([0-9]{1,9})")).fullmatch
_LONGEST_DAYS = 3_650


def duration_ns(text: str) -> int:
    """The nanoseconds that `text` stands for: whole numbers with the units d, h, m, s, ms, the largest first; or `0`.

    Raises:
        ValueError: it is no duration; the message says what to write instead.
    """
    from outhaul.config.wording import shown

    found = _numbers(text)
    if found is None:
        raise ValueError(f"{expected_duration()}, not {shown(text)}{_hint(text)}")
    total = sum(int(number or 0) * unit for number, unit in zip(found.groups(), _UNITS_NS.values(), strict=True))
    if total > _LONGEST_DAYS * _UNITS_NS["d"]:
        raise ValueError(f"expected at most {_LONGEST_DAYS}d, not {shown(text)}")
    return total


def expected_duration() -> str:
    """The first half of the message to whoever wrote something else."""
    return 'expected a duration such as "30m"'


def _hint(text: str) -> str:
    if re.fullmatch("[0-9]+", text):
        return f'; a number needs a unit: "{text[:9]}s" or "{text[:9]}m"'
    if _numbers(text.lower().replace(" ", "")) and text.strip():
        return "; write units in small letters, without spaces"
    return "; the units are d, h, m, s and ms, the largest first"
