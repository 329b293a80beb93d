"""The strict server, fresh for each test. A fault that a test asked for and that was never reached fails the test."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from strict.journeys import FILES, Journey, hurry
from strict.server import StrictServer


@pytest.fixture
def server() -> Iterator[StrictServer]:
    """A strict server with one bucket, `the-bucket`."""
    with StrictServer() as server:
        server.make_bucket()
        yield server
        server.check_all_used()


@pytest.fixture
def journey(server: StrictServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Journey:
    """Three small files, about to go to the server by short pauses and time-outs, in an environment of its credentials alone."""
    hurry(monkeypatch)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in server.environ().items():
        monkeypatch.setenv(name, value)
    (tmp_path / "source").mkdir()
    return Journey(server, tmp_path / "source", tmp_path / "state", dict(FILES))
