"""Who has a file open for writing, asked of /proc: certain only for root who sees every process of the machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[2] / "src"
ASK = """
import os, sys
from outhaul.host.writers import open_for_writing
found = os.stat(sys.argv[1])
print(open_for_writing(found.st_dev, found.st_ino))
"""
ELSEWHERE = ["/usr/bin/unshare", "--pid", "--fork", "--mount-proc"]
pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not os.path.exists(ELSEWHERE[0]), reason="only root sees every process"
)


def asked(path: Path, *front: str) -> str:
    """What a process of its own is told."""
    command = [*front, sys.executable, "-S", "-c", ASK, str(path)]
    done = subprocess.run(command, env={"PYTHONPATH": str(SOURCES)}, capture_output=True, text=True, check=False)
    if front and "Operation not permitted" in done.stderr:
        pytest.skip("no namespaces can be made here")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_in_a_container_nobody_can_tell(tmp_path: Path) -> None:
    """Root in a pid namespace sees its own processes alone: a writer on the host is none of them."""
    path = tmp_path / "file"
    with path.open("wb"):
        assert asked(path) == "True"
        assert asked(path, *ELSEWHERE) == "None"
    assert asked(path, *ELSEWHERE) == "None"
