"""config/bandwidth.py: what is written, what it means, and what is said of what means nothing."""

from pathlib import Path
from typing import Any

import pytest

from config.writing import lines_of
from outhaul.config.bandwidth import bandwidth, limit
from outhaul.model.bandwidth import Bandwidth, Window

JOB = '\n[[job]]\nname = "a"\nsource = "."\nto = "s3://bucket"\n'
FORMS = 'expected a limit such as "2MiB/s" or "none", not'
UNITS = "the units are bytes: KiB/s, MiB/s, GiB/s, kB/s, MB/s, GB/s (8 Mbit/s are 1MB/s)"


@pytest.mark.parametrize(
    ("written", "expected"),
    [("none", None), ("8KiB/s", 8192), ("512KiB/s", 512 << 10), ("2MiB/s", 2 << 20), ("1.5MiB/s", 3 << 19), ("1GiB/s", 1 << 30),
     ("10kB/s", 10_000), ("10KB/s", 10_000), ("1MB/s", 10**6), ("2GB/s", 2 * 10**9), ("9000B/s", 9000)],
)  # fmt: skip
def test_a_limit(written: str, expected: int | None) -> None:
    """Bytes a second."""
    assert expected == limit(written)


def test_a_timetable() -> None:
    """As docs/configuration.md shows it."""
    tree: dict[str, Any] = {
        "limit": "512KiB/s",
        "times": [
            {"days": "mon-fri", "from": "19:00", "to": "07:00", "limit": "10MiB/s"},
            {"days": "sat,sun", "limit": "none"},
            {"days": "fri-mon,wed", "to": "24:00", "limit": "1MiB/s"},
        ],
    }
    windows = (
        Window(10 << 20, frozenset(range(5)), 19 * 60, 7 * 60),
        Window(None, frozenset({5, 6})),
        Window(1 << 20, frozenset({4, 5, 6, 0, 2})),
    )
    assert (Bandwidth(512 << 10, windows), []) == bandwidth(tree)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("9", f"bandwidth: {FORMS} 9"),
        ('"2MiB"', f'bandwidth: {FORMS} "2MiB"; write "/s" at its end'),
        ('"8Mbit/s"', f'bandwidth: {FORMS} "8Mbit/s"; {UNITS}'),
        ('"2mb/s"', f'bandwidth: {FORMS} "2mb/s"; {UNITS}'),
        ('"1KiB/s"', 'bandwidth: expected at least "8KiB/s", not "1KiB/s"'),
        ("{}", 'bandwidth.limit: is missing; write limit = "2MiB/s"'),
        ('{ limit = "1MB/s", time = [] }', 'bandwidth.time: unknown key; did you mean "times"?'),
        ('{ times = "19:00" }', 'bandwidth.times: expected a list such as [{ from = "19:00", limit = "none" }], not "19:00"'),
        ("{ times = [1] }",
         'bandwidth.times[0]: expected a table such as { from = "19:00", to = "07:00", limit = "none" }, not 1'),
        ('{ times = [{ days = "mon" }] }', 'bandwidth.times[0].limit: is missing; write limit = "2MiB/s" or limit = "none"'),
        ('{ times = [{ days = "Monday", limit = "none" }] }',
         'bandwidth.times[0].days: expected days such as "mon-fri" or "sat,sun", not "Monday"'),
        ('{ times = [{ from = "7:00", limit = "none" }] }',
         'bandwidth.times[0].from: expected a time of day such as "07:00", not "7:00"'),
        ('{ times = [{ from = "07:00", to = "07:00", limit = "none" }] }',
         "bandwidth.times[0].to: is the same as from; leave both out for the whole day"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_line(tmp_path: Path, written: str, expected: str) -> None:
    """File, line, key, what is wrong, what to write."""
    assert [f"outhaul.toml:1: {expected}"] == lines_of(tmp_path, f"bandwidth = {written}\n{JOB}")


def test_it_belongs_to_no_job(tmp_path: Path) -> None:
    """It is one for all of them."""
    said = 'outhaul.toml:6: job "a": bandwidth: holds for all jobs together; write it above the first [[job]]'
    assert [said] == lines_of(tmp_path, f'{JOB}bandwidth = "2MiB/s"\n')
