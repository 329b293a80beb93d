"""A disk that is full is said to be, by everything that says how it is: on a real file system, filled to the last byte."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.program import Program
from faults.places import tmpfs
from web.serving import Serving

BYTES = 8 << 20


@pytest.fixture
def full(outhaul: Program) -> Iterator[Program]:
    """The source is full; a job has carried what is in it, told of it beneath `meeting`, and kept it."""
    with tmpfs(outhaul.source, BYTES):
        outhaul.write("log", bytes(BYTES))
        outhaul.target.mkdir()
        assert outhaul.copy().code == 0
        yield outhaul


def test_status_health_and_metrics(full: Program) -> None:
    """`status` says that it is full, `health` calls it a fault, and the metric is 0, however long that has been so."""
    for _ in range(2):
        health = full("health", "--state", str(full.state))
        assert (health.code, health.out.count(f"the disk of {full.source} is full: 0 B of 8.4 MB free")) == (1, 1)
        assert "disk: 0 B of 8.4 MB free; it is full" in full("status", "--state", str(full.state)).out
        assert "outhaul_disk_full_seconds" in full("metrics", "--state", str(full.state)).out
        _hours_ago(full.state)


def _hours_ago(state: Path) -> None:
    """It has been full for three hours."""
    with sqlite3.connect(state / "ledger.sqlite") as database:
        now = time.time_ns()
        rows = [(now - minutes * 60 * 10**9, 0, BYTES) for minutes in range(1, 180)]
        database.executemany("INSERT INTO space SELECT id, ?, ?, ? FROM place LIMIT 1", rows)


def test_the_page(full: Program) -> None:
    """It says so, and not that no end is in sight."""
    _hours_ago(full.state)
    with Serving(str(full.state)) as serving:
        serving.enter()
        text = serving.ask().text
        assert ("<strong>it is full</strong>" in text, "no end in sight" in text) == (True, False)


def test_the_fleet(full: Program) -> None:
    """The device tells that it is full in 0 seconds, and is in trouble for it."""
    configuration = full.home / "o.toml"
    configuration.write_text(
        f'[fleet]\nto = "{full.home}/meeting"\ndevice = "logger"\n[[job]]\nname = "a"\nsource = "{full.source}"\n'
        f'to = "{full.target}"\nafter = "keep"\nsettle = {{ quiet = "0s" }}\n'
    )
    assert full("run", str(configuration), "--state", str(full.state)).code == 0
    status = json.loads((full.home / "meeting/.outhaul/fleet/status/logger.json").read_text())
    assert status["disk"] == {"free": 0, "size": BYTES, "full_in_seconds": 0}
    seen = full("fleet", f"{full.home}/meeting")
    assert (seen.code, seen.out.count("the disk is full")) == (1, 1)


def test_a_source_that_is_read_only_is_not_full(outhaul: Program) -> None:
    """An image or a CD has nothing free from the beginning, and nobody can write there."""
    with tmpfs(outhaul.source, BYTES):
        outhaul.write("log", bytes(BYTES))
        subprocess.run(["mount", "-o", "remount,ro", str(outhaul.source)], check=True)
        outhaul.target.mkdir()
        assert outhaul.copy().code == 0
        assert outhaul("health", "--state", str(outhaul.state)).code == 0
