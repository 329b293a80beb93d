"""Small scenarios: every single fault at every call, a producer's hand before every call, and every pair for one file."""

import contextlib
import sqlite3
from collections.abc import Callable

import pytest

from simulation import small
from simulation.machine import LEDGER, scaled
from simulation.scenarios import ONE, SCENARIOS, Small
from simulation.world import Home, home


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_without_faults_everything_goes(scenario: Small) -> None:
    """A scenario in which things are held from the beginning would show nothing."""
    with home() as place, scaled():
        world, machine = small.begin(place, scenario)
        world.over()
    left = set(machine.files.files()) - {"x.tmp"}
    assert left == (set(scenario.sizes) if scenario.job.after == "keep" else set())
    assert machine.files.private == {}


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_every_single_fault(scenario: Small) -> None:
    """Whatever goes wrong at whichever call, nothing is lost, and everything comes to rest afterwards."""
    with home() as place, scaled():
        tried = small.try_all(place, scenario)
    assert tried.broken == []
    assert tried.crashes > 50


Figure = Callable[[str, object], None]
SHARES = 8
"""So many parts, for as many processors as there are; a failure in one says nothing of the others."""


@pytest.mark.slow
@pytest.mark.parametrize("share", range(SHARES))
def test_every_pair_of_faults_for_one_file(share: int, record_property: Figure) -> None:
    """Nor do two faults, the second anywhere in the history that the first has made: all of them, over all shares.

    Two that leave the same world count as one (`small.different`; the test below holds it).
    With a producer's hand as one of the two, and for two files, there are some hundred thousand more: `./dev sim --pairs`.
    """
    with home() as place, scaled():
        tried = small.try_pairs(place, ONE._replace(producer=False), (share, SHARES))
    record_property(
        "figure", f"pairs of faults, share {share + 1} of {SHARES}: {tried.histories} histories, {tried.processes} "
        f"processes, {tried.crashes} crashes and power cuts; {len(tried.broken)} findings"
    )  # fmt: skip
    assert tried.broken == []
    assert tried.histories > 1000


@pytest.mark.slow
def test_shares_are_all_of_it() -> None:
    """Each pair is in one share, and in no other."""
    scenario = ONE._replace(producer=False)
    with home() as place, scaled():
        whole = sorted(small.pairs(place, scenario))
        parts = sorted(pair for share in range(3) for pair in small.pairs(place, scenario, (share, 3)))
    assert parts == whole
    assert len(set(whole)) == len(whole) > 20_000


ENDS = ("crash", "cut", "cut, lost")


FIRST = [
    (),
    *((small.Fault(number, what),) for number, what in ((22, "crash after"), (22, "error after"), (29, "cut after"))),
]


@pytest.mark.parametrize("faults", FIRST, ids=str)
def test_an_end_before_a_call_is_one_after_the_last(faults: tuple[small.Fault, ...]) -> None:
    """Where the pairs leave out one of two ends, the world is the same after both, bytes, ledger and clocks."""
    scenario = ONE._replace(producer=False)
    start = faults[0].number + 1 if faults else 0
    with home() as place, scaled():
        played = small.play(place, scenario, faults)
        same = [
            (before, number) for number, before in enumerate(played.follows) if before is not None and before >= start
        ]
        for before, number in same:
            for end in ENDS:
                how, _, outcome = end.partition(",")
                ends = [
                    small.Fault(before, f"{how} after,{outcome}".removesuffix(",")),
                    small.Fault(number, f"{how} before,{outcome}".removesuffix(",")),
                ]
                after, ahead = [ended_by(place, scenario, (*faults, fault)) for fault in ends]
                assert after == ahead, f"{end}: {before} and {number}, {played.calls[number]}"
    assert len(same) > 10


def ended_by(place: Home, scenario: Small, faults: tuple[small.Fault, ...]) -> tuple[object, ...]:
    """All that is left when the last of these has come, but for what a process alone knew."""
    world, machine = small.begin(place, scenario)
    small.plan(machine, faults)
    while faults[-1].number not in machine.steps.happened:
        world.run(machine)
        machine.clock.advance(40)
    with contextlib.closing(sqlite3.connect(f"{machine.state}/{LEDGER}")) as ledger:
        told = list(ledger.iterdump())
    clock, files = machine.clock, machine.files
    times = clock.boot_id, clock.boot_ns, clock.set_to_ns, clock.elapsed_ns
    return files.files(), machine.found(), world.objects(), world.store.uploads, machine.network.late, times, told


def test_each_power_cut_takes_what_it_is_told_to() -> None:
    """Of two cuts one may drop what is not on disk, and the other keep it; which is a matter of each, not of the last."""
    cuts = {2: "cut before, lost", 9: "cut before", 15: "cut before, lost"}
    with home() as place, scaled():
        world, machine = small.begin(place, ONE)
        small.plan(machine, tuple(small.Fault(number, what) for number, what in cuts.items()))
        for _ in cuts:
            world.run(machine)
    told = [text.rpartition(" ")[2] for _, text in machine.told if text.startswith("power cut")]
    assert told == ["lost", "kept", "lost"]
