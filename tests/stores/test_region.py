"""Where a bucket is: S3 tells it in a header of nearly every answer, and is asked once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from outhaul.model.errors import Transient
from outhaul.model.job import Connection
from outhaul.stores.s3_region import with_region


class Answering(HTTPServer):
    """It answers each HEAD alike."""

    def __init__(self, status: int, region: str) -> None:
        self.status, self.region = status, region
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        server = self.server
        assert isinstance(server, Answering)
        server.asked.append(self.path)
        self.send_response(server.status)
        if server.region:
            self.send_header("x-amz-bucket-region", server.region)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture(params=[(200, "eu-north-1"), (301, "eu-west-3"), (403, "us-west-2"), (404, "")])
def there(request: pytest.FixtureRequest) -> Iterator[Answering]:
    """S3, as it answers a HEAD of a bucket that is here, elsewhere, not ours, or that knows no regions."""
    server = Answering(*request.param)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_region_is_asked_for_once(there: Answering) -> None:
    """By a request that nobody signs; what tells of none leaves it to the environment."""
    connection = Connection(endpoint_url=f"http://127.0.0.1:{there.server_port}/base", region="auto")
    found = [with_region(connection, "a-bucket", {}) for _ in range(3)]
    assert (found, there.asked) == ([connection._replace(region=there.region)] * 3, ["/base/a-bucket"])


def test_a_region_that_is_named_is_not_asked_for() -> None:
    """Nor is one that is left to the environment."""
    for region in ("", "eu-north-1"):
        connection = Connection(endpoint_url="http://127.0.0.1:9", region=region)
        assert with_region(connection, "a-bucket", {}) is connection


def test_who_does_not_answer_may_do_so_later() -> None:
    """Files wait for it."""
    with pytest.raises(Transient, match=r"the region of bucket a-bucket cannot be asked for: .*refused"):
        with_region(Connection(endpoint_url="http://127.0.0.1:9", region="auto"), "a-bucket", {})
