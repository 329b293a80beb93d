"""What workers may carry together is no more than what one process may."""

import pytest

from outhaul.cluster.allowance import Allowance, Allowances
from outhaul.cluster.plan import Batch, unsuited
from outhaul.model.events import Tally
from outhaul.model.job import Destination, Job
from outhaul.model.shard import WHOLE
from outhaul.ports.permits import FREE, Hindrance, Period

JOB = Job("one", "/source", Destination("file:///there", "file", "", "", "/there"))
DAY = 1000
PERMITS = FREE._replace(
    day=lambda _job, now: Period(now // DAY * DAY, (now // DAY + 1) * DAY, "", "midnight"),
    month=lambda _job, _now: Period(0, 30 * DAY, "", "the first"),
)
MIB = 1 << 20


def batch(files: int, size: int) -> Batch:
    """One of so many files and bytes."""
    return Batch(("d",), WHOLE, files, size)


def tally(files: int, size: int, unchanged: int = 0) -> Tally:
    """What became of one."""
    found = Tally()
    found.put("removed", files)
    found.put("unchanged", unchanged)
    found.bytes_carried = size
    return found


def given(allowances: Allowances, wanted: Batch) -> Allowance:
    """What a batch gets."""
    found = allowances.of(wanted)
    assert isinstance(found, Allowance)
    return found


def test_without_limits_a_batch_goes_as_it_is() -> None:
    """However many are under way."""
    allowances = Allowances(JOB, PERMITS, lambda: 0, lambda _: 0)
    assert given(allowances, batch(5000, 1 << 40)) == Allowance(JOB, 0, 0)


def test_files_of_a_run() -> None:
    """What is under way counts, until it has come back; what was there before counts nothing."""
    allowances = Allowances(JOB._replace(files_max=100), PERMITS, lambda: 0, lambda _: 0)
    first = given(allowances, batch(70, 1))
    second = given(allowances, batch(70, 1))
    assert [first.job.files_max, second.job.files_max] == [70, 30]
    assert allowances.of(batch(1, 1)) == Hindrance("limit", "100 files")
    allowances.home(first, tally(20, 1, unchanged=50))
    assert given(allowances, batch(70, 1)).files == 50
    allowances.home(second, None)
    assert isinstance(allowances.of(batch(1, 1)), Hindrance)


def test_bytes_of_a_day_and_a_month() -> None:
    """The one of which less is left counts; a worker is told of what it has not as of what was sent."""
    now = 5 * DAY
    job = JOB._replace(bytes_a_day=40 * MIB, bytes_a_month=100 * MIB)
    sent = {5 * DAY: 10 * MIB, 0: 50 * MIB}
    allowances = Allowances(job, PERMITS, lambda: now, lambda since: sent.get(since, 0))
    first = given(allowances, batch(9, 5 * MIB))
    assert first == Allowance(JOB._replace(bytes_a_day=40 * MIB), 0, 11 * MIB, 29 * MIB)
    second = given(allowances, batch(9, 1 << 40))
    assert second.size == 19 * MIB
    assert allowances.of(batch(1, 1)) == Hindrance("day-limit", "it goes on at midnight")
    allowances.home(first, tally(9, 5 * MIB))
    allowances.home(second, tally(9, 19 * MIB))
    assert given(allowances, batch(1, 1 << 40)).size == 6 * MIB

    now = 6 * DAY
    third = given(allowances, batch(9, 1 << 40))
    assert third == Allowance(JOB._replace(bytes_a_month=100 * MIB), 0, 20 * MIB, 80 * MIB)
    allowances.home(third, None)  # Nobody knows what became of it.
    assert allowances.of(batch(1, 1)) == Hindrance("month-limit", "it goes on at the first")


def test_a_day_of_which_nothing_is_used_is_given_as_a_whole() -> None:
    """So a file that is larger than that may go alone, as in a run of one process."""
    allowances = Allowances(JOB._replace(bytes_a_day=MIB), PERMITS, lambda: 0, lambda _: 0)
    assert given(allowances, batch(1, 1 << 30)) == Allowance(JOB._replace(bytes_a_day=MIB), 0, MIB, 0)


@pytest.mark.parametrize(
    ("job", "shared", "lacking"),
    [
        (JOB._replace(files_max=3), True, ""),
        (JOB._replace(bytes_max=3), False, "max-bytes"),
        (JOB._replace(bytes_a_day=3), False, ""),
        (JOB._replace(bytes_a_day=3), True, "max-bytes-per-day"),
        (JOB._replace(bytes_a_month=3), True, "max-bytes-per-month"),
        (JOB._replace(empty_ns=1), False, "empty-directories"),
    ],
)
def test_what_workers_cannot_do_is_told(job: Job, shared: bool, lacking: str) -> None:
    """What needs one process to see all of a source; with a database, also what needs one that counts."""
    assert unsuited(job, shared=shared) == lacking
