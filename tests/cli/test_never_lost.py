"""What lost a file, or stopped a run, when the program was attacked: each as a person would do it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli.program import Program

FAR = 13_569_465_600
"""The first of January 2400, in seconds."""


def contents(*folders: Path) -> set[bytes]:
    """Of all files beneath some directories."""
    return {path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file()}


def test_a_link_back_to_the_source_is_no_copy(outhaul: Program) -> None:
    """Where a link leads from the destination to the source, a file is not taken for its own copy."""
    (outhaul.source / "data").mkdir()
    outhaul.write("data/file", b"the only one")
    outhaul.target.mkdir()
    (outhaul.target / "data").symlink_to(outhaul.source / "data")
    ran = outhaul.move()
    assert (ran.code, "data/file is another name of it" in ran.err + ran.out) == (1, True)
    assert contents(outhaul.source) == {b"the only one"}


def test_a_hard_link_is_no_copy(outhaul: Program) -> None:
    """What is written into the one is in the other."""
    outhaul.target.mkdir()
    os.link(outhaul.write("file", b"one"), outhaul.target / "file")
    assert outhaul.copy().code == 1
    assert os.stat(outhaul.source / "file").st_nlink == 2


def test_what_the_destination_has_lost_is_carried_again(outhaul: Program) -> None:
    """A copy, a destination that is emptied or not mounted, and a move: the receipt of the copy removes nothing."""
    outhaul.write("file", b"precious")
    assert outhaul.copy().code == 0
    shutil.rmtree(outhaul.target)
    ran = outhaul.move()
    assert "waiting: 1 was carried, and the store does not hold it any more" in ran.err
    assert contents(outhaul.source) == {b"precious"}
    assert outhaul.move().code == 0
    assert (contents(outhaul.source), contents(outhaul.target)) == (set(), {b"precious"})
    assert (
        "the store did not hold it any more"
        in outhaul("why", str(outhaul.source / "file"), "--state", str(outhaul.state)).out
    )


@pytest.mark.parametrize("bundle", [(), ("--bundle", "1MiB")], ids=["alone", "bundled"])
def test_a_time_that_no_ledger_can_hold(outhaul: Program, bundle: tuple[str, ...]) -> None:
    """A file of the year 2400 stops neither others nor itself."""
    outhaul.write("now", b"now")
    os.utime(outhaul.write("far", b"far"), (FAR, FAR))
    ran = outhaul.move(*bundle)
    assert (ran.code, contents(outhaul.source)) == (0, set())
    back = outhaul.home / "back"
    assert outhaul("restore", "**", "--to", str(back), "--state", str(outhaul.state)).code == 0
    assert contents(back) == {b"now", b"far"}
    assert (back / "far").stat().st_mtime_ns > 9 * 10**18


@pytest.mark.slow
def test_too_little_memory_for_one_file(outhaul: Program) -> None:
    """It is held, and says so; others go, and the exit code tells."""
    outhaul.write("large", os.urandom(20 << 20))
    outhaul.write("small", b"small")
    places = [str(outhaul.source), str(outhaul.target), "--state", str(outhaul.state)]
    command = [sys.executable, "-m", "outhaul", "move", *places, "--compress", "xz", "--level", "9"]
    limited = ["sh", "-c", 'ulimit -d 200000; exec "$@"', "sh", *command]
    ran = subprocess.run(limited, env=outhaul.environment, capture_output=True, text=True, check=False, timeout=60)
    assert (ran.returncode, "held     large: there is not enough memory for it" in ran.stderr) == (1, True)
    assert [path.name for path in outhaul.source.iterdir()] == ["large"]
