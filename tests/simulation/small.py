"""Small scenarios, in which every single fault, and every pair of faults, is tried.

A scenario is played once without faults, which tells its calls; then once for each call and each thing that can go wrong
there (`steps.mishaps`, or a producer's hand just before the call). A second fault goes to every call that follows
the first in the history that the first has made.
"""

import math
import random
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from outhaul.model.job import Destination, Job
from outhaul.testing.power import Outcome
from outhaul.testing.steps import Call, Crash, mishaps
from outhaul.testing.store import StoredObject
from simulation.machine import Machine
from simulation.world import Broken, Home, World, new_store

JOB = Job("simulation", "/source", Destination("s3://bucket/site", "s3", "bucket", "site"), quiet_ns=0)
PASSES = 3
"""How often outhaul runs while faults may come."""


class Small(NamedTuple):
    """A scenario."""

    name: str
    sizes: dict[str, int]
    """Path to number of bytes."""
    prepare: Callable[[World, Machine], None] = lambda _world, _machine: None
    job: Job = JOB
    producer: bool = True
    """Whether a producer's hand is tried at each call, too."""


class Fault(NamedTuple):
    """One thing that goes wrong, or one hand of the producer, at one call."""

    number: int
    what: str

    def __str__(self) -> str:
        return f"{self.what} at call {self.number}"


class Played(NamedTuple):
    """What a history came to."""

    calls: list[Call]
    processes: int
    crashes: int


HANDS = ("append", "rewrite_as_long", "replace", "reuse", "remove", "hold", "map_and_write", "link", "truncate")
CUTS: dict[str, Outcome] = {"cut before, lost": "lost", "cut after, lost": "lost"}


def play(home: Home, scenario: Small, faults: tuple[Fault, ...] = ()) -> Played:
    """The history of a scenario under these faults.

    Raises:
        Broken: see `World.check`.
    """
    world, machine = begin(home, scenario)
    for fault in faults:
        if fault.what in HANDS:
            hand = getattr(machine.producer, fault.what)
            machine.steps.at(fault.number, lambda hand=hand: machine.producer.do(hand))  # type: ignore[misc]
        else:
            machine.steps.plan[fault.number] = fault.what.partition(",")[0]
            machine.cut_outcome = CUTS.get(fault.what, "kept")
    for _ in range(PASSES):
        world.run(machine)
        if not world.left(machine):
            break
        machine.clock.advance(40)
    calls = machine.steps.calls[:]
    world.over()
    return Played(calls, world.processes, world.crashes)


def begin(home: Home, scenario: Small) -> tuple[World, Machine]:
    """The world before the first run."""
    chance = random.Random(1)
    world = World(new_store())
    machine = Machine("m", home.state(), scenario.job, world.store, chance)
    world.machines.append(machine)
    for path, size in scenario.sizes.items():
        machine.files.write(path, machine.producer.content(size))
        machine.files.sync(path)
    machine.producer.note()
    machine.clock.advance(1)
    scenario.prepare(world, machine)
    return world, machine


def single_faults(scenario: Small, calls: list[Call], start: int = 0) -> Iterator[Fault]:
    """Everything that can go wrong at these calls."""
    for number in range(start, len(calls)):
        for what in mishaps(calls[number].name):
            yield Fault(number, what)
            if what.startswith("cut"):
                yield Fault(number, f"{what}, lost")
        if scenario.producer and calls[number].name.startswith(("files.", "store.", "ledger.record")):
            for hand in HANDS:
                yield Fault(number, hand)


def _conflict(world: World, machine: Machine) -> None:
    for path in list(machine.files.files()):
        world.store.objects[f"site/{path}"] = [StoredObject(b"another machine's", "x", "")]


def _opaque(world: World, machine: Machine) -> None:
    world.store.etag = "opaque"


def _checksums(world: World, machine: Machine) -> None:
    world.store.etag, world.store.keeps_sha256, world.store.versions = "opaque", True, True


def _replaces(world: World, machine: Machine) -> None:
    world.store.create_only = False


def _unknown_writers(world: World, machine: Machine) -> None:
    machine.files.knows_writers = machine.producer.may_hold = False
    machine.quiet_ns = 60 * 10**9
    machine.run()
    machine.clock.advance(61)


def _interrupted(world: World, machine: Machine) -> None:
    """The removal was interrupted after its rename."""

    def crash() -> None:
        raise Crash

    machine.steps.before("files.is_file", crash)
    for _ in range(3):
        if machine.files.private:
            break
        machine.run()
        machine.clock.advance(40)
    assert machine.files.private


def _swallows(world: World, machine: Machine) -> None:
    machine.network.swallows = True


def _coarse(world: World, machine: Machine) -> None:
    machine.files.coarse = machine.files.reuses_numbers = True
    machine.clock.advance(1)


ONE = Small("one file", {"a/one": 20})
TWO = Small("two files", {"a/one": 20, "b/two": 130}, producer=False)
SCENARIOS = (
    ONE,
    TWO._replace(producer=True),
    Small("empty and odd", {"\udcff\n": 0, "x.tmp": 4, "a/b/c": 64}),
    Small("large", {"large": 101}),
    Small("large, read back", {"large": 65}, _opaque),
    Small("conflict", {"a/one": 20}, _conflict),
    Small("large conflict", {"large": 130}, _conflict),
    Small("opaque etag", {"a/one": 20}, _opaque),
    Small("checksums and versions", {"a/one": 20, "large": 70}, _checksums),
    Small("read back", {"a/one": 20}, _swallows, job=JOB._replace(proof="read-back")),
    Small("a store that replaces", {"a/one": 20}, _replaces),
    Small("writers unknown", {"a/one": 20}, _unknown_writers),
    Small("interrupted removal", {"a/one": 20}, _interrupted),
    Small("coarse time stamps", {"a/one": 20, "a/two": 20}, _coarse),
    Small("keep", {"a/one": 20}, job=JOB._replace(after="keep")),
    Small("quiet", {"a/one": 20}, job=JOB._replace(quiet_ns=30 * 10**9)),
)


