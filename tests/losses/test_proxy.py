"""Each fault strikes the upload it is for, once, and nothing else is altered."""

import http.client
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest
from bench.losses.faults import CutShort, Fault, FlipByte, HoldBody, HoldReply
from bench.losses.proxy import Proxy

pytestmark = pytest.mark.slow

BODY = os.urandom(300_000)
AT = 100_000


class _Keeper(BaseHTTPRequestHandler):
    """Keeps the body of each PUT under its path."""

    protocol_version = "HTTP/1.1"
    kept: dict[str, bytes]

    def do_PUT(self) -> None:
        self.kept[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def _surroundings() -> Iterator[tuple[Proxy, dict[str, bytes]]]:
    kept: dict[str, bytes] = {}
    handler = type("Handler", (_Keeper,), {"kept": kept})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        serving = threading.Thread(target=server.serve_forever, daemon=True)
        serving.start()
        proxy = Proxy(server.server_address[1])
        try:
            yield proxy, kept
        finally:
            proxy.stop()
            server.shutdown()
            serving.join()


@pytest.fixture
def surroundings() -> Iterator[tuple[Proxy, dict[str, bytes]]]:
    """A proxy, and what the server behind it has been given."""
    with _surroundings() as made:
        yield made


def _put(proxy: Proxy, *paths: str) -> list[int]:
    """Put the body to each path over one connection, and return the answers."""
    parts = urlsplit(proxy.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    statuses = []
    for path in paths:
        connection.request("PUT", path, BODY)
        answer = connection.getresponse()
        answer.read()
        statuses.append(answer.status)
    connection.close()
    return statuses


Surroundings = tuple[Proxy, dict[str, bytes]]


def test_without_a_fault_nothing_is_altered(surroundings: Surroundings) -> None:
    """Bodies and answers pass, several on one connection."""
    proxy, kept = surroundings
    assert _put(proxy, "/b/one", "/b/two") == [200, 200]
    assert kept == {"/b/one": BODY, "/b/two": BODY}


def test_one_bit_is_flipped_once(surroundings: Surroundings) -> None:
    """Only in the first upload of that name."""
    proxy, kept = surroundings
    fault = FlipByte("two", AT)
    with proxy.fault(fault):
        _put(proxy, "/b/one", "/b/two", "/c/two")
    assert fault.met.is_set()
    assert kept["/b/one"] == kept["/c/two"] == BODY
    differing = [place for place, (a, b) in enumerate(zip(kept["/b/two"], BODY, strict=True)) if a != b]
    assert differing == [AT]


def test_a_body_is_cut_and_announced_as_shorter(surroundings: Surroundings) -> None:
    """The server sees a whole request, and the connection goes on to serve."""
    proxy, kept = surroundings
    with proxy.fault(CutShort("one", AT)):
        assert _put(proxy, "/b/one", "/b/two") == [200, 200]
    assert kept == {"/b/one": BODY[:AT], "/b/two": BODY}


@pytest.mark.parametrize("fault", [HoldBody("one", AT), HoldReply("one")], ids=["body", "reply"])
def test_a_hold_lasts_until_it_is_released(surroundings: Surroundings, fault: Fault) -> None:
    """While the reply is held the server has the object; while the body is held it has not."""
    proxy, kept = surroundings
    with proxy.fault(fault):
        client = threading.Thread(target=_put, args=(proxy, "/b/one"))
        client.start()
        assert fault.met.wait(10)
        assert client.is_alive()
        assert ("/b/one" in kept) == isinstance(fault, HoldReply)
        fault.released.set()
        client.join(10)
        assert not client.is_alive()
    assert kept == {"/b/one": BODY}


def test_leaving_the_block_releases(surroundings: Surroundings) -> None:
    """So no error of a race leaves a tool hanging."""
    proxy, kept = surroundings
    fault = HoldBody("one", AT)
    with proxy.fault(fault):
        client = threading.Thread(target=_put, args=(proxy, "/b/one"))
        client.start()
        assert fault.met.wait(10)
    client.join(10)
    assert kept == {"/b/one": BODY}
