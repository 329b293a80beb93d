"""Random worlds, a seed each: first those that ever found something, then new ones for as long as is given.

`OUTHAUL_SIM_SECONDS` is how long (default 90); the run is over at 20,000 seeds in any case. Each failure names its seed:
`python -m tests.simulation --repro SEED` prints its whole history.
"""

import os
import time
from collections.abc import Callable

import pytest

from simulation.__main__ import CORPUS, run_seeds, summary
from simulation.worlds import Count

SEEDS_MAX = 20_000
_CHUNK = 50


def corpus() -> list[int]:
    """The seeds of old."""
    return [int(line) for line in CORPUS.read_text().splitlines() if line.strip() and not line.startswith("#")]


def test_seeds_that_once_found_something() -> None:
    """What was found once is not found again."""
    _, found = run_seeds(corpus())
    assert found == []


@pytest.mark.slow
def test_new_seeds(record_property: Callable[[str, object], None]) -> None:
    """No world loses, mixes up or overwrites a byte, and every one comes to rest when its faults are over."""
    began, total, start = time.monotonic(), Count(), 0
    seconds = float(os.environ.get("OUTHAUL_SIM_SECONDS", "90"))
    while start < SEEDS_MAX and time.monotonic() - began < seconds:
        count, found = run_seeds(range(start, start + _CHUNK))
        assert found == []
        total, start = total.plus(count), start + _CHUNK
    record_property("figure", f"simulation: {summary(total)}; 0 findings")
    assert total.crashes > 0
    assert total.faults > 0


def test_a_seed_is_a_history() -> None:
    """The same seed makes the same calls, faults and crashes each time."""
    assert run_seeds([7, 8, 9]) == run_seeds([7, 8, 9])
