"""Several jobs on one source, keys of their own, and runs that carry only so much."""

from collections.abc import Callable

import pytest

from engine.world import JOB, Machine
from outhaul.model.errors import Misconfigured
from outhaul.model.job import Destination, Job
from outhaul.ports import Store
from outhaul.testing.steps import Crash, Steps

OTHER = JOB._replace(name="other", destination=Destination("s3://bucket/other", "s3", "bucket", "other"))
SECOND = 10**9


@pytest.mark.parametrize(
    ("key", "expected"), [("{name}", "x"), ("raw/{path}.dat", "raw/a/x.dat"), ("{name}/{path}", "x/a/x")]
)
def test_a_job_says_what_keys_are_made_of(machine: Machine, key: str, expected: str) -> None:
    """`{path}` and `{name}` stand for those of the file, also where they have braces themselves."""
    machine.produce("a/x", b"one")
    machine.produce("{path}", b"two")
    machine.run(JOB._replace(key=key))
    braces = key.replace("{path}", "{PATH}").replace("{name}", "{path}").replace("{PATH}", "{path}")
    assert machine.stored() == {f"site/{expected}": b"one", f"site/{braces}": b"two"}


def test_two_files_of_one_key_are_both_kept(machine: Machine) -> None:
    """The second gets a second key: no name is worth a file."""
    for path in ("a/x", "b/x"):
        machine.produce(path, path.encode())
    assert machine.run(JOB._replace(key="{name}")).tally.by_reason == {"removed": 2}
    assert (len(machine.stored()), machine.lost()) == (2, set())


def test_a_group_has_the_key_that_its_job_says(machine: Machine) -> None:
    """Its directory stands for the file."""
    machine.produce("src/2026/a", b"one")
    machine.run(JOB._replace(groups=("src/*",), key="2026/11/data"))
    assert set(machine.stored()) == {"site/2026/11/data.tar", "site/2026/11/data.tar.manifest.json"}


def test_files_of_a_pattern_have_a_quiet_time_of_their_own(machine: Machine) -> None:
    """The first pattern that matches counts; the others have that of the job."""
    job = JOB._replace(quiet_ns=60 * SECOND, quiet_for=(("*.log", 3600 * SECOND), ("*.dat", 0), ("*.log", 0)))
    machine.run(job)
    for name in ("a.log", "b.csv"):
        machine.produce(name, name.encode())
    machine.run(job)
    machine.clock.advance(61)
    assert machine.run(job).tally.by_reason == {"removed": 1, "quiet": 1}
    machine.clock.advance(3600)
    assert machine.run(job).tally.by_reason == {"removed": 1}


def test_a_run_carries_no_more_than_it_may(machine: Machine) -> None:
    """The oldest first; the others wait, and go with later runs."""
    for number in range(5):
        machine.produce(f"{4 - number}", b"%d" % number)
    job = JOB._replace(files_max=2, after="keep")
    assert machine.run(job).tally.by_reason == {"kept": 2, "limit": 3}
    assert set(machine.stored()) == {"site/4", "site/3"}
    assert machine.run(job).tally.by_reason == {"unchanged": 2, "kept": 2, "limit": 1}
    assert machine.run(job).tally.by_reason == {"unchanged": 4, "kept": 1}


def test_what_fails_keeps_nothing_out_of_a_run(machine: Machine) -> None:
    """A file that has failed before does not count for the most that a run carries."""
    machine.produce("bad", b"bad")
    machine.produce("good", b"good")
    job = JOB._replace(files_max=1)
    inode = machine.files.find("bad")
    assert inode is not None
    inode.writers = 1  # In use: it is tried, and waits.
    assert machine.run(job).tally.by_reason == {"in-use": 1, "limit": 1}
    assert machine.run(job).tally.by_reason == {"in-use": 1, "removed": 1}


def test_a_store_that_was_away_does_not_lift_the_limit(machine: Machine) -> None:
    """What waited for it counts as before."""
    for number in range(6):
        machine.produce(f"{number}", b"%d" % number)
    job = JOB._replace(files_max=2)
    store = machine.open_store

    def away(_job: Job) -> Store:
        raise Misconfigured("no such bucket")

    machine.open_store = away
    for _ in range(3):
        assert machine.run(job).tally.by_reason == {"destination": 2, "limit": 4}
    machine.open_store = store
    assert machine.run(job).tally.by_reason == {"removed": 2, "limit": 4}


def test_a_group_is_carried_whole_or_waits_whole(machine: Machine) -> None:
    """A limit divides no group."""
    for path in ("run-1/a", "run-1/b", "run-2/a"):
        machine.produce(path, path.encode())
    job = JOB._replace(groups=("run-*",), files_max=1)
    assert sorted(machine.run(job).tally.by_reason.items()) in (
        [("limit", 1), ("removed", 2)],
        [("limit", 2), ("removed", 1)],
    )
    machine.run(job)
    assert machine.files.files() == {}


def test_a_directory_that_no_pattern_leads_into_is_not_looked_into(machine: Machine) -> None:
    """It may be of any size, or belong to another job; only where empty directories go, all are looked into."""
    for path in ("2026/a/x.csv", "2025/a/x.csv", "x.csv"):
        machine.produce(path, path.encode())
    job = JOB._replace(include=("2026/*/*.csv", "/*.csv"))
    assert machine.run(job._replace(empty_ns=10**18), dry_run=True).tally.seen == 3
    assert (machine.run(job).tally.seen, set(machine.files.files())) == (2, {"2025/a/x.csv"})


@pytest.mark.parametrize("first", [True, False])
def test_two_jobs_share_a_source(new_machine: Callable[[], Machine], first: bool) -> None:
    """Each carries its own; what one was letting go of when the power went, the other puts back and does not touch."""
    mine, theirs = JOB._replace(include=("*.csv",)), OTHER._replace(exclude=("*.csv",))
    machine = new_machine()
    machine.produce("a.csv", b"one")
    machine.produce("b.log", b"two")
    steps = Steps()
    steps.before("files.unlink", _end)
    with pytest.raises(Crash):
        machine.run(mine, steps=steps)
    assert machine.files.private
    for job in (mine, theirs) if first else (theirs, mine):
        machine.run(job)
    assert (machine.files.files(), machine.files.private) == ({}, {})
    assert machine.stored() == {"site/a.csv": b"one", "other/b.log": b"two"}


def _end() -> None:
    raise Crash("here")
