"""A store that is closed holds no connection, with no help of the collector of cycles; calls under way come to their ends."""

from __future__ import annotations

import gc
import os
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from outhaul.model.job import Connection, Destination
from outhaul.model.object_settings import ObjectSettings
from outhaul.ports import Abilities, Stored
from outhaul.stores.s3 import S3Store
from servers.server import Server


@pytest.fixture(autouse=True)
def credentials(moto_server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the server; the other one asks for none."""
    for name, value in moto_server.environ().items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def no_collector() -> Iterator[None]:
    """It does not come while the test runs."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def sockets() -> int:
    """How many descriptors of this process are sockets, or wait for some."""
    links = []
    for name in os.listdir("/proc/self/fd"):
        try:
            links.append(os.readlink(f"/proc/self/fd/{name}"))
        except FileNotFoundError:
            continue
    return sum(link.startswith(("socket:", "anon_inode:[eventpoll]")) for link in links)


def _small(store: S3Store, name: str) -> None:
    store.put(f"p/{name}", b"x")


def _large(store: S3Store, name: str) -> None:
    store.put_large(f"p/{name}", 17 << 20, _Zeros(17 << 20), seal=lambda: None)


def _told(store: S3Store, _name: str) -> None:
    store.wall_ns()


class _Zeros:
    def __init__(self, length: int) -> None:
        self.left = length

    def read(self, length: int) -> bytes:
        taken = min(length, self.left)
        self.left -= taken
        return bytes(taken)


@pytest.mark.slow
@pytest.mark.parametrize("use", [_small, _large, _told])
@pytest.mark.parametrize("settings", [ObjectSettings(), ObjectSettings(storage_class="STANDARD")], ids=["", "settings"])
@pytest.mark.usefixtures("no_collector")
def test_no_connection_is_left(
    moto_server: Server, use: Callable[[S3Store, str], None], settings: ObjectSettings
) -> None:
    """Whatever it was used for."""
    bucket = moto_server.make_bucket()
    for index in range(6):
        destination, connection = (
            Destination(f"s3://{bucket}/p", "s3", bucket, "p"),
            Connection(moto_server.endpoint_url),
        )
        store = S3Store(destination, connection, settings)
        use(store, f"{use.__name__}-{index}")
        store.close()
        del store
        if index == 0:
            before = sockets()
    assert sockets() == before


def test_a_call_that_is_under_way_comes_to_its_end() -> None:
    """A pass whose source is gone leaves the store while workers send: they send on, and close what they used."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        connection = Connection(endpoint_url=f"http://127.0.0.1:{listening.getsockname()[1]}")
        store = S3Store(Destination("s3://bucket/p", "s3", "bucket", "p"), connection)
        store.adopt(Abilities(create_only=True, readable=True))
        with ThreadPoolExecutor(1) as worker:
            answer = worker.submit(store.put, "p/one", b"x")
            asked, _ = listening.accept()
            with asked:
                asked.recv(1 << 16)
                store.close()
                asked.sendall(b'HTTP/1.1 200 OK\r\nETag: "e"\r\nContent-Length: 0\r\n\r\n')
                assert answer.result(20) == Stored("e", "")
                asked.settimeout(20)
                assert asked.recv(1) == b"", "it was closed"
