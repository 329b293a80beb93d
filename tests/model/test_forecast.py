"""When a disk will be full."""

import pytest

from outhaul.model.forecast import Forecast, forecast

MINUTE = 60 * 10**9
GIB = 1 << 30


def measured(minutes: int, step: int, per_minute: int, free: int = 10 * GIB) -> list[tuple[int, int]]:
    """Every so many minutes up to now, with what is free changing steadily to what it is now."""
    return [((minutes + at) * MINUTE, free + at * per_minute) for at in range(-minutes, 1, step)]


def test_a_disk_that_fills_steadily() -> None:
    """10 GiB that become less by 100 MiB a minute last 102 minutes."""
    found = forecast(measured(120, 1, -100 << 20), 20 * GIB)
    assert found == Forecast(10 * GIB, 20 * GIB, -(100 << 20) / 60, 3600, 6144)


@pytest.mark.parametrize("per_minute", [0, 5 << 20, -1])
def test_a_disk_that_does_not_fill(per_minute: int) -> None:
    """Or not within three months."""
    assert forecast(measured(60, 1, per_minute), 20 * GIB).full_in_seconds is None


def test_one_jump_is_no_trend() -> None:
    """A gigabyte that was installed at once does not make it fill."""
    flat = [(at, free - (GIB if at > 50 * MINUTE else 0)) for at, free in measured(60, 1, 0)]
    assert forecast(flat, 20 * GIB).full_in_seconds is None


@pytest.mark.parametrize(
    ("minutes", "step", "over"), [(5, 1, 0), (20, 1, 1200), (300, 100, 18000), (2880, 1440, 172800)]
)
def test_how_long_it_was_measured(minutes: int, step: int, over: int) -> None:
    """The last hour where that says enough, else six hours, else three days; under ten minutes nothing is said."""
    found = forecast(measured(minutes, step, -1 << 20), 20 * GIB)
    assert (found.over_seconds, found.full_in_seconds is None) == (over, not over)


def test_a_clock_that_stood_still() -> None:
    """Two measurements at one time say nothing against each other."""
    twice = measured(60, 1, -100 << 20)
    assert forecast([*twice, twice[-1]], 20 * GIB).full_in_seconds == 6144


@pytest.mark.parametrize("minutes", [0, 5, 30, 120, 4000])
@pytest.mark.parametrize(("free", "full_in"), [(0, 0), (20 * GIB // 1000, 0), (20 * GIB // 1000 + 1, None)])
def test_a_disk_that_is_full(free: int, full_in: int | None, minutes: int) -> None:
    """It is full from the first look on, and stays so for as long as it is: that nothing changes any more says nothing else."""
    found = forecast(measured(minutes, 1, 0, free), 20 * GIB)
    assert (found.full_in_seconds, found.is_full) == (full_in, full_in == 0)


def test_a_disk_that_fills_until_it_is_full() -> None:
    """Less and less time, none, and none an hour later."""
    filling = [(at * MINUTE, max(0, 100 - at) * GIB) for at in range(300)]
    said = [forecast(filling[: at + 1], 100 * GIB).full_in_seconds for at in (80, 95, 100, 101, 170, 299)]
    assert said == [1200, 300, 0, 0, 0, 0]


def test_a_disk_that_does_not_tell_its_size() -> None:
    """Nothing of nothing is free there: nobody knows."""
    assert forecast([(MINUTE, 0)], 0).full_in_seconds is None


def test_a_disk_that_is_full_within_the_second_is_not_full_yet() -> None:
    """0 is what is said of one that is full."""
    assert forecast(measured(60, 1, -1000 * GIB, 10 * GIB), 20 * GIB).full_in_seconds == 1
