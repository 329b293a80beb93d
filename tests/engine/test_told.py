"""What is told of files that an earlier, killed run had begun: each has its line, and is counted, as any other."""

from collections.abc import Callable

import pytest

from engine.world import JOB, Machine
from outhaul.model.job import Job
from outhaul.model.lifecycle import State
from outhaul.testing.steps import Crash, Steps

BUNDLING = JOB._replace(bundle_bytes=64 << 10, bundle_file_max=8 << 10)
ARCHIVING = JOB._replace(after="archive", archive="/archive")
JOBS = {
    "alone": JOB,
    "archived": ARCHIVING,
    "kept": JOB._replace(after="keep"),
    "bundle": BUNDLING,
    "kept bundle": BUNDLING._replace(after="keep"),
    "group": JOB._replace(groups=("run-*",)),
    "kept group": JOB._replace(groups=("run-*",), after="keep"),
}
FILES = {"run-1/a": b"a", "run-1/b": b"bb", "run-1/sub/c": b"ccc", "large": bytes(range(256)) * 300}


def _end() -> None:
    raise Crash


def check_told(machine: Machine, where: str) -> None:
    """Each file that the latest run counts as carried is told of once; of those that it finds as they were, none is."""
    monitor = machine.monitor
    (tally,) = monitor.tallies
    told = sorted(receipt.sighting.path for receipt in [*monitor.receipts, *monitor.earlier])
    assert len(told) == len(set(told)), where
    assert tally.of(State.CARRIED) - tally.by_reason.get("unchanged", 0) == len(told), where
    assert tally.seen == sum(tally.by_reason.values()), where


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("job", JOBS.values(), ids=JOBS)
def test_whatever_a_killed_run_has_left_is_told(job: Job, when: str, new_machine: Callable[[], Machine]) -> None:
    """Ended at any call: the next run tells of each file that it carries, or is done with, and counts it."""
    number, ended = 0, False
    while not ended:
        machine = new_machine()
        for path, content in FILES.items():
            machine.produce(path, content)
        steps = Steps()
        steps.crash_at, steps.crash_when = number, "before" if when == "before" else "after"
        try:
            machine.run(job, steps=steps)
            ended = True
        except Crash:
            there = set(machine.files.files()) if job.after == "keep" else set()
            machine.run(job)
        check_told(machine, f"call {number}")
        told = {receipt.sighting.path for receipt in [*machine.monitor.receipts, *machine.monitor.earlier]}
        if not ended and "unchanged" not in machine.monitor.tallies[0].by_reason:
            assert there <= told, f"call {number}"
        number += 1
    assert number > 20


def test_a_removal_that_is_finished_is_told(machine: Machine) -> None:
    """The file was aside when its run was killed: the walk does not see it, and it is accounted for all the same."""
    machine.produce("a", b"content")
    steps = Steps()
    steps.before("files.unlink", _end)
    with pytest.raises(Crash):
        machine.run(steps=steps)
    assert machine.run().tally.by_reason == {"removed": 1}
    assert [receipt.sighting.path for receipt in machine.monitor.earlier] == ["a"]
    assert [disposal.outcome for disposal in machine.monitor.disposals] == ["removed"]


def test_a_file_that_has_gone_by_itself_is_told(machine: Machine) -> None:
    """It has a receipt of an earlier run; somebody else removes it while it is about to go."""
    machine.produce("a", b"content")
    machine.run(JOB._replace(after="keep"))
    steps = Steps()
    steps.before("files.open", lambda: machine.files.remove("a"))
    assert machine.run(steps=steps).tally.by_reason == {"gone": 1}
    assert [receipt.sighting.path for receipt in machine.monitor.earlier] == ["a"]
    assert machine.monitor.disposals == []


def test_a_file_that_stays_is_told_by_its_reason_alone(machine: Machine) -> None:
    """It was carried by an earlier run, and is in use now."""
    machine.produce("a", b"content")
    machine.run(JOB._replace(after="keep"))
    inode = machine.files.find("a")
    assert inode is not None
    inode.writers += 1
    assert machine.run().tally.by_reason == {"in-use": 1}
    assert (machine.monitor.earlier, machine.monitor.reasons()) == ([], {"a": "in-use"})


@pytest.mark.parametrize("after", ["delete", "keep"])
def test_what_a_bundle_of_a_killed_run_takes_counts_once(machine: Machine, after: str) -> None:
    """It was in the store, and not recorded: its files are told with what shows that it holds them."""
    job = BUNDLING._replace(after=after)  # type: ignore[arg-type]
    for path in ("d1/a", "d2/b", "d3/c"):
        machine.produce(path, path.encode())
    steps = Steps()
    steps.before("ledger.record", _end)
    with pytest.raises(Crash):
        machine.run(job, steps=steps)
    machine.files.remove("d3/c")
    tally = machine.run(job).tally
    assert tally.by_reason == {"removed" if after == "delete" else "kept": 2}
    (bundle,) = [content for key, content in machine.stored().items() if key.endswith(".tar")]
    assert (tally.bytes_carried, tally.adopted) == (len(bundle), 2)
    assert sorted(proof.sighting.path for proof in machine.monitor.proofs) == ["d1/a", "d2/b"]
    assert machine.monitor.earlier == []
