"""A limit of bytes a second as people write it: `"2MiB/s"`, or a table with a timetable.

Pure, like `values.py`: what stands in the tree becomes what a run holds, and what is wrong is told with what to write instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from outhaul.config.sizes import UNITS
from outhaul.config.wording import Where, shown, unknown_key
from outhaul.model.bandwidth import DAY_MINUTES, DAYS, Bandwidth, Window

LIMIT_KEYS = ("limit", "times")
TIMES_KEYS = ("days", "from", "to", "limit")
_UNITS = {"KB": UNITS["kB"], **UNITS}
PATTERN = rf"^(?:none|[0-9]{{1,9}}(?:\.[0-9]{{1,3}})?(?:{'|'.join(_UNITS)})/s)$"
"""What a limit looks like; the JSON Schema holds the same text."""
TIME_PATTERN = "^(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"
_DAY = f"(?:{'|'.join(DAYS)})"
DAYS_PATTERN = f"^{_DAY}(?:-{_DAY})?(?:,{_DAY}(?:-{_DAY})?)*$"
LIMIT_MIN = 8 << 10
"""Bytes a second. With less, a store gives up on whoever sends so slowly."""

_rate = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)(" + "|".join(_UNITS) + ")/s").fullmatch
_EXAMPLE = 'expected a limit such as "2MiB/s" or "none"'
Fault = tuple[Where, str]
"""Where in the table, and what is wrong there."""


def limit(value: object) -> int | None:
    """Bytes a second; None for no limit."""
    if value == "none":
        return None
    found = _rate(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"{_EXAMPLE}, not {shown(value)}{_hint(value)}")
    rate = int(float(found[1]) * _UNITS[found[2]])
    if rate < LIMIT_MIN:
        raise ValueError(f'expected at least "{LIMIT_MIN >> 10}KiB/s", not {shown(value)}')
    return rate


def _hint(value: object) -> str:
    if not isinstance(value, str):
        return ""
    if re.search(r"bit|bps|[kmg]b?/s$", value) and not _rate(value):
        return "; the units are bytes: KiB/s, MiB/s, GiB/s, kB/s, MB/s, GB/s (8 Mbit/s are 1MB/s)"
    return '; write "/s" at its end' if _rate(f"{value}/s") else ""


def bandwidth(value: object) -> tuple[Bandwidth, list[Fault]]:
    """What a configuration says of it, and everything that is wrong with that."""
    faults: list[Fault] = []
    if not isinstance(value, dict):
        return Bandwidth(_tried(limit, value, (), faults)), faults
    faults += [((key,), unknown_key(key, LIMIT_KEYS, {})) for key in value if key not in LIMIT_KEYS]
    windows: list[Window] = []
    times = value.get("times", [])
    if not isinstance(times, list):
        faults.append(
            (("times",), f'expected a list such as [{{ from = "19:00", limit = "none" }}], not {shown(times)}')
        )
    else:
        windows = [_window(each, ("times", index), faults) for index, each in enumerate(times)]
    if not value.get("times") and "limit" not in value:
        faults.append((("limit",), 'is missing; write limit = "2MiB/s"'))
    usual = _tried(limit, value["limit"], ("limit",), faults) if "limit" in value else None
    return Bandwidth(usual, tuple(windows)), faults


def _window(table: Any, where: Where, faults: list[Fault]) -> Window:
    if not isinstance(table, dict):
        faults.append(
            (where, f'expected a table such as {{ from = "19:00", to = "07:00", limit = "none" }}, not {shown(table)}')
        )
        return Window(None)
    faults += [((*where, key), unknown_key(key, TIMES_KEYS, {})) for key in table if key not in TIMES_KEYS]
    if "limit" not in table:
        faults.append(((*where, "limit"), 'is missing; write limit = "2MiB/s" or limit = "none"'))
    window = Window(
        _tried(limit, table.get("limit", "none"), (*where, "limit"), faults),
        _tried(days, table.get("days", "mon-sun"), (*where, "days"), faults) or frozenset(),
        _tried(minute, table.get("from", "00:00"), (*where, "from"), faults) or 0,
        _tried(minute, table.get("to", "24:00"), (*where, "to"), faults) or 0,
    )
    if window.begin == window.end and "from" in table and not [at for at, _ in faults if at[:2] == where]:
        faults.append(((*where, "to"), "is the same as from; leave both out for the whole day"))
    return window


def _tried(read: Any, value: object, where: Where, faults: list[Fault]) -> Any:
    try:
        return read(value)
    except ValueError as error:
        faults.append((where, str(error)))
        return None


def minute(value: object) -> int:
    """Minutes after midnight of a time of day."""
    if not isinstance(value, str) or not re.fullmatch(TIME_PATTERN, value):
        raise ValueError(f'expected a time of day such as "07:00", not {shown(value)}')
    return (int(value[:2]) * 60 + int(value[3:])) % (DAY_MINUTES + 1)


def days(value: object) -> frozenset[int]:
    """Days of the week; 0 is Monday."""
    if not isinstance(value, str) or not re.fullmatch(DAYS_PATTERN, value):
        raise ValueError(f'expected days such as "mon-fri" or "sat,sun", not {shown(value)}')
    return frozenset(_each_day(value))


def _each_day(text: str) -> Iterator[int]:
    for piece in text.split(","):
        first, _, last = piece.partition("-")
        day, end = DAYS.index(first), DAYS.index(last or first)
        yield day
        while day != end:
            day = (day + 1) % 7
            yield day
