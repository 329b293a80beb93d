"""Whether a file is finished: a table over what was seen, and over what clocks do (L7)."""

import pytest

from outhaul.model.evidence import Settled, Sighting
from outhaul.ports import Moment, Observation
from outhaul.stages.settle import observed_quiet_ns, settle
from stages.world import job

SECOND = 10**9
NOW = Moment("boot", 1000 * SECOND, 2_000_000 * SECOND)
FILE = Sighting("a", "file", 1, 2, 3, NOW.wall_ns, NOW.wall_ns)


def file_of_age(seconds: float) -> Sighting:
    """By its change time on the wall clock; a negative age lies in the future."""
    changed = NOW.wall_ns - int(seconds * SECOND)
    return FILE._replace(mtime_ns=changed, ctime_ns=changed)


def seen_for(sighting: Sighting, seconds: float, boot: str = "boot") -> Observation:
    """First seen so long ago, on the boot clock."""
    since = Moment(boot, NOW.boot_ns - int(seconds * SECOND), NOW.wall_ns - int(seconds * SECOND))
    return Observation(sighting, since, "quiet", "", 0)


# quiet, age by the wall clock, seen for (None: never), steady, and for how long it has still to wait (0: settled)
TABLE = [
    (0, 0, None, False, 0),
    (0, -10, None, True, 0),
    (30, 31, None, True, 0),
    (30, 30, None, True, 0),
    (30, 29, None, True, 1),
    (30, 31, None, False, 30),
    (30, 10**9, None, False, 30),
    (30, 10**9, 29, False, 1),
    (30, 10**9, 30, False, 0),
    (30, 0, 30, True, 0),
    (30, -3600, 30, True, 0),
    (30, -3600, 29, True, 1),
    (30, -3600, None, True, 30),
    (30, 20, 10, True, 10),
    (30, 10, 20, True, 10),
    (5000, 10**6, None, True, 4000),  # the machine has been up for 1,000 s only: no file counts as older
    (1000, 10**6, None, True, 0),
]


@pytest.mark.parametrize(("quiet", "age", "seen", "steady", "left"), TABLE)
def test_the_table(quiet: int, age: float, seen: float | None, steady: bool, left: int) -> None:
    """Own observations count always; the wall clock only where it is steady, and never beyond the time since boot."""
    sighting = file_of_age(age)
    past = None if seen is None else seen_for(sighting, seen)
    verdict = settle(job(quiet * SECOND), sighting, past, NOW, steady)
    observed = int((seen or 0) * SECOND)
    assert (Settled(sighting, observed) if not left else left * SECOND) == verdict


@pytest.mark.parametrize("field", ["inode", "device", "size", "mtime_ns", "ctime_ns"])
def test_another_generation_was_never_seen(field: str) -> None:
    """What was seen of another generation counts for nothing."""
    sighting = file_of_age(0)
    other = sighting._replace(**{field: getattr(sighting, field) + 1})
    assert observed_quiet_ns(sighting, seen_for(other, 500), NOW) == 0


def test_another_boot_was_another_clock() -> None:
    """What was seen before a reboot is on a clock that began anew, and counts for nothing."""
    assert observed_quiet_ns(FILE, seen_for(FILE, 500, "earlier boot"), NOW) == 0


def test_a_boot_clock_that_went_backwards_gives_nothing() -> None:
    """Time seen is never negative."""
    assert observed_quiet_ns(FILE, seen_for(FILE, -500), NOW) == 0
