"""The strict server, fresh for each test. A fault that a test asked for and that was never reached fails the test."""

from collections.abc import Iterator

import pytest

from strict.server import StrictServer


@pytest.fixture
def server() -> Iterator[StrictServer]:
    """A strict server with one bucket, `the-bucket`."""
    with StrictServer() as server:
        server.make_bucket()
        yield server
        server.check_all_used()
