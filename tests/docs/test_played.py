"""The tutorial and the guides are played: each command is run, and prints what the page shows."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from docs.pages import PLAYED, blocks, commands
from docs.played import machine, matches, steps

_NOT_HERE = ("outhaul watch", "outhaul install-service")
"""What a ```sh block may name: it would stay, or change the machine. Everything else of a played page is to be played."""


@pytest.mark.slow
@pytest.mark.parametrize("page", PLAYED, ids=lambda page: page.stem)
def test_a_page_does_what_it_shows(page: Path) -> None:
    """Word for word, but for times and what the page leaves out with `...`."""
    if (
        page.stem == "tutorial"
        and shutil.which("rclone", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}") is None
    ):
        pytest.skip("rclone is not installed here")
    with machine(page) as here:
        for step, printed, code in here.play():
            assert matches(step.expected, printed), f"$ {step.command}\n{printed}\nThe page shows:\n{step.expected}"
            assert code == 0 or "$ echo $?" in _after(page, step.end), f"$ {step.command}\nexit code {code}\n{printed}"


def _after(page: Path, offset: int) -> str:
    """The line behind what a command prints."""
    return page.read_text(encoding="utf-8")[offset:].partition("\n")[0]


@pytest.mark.parametrize("page", PLAYED, ids=lambda page: page.stem)
def test_nothing_of_a_played_page_is_left_unplayed(page: Path) -> None:
    """A command stands in a block that is played, unless it cannot be run here."""
    idle = [line for block in blocks(page) if block.language != "console" for line in commands(block)]
    assert [line for line in idle if not line.startswith(_NOT_HERE)] == []
    shown = [step for block in blocks(page) if block.language == "console" for step in steps(block)]
    assert shown != []


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [
        ("a\n", "a\n", True),
        ("a\n", "b\n", False),
        ("in 0.2 s\n", "in 31 ms\n", True),
        ("one ... three\n", "one two three\n", True),
        ("one\n...\nthree\n", "one\n2\n2\nthree\n", True),
        ("one\n...\nthree\n", "one\n2\nfour\n", False),
        ("3 files carried\n", "4 files carried\n", False),
    ],
)
def test_what_counts_as_the_same(expected: str, printed: str, same: bool) -> None:
    """Times are loose, figures are not."""
    assert same == matches(expected, printed)
