"""Every line and every branch of stages and engine is run by these tests: a gate, not a figure that is looked at.

The tests under `_TESTS` are enough by themselves, and take seconds: each error branch is entered through a fault of the
simulated world. Lines do not become right by being run; the mutants (`test_mutants.py`) say whether a test would notice.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

_TESTS = ("tests/stages", "tests/engine", "tests/simulation/test_corners.py")
_ROOT = Path(__file__).resolve().parents[2]

_NEW = "the way back: its tests of stage and engine are still to be written"
NOT_YET: dict[str, str] = {"account": _NEW, "audit": _NEW, "fetching": _NEW, "restore": _NEW, "restoring": _NEW}
"""Module to the reason why it may fall short. None of these removes a source. Whoever adds one says what is missing."""


def test_every_branch_of_stages_and_engine_is_run(tmp_path: Path) -> None:
    """100 % of the branches of each module, except of those that are named above."""
    report = tmp_path / "coverage.json"
    measured = ("--cov=outhaul.stages", "--cov=outhaul.engine", "--cov-branch", f"--cov-report=json:{report}")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *measured, *_TESTS],
        cwd=_ROOT,
        env={**os.environ, "COVERAGE_FILE": str(tmp_path / "coverage")},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stdout[-4000:]
    files = json.loads(report.read_text())["files"]
    assert {name: _gaps(file) for name, file in files.items() if _gaps(file) and _module(name) not in NOT_YET} == {}
    assert {"dispose", "rounds", *NOT_YET} <= {_module(name) for name in files}


def _module(name: str) -> str:
    return Path(name).stem


def _gaps(file: dict[str, list[object]]) -> list[object]:
    return [*file["missing_lines"], *file["missing_branches"]]
