"""Sizes as people write them: `16MiB`, `500kB`, `0`."""

from __future__ import annotations

import re

UNITS = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
PATTERN = "^(?:0|[0-9]{1,9}(?:B|kB|MB|GB|KiB|MiB|GiB))$"
"""What a size looks like; the JSON Schema holds the same text."""
_parts = re.compile("([0-9]{1,9})(B|kB|MB|GB|KiB|MiB|GiB)").fullmatch


def size_bytes(value: object, example: str = "16MiB") -> int:
    """The bytes that `value` stands for: a whole number with a unit; or `0`.

    Raises:
        ValueError: it is no size; the message says what to write instead.
    """
    from outhaul.config.wording import shown

    if value == "0":
        return 0
    found = _parts(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f'expected a size such as "{example}", not {shown(value)}; the units are {", ".join(UNITS)}')
    return int(found[1]) * UNITS[found[2]]


def shown_size(size: int) -> str:
    """A number of bytes as one writes it here, in the largest unit that fits."""
    for unit in ("GiB", "MiB", "KiB"):
        if size and size % UNITS[unit] == 0:
            return f"{size // UNITS[unit]}{unit}"
    return f"{size}B"
