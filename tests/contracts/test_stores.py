"""The store contract, held by a directory, by three S3 servers and by the simulated store."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from outhaul.host.clock import SystemClock
from outhaul.host.system_calls import rename_exclusive
from outhaul.model.job import Connection, Destination
from outhaul.model.keys import object_key
from outhaul.ports import Store
from outhaul.stores.directory import DirectoryStore
from outhaul.stores.s3 import S3Store
from outhaul.stores.s3_probe import ODD_NAME, long_key
from outhaul.stores.stream_manager import StreamManagerStore
from outhaul.testing.contracts.store import StoreContract
from outhaul.testing.store import SimulatedStore
from servers.server import Server
from servers.stream_manager import StreamManager, stream_manager


class TestSimulatedStore(StoreContract):
    large_bytes = 5 * (1 << 14) + 7

    @pytest.fixture
    def store(self) -> Store:
        return SimulatedStore()


class TestSimulatedStoreThatReplaces(StoreContract):
    large_bytes = 5 * (1 << 14) + 7

    @pytest.fixture
    def store(self) -> Store:
        store = SimulatedStore()
        store.create_only, store.etag, store.keeps_sha256, store.versions = False, "opaque", True, True
        return store


class TestDirectoryStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        store = DirectoryStore(str(tmp_path / "objects"), rename_exclusive)
        store.adopt(store.probe())
        return store


class _OnServer(StoreContract):
    @pytest.fixture
    def server(self) -> Server:
        raise NotImplementedError

    @pytest.fixture
    def bucket(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> str:
        for name, value in server.environ().items():
            monkeypatch.setenv(name, value)
        return server.make_bucket()

    @pytest.fixture
    def store(self, server: Server, bucket: str) -> Store:
        return open_s3(server, bucket)

    @pytest.fixture
    def another(self, server: Server, bucket: str) -> Store:
        return open_s3(server, bucket)


def open_s3(server: Server, bucket: str) -> S3Store:
    """A store on this bucket, probed, with the credentials of the environment."""
    destination = Destination(f"s3://{bucket}/site/7", "s3", bucket, "site/7")
    store = S3Store(destination, Connection(endpoint_url=server.endpoint_url))
    store.adopt(store.probe())
    return store


class TestS3StoreOnRclone(_OnServer):
    def test_a_name_that_xml_cannot_say(self, store: Store, another: Store, prefix: str) -> None:
        super().test_a_name_that_xml_cannot_say(store, another, prefix)

    @pytest.fixture
    def server(self, rclone_server: Server) -> Server:
        return rclone_server


@pytest.mark.slow
class TestS3StoreOnMoto(_OnServer):
    @pytest.fixture
    def server(self, moto_server: Server) -> Server:
        return moto_server


@pytest.mark.slow
class TestS3StoreOnMinistack(_OnServer):
    listed = 1100

    @pytest.fixture
    def server(self, ministack_server: Server) -> Server:
        return ministack_server


class TestStreamManagerStore(StoreContract):
    """Through a stand-in of the Stream Manager that puts into rclone; keys that it does not take go directly."""

    @pytest.fixture
    def manager(self, rclone_server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[StreamManager]:
        for name, value in rclone_server.environ().items():
            monkeypatch.setenv(name, value)
        with stream_manager(rclone_server) as running:
            monkeypatch.setenv("STREAM_MANAGER_SERVER_PORT", str(running.port))
            yield running

    @pytest.fixture
    def bucket(self, rclone_server: Server) -> str:
        return rclone_server.make_bucket()

    @pytest.fixture
    def store(self, rclone_server: Server, bucket: str, manager: StreamManager, tmp_path: Path) -> Iterator[Store]:
        spool, direct = str(tmp_path / "a spool #1?"), open_s3(rclone_server, bucket)
        with closing(StreamManagerStore(direct, bucket, "outhaul-test", spool, SystemClock().moment)) as opened:
            yield opened

    @pytest.fixture
    def another(self, rclone_server: Server, bucket: str) -> Store:
        return open_s3(rclone_server, bucket)


def test_what_real_servers_take(s3_server: Server, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each takes keys of 1,024 bytes and of unusual characters, and shows them in a listing as they were meant."""
    for name, value in s3_server.environ().items():
        monkeypatch.setenv(name, value)
    store = open_s3(s3_server, bucket)
    abilities = store.probe()
    assert (abilities.takes_long_keys, abilities.takes_odd_keys) == (True, True)
    assert {long_key("site/7"), object_key("site/7", ODD_NAME)} <= set(store.list("site/7/"))
