"""The real clocks."""

import pytest

from outhaul.host import clock
from outhaul.host.clock import SystemClock


def test_clocks_go_forward() -> None:
    """Each look is at or after the one before, in one boot."""
    real = SystemClock()
    one, other = real.moment(), real.moment()
    assert one.boot_id == other.boot_id
    assert one.boot_ns <= other.boot_ns
    assert real.monotonic_ns() <= real.monotonic_ns()


def test_one_boot_has_one_name() -> None:
    """Two processes of one boot give it the same name, where the system has one."""
    assert SystemClock().moment().boot_id == SystemClock().moment().boot_id != ""


def test_where_the_system_names_no_boot(monkeypatch: pytest.MonkeyPatch) -> None:
    """There each process has a name of its own: what an earlier one saw may be of another boot (L7)."""
    monkeypatch.setattr(clock, "_boot_id", lambda: "")
    one, other = SystemClock(), SystemClock()
    assert one.moment().boot_id == one.moment().boot_id
    assert one.moment().boot_id != other.moment().boot_id
