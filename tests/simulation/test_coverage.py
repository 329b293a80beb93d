"""Every line and every branch of stages and engine is run by these tests: a gate, not a figure that is looked at.

The tests under `_TESTS` are enough by themselves, without the slow ones: each error branch is entered through a fault of the
simulated world. Lines do not become right by being run; the mutants (`test_mutants.py`) say whether a test would notice.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

_TESTS = ("tests/stages", "tests/engine", "tests/simulation/test_corners.py")
_ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_every_branch_of_stages_and_engine_is_run(tmp_path: Path) -> None:
    """100 % of the branches of each module."""
    report = tmp_path / "coverage.json"
    measured = ("--cov=outhaul.stages", "--cov=outhaul.engine", "--cov-branch", f"--cov-report=json:{report}")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-m", "not slow", "-p", "no:cacheprovider", *measured, *_TESTS],
        cwd=_ROOT,
        env={**os.environ, "COVERAGE_FILE": str(tmp_path / "coverage")},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stdout[-4000:]
    files = json.loads(report.read_text())["files"]
    assert {name: _gaps(file) for name, file in files.items() if _gaps(file)} == {}
    assert {"dispose", "rounds", "restore"} <= {Path(name).stem for name in files}


def _gaps(file: dict[str, list[object]]) -> list[object]:
    return [*file["missing_lines"], *file["missing_branches"]]
