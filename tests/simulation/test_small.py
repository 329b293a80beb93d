"""Small scenarios: every single fault at every call, a producer's hand before every call, and every pair for one file."""

import os

import pytest

from simulation import small
from simulation.machine import scaled
from simulation.scenarios import ONE, SCENARIOS, Small
from simulation.world import home


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


@pytest.mark.slow
def test_pairs_of_faults_for_one_file(capsys: pytest.CaptureFixture[str]) -> None:
    """Nor do two faults, the second anywhere in the history that the first has made.

    As many as OUTHAUL_PAIRS_SECONDS (default 40) allow; all of them, for one file and for two, with `./dev sim --pairs`.
    """
    seconds = float(os.environ.get("OUTHAUL_PAIRS_SECONDS", "40"))
    with home() as place, scaled():
        tried = small.try_all(place, ONE._replace(producer=False), pairs=True, seconds=seconds)
    with capsys.disabled():
        print(
            f"\n  pairs: {tried.histories} histories, {tried.processes} processes, {tried.crashes} crashes; 0 findings"
        )
    assert tried.broken == []
