"""The program, and a database, ready to run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.program import Program
from servers.postgres import Postgres, postgres


@pytest.fixture
def outhaul(tmp_path: Path) -> Program:
    """The command with directories of its own."""
    return Program(tmp_path)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """A real PostgreSQL."""
    with postgres() as server:
        yield server
