"""A ledger that is damaged in any way costs proving again, and never a byte (hazard 81)."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

FILES = 40


def outhaul(home: Path, verb: str) -> subprocess.CompletedProcess[str]:
    """One run over the source, to a directory."""
    command = [
        sys.executable,
        "-m",
        "outhaul",
        verb,
        str(home / "source"),
        str(home / "target"),
        "--state",
        str(home / "state"),
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def damage(path: Path, how: str) -> None:
    """Spoil a ledger."""
    content = bytearray(path.read_bytes())
    chance = random.Random(how)
    if how == "empty":
        content = bytearray()
    elif how == "no database":
        content = bytearray(chance.randbytes(5000))
    elif how == "cut off":
        content = content[: len(content) // 2]
    elif how == "a page of zeros":
        content[4096:8192] = bytes(4096)
    elif how == "flipped bytes":
        for _ in range(200):
            content[chance.randrange(100, len(content))] ^= 0xFF
    path.write_bytes(content)


@pytest.mark.parametrize("how", ["empty", "no database", "cut off", "a page of zeros", "flipped bytes"])
def test_a_damaged_ledger_costs_no_byte(tmp_path: Path, how: str) -> None:
    """Within two runs everything is carried; what was there is adopted; every content is in the target, whole."""
    source = tmp_path / "source"
    source.mkdir()
    contents = {f"{number}.csv": f"content {number}".encode() * 20 for number in range(FILES)}
    for name, content in contents.items():
        (source / name).write_bytes(content)
    assert outhaul(tmp_path, "copy").returncode == 0
    damage(tmp_path / "state" / "ledger.sqlite", how)
    runs = [outhaul(tmp_path, "move"), outhaul(tmp_path, "move")]
    assert runs[-1].returncode == 0, runs
    assert not any("Traceback" in run.stderr for run in runs)
    assert contents == {path.name: path.read_bytes() for path in (tmp_path / "target").iterdir()}
    assert list(source.iterdir()) == []
