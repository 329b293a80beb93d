"""Break a run at every single call through a port, before and after its effect; run again; nothing may be lost.

The promise that is checked after every crash, and again at the end: all bytes that were produced are in the source, in the
private directory, or in the store; and at the end everything is in the store, recorded, and gone from the source.
"""

from collections.abc import Callable
from functools import partial
from typing import Literal

import pytest

from engine.world import Machine
from outhaul.testing.steps import Crash, Steps

NewMachine = Callable[[], Machine]
LARGE = b"large" * 40_000
SCENARIO = {"a/one.csv": b"one", "a/empty.csv": b"", "b/large.bin": LARGE}


def prepared(machine: Machine) -> Machine:
    """Three files: small, empty, large; the last meets other bytes under its key."""
    for path, content in SCENARIO.items():
        machine.produce(path, content)
    return machine


def check_all_carried(machine: Machine) -> None:
    """Everything is in the store and recorded, the source is empty, and nothing is aside."""
    stored = machine.stored()
    assert {key.removeprefix("site/"): content for key, content in stored.items()} == SCENARIO
    assert (machine.files.files(), machine.files.private) == ({}, {})
    assert {"one.csv", "empty.csv"} == set(machine.receipts("a", "one.csv", "empty.csv"))
    assert {"large.bin"} == set(machine.receipts("b", "large.bin"))


def calls_of_a_run(new_machine: NewMachine) -> list[str]:
    """What a whole run calls, by name."""
    machine = prepared(new_machine())
    machine.run()
    check_all_carried(machine)
    return machine.steps.names()


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_at_every_call_loses_nothing(new_machine: NewMachine, when: Literal["before", "after"]) -> None:
    """Whatever call the process dies at, the next run carries what is left, and nothing is lost on the way."""
    for number, name in enumerate(calls_of_a_run(new_machine)):
        machine = prepared(new_machine())
        steps = Steps()
        steps.crash_at, steps.crash_when = number, when
        with pytest.raises(Crash):
            machine.run(steps=steps)
        assert set() == machine.lost(), f"after a crash {when} call {number}, {name}"
        machine.clock.advance(60)
        outcome = machine.run()
        assert ({r: n for r, n in outcome.tally.by_reason.items() if r not in CARRIED}, outcome[1]) == ({}, ""), name
        check_all_carried(machine)


CARRIED = ("removed", "gone")


@pytest.mark.parametrize("when", ["before", "after"])
def test_two_crashes_lose_nothing(new_machine: NewMachine, when: Literal["before", "after"]) -> None:
    """A second crash, in the run that puts the first one right, loses nothing either."""
    calls = calls_of_a_run(new_machine)
    removal = [number for number, name in enumerate(calls) if name in ("files.take_aside", "files.unlink", "store.put")]
    for number in removal[:3]:
        for again in range(0, 40, 3):
            machine = prepared(new_machine())
            for crash_at in (number, again):
                steps = Steps()
                steps.crash_at, steps.crash_when = crash_at, when
                try:
                    machine.run(steps=steps)
                except Crash:
                    machine.clock.advance(60)
                assert set() == machine.lost()
            machine.run()
            check_all_carried(machine)


LATE = b"late" * 3


def write_late(machine: Machine, hand: str) -> None:
    """What a producer does by path, whatever has become of the file."""
    if hand == "append":
        machine.files.append("a/one.csv", LATE)
        return
    if hand == "replace" and machine.files.find("a/one.csv"):
        machine.files.remove("a/one.csv")
    machine.files.write("a/one.csv", LATE)


@pytest.mark.parametrize("hand", ["append", "replace", "rewrite"])
def test_a_producer_at_every_call_loses_nothing(new_machine: NewMachine, hand: str) -> None:
    """Whenever in a run a producer writes to a file by its path, what it wrote is carried in the end."""
    calls = calls_of_a_run(new_machine)
    for number in range(len(calls)):
        machine = prepared(new_machine())

        steps = Steps()
        steps.at(number, partial(write_late, machine, hand))
        machine.run(steps=steps)
        written = [machine.files.read("a/one.csv"), *machine.stored().values()]
        assert any(content is not None and content.endswith(LATE) for content in written), calls[number]
        machine.run()
        machine.run()
        assert any(content.endswith(LATE) for content in machine.stored().values()), calls[number]
        assert (machine.files.files(), machine.files.private) == ({}, {}), calls[number]
