"""When a watch looks again is written down while something waits, and believed for as long as it can be true."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from outhaul.host import looks
from outhaul.host.looks import FILE_NAME, Looks, next_looks

SOON = time.time_ns() + 86400 * 10**9
"""A day from when the tests were collected: a whole run may last longer than any few minutes."""


def test_what_is_told_is_read(tmp_path: Path) -> None:
    """Each job has its time; one of which nothing waits any more has none."""
    told = Looks(str(tmp_path))
    told.tell("a", SOON)
    told.tell("b", SOON + 1)
    told.tell("c", 0)
    told.write()
    assert next_looks(str(tmp_path)) == {"a": SOON, "b": SOON + 1}


def test_nothing_is_written_where_nothing_waits(tmp_path: Path) -> None:
    """A machine at rest spares its card."""
    told = Looks(str(tmp_path))
    told.tell("a", 0)
    told.write()
    assert os.listdir(tmp_path) == []


def test_it_is_written_once_a_second_at_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What came in between is written with the next."""
    told = Looks(str(tmp_path))
    for number in range(3):
        told.tell("a", SOON + number)
        told.write()
    assert next_looks(str(tmp_path)) == {"a": SOON}
    monkeypatch.setattr(looks, "_APART_SECONDS", 0.0)
    told.write()
    assert next_looks(str(tmp_path)) == {"a": SOON + 2}


def test_a_time_that_has_gone_by_is_not_believed(tmp_path: Path) -> None:
    """The process has ended without a word."""
    told = Looks(str(tmp_path))
    told.tell("a", time.time_ns() - 3600 * 10**9)
    told.write()
    assert next_looks(str(tmp_path)) == {}


def test_the_end_of_a_watch(tmp_path: Path) -> None:
    """Nobody looks again; and there may be nothing to take away."""
    told = Looks(str(tmp_path))
    told.tell("a", SOON)
    told.write()
    told.close()
    told.close()
    assert next_looks(str(tmp_path)) == {}


@pytest.mark.parametrize("text", ["", "[1]", '{"a": "b"}', "{", "null", '{"a": null}', '{"a": 1' + "0" * 40 + "}"])
def test_what_is_not_ours_is_passed_over(tmp_path: Path, text: str) -> None:
    """A damaged file tells nothing."""
    (tmp_path / FILE_NAME).write_text(text)
    assert next_looks(str(tmp_path)) == {}


def test_a_state_directory_that_is_full_stops_nothing(tmp_path: Path) -> None:
    """It is not said, as nothing depends on it."""
    told = Looks(str(tmp_path / "away"))
    told.tell("a", SOON)
    told.write()
