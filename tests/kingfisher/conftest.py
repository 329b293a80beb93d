"""What the tests of Kingfisher Archive need: a PostgreSQL and logs of Scrapy, made once, and a machine for each test."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from kingfisher.crawls import Logs
from kingfisher.world import World
from servers.postgres import Postgres, postgres
from servers.server import Server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """A real PostgreSQL. No test is skipped for want of it."""
    with postgres() as server:
        yield server


@pytest.fixture(scope="session")
def scrapy_logs(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Logs that a real Scrapy wrote, one for each of `crawls.CRAWLS`."""
    shared = tmp_path_factory.getbasetemp()
    return Logs((shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared) / "crawls")


@pytest.fixture
def world(
    tmp_path: Path,
    moto_server: Server,
    postgres_server: Postgres,
    scrapy_logs: Mapping[str, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> World:
    """A machine, with a bucket on moto, and its environment in this process too."""
    return _world(tmp_path, moto_server, postgres_server, scrapy_logs, monkeypatch)


@pytest.fixture
def any_world(
    tmp_path: Path,
    s3_server: Server,
    postgres_server: Postgres,
    scrapy_logs: Mapping[str, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> World:
    """The same on each of the servers in turn."""
    return _world(tmp_path, s3_server, postgres_server, scrapy_logs, monkeypatch)


def _world(
    home: Path, server: Server, database: Postgres, logs: Mapping[str, Path], monkeypatch: pytest.MonkeyPatch
) -> World:
    world = World(home, server, database, logs)
    for name in [name for name in os.environ if name not in world.environ]:
        monkeypatch.delenv(name)
    for name, value in world.environ.items():
        monkeypatch.setenv(name, value)
    return world
