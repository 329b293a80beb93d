"""The program, ready to run."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.program import Program


@pytest.fixture
def outhaul(tmp_path: Path) -> Program:
    """The command with directories of its own."""
    return Program(tmp_path)