def _coarse_and_unsettled(world: World, machine: Machine) -> None:
    """Time stands still: what is written now bears the stamps of what was there."""
    machine.files.coarse = machine.files.reuses_numbers = True
    for path, content in machine.files.files().items():
        machine.files.write(path, content)
    machine.producer.note()


def _interrupted_and_coarse(world: World, machine: Machine) -> None:
    """The removal was interrupted after its rename, and other bytes came under the same stamps, as by a power cut."""
    _coarse_and_unsettled(world, machine)
    _interrupted(world, machine)
    for _, _, inode in machine.files.private.values():
        inode.content = machine.producer.content(len(inode.content))
    machine.producer.note()


def _conflict_as_long(world: World, machine: Machine) -> None:
    for path, content in machine.files.files().items():
        world.store.objects[f"site/{path}"] = [StoredObject(content[::-1], "x", "")]


def _another_endpoint(world: World, machine: Machine) -> None:
    """It was all copied to a bucket of the same name elsewhere."""
    job = machine.job
    machine.job = job._replace(after="keep", connection=job.connection._replace(endpoint_url="http://test.example"))
    machine.run()
    machine.job = job
    world.store.objects.clear()


def _lost_race(world: World, machine: Machine) -> None:
    """The file is replaced just before the rename, and its place is taken before the other is put back."""
    producer = machine.producer
    machine.steps.before("files.take_aside", lambda: producer.do(producer.replace))
    machine.steps.before("files.put_back", lambda: producer.do(lambda: _again(machine)))


def _jumped(world: World, machine: Machine) -> None:
    machine.run()
    machine.jump(3600)


def _rebooted(world: World, machine: Machine) -> None:
    machine.run()
    machine.reboot()
    machine.clock.jump_wall(-7200)


def _again(machine: Machine) -> str:
    machine.files.write("a/one", machine.producer.content(20))
    return "writes 'a/one' again"


def _interrupted_and_replaced(world: World, machine: Machine) -> None:
    """What was taken aside is another file than the receipt's, of the same length: a lost race, and then a crash."""
    machine.steps.before("files.take_aside", lambda: machine.producer.do(machine.producer.replace_as_long))
    _interrupted(world, machine)


def _entry_taken(world: World, machine: Machine) -> None:
    """What was taken aside has lost its place, and the ledger that numbered it is gone."""
    _interrupted_and_replaced(world, machine)
    machine.producer.do(lambda: _again(machine))
    machine.lose_ledger()


FOR_MUTANTS = (
    Small("jumped clock", {"a/one": 20}, _jumped, JOB._replace(quiet_ns=30 * 10**9)),
    Small("rebooted", {"a/one": 20}, _rebooted, JOB._replace(quiet_ns=200 * 10**9)),
    Small("small, coarse", {"a/one": 20}, _coarse_and_unsettled),
    Small("lost race", {"a/one": 20}, _lost_race),
    Small("entry taken", {"a/one": 20}, _entry_taken),
    Small("interrupted, replaced", {"a/one": 20}, _interrupted_and_replaced),
    Small("large, coarse", {"large": 101}, _coarse_and_unsettled),
    Small("interrupted, coarse", {"a/one": 20}, _interrupted_and_coarse),
    Small("conflict, as long", {"a/one": 20}, _conflict_as_long),
    Small("another endpoint", {"a/one": 20}, _another_endpoint),
)
"""Scenarios for bugs that show only there; without them they find nothing."""


class Tried(NamedTuple):
    """What was tried of a scenario."""

    histories: int
    processes: int
    crashes: int
    broken: list[str]


def try_all(
    home: Home, scenario: Small, *, pairs: bool = False, stop_at_first: bool = False, seconds: float = math.inf
) -> Tried:
    """Every single fault; with `pairs`, every second fault after each first one instead.

    With `stop_at_first` the last calls come first, as most of what can be lost is lost there. When `seconds` are over, what has
    been tried by then is all.
    """
    end = time.monotonic() + seconds
    histories = processes = crashes = 0
    broken: list[str] = []
    for faults in _histories(home, scenario, pairs, backwards=stop_at_first):
        try:
            played = play(home, scenario, faults)
        except Broken as error:
            broken.append(f"{scenario.name}, {' and '.join(map(str, faults))}:\n{error}")
            if stop_at_first:
                break
            continue
        finally:
            histories += 1
        if time.monotonic() > end:
            break
        processes, crashes = processes + played.processes, crashes + played.crashes
    return Tried(histories, processes, crashes, broken)


def _histories(home: Home, scenario: Small, pairs: bool, *, backwards: bool) -> Iterator[tuple[Fault, ...]]:
    yield ()
    faults = list(single_faults(scenario, play(home, scenario).calls))
    for first in reversed(faults) if backwards else faults:
        if not pairs:
            yield (first,)
            continue
        calls = play(home, scenario, (first,)).calls
        for second in single_faults(scenario, calls, first.number + 1):
            yield (first, second)
