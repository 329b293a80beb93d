"""Durations as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outhaul.config.durations import duration_ns

SECOND = 10**9


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("0s", 0),
        ("500ms", SECOND // 2),
        ("90s", 90 * SECOND),
        ("30m", 1800 * SECOND),
        ("1h30m", 5400 * SECOND),
        ("2d", 2 * 86400 * SECOND),
        ("1d2h3m4s5ms", 93784 * SECOND + 5 * 10**6),
        ("3650d", 3650 * 86400 * SECOND),
    ],
)
def test_duration_is_the_sum_of_its_parts(text: str, expected: int) -> None:
    """Whole numbers with units, the largest first; '0' needs none."""
    assert expected == duration_ns(text)


ORDER = "; the units are d, h, m, s and ms, the largest first"
FORM = "; write units in small letters, without spaces"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30", 'expected a duration such as "30m", not "30"; a number needs a unit: "30s" or "30m"'),
        ("", f'expected a duration such as "30m", not ""{ORDER}'),
        ("30M", f'expected a duration such as "30m", not "30M"{FORM}'),
        ("1h 30m", f'expected a duration such as "30m", not "1h 30m"{FORM}'),
        ("30m1h", f'expected a duration such as "30m", not "30m1h"{ORDER}'),
        ("1m1m", f'expected a duration such as "30m", not "1m1m"{ORDER}'),
        ("1.5h", f'expected a duration such as "30m", not "1.5h"{ORDER}'),
        ("-1s", f'expected a duration such as "30m", not "-1s"{ORDER}'),
        ("٣s", f'expected a duration such as "30m", not "٣s"{ORDER}'),
        ("5s\n", f'expected a duration such as "30m", not "5s\\x0a"{ORDER}'),
        ("3651d", 'expected at most 3650d, not "3651d"'),
    ],
)
def test_what_is_no_duration_says_what_to_write(text: str, expected: str) -> None:
    """The message is one line that shows the text and a right one."""
    with pytest.raises(ValueError) as raised:
        duration_ns(text)
    assert expected == str(raised.value)


@given(st.text())
def test_any_text_is_a_duration_or_a_value_error(text: str) -> None:
    """Nothing else is raised, and no duration is negative."""
    try:
        assert duration_ns(text) >= 0
    except ValueError as error:
        assert str(error).splitlines() == [str(error)]
