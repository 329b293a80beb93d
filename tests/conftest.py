"""Fixtures for every test: real S3 servers, started once for each test process and stopped with it.

`rclone_server`, `moto_server` and `ministack_server` are one server each; `s3_server` runs a test on all
three, and `bucket` is a fresh bucket on it. A server whose package is not installed skips its tests, with the
reason.

What a test has played (seeds, kills, pairs of faults) it says with `record_property("figure", text)`; all of that is printed at
the end, also where the tests ran in several processes.
"""

from collections.abc import Iterator

import pytest

from servers.postgres import Cluster, durable_postgres
from servers.server import Server
from servers.start import SERVERS, Unavailable


def _session(name: str) -> Iterator[Server]:
    try:
        with SERVERS[name]() as server:
            yield server
    except Unavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL that keeps what it says it keeps."""
    with durable_postgres() as running:
        yield running


@pytest.fixture
def address(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> str:
    """That of an empty database of it; the password is in the environment."""
    monkeypatch.setenv("PGPASSWORD", cluster.server.password)
    return cluster.server.address(cluster.server.make_database())


@pytest.fixture(scope="session")
def rclone_server() -> Iterator[Server]:
    """A plain real server on a directory: it checks signatures, and ignores conditions and checksums."""
    yield from _session("rclone")


@pytest.fixture(scope="session")
def moto_server() -> Iterator[Server]:
    """A server that knows conditional writes, and checks neither signatures nor checksums."""
    yield from _session("moto")


@pytest.fixture(scope="session")
def ministack_server() -> Iterator[Server]:
    """A server that checks checksums and conditions, and accepts any signature."""
    yield from _session("ministack")


@pytest.fixture(scope="session", params=sorted(SERVERS))
def s3_server(request: pytest.FixtureRequest) -> Server:
    """Each of the servers in turn."""
    server = request.getfixturevalue(f"{request.param}_server")
    assert isinstance(server, Server)
    return server


@pytest.fixture
def bucket(s3_server: Server) -> str:
    """The name of an empty bucket on `s3_server`, for this test alone."""
    return s3_server.make_bucket()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The figures, below everything else."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    properties = [
        pair for report in reports if getattr(report, "when", "") == "call" for pair in report.user_properties
    ]
    if figures := sorted(str(value) for name, value in properties if name == "figure"):
        terminalreporter.section("what was played")
        for figure in figures:
            terminalreporter.write_line(figure)
