"""Pauses and quiet hours: who holds, until when, and what is said of it."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from outhaul.config.timing import quiet_hours
from outhaul.host import pauses
from outhaul.host.pauses import ALL, Pause, PausesUnreadable
from outhaul.host.permits import HostPermits
from outhaul.model.errors import OuthaulError
from outhaul.model.job import Destination, Job
from outhaul.ports.permits import Hindrance

JOB = Job("one", "/source", Destination("", "file", "", ""), time_zone="Europe/Berlin")
SECOND = 10**9
NOON = int(datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()) * SECOND


class Now:
    """A clock, and who asks with it."""

    def __init__(self, state: Path) -> None:
        self.seconds = 1.0
        self.permits = HostPermits(str(state), lambda: NOON + int(self.seconds * SECOND), lambda: self.seconds)

    def ask(self, job: Job = JOB, later: float = 1.0) -> Hindrance | None:
        """After so much time."""
        self.seconds += later
        return self.permits.hindrance(job)


def test_a_pause_holds_until_it_is_over(tmp_path: Path) -> None:
    """Within a second of its being written, and not a moment longer; for one job, or for all."""
    now = Now(tmp_path)
    assert now.ask() is None
    pauses.write(str(tmp_path), {"one": Pause(NOON, NOON + 100 * SECOND, "eve", "repairs")})
    assert now.ask(later=0.1) is None
    said = "until 2026-11-20 13:01 CET, by eve since 2026-11-20 13:00 CET: repairs"
    assert now.ask() == Hindrance("paused", said)
    assert now.ask(JOB._replace(name="other")) is None
    assert now.ask(later=100) is None
    pauses.write(str(tmp_path), {ALL: Pause(NOON, 0, "eve", ""), "one": Pause(NOON, NOON + 900 * SECOND, "eve", "x")})
    assert now.ask() == Hindrance("paused", "until `outhaul resume`, by eve since 2026-11-20 13:00 CET")
    pauses.write(str(tmp_path), {})
    assert now.ask() is None


_NO_TIMES = '{"paused": {"one": {"since": "x", "until": 0, "by": "", "why": ""}}}'


@pytest.mark.parametrize("text", ["garbage", "[]", '{"paused": {"one": {}}}', _NO_TIMES])
def test_a_file_that_cannot_be_read_is_a_pause(tmp_path: Path, text: str) -> None:
    """Somebody wanted one; it says how it ends."""
    (tmp_path / pauses.FILE_NAME).write_text(text)
    with pytest.raises(PausesUnreadable):
        pauses.read(str(tmp_path))
    found = Now(tmp_path).ask()
    assert found is not None
    assert "`outhaul resume`" in found.detail


def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    """A directory in its place, here."""
    (tmp_path / pauses.FILE_NAME).mkdir()
    with pytest.raises(PausesUnreadable, match="cannot be read"):
        pauses.read(str(tmp_path))
    with pytest.raises(OuthaulError, match="cannot be written"):
        pauses.write(str(tmp_path), {})


def test_it_leaves_nothing_beside(tmp_path: Path) -> None:
    """One file, which others may read: `watch` may be another user's."""
    pauses.write(str(tmp_path / "new"), {"one": Pause(1, 2, "a", "b")})
    assert os.listdir(tmp_path / "new") == [pauses.FILE_NAME]
    assert (tmp_path / "new" / pauses.FILE_NAME).stat().st_mode & 0o777 == 0o644
    assert pauses.without(pauses.read(str(tmp_path / "new")), (), 5) == {}


def test_quiet_hours_are_those_of_the_zone(tmp_path: Path) -> None:
    """Noon in London is one o'clock in Berlin; a night of Friday ends on Saturday, and two that touch are one."""
    now = Now(tmp_path)
    assert now.ask(JOB._replace(quiet_hours=quiet_hours("13:00-14:00"))) == Hindrance(
        "quiet-hours", "until 2026-11-20 14:00 CET"
    )
    assert now.ask(JOB._replace(quiet_hours=quiet_hours("12:00-13:00"))) is None
    touching = quiet_hours(["fri 12:00-24:00", "sat 00:00-06:00"])
    assert now.ask(JOB._replace(name="2", quiet_hours=touching)) == Hindrance(
        "quiet-hours", "until 2026-11-21 06:00 CET"
    )
    over = Hindrance("quiet-hours", "until 2026-11-21 06:00 CET")
    assert now.ask(JOB._replace(name="3", quiet_hours=quiet_hours("fri 13:00-06:00"))) == over
