"""Times, samples and numbers as people write them on the command line: `2026-03-01`, `2026-03-01T12:00`, with a zone, or `2d`
for two days ago; `1%`, or 500. argparse is told of what cannot be read.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

_DAYS_MAX = 3_650
_HELP = "write a time such as 2026-03-01, 2026-03-01T12:00Z or 2d (two days ago)"


def time_of(*, end: bool) -> Callable[[str], int]:
    """A function from a text to nanoseconds since 1970. A time without a zone is UTC, as in all that outhaul prints.

    Args:
        end: A day without a time, or a second without its parts, stands for its end and not for its beginning.
    """

    def parsed(text: str) -> int:
        from datetime import UTC, datetime, timedelta

        from outhaul.config.durations import duration_ns

        try:
            return max(1, time.time_ns() - duration_ns(text))
        except ValueError:
            pass
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is no time; {_HELP}") from None
        whole = timedelta(days=1) if len(text) <= len("2026-03-01") else timedelta(seconds=1)
        found = found if found.tzinfo else found.replace(tzinfo=UTC)
        span = whole // timedelta(microseconds=1) * 1000 if end and not found.microsecond else 0
        return max(1, int(found.timestamp()) * 10**9 + found.microsecond * 1000 + max(0, span - 1))

    return parsed


def sample_of(text: str) -> tuple[float, int]:
    """A share such as '1%', or a number of receipts."""
    number, percent = (text[:-1], True) if text.endswith("%") else (text, False)
    try:
        value = float(number) if percent else int(number)
        if not 0 < value < float("inf") or (percent and value > 100):
            raise ValueError
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no sample; write 1%, or a number such as 500") from None
    return (value / 100, 0) if percent else (0.0, int(value))


def seconds_of(text: str) -> float:
    """A duration such as '10m', of a second or more."""
    from outhaul.config.durations import duration_ns

    try:
        seconds = duration_ns(text) / 10**9
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if seconds < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is too short; write 1s or more")
    return seconds


def files_of(text: str) -> int:
    """How many files at most: at least one. None at all is nothing that anybody asks for, and 0 is no word for all."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on; leave it out for all")
    return int(text)


def days_of(text: str) -> int:
    """A number of days, at least one."""
    if not text.isdecimal() or not 1 <= int(text) <= _DAYS_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of days; write one such as 7")
    return int(text)
