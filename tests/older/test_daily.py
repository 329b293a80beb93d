"""Staying, and running daily, whatever happens to the clock."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from datetime import time as of_day

import pytest

from outhaul.frontends.older.daily import BUSY_SECONDS, STEP_SECONDS, every_day, next_moment, patiently
from outhaul.model.errors import AnotherInstance
from outhaul.testing.clock import SimulatedClock

HOUR = 3600


@pytest.fixture(autouse=True)
def central_european(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A time zone with summer time, told by POSIX rules, so that no database of zones is needed."""
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def seconds(text: str) -> float:
    """Of a moment with its offset from UTC."""
    return datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize(
    ("after", "at", "expected"),
    [
        ("2026-06-01T02:00:00+02:00", of_day(3, 30, 10), "2026-06-01T03:30:10+02:00"),
        ("2026-06-01T03:30:10+02:00", of_day(3, 30, 10), "2026-06-02T03:30:10+02:00"),
        ("2026-06-01T23:59:59+02:00", of_day(0, 0), "2026-06-02T00:00:00+02:00"),
        ("2026-03-28T12:00:00+01:00", of_day(2, 30), "2026-03-29T03:30:00+02:00"),  # 02:30 is left out that night.
        ("2026-03-29T03:30:00+02:00", of_day(2, 30), "2026-03-30T02:30:00+02:00"),
        ("2026-10-25T00:00:00+02:00", of_day(2, 30), "2026-10-25T02:30:00+02:00"),  # 02:30 comes twice that night.
        ("2026-10-25T02:30:00+02:00", of_day(2, 30), "2026-10-26T02:30:00+01:00"),
    ],
)
def test_the_next_moment(after: str, at: of_day, expected: str) -> None:
    """Once a day, also when clocks are set forward or back for summer."""
    assert seconds(expected) == next_moment(seconds(after), at)


class Days:
    """A clock, and passes that end after some of them; `events` happen before a step of the sleep, by its number."""

    def __init__(self, start: str, passes: int) -> None:
        self.clock = SimulatedClock()
        self.clock.set_to_ns = int(seconds(start) * 10**9)
        self.passes = passes
        self.at: list[str] = []
        self.said: list[str] = []

    def work(self) -> int:
        self.at.append(f"{datetime.fromtimestamp(self.clock.wall_ns() / 10**9):%d %H:%M:%S}")
        return len(self.at)

    def stopped(self) -> bool:
        return len(self.at) == self.passes

    def run(self, at: of_day = of_day(3, 0)) -> int:
        return every_day(at, self.work, self.clock, self.stopped, self.said.append)


def test_at_once_and_then_daily() -> None:
    """The line says when; the code is that of the last pass."""
    days = Days("2026-06-01T12:00:00+02:00", 3)
    assert days.run() == 3
    assert days.at == ["01 12:00:00", "02 03:00:00", "03 03:00:00"]
    assert days.said[0] == "next run 2026-06-02 03:00:00; Ctrl-C or SIGTERM ends it, --once runs once only"
    assert max(days.clock.slept_seconds) == STEP_SECONDS


def test_a_bucket_that_could_not_be_used_is_tried_sooner() -> None:
    """Every ten minutes, until it can be; then daily again."""
    days = Days("2026-06-01T12:00:00+02:00", 4)
    codes = iter([4, 4, 0, 0])

    def work() -> int:
        days.work()
        return next(codes)

    assert every_day(of_day(3, 0), work, days.clock, days.stopped, days.said.append) == 0
    assert days.at == ["01 12:00:00", "01 12:10:00", "01 12:20:00", "02 03:00:00"]


class SetOnce(SimulatedClock):
    """A clock that somebody sets a second after it begins."""

    def __init__(self, jump: int, wall_ns: int) -> None:
        super().__init__()
        self.set_to_ns = wall_ns
        self._jump = jump

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self.jump_wall(self._jump)
        self._jump = 0


@pytest.mark.parametrize(
    ("jump", "expected"),
    [
        (12 * HOUR, "02 00:00:01"),
        (20 * HOUR, "02 08:00:01"),
        (-10 * HOUR, "01 03:00:00"),
        (-30 * 24 * HOUR, "03 03:00:00"),
    ],
)
def test_a_clock_that_is_set(jump: int, expected: str) -> None:
    """What was jumped over is done at once; set back by years, it is not years until the next."""
    days = Days("2026-06-01T12:00:00+02:00", 2)
    days.clock = SetOnce(jump, days.clock.set_to_ns)
    days.run(of_day(3, 0) if jump != 12 * HOUR else of_day(0, 0))
    assert expected == days.at[1]


def test_it_ends_within_a_step() -> None:
    """Whoever asks it to end in the middle of the night does not wait for the morning."""
    days = Days("2026-06-01T12:00:00+02:00", 2)
    ended = every_day(of_day(3, 0), days.work, days.clock, lambda: len(days.clock.slept_seconds) > 5, days.said.append)
    assert (ended, len(days.clock.slept_seconds)) == (1, 6)


def test_another_outhaul_is_waited_for() -> None:
    """No day is left out because another run was at work at that moment; it is said once."""
    clock, tries = SimulatedClock(), iter([AnotherInstance("busy"), AnotherInstance("busy"), None])
    said: list[str] = []

    def work() -> int:
        if error := next(tries):
            raise error
        return 7

    assert patiently(work, clock, lambda: False, said.append)() == 7
    assert (said, sum(clock.slept_seconds)) == (["busy"], 2 * BUSY_SECONDS)

    def busy() -> int:
        raise AnotherInstance("busy")

    assert patiently(busy, clock, lambda: True, said.append)() == 130
