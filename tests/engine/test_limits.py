"""How many bytes go, in a pass and in a day, and in which order; what waits for a person or for the hour."""

from collections.abc import Callable

import pytest

from engine.world import JOB, Machine
from outhaul.engine import ordering
from outhaul.engine.ordering import Reservoir
from outhaul.model.evidence import Receipt, Settled, Sighting
from outhaul.model.job import Job, Order
from outhaul.ports.permits import FREE, Hindrance, Period
from outhaul.testing.steps import Steps

HOUR = 3600 * 10**9
PAUSED = Hindrance("paused", "until then")


@pytest.fixture
def machine(new_machine: Callable[[], Machine]) -> Machine:
    """A machine whose days are hours, and whose months are four of them."""
    machine = new_machine()
    began = machine.clock.wall_ns() // (HOUR // 4) * (HOUR // 4)

    def period(hours: int) -> Callable[[Job, int], Period]:
        def of(_job: Job, wall_ns: int) -> Period:
            number = (wall_ns - began) // (hours * HOUR)
            begin, end = (began + (number + more) * hours * HOUR for more in (0, 1))
            return Period(begin, end, f"{hours}h {number}", f"{hours}h {number + 1}")

        return of

    machine.permits = FREE._replace(day=period(1), month=period(4))
    return machine


def files(machine: Machine, *sizes: int) -> None:
    """Files of these sizes, in this order of time, named by their numbers."""
    for number, size in enumerate(sizes):
        machine.produce(f"{number}", bytes([number + 1]) * size)
        machine.clock.advance(1)


def carried(machine: Machine, job: Job) -> tuple[list[str], dict[str, int]]:
    """What a pass brings to the store, and what waits."""
    before = set(machine.stored())
    waits = {k: n for k, n in machine.run(job).tally.by_reason.items() if k not in ("removed", "kept", "unchanged")}
    return sorted(key.removeprefix("site/") for key in set(machine.stored()) - before), waits


def test_the_bytes_of_a_run(machine: Machine) -> None:
    """Up to so many; what is larger goes as the only one; one that has not gone for a reason of its own does not count."""
    job = JOB._replace(bytes_max=10)
    files(machine, 6, 4, 3, 20)
    assert carried(machine, job) == (["0", "1"], {"limit": 2})
    assert carried(machine, job) == (["2"], {"limit": 1})
    assert carried(machine, job) == (["3"], {})
    for name in ("8", "9"):
        machine.produce(name, name.encode() * 9)
    machine.files.hold("8")
    assert carried(machine, job) == ([], {"in-use": 1, "limit": 1})
    assert carried(machine, job) == (["9"], {"in-use": 1})


def test_the_bytes_of_a_day_and_of_a_month(machine: Machine) -> None:
    """Survive a restart; a new day begins anew, and so does a month."""
    job = JOB._replace(bytes_a_day=10, bytes_a_month=15)
    files(machine, 6, 4, 5, 5)
    assert carried(machine, job) == (["0", "1"], {"day-limit": 2})
    assert carried(machine, job) == ([], {"day-limit": 2})
    assert machine.observations()["2"].detail.startswith("it goes on at 1h ")
    machine.clock.advance(3600)
    assert carried(machine, job) == (["2"], {"month-limit": 1})
    machine.clock.advance(3600)
    assert carried(machine, job) == ([], {"month-limit": 1})
    machine.clock.advance(3 * 3600)
    assert carried(machine, job) == (["3"], {})


def test_what_was_there_before_costs_nothing(machine: Machine) -> None:
    """An object that is adopted has not been sent."""
    job = JOB._replace(bytes_a_day=10)
    files(machine, 10)
    machine.store.put("site/0", b"\1" * 10)
    assert carried(machine, job)[1] == {}
    machine.produce("one", b"1234567890")
    assert carried(machine, job) == (["one"], {})


