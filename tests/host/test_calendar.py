"""Times in zones: summer time, expressions of cron, the moment of each machine, days and months."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from outhaul.host import calendar
from outhaul.model.job import Destination, Job

JOB = Job("one", "/source", Destination("", "file", "", ""), time_zone="Europe/Berlin")
HALF_PAST_TWO = JOB._replace(at=(9000,))
SECOND = 10**9


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """No zone is remembered from another test."""
    calendar.zone.cache_clear()
    yield
    calendar.zone.cache_clear()


def times(job: Job, begin: str, count: int) -> list[str]:
    """The next times of a job, in UTC."""
    wall, found = int(datetime.fromisoformat(begin).replace(tzinfo=UTC).timestamp()) * SECOND, []
    for _ in range(count):
        following = calendar.next_time(job, wall)
        assert following is not None
        wall = following
        found.append(datetime.fromtimestamp(wall / SECOND, UTC).strftime("%m-%d %H:%M:%S"))
    return found


@pytest.mark.parametrize(
    ("job", "begin", "expected"),
    [
        (HALF_PAST_TWO, "2026-03-28T12:00", ["03-29 01:30:00", "03-30 00:30:00"]),  # Skipped: at 03:30, an hour later.
        (HALF_PAST_TWO, "2026-10-24T12:00", ["10-25 00:30:00", "10-26 01:30:00"]),  # Twice: the first of them.
        (JOB._replace(at=(0, 43_200)), "2026-06-30T11:00", ["06-30 22:00:00", "07-01 10:00:00"]),
        (JOB._replace(cron="30 2 * * *"), "2026-03-28T12:00", ["03-29 01:00:00", "03-30 00:30:00"]),  # After the gap.
        (JOB._replace(cron="30 2 * * *"), "2026-10-24T12:00", ["10-25 00:30:00", "10-26 01:30:00"]),
        (JOB._replace(cron="0 * * * *"), "2026-10-24T23:30", ["10-25 00:00:00", "10-25 01:00:00", "10-25 02:00:00"]),
        (JOB._replace(cron="10 2 * * 1-5", time_zone="UTC"), "2026-11-20T12:00", ["11-23 02:10:00", "11-24 02:10:00"]),
    ],
)
def test_the_next_times(job: Job, begin: str, expected: list[str]) -> None:
    """Each once, also where the clock skips an hour or shows it twice."""
    assert times(job, begin, len(expected)) == expected


def test_a_job_without_times() -> None:
    """Has none."""
    assert calendar.next_time(JOB._replace(every_ns=SECOND), 0) is None


@pytest.mark.parametrize("rule", ["CET-1CEST,M3.5.0,M10.5.0/3", ":Europe/Berlin"])
def test_the_zone_of_the_machine(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By name or by rule."""
    monkeypatch.setenv("TZ", rule)
    assert times(HALF_PAST_TWO._replace(time_zone=""), "2026-03-28T12:00", 2) == ["03-29 01:30:00", "03-30 00:30:00"]


def test_what_is_no_zone_is_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with localtime(3)."""
    monkeypatch.setenv("TZ", "nonsense!")
    assert calendar.zone("") is UTC


def test_a_machine_without_a_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has UTC."""
    monkeypatch.delenv("TZ", raising=False)
    monkeypatch.setattr(calendar, "_LOCALTIME", "/does/not/exist")
    assert calendar.zone("").utcoffset(datetime(2026, 7, 1)) == datetime.now(UTC).utcoffset()


def test_the_moment_of_each_machine_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Always the same, within what the job allows, another for each job and machine; and it moves all of its times."""
    late = [calendar.jitter_ns(JOB._replace(name=f"{n}", jitter_ns=300 * SECOND)) for n in range(50)]
    again = [calendar.jitter_ns(JOB._replace(name=f"{n}", jitter_ns=300 * SECOND)) for n in range(50)]
    assert late == again
    assert len(set(late)) > 40
    assert 0 <= min(late) < 60 * SECOND < 240 * SECOND < max(late) <= 300 * SECOND
    monkeypatch.setattr(calendar, "_machine", lambda: "another")
    assert late != [calendar.jitter_ns(JOB._replace(name=f"{n}", jitter_ns=300 * SECOND)) for n in range(50)]
    assert calendar.jitter_ns(JOB) == 0
    monkeypatch.setattr(calendar, "jitter_ns", lambda _job: 90 * SECOND)
    assert times(HALF_PAST_TWO, "2026-06-01T00:30", 2) == ["06-01 00:31:30", "06-02 00:31:30"]


def test_a_machine_without_an_id(monkeypatch: pytest.MonkeyPatch) -> None:
    """Is known by its name."""
    monkeypatch.setattr(calendar, "_MACHINE_ID", "/does/not/exist")
    assert calendar._machine.__wrapped__() == f"\0{os.uname().nodename}"


def test_days_and_months() -> None:
    """A day on which summer time ends has 25 hours."""
    noon = int(datetime(2026, 10, 25, 12, tzinfo=UTC).timestamp()) * SECOND
    day, month = calendar.day(JOB, noon), calendar.month(JOB, noon)
    assert (day.end_ns - day.begin_ns, day.begin, day.end) == (
        25 * 3600 * SECOND, "2026-10-25 00:00 CEST", "2026-10-26 00:00 CET"
    )  # fmt: skip
    assert (month.begin, month.end) == ("2026-10-01 00:00 CEST", "2026-11-01 00:00 CET")


def test_the_hour_of_the_week() -> None:
    """In the zone that is named: a Sunday evening here is Monday there."""
    evening = int(datetime(2026, 11, 22, 23, 30, tzinfo=UTC).timestamp()) * SECOND
    assert (calendar.week_time("UTC", evening), calendar.week_time("Europe/Berlin", evening)) == ((6, 1410), (0, 30))
