"""model/bandwidth.py: which line of a timetable holds."""

import pytest

from outhaul.model.bandwidth import DAYS, Bandwidth, Window

WEEKDAYS = frozenset(range(5))
OFFICE = Bandwidth(
    500, (Window(None, frozenset({5, 6})), Window(10_000, WEEKDAYS, 19 * 60, 7 * 60), Window(1, WEEKDAYS, 18 * 60, 20 * 60))
)  # fmt: skip


@pytest.mark.parametrize(
    ("day", "time", "expected"),
    [
        ("mon", "00:00", 500), ("mon", "06:59", 500), ("mon", "07:00", 500), ("mon", "17:59", 500), ("mon", "18:00", 1),
        ("mon", "18:59", 1), ("mon", "19:00", 10_000), ("mon", "23:59", 10_000), ("tue", "00:00", 10_000),
        ("tue", "06:59", 10_000), ("tue", "07:00", 500), ("fri", "23:59", 10_000), ("sat", "00:00", None),
        ("sat", "06:59", None), ("sun", "23:59", None),
    ],
)  # fmt: skip
def test_the_first_line_that_holds_counts(day: str, time: str, expected: int | None) -> None:
    """Windows go over midnight and belong to the day on which they begin; what comes first hides what comes later."""
    hour, minute = time.split(":")
    assert expected == OFFICE.at(DAYS.index(day), int(hour) * 60 + int(minute))


def test_a_friday_night_lasts_until_saturday_morning() -> None:
    """The day is the one on which the window begins; Sunday's goes on on Monday."""
    night = Window(1, frozenset({4, 6}), 19 * 60, 7 * 60)
    held = {(day, minute) for day in range(7) for minute in (0, 419, 420, 1139, 1140, 1439) if night.holds(day, minute)}
    assert held == {(4, 1140), (4, 1439), (5, 0), (5, 419), (6, 1140), (6, 1439), (0, 0), (0, 419)}


def test_a_whole_day_is_a_whole_day() -> None:
    """Without times a line holds from midnight to midnight."""
    assert [Window(1, frozenset({2})).holds(2, minute) for minute in (0, 719, 1439)] == [True] * 3
    assert [Window(1, frozenset({2})).holds(day, 0) for day in (1, 3)] == [False] * 2


def test_one_limit_for_all_times() -> None:
    """Without a timetable the time says nothing."""
    assert {Bandwidth(7).at(day, minute) for day in range(7) for minute in (0, 700, 1439)} == {7}