def test_what_did_not_go_leaves_its_place(machine: Machine) -> None:
    """A file that was in use takes nothing of the day."""
    job = JOB._replace(bytes_a_day=10)
    files(machine, 10, 9)
    inode = machine.files.hold("0")
    assert carried(machine, job) == ([], {"in-use": 1, "day-limit": 1})
    machine.files.let_go(inode)
    machine.files.hold("0")
    machine.files.remove("0")
    assert carried(machine, job) == (["1"], {})


def test_a_file_that_is_larger_than_the_limit_goes_first_on_another_day(machine: Machine) -> None:
    """Else small files would keep it waiting for ever. Then nothing goes until the next day."""
    job = JOB._replace(bytes_a_day=10)
    files(machine, 5, 30, 5, 5)
    assert carried(machine, job) == (["0", "2"], {"day-limit": 2})
    machine.clock.advance(3600)
    assert carried(machine, job) == (["1"], {"day-limit": 1})
    assert carried(machine, job) == ([], {"day-limit": 1})
    machine.clock.advance(3600)
    assert carried(machine, job) == (["3"], {})


def test_one_that_has_gone_by_itself_keeps_others_waiting_for_one_pass(machine: Machine) -> None:
    """It is forgotten by the walk that does not find it."""
    job = JOB._replace(bytes_a_day=10)
    files(machine, 5, 30, 9)
    assert carried(machine, job) == (["0"], {"day-limit": 2})
    machine.files.remove("1")
    machine.clock.advance(3600)
    assert carried(machine, job) == ([], {"day-limit": 1})
    assert carried(machine, job) == (["2"], {})


def test_a_group_counts_as_a_whole(machine: Machine) -> None:
    """All of it goes, or waits."""
    job = JOB._replace(bytes_a_day=10, groups=("run-*",), files_max=5)
    for name in ("run-1/a", "run-1/b", "run-2/a", "run-2/b"):
        machine.produce(name, name.encode()[:4])
    assert carried(machine, job)[1] == {"day-limit": 2}


def test_files_in_a_bundle_that_waits_take_nothing(machine: Machine) -> None:
    """They are counted when it goes."""
    job = JOB._replace(bytes_a_day=100, bundle_bytes=1 << 16, bundle_file_max=1 << 12, bundle_wait_ns=HOUR)
    files(machine, 9, 9)
    assert carried(machine, job) == ([], {"bundle": 2})


# --- hindered --------------------------------------------------------------------------------------------------------


def test_a_job_that_is_paused_begins_nothing(machine: Machine) -> None:
    """Its store is not even opened; files and groups wait with their reason, and when until changes, that is told."""
    machine.permits = machine.permits._replace(hindrance=lambda _job: PAUSED)
    machine.open_store = lambda _job: pytest.fail("it was opened")
    files(machine, 5)
    machine.produce("run-1/a", b"group")
    job = JOB._replace(groups=("run-*",))
    assert carried(machine, job) == ([], {"paused": 2})
    later = Hindrance("paused", "until later")
    machine.permits = machine.permits._replace(hindrance=lambda _job: later)
    assert carried(machine, job) == ([], {"paused": 2})
    assert machine.observations()["0"].detail == "until later"


@pytest.mark.parametrize("seed", [None, 1, 2, 3])
@pytest.mark.parametrize(
    "job", [JOB, JOB._replace(groups=("run-*",)), JOB._replace(bundle_bytes=1 << 16, bundle_file_max=1 << 12)]
)
def test_a_pause_in_the_midst_of_it(machine: Machine, seed: int | None, job: Job) -> None:
    """What is under way of large files stops at its next part, and goes on from there; no attempt has failed by that."""
    paused: list[Hindrance] = []
    machine.permits = machine.permits._replace(hindrance=lambda _job: paused[0] if paused else None)
    machine.seed = seed
    files(machine, 5, 5)
    for number in range(4):
        machine.produce(f"large{number}", bytes([64 + number]) * 200_000)
        machine.produce(f"run-{number}/a", bytes([80 + number]) * 200_000)
    steps = Steps()
    steps.before("store.put_part", lambda: paused.append(PAUSED))
    outcome = machine.run(job, steps=steps)
    assert set(outcome.tally.by_reason) <= {"removed", "paused"}
    assert outcome.tally.by_reason["paused"] > 0
    assert {past.attempts for past in machine.observations().values()} <= {0}
    paused.clear()
    assert set(machine.run(job).tally.by_reason) == {"removed"}
    assert machine.files.files() == {}
    assert job != JOB or machine.lost() == set()


