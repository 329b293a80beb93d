"""`outhaul metrics` and `outhaul health`: what Prometheus and a probe read."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from cli.program import Program
from outhaul.frontends.cli.metrics import exposition
from outhaul.ledgers.queries import JobStatus, Waiting
from outhaul.model.lifecycle import REASONS

LINE = re.compile(r'outhaul_[a-z_]+\{[a-z_]+="(?:[^"\\\n]|\\.)*"(?:,[a-z_]+="(?:[^"\\\n]|\\.)*")*\} [0-9.e+]+')


@pytest.fixture
def moved(outhaul: Program) -> Program:
    """Two files went, and one is held."""
    outhaul.write("one")
    outhaul.write("two")
    outhaul.target.mkdir()
    outhaul.write("held")
    (outhaul.target / "held").write_bytes(b"other bytes")
    assert outhaul.move("--on-conflict", "hold").code == 1
    return outhaul


def test_the_text_is_what_prometheus_reads(moved: Program) -> None:
    """Each metric has its help and type before its values, and each line is well formed."""
    said = moved("metrics", "--state", str(moved.state))
    lines = said.out.splitlines()
    values = [line for line in lines if not line.startswith("#")]
    assert [line for line in values if not LINE.fullmatch(line)] == []
    by_name = {line.partition("{")[0]: line.rpartition(" ")[2] for line in values}
    assert (by_name["outhaul_files_carried_total"], by_name["outhaul_files_waiting"]) == ("2", "1")
    assert (by_name["outhaul_bytes_carried_total"], by_name["outhaul_waiting_bytes"]) == ("14", "7")
    assert float(by_name["outhaul_last_run_timestamp_seconds"]) > 1.7e9
    assert 'reason="conflict",state="held"' in said.out
    for name in by_name:
        assert lines.index(f"# TYPE {name} " + ("counter" if name.endswith("_total") else "gauge")) < len(lines)


def test_names_are_data() -> None:
    """Whatever stands in a path stays within its label."""
    oldest = Waiting("x", 1, "quiet", "", 10**18, 0)
    job = JobStatus('a"b', 'back\\slash\nnew "line"\udcff', "s3://b", 1, 2, {"quiet": 3}, 4, oldest, 0, {})
    values = [line for line in exposition([job], 10**18 + 90 * 10**9) if not line.startswith("#")]
    assert [line for line in values if not LINE.fullmatch(line)] == []
    assert any(line.startswith("outhaul_oldest_waiting_age_seconds") and line.endswith(" 90") for line in values)
    assert set(REASONS) >= {"quiet"}


def test_a_file_for_the_collector_is_whole(moved: Program, tmp_path: Path) -> None:
    """It is replaced at once; where it cannot be written, that is one line."""
    there = tmp_path / "outhaul.prom"
    for _ in range(2):
        assert moved("metrics", "--state", str(moved.state), "--output", str(there)).code == 0
    assert (there.read_text().startswith("# HELP"), [name for name in os.listdir(tmp_path) if ".prom." in name]) == (
        True,
        [],
    )
    mine = tmp_path / "mine"
    mine.write_text("mine")
    assert (moved("metrics", "--state", str(moved.state), "--output", str(mine)).code, mine.read_text()) == (2, "mine")
    refused = moved("metrics", "--state", str(moved.state), "--output", "/no/such/x.prom")
    assert (refused.code, refused.err) == (2, "outhaul: /no/such/x.prom cannot be written: No such file or directory\n")


def test_a_probe_is_told_what_is_not_well(moved: Program) -> None:
    """Held files always; what waits for too long, and a run that is overdue, where that is asked for."""
    state = str(moved.state)
    said = moved("health", "--state", state)
    assert (said.code, "1 file held: outhaul status" in said.out) == (1, True)
    (moved.target / "held").unlink()
    assert moved.move().code == 0
    assert moved("health", "--state", state, "--oldest", "1h", "--last-run", "1h").code == 0
    late = moved("health", "--state", state, "--last-run", "1ms")
    assert (late.code, "the last run ended" in late.out) == (1, True)
    assert moved("health", "--state", state, "--oldest", "soon").code == 2
