"""Small scenarios, in which every single fault, and every pair of faults, is tried.

A scenario is played once without faults, which tells its calls; then once for each call and each thing that can go wrong
there (`steps.mishaps`, or a producer's hand just before the call). A second fault goes to every call that follows
the first in the history that the first has made.
"""

import random
from collections.abc import Iterable, Iterator
from functools import partial
from typing import NamedTuple

from outhaul.testing.power import Outcome
from outhaul.testing.steps import Call, mishaps
from simulation.machine import Machine
from simulation.scenarios import Small
from simulation.world import Broken, Home, World, new_store

PASSES = 3
"""How often outhaul runs while faults may come."""


class Fault(NamedTuple):
    """One thing that goes wrong, or one hand of the producer, at one call."""

    number: int
    what: str

    def __str__(self) -> str:
        return f"{self.what} at call {self.number}"


class Played(NamedTuple):
    """What a history came to."""

    calls: list[Call]
    follows: list[int | None]
    """See `Steps.follows`."""
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
    plan(machine, faults)
    for _ in range(PASSES):
        world.run(machine)
        if not world.left(machine):
            break
        machine.clock.advance(40)
    calls, follows = machine.steps.calls[:], machine.steps.follows[:]
    world.over()
    return Played(calls, follows, world.processes, world.crashes)


def plan(machine: Machine, faults: Iterable[Fault]) -> None:
    """Let these come."""
    for fault in faults:
        if fault.what in HANDS:
            hand = getattr(machine.producer, fault.what)
            machine.steps.at(fault.number, lambda hand=hand: machine.producer.do(hand))  # type: ignore[misc]
        else:
            machine.steps.plan[fault.number] = fault.what.partition(",")[0]
            if fault.what.startswith("cut"):
                outcome = CUTS.get(fault.what, "kept")
                machine.steps.at(fault.number, partial(setattr, machine, "cut_outcome", outcome))


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


class Tried(NamedTuple):
    """What was tried of a scenario."""

    histories: int
    processes: int
    crashes: int
    broken: list[str]


def try_all(home: Home, scenario: Small, *, stop_at_first: bool = False) -> Tried:
    """Every single fault. With `stop_at_first` the last calls come first, as most of what can be lost is lost there."""
    return _try(home, scenario, _singles(home, scenario, backwards=stop_at_first), stop_at_first=stop_at_first)


def try_pairs(home: Home, scenario: Small, share: tuple[int, int] = (0, 1)) -> Tried:
    """Every second fault after each first one; of the first ones, those of a share: which, of how many."""
    return _try(home, scenario, pairs(home, scenario, share))


def _try(home: Home, scenario: Small, them: Iterable[tuple[Fault, ...]], *, stop_at_first: bool = False) -> Tried:
    histories = processes = crashes = 0
    broken: list[str] = []
    for faults in them:
        try:
            played = play(home, scenario, faults)
        except Broken as error:
            broken.append(f"{scenario.name}, {' and '.join(map(str, faults))}:\n{error}")
            if stop_at_first:
                break
            continue
        finally:
            histories += 1
        processes, crashes = processes + played.processes, crashes + played.crashes
    return Tried(histories, processes, crashes, broken)


def first_broken(home: Home, scenario: Small) -> tuple[Fault, ...]:
    """The faults of the first history, the last calls first, that breaks."""
    for faults in _singles(home, scenario, backwards=True):
        try:
            play(home, scenario, faults)
        except Broken:
            return faults
    raise LookupError(scenario.name)


def _singles(home: Home, scenario: Small, *, backwards: bool) -> Iterator[tuple[Fault, ...]]:
    yield ()
    faults = list(different(scenario, play(home, scenario)))
    for fault in reversed(faults) if backwards else faults:
        yield (fault,)


def different(scenario: Small, played: Played, start: int = 0) -> Iterator[Fault]:
    """Everything that can go wrong from a call on, without the ends that leave the same world as another does: a process
    that ends before a call ends after the one before it, where nothing comes between the two.
    """
    for fault in single_faults(scenario, played.calls, start):
        before = played.follows[fault.number]
        is_an_end = fault.what.startswith(("crash before", "cut before"))
        if not (is_an_end and before is not None and before >= start):
            yield fault


def pairs(home: Home, scenario: Small, share: tuple[int, int] = (0, 1)) -> Iterator[tuple[Fault, Fault]]:
    """Two faults each: every first one of a share, and every second that can follow in the history that the first has made."""
    which, of = share
    for first in list(different(scenario, play(home, scenario)))[which::of]:
        for second in different(scenario, play(home, scenario, (first,)), first.number + 1):
            yield (first, second)
