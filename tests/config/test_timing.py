"""config/timing.py: when and how much; what is written, what it means, and what is said of what means nothing."""

from pathlib import Path

import pytest

from config.writing import lines_of
from outhaul.config import timing
from outhaul.config.native import read
from outhaul.model.bandwidth import Window

JOB = '[[job]]\nname = "a"\nsource = "/data"\nto = "s3://bucket"\n'
ALL = (
    JOB
    + """
max-bytes = "500MB"
max-bytes-per-day = "1GB"
max-bytes-per-month = "20GB"
order = "newest-first"
cron = " 10  2 * * 1-5"
time-zone = "Europe/Berlin"
jitter = "5m"
quiet-hours = ["22:00-06:00", "sat,sun 08:00-24:00"]
"""
)


def test_every_key_reaches_the_job(tmp_path: Path) -> None:
    """As numbers, and in one form."""
    (tmp_path / "data").mkdir()
    file = tmp_path / "outhaul.toml"
    file.write_text('time-zone = "UTC"\nnice = 10\n' + ALL.replace("/data", str(tmp_path / "data")))
    said = read(str(file), state=str(tmp_path / "state"))
    job = said.jobs[0]
    assert (said.time_zone, said.nice) == ("UTC", 10)
    assert (job.bytes_max, job.bytes_a_day, job.bytes_a_month) == (500 * 10**6, 10**9, 20 * 10**9)
    assert (job.order, job.cron, job.time_zone) == ("newest-first", "10 2 * * 1-5", "Europe/Berlin")
    assert job.jitter_ns == 300 * 10**9
    week = frozenset(range(7))
    assert job.quiet_hours == (Window(0, week, 1320, 360), Window(0, frozenset({5, 6}), 480, 1440))
    file.write_text('time-zone = "Asia/Tokyo"\n' + JOB.replace("/data", str(tmp_path / "data")))
    assert read(str(file), state=str(tmp_path / "state")).jobs[0].time_zone == "Asia/Tokyo"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ('cron = "10 2 * *"', 'cron: expected five fields such as "10 2 * * 1-5", not "10 2 * *"'),
        ('cron = "* * * * * *"', 'cron: expected five fields such as "10 2 * * 1-5", not "* * * * * *"'),
        ('cron = "61 2 * * *"', 'cron: bad minute in "61 2 * * *"; the fields are minute, hour, day, month, weekday'),
        ('cron = "0 0 30 2 *"', 'cron: bad day-of-month in "0 0 30 2 *"; the fields are minute, hour, day, month, weekday'),
        ('time-zone = "Berlin"', 'time-zone: expected a time zone such as "Europe/Berlin" or "UTC", not "Berlin"'),
        ('time-zone = "../UTC"', 'time-zone: expected a time zone such as "Europe/Berlin" or "UTC", not "../UTC"'),
        ('every = "1h"\njitter = "25h"', 'jitter: expected from "1s" to "24h", not "25h"'),
        ('jitter = "5m"', "jitter: says nothing without every, at or cron; leave it out"),
        ('quiet-hours = "22-6"', 'quiet-hours: expected hours such as "22:00-06:00" or "mon-fri 08:00-18:00", not "22-6"'),
        ('quiet-hours = "06:00-06:00"',
         'quiet-hours: "06:00-06:00" begins when it ends; write "00:00-24:00" for the whole day'),
        ('quiet-hours = "00:00-24:00"', "quiet-hours: leaves no minute of the week; `outhaul pause` stops a job"),
        ('max-bytes = "0"', 'max-bytes: expected a size such as "500MB", not "0"; leave it out for no limit'),
        ('max-bytes-per-day = "2GB"\nmax-bytes-per-month = "1GB"',
         "max-bytes-per-month: is less than max-bytes-per-day; leave one out"),
        ('order = "biggest"', 'order: expected "oldest-first" or "newest-first", not "biggest"'),
        ('every = "1h"\nat = "02:10"', "at: does not go with every: both say when; leave one out"),
        ('at = "02:10"\ncron = "10 2 * * *"', "cron: does not go with at: both say when; leave one out"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_line(tmp_path: Path, written: str, expected: str) -> None:
    """With its place."""
    found = lines_of(tmp_path, f"{JOB}{written}\n")
    assert [line.split(": ", 2)[2] for line in found] == [expected]


@pytest.mark.parametrize("value", [20, -1, True, "10"])
def test_nice_is_a_small_number(tmp_path: Path, value: object) -> None:
    """Nobody is less nice than before."""
    with pytest.raises(ValueError, match="expected a number from 0 to 19"):
        timing.nice(value)


def test_a_machine_without_zones_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """And what to install."""
    import zoneinfo

    def none(name: str) -> None:
        raise zoneinfo.ZoneInfoNotFoundError(name)

    monkeypatch.setattr(zoneinfo, "ZoneInfo", none)
    with pytest.raises(ValueError, match="this machine has no time zones: install tzdata"):
        timing.time_zone("Europe/Berlin")
