"""Sticks as they are: on Linux's own FAT, in a guest that has it, and pulled out of it."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from sticks.guest import images, run

TESTS = (
    "tests/stores/test_stick_directory.py tests/cli/test_stick_journeys.py",
    "tests/faults/test_stick_cuts.py -k 'not groups_fail'",  # Which calls fail with groups is the same anywhere.
)
CUTS = 6


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("tests", TESTS)
def test_every_test_of_sticks_on_fat(tmp_path: Path, tests: str) -> None:
    """Names of one case, no links, no permissions, stamps of two seconds, files of 4 GiB: nothing of it is missed."""
    disks = images(tmp_path, "vfat", "small")
    options = "-m '' -q -p no:cacheprovider --color=no --basetemp=/run/t"
    places = "OUTHAUL_TEST_STICKS=/run/stick OUTHAUL_TEST_SMALL_STICK=/run/small"
    said = run(tmp_path, disks, f"{places} python -m pytest {options} {tests}", timeout=1400)
    assert "ENDED 0" in said, said[-4000:]
    assert " passed" in said


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_power_goes(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    """Of stick and device together, anywhere in a visit: no content is lost, and the next visits bring all home."""
    for number in range(CUTS):
        home = tmp_path / str(number)
        home.mkdir()
        disks = images(home, "ext4", "device")
        assert "ENDED 0" in run(home, disks, "python -m sticks.inside make")
        cut = random.Random(number).uniform(0.05, 3.0)
        told = run(home, disks, "python -m sticks.inside visit", cut_after=cut)
        said = run(home, disks, "python -m sticks.inside end")
        assert "ALL WELL" in said, f"cut after {cut:.2f} s ({told[-200:]}): {said[-4000:]}"
    record_property("figure", f"sticks: {CUTS} power cuts on FAT, 0 files lost")
