"""Law L9 where the system itself fails: no error of any system call loses a byte, ends in a traceback, or hangs.

The whole product of calls, errors and numbers takes half an hour: `python -m tests.faults.calls --all`.
"""

from collections.abc import Callable

import pytest

from faults.call_loop import figures, survey
from faults.call_points import Point, strike
from faults.places import need, need_root

pytestmark = pytest.mark.slow


def test_no_failing_system_call_loses_a_byte(record_property: Callable[[str, object], None]) -> None:
    """The n-th call of each kind fails, for n = 1, 2, 3 ...; the next run carries everything."""
    need_root()
    results = list(survey(need("strace")))
    record_property("figure", f"failing system calls: {figures(results)}")
    expected: list[str] = []
    assert expected == [str(result) for result in results if result.faults]


@pytest.mark.parametrize("interrupted", [False, True])
@pytest.mark.parametrize("call", ["fsync", "fdatasync", "pwrite64", "unlinkat", "renameat2"])
def test_a_call_that_always_fails_loses_nothing(call: str, interrupted: bool) -> None:
    """Once a call fails it goes on failing: the run still ends by itself, and nothing is let go that is not proved."""
    need_root()
    result = strike(need("strace"), Point(call, "EIO", 1, onwards=True, interrupted=interrupted))
    expected: list[str] = []
    assert expected == result.faults, str(result)
