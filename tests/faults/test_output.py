"""Output that nobody can write or read never stops the work (hazard 118): the disk of the log is full, or it is closed."""

import subprocess
from pathlib import Path

import pytest

from faults.runs import outhaul
from faults.world import fresh

_SECONDS = 20


@pytest.mark.parametrize(
    ("option", "redirection"),
    [
        pytest.param("--json", "> /dev/full"),
        pytest.param("--verbose", "2> /dev/full"),
        pytest.param("--verbose", "> /dev/full 2>&1"),
        pytest.param("--json", ">&-"),
        pytest.param("--verbose", "2>&-"),
        pytest.param("--verbose", "<&- >&- 2>&-"),
    ],
)
def test_the_work_goes_on_without_output(tmp_path: Path, option: str, redirection: str) -> None:
    """Everything is carried, nothing is altered, and there is no traceback."""
    world = fresh(tmp_path)
    world.plant(4)
    words = [*outhaul("move", str(world.source), str(world.store), "--state", str(world.state)), option]
    command = ["sh", "-c", f'"$@" {redirection}', "sh", *words]
    ended = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False)
    expected: list[str] = []
    assert expected == world.faults(complete=True)
    assert ended.stderr == b"" if "2>" not in redirection else True
    nothing_said = 0
    assert nothing_said == ended.returncode


@pytest.mark.parametrize("command", [pytest.param("status"), pytest.param("ls")])
def test_what_cannot_be_shown_is_one_line(tmp_path: Path, command: str) -> None:
    """`status` and `ls` onto a full disk say so in a line."""
    world = fresh(tmp_path)
    world.plant(4)
    state = ("--state", str(world.state))
    subprocess.run(outhaul("move", str(world.source), str(world.store), *state), check=True, capture_output=True)
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            outhaul(command, *state), stdout=full, stderr=subprocess.PIPE, timeout=_SECONDS, check=False
        )
    assert b"Traceback" not in ended.stderr
    one = 1
    assert one == ended.stderr.count(b"\n")