@pytest.mark.parametrize("calls", range(1, 16))
def test_a_pause_at_any_moment(machine: Machine, calls: int) -> None:
    """Of groups and of large files nothing is lost, and nothing counts as a failure of the store."""
    asked: list[int] = []

    def hindrance(_job: Job) -> Hindrance | None:
        asked.append(1)
        return PAUSED if len(asked) > calls else None

    job = JOB._replace(groups=("run-*",))
    machine.permits = machine.permits._replace(hindrance=hindrance)
    machine.produce("large", bytes(range(256)) * 2000)
    machine.produce("run-1/a", bytes(range(255)) * 2000)
    assert set(machine.run(job).tally.by_reason) <= {"removed", "paused"}
    assert machine.clock.slept_seconds == []
    machine.permits = FREE
    machine.run(job)
    assert machine.files.files() == {}


def test_a_pause_between_the_packing_of_files_and_their_turn(machine: Machine) -> None:
    """What is gathered, and has not begun, waits."""
    asked: list[int] = []

    def hindrance(_job: Job) -> Hindrance | None:
        asked.append(1)
        return PAUSED if len(asked) > 2 else None

    machine.permits = machine.permits._replace(hindrance=hindrance)
    files(machine, 5, 5)
    assert carried(machine, JOB) == ([], {"paused": 2})


# --- order -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order", "expected"), [("", [3, 1, 2]), ("oldest-first", [1, 2, 3]), ("newest-first", [3, 2, 1])]
)
def test_the_order_of_few(order: Order, expected: list[int]) -> None:
    """Exact; of one time, as they were found."""
    assert expected == put(order, [3, 1, 2])


def test_the_order_of_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each that goes is the first of those that wait."""
    monkeypatch.setattr(ordering, "FILES_MAX", 2)
    assert put("oldest-first", [5, 3, 4, 1, 2]) == [3, 1, 2, 4, 5]


def put(order: Order, times: list[int]) -> list[int]:
    """The times in the order in which they come out."""
    reservoir = Reservoir(order)
    out = [reservoir.put(Settled(Sighting("", f"{index}", 1, 1, 1, time, time), 0)) for index, time in enumerate(times)]
    return [settled.sighting.mtime_ns for settled in [*filter(None, out), *reservoir.rest()]]


@pytest.mark.parametrize(("order", "first"), [("oldest-first", "2025"), ("newest-first", "2026")])
def test_directories_go_in_the_order_of_their_names(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, order: Order, first: str
) -> None:
    """So a tree of dates goes in the order of time, however many files it has."""
    monkeypatch.setattr(ordering, "FILES_MAX", 1)
    for name in ("2025/01/a", "2025/12/a", "2026/01/b", "2026/02/b"):
        machine.produce(name, name.encode())
        machine.clock.advance(1)
    machine.run(JOB._replace(order=order))
    stored = [receipt.sighting.directory for receipt in by_number(machine)]
    assert stored[0].startswith(first)
    assert stored == sorted(stored, reverse=order == "newest-first")


def by_number(machine: Machine) -> list[Receipt]:
    """All receipts, in their order."""
    found: list[Receipt] = []
    for directory in ("2025/01", "2025/12", "2026/01", "2026/02"):
        found += machine.receipts(directory, "a", "b").values()
    return sorted(found, key=lambda receipt: receipt.number)
