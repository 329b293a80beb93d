"""Every planted bug is found: by the single faults of a small scenario, or else by random seeds."""

from collections.abc import Callable

import pytest

from simulation import small
from simulation.machine import scaled
from simulation.mutants import MUTANTS
from simulation.mutation import Edit, planted, read_ahead
from simulation.points import Mutant
from simulation.scenarios import FOR_MUTANTS, SCENARIOS
from simulation.world import Broken, Home, home
from simulation.worlds import play

_ALL = (*SCENARIOS, *FOR_MUTANTS)
SEEDS_MAX = 4000
"""A bug that so many seeds do not find has survived."""


def hunt(place: Home, mutant: Mutant) -> str:
    """What found it, after how many histories; '' where nothing did."""
    histories = 0
    with planted(mutant.edits):
        for name in mutant.scenarios:
            scenario = next(scenario for scenario in _ALL if scenario.name == name)
            tried = small.try_all(place, scenario, stop_at_first=True)
            histories += tried.histories
            if tried.broken:
                return f"{name}, after {histories}: {_finding(tried.broken[0].partition(chr(10))[2])}"
        for seed in range(SEEDS_MAX):
            try:
                play(place, seed)
            except (Broken, AssertionError) as error:
                return f"seed {seed}, after {histories + seed + 1}: {_finding(str(error))}"
    return ""


def hidden(place: Home, mutant: Mutant) -> bool:
    """Whether neither the bug alone, nor its defence's removal alone, shows in the history that shows the two together."""
    scenario = next(scenario for scenario in _ALL if scenario.name == mutant.scenarios[0])
    with planted(mutant.edits):
        shown = small.first_broken(place, scenario)
    for edits in (mutant.edits[:1], mutant.edits[1:]):
        with planted(edits):
            try:
                small.play(place, scenario, shown)
            except Broken:
                return False
    return True


def _finding(text: str) -> str:
    return text.partition(" ")[0]


@pytest.mark.slow
def test_every_mutant_is_killed(record_property: Callable[[str, object], None]) -> None:
    """At least 25 bugs and the pairs that hide each other: a survivor fails; what found which is printed (`-s`)."""
    read_ahead([edit for mutant in MUTANTS for edit in mutant.edits])
    with home() as place, scaled():
        found = {mutant: hunt(place, mutant) for mutant in MUTANTS}
        visible = [mutant.name for mutant in MUTANTS if mutant.masked_by and not hidden(place, mutant)]
    for mutant, by in found.items():
        masked = f"  [alone it is masked by {mutant.masked_by}]" if mutant.masked_by else ""
        print(f"  {mutant.name:62} {by or 'SURVIVED'}{masked}")
    record_property("figure", f"mutants: {len(MUTANTS)}, {sum(map(bool, found.values()))} killed")
    assert [mutant.name for mutant, by in found.items() if not by] == []
    assert visible == []
    assert len(MUTANTS) >= 25


def test_what_is_planted_is_taken_out_again() -> None:
    """After a mutant the product is what it was."""
    from outhaul.engine import batches, recovery
    from outhaul.stages import dispose

    before = dispose.finish
    with planted([Edit("outhaul.stages.dispose:finish", "left.file.take_lease()", "pass")]):
        assert dispose.finish is not before
        assert vars(recovery)["finish"] is dispose.finish
    assert dispose.finish is before
    assert vars(recovery)["finish"] is before
    assert vars(batches)["dispose"] is dispose.dispose


def test_an_edit_that_does_not_apply_is_an_error() -> None:
    """A mutant of code that has changed must be written anew; it does not pass for one that was killed."""
    with pytest.raises(LookupError), planted([Edit("outhaul.stages.dispose:_let_go", "no such line", "")]):
        pass
