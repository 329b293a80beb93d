"""Several processes, each with a share of one source and a ledger of its own: every file goes once."""

from collections.abc import Callable

import pytest

from engine.world import JOB, Machine
from outhaul.engine.passes import Outcome, Scope
from outhaul.model.job import Job
from outhaul.model.shard import Shard
from outhaul.stages.discover import Part
from outhaul.testing.files import ARCHIVE

Make = Callable[[], Machine]
ALL = [Shard(number, 4) for number in (1, 2, 3, 4)]
DAY = 24 * 3600


def together(new_machine: Make) -> list[Machine]:
    """Four machines on one source and one store."""
    first, *others = machines = [new_machine() for _ in ALL]
    for other in others:
        other.files, other.store, other.clock, other.produced = first.files, first.store, first.clock, first.produced
    return machines


def run(machines: list[Machine], job: Job = JOB) -> list[Outcome]:
    """Each has its turn, with its share."""
    return [machine.run(job._replace(shard=shard)) for machine, shard in zip(machines, ALL, strict=True)]


def shard(directory: str) -> Shard:
    """Whose it is."""
    return next(one for one in ALL if one.holds(directory))


def test_every_file_goes_once(new_machine: Make) -> None:
    """Whatever directory it is in, and each is seen by one process alone."""
    machines = together(new_machine)
    paths = [f"{d}/{e}/x" for d in "abcdef" for e in "xyz"] + ["r", "a/y.csv", "f/y.csv"]
    for path in paths:
        machines[0].produce(path, path.encode())
    outcomes = run(machines)
    assert len(paths) == sum(outcome.tally.seen for outcome in outcomes)
    assert [outcome.tally.seen for outcome in outcomes] == [
        sum(one.holds(path.rpartition("/")[0]) for path in paths) for one in ALL
    ]
    assert {f"site/{path}": path.encode() for path in paths} == machines[0].stored()
    assert ({}, set()) == (machines[0].files.files(), machines[0].lost())


def test_a_group_is_one_shards(new_machine: Make) -> None:
    """It goes with the shard of its directory, whole, with its companion elsewhere; nobody else waits for that."""
    machines = together(new_machine)
    paths = [f"runs/{n}/{name}" for n in range(6) for name in ("one", "deep/two")] + [f"runs/{n}.log" for n in range(6)]
    for path in paths:
        machines[0].produce(path, path.encode())
    outcomes = run(machines, JOB._replace(groups=("runs/*",), companions=("{path}.log",)))
    assert machines[0].files.files() == {}
    groups = [sum(one.holds(f"runs/{n}") for n in range(6)) for one in ALL]
    assert [{"removed": 3 * count} if count else {} for count in groups] == [one.tally.by_reason for one in outcomes]


def test_a_directory_that_is_closed_to_another_is_told(new_machine: Make) -> None:
    """What lies beneath may be anybody's: each says that it could not look there, and forgets nothing (L10)."""
    machines = together(new_machine)
    machines[0].produce("closed/beneath/x", b"1")
    inode = machines[0].files.find("closed")
    assert inode is not None
    inode.readable = False
    assert [outcome.tally.by_reason for outcome in run(machines)] == [{"closed-directory": 1}] * 4


def test_a_directory_that_goes_meanwhile_is_nobodys(new_machine: Make) -> None:
    """It has gone between its parent's listing and its own."""
    machines = together(new_machine)
    for name in "abcd":
        machines[0].produce(f"{name}/x", name.encode())
    job = JOB._replace(after="keep", empty_ns=DAY * 10**9)
    run(machines, job)
    machines[0].files.remove("a/x")
    machines[0].clock.advance(2 * DAY)
    outcomes = run(machines, job)
    assert ([one == shard("a") for one in ALL], 3) == (
        [outcome.tally.directories == 1 for outcome in outcomes],
        sum(outcome.tally.by_reason.get("unchanged", 0) for outcome in outcomes),
    )


@pytest.mark.parametrize("number", range(4))
def test_a_source_that_is_away_is_told_by_each(new_machine: Make, number: int) -> None:
    """Also by those to whom its own directory does not belong."""
    machine = new_machine()
    machine.files.find("").readable = False  # type: ignore[union-attr]
    with pytest.raises(Exception, match="Permission denied"):
        machine.run(JOB._replace(shard=ALL[number]))


def test_shards_of_one_ledger_forget_nothing_of_another(new_machine: Make) -> None:
    """What is remembered of a directory, or of what lies in a group, is forgotten by its own shard alone."""
    machine = new_machine()
    for name in "abcdef":
        machine.produce(f"{name}/x", name.encode())
    machine.produce("g/deep/x", b"g")
    job = JOB._replace(quiet_ns=60 * 10**9, groups=("g",))
    machine.run(job)
    for one in ALL:
        machine.run(job._replace(shard=one))
        assert all(machine.observations(directory) for directory in (*"abcdef", "g/deep"))
    machine.files.remove("g/deep/x")
    for one in ALL:
        machine.run(job._replace(shard=one))
        assert (one.number >= shard("g").number) != bool(machine.observations("g/deep"))


def test_what_leaves_an_archive_is_its_own_shards(new_machine: Make) -> None:
    """Each looks after what it has put there, by its directory."""
    machine = new_machine()
    for name in "abcdef":
        machine.produce(f"{name}/x", name.encode())
    job = JOB._replace(after="archive", archive=ARCHIVE, archive_keep_ns=60 * 10**9)
    machine.run(job)
    machine.clock.advance(DAY)
    expired = [machine.run(job._replace(shard=one)).tally.expired for one in ALL]
    assert [sum(one.holds(name) for name in "abcdef") for one in ALL] == expired


def test_the_parts_of_a_directory_are_all_of_it(machine: Machine) -> None:
    """By the names of its files; a part forgets nothing of what is another's."""
    for number in range(40):
        machine.produce(f"a/{number}", b"%d" % number)
    machine.files.symlink("a/link", "nothing")
    job = JOB._replace(quiet_ns=60 * 10**9)
    machine.run(job)
    parts = [Scope(Part(("a",), set(), Shard(number, 3))) for number in (1, 2, 3)]
    first = [machine.run(job, scope=part).tally for part in parts]
    assert (sum(tally.seen for tally in first), len(machine.observations("a"))) == (41, 40)
    machine.clock.advance(61)
    assert sum(machine.run(job, scope=part).tally.by_reason["removed"] for part in parts) == 40
    assert len(machine.stored()) == 40
