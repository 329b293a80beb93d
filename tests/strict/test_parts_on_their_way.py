"""What guards the bytes of a part on their way to the store (docs/decisions/0011-fast-parts.md)."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from outhaul.model.errors import AlreadyThere
from outhaul.model.job import Connection, Destination
from outhaul.stores.s3 import S3Store
from outhaul.testing.store import BytesOf
from strict.certificates import Authority
from strict.journeys import PART_BYTES, Journey
from strict.server import Logged, StrictServer

ELSEWHERE = "127.0.0.2"
"""Another address of this machine, of which outhaul does not know that it is."""
Capsys = pytest.CaptureFixture[str]


def elsewhere() -> StrictServer:
    """A server without TLS that may be anywhere."""
    try:
        return StrictServer(host=ELSEWHERE)
    except OSError:
        pytest.skip(f"{ELSEWHERE} is no address of this machine")


def carry(journey: Journey, capsys: Capsys, server: StrictServer, ca_file: str = "") -> None:
    """Carry a file of three parts to a server."""
    if not server.buckets:
        server.make_bucket()
    server.behaviour.part_bytes_min = PART_BYTES
    journey.server, journey.files = server, {"in/large.bin": os.urandom(2 * PART_BYTES + 1000)}
    journey.connection = journey.connection._replace(ca_file=ca_file)
    journey.begin()
    outcome = journey.run(capsys)
    assert outcome.exit_code == 0, outcome.said
    journey.check_carried()


def parts(server: StrictServer) -> list[Logged]:
    """Of which there are some, by our own client."""
    found = [each for each in server.log if each.operation == "UploadPart"]
    assert {"outhaul"} == {each.headers["user-agent"] for each in found}
    return found


def guards(server: StrictServer) -> set[tuple[bool, str]]:
    """Of the parts that were taken: whether an MD5 was told, and what was signed of the payload."""
    taken = [each.headers for each in parts(server) if each.status == 200]
    kinds = {"UNSIGNED-PAYLOAD": "nothing"}
    return {("content-md5" in told, kinds.get(told["x-amz-content-sha256"], "its digest")) for told in taken}


def test_on_this_machine(journey: Journey, capsys: Capsys) -> None:
    """Nobody is on the way: the store is told no MD5, and its ETag is of what it received."""
    with StrictServer() as server:
        carry(journey, capsys, server)
        assert guards(server) == {(False, "nothing")}


def test_over_tls(journey: Journey, capsys: Capsys, tmp_path: Path) -> None:
    """Nor there."""
    authority = Authority(tmp_path)
    with StrictServer(tls=authority.server_context()) as server:
        carry(journey, capsys, server, str(authority.path))
        assert guards(server) == {(False, "nothing")}


def test_without_tls(journey: Journey, capsys: Capsys) -> None:
    """The MD5 is signed, to a store that has refused a wrong one."""
    with elsewhere() as server:
        carry(journey, capsys, server)
        assert guards(server) == {(True, "nothing")}


def test_without_tls_to_a_store_that_compares_nothing(journey: Journey, capsys: Capsys) -> None:
    """The payload is signed."""
    with elsewhere() as server:
        server.behaviour.checks_content_md5 = False
        carry(journey, capsys, server)
        assert guards(server) == {(False, "its digest")}


@pytest.mark.parametrize("where", [StrictServer, elsewhere], ids=["on this machine", "without TLS"])
def test_a_bucket_that_locks_by_itself(
    journey: Journey, capsys: Capsys, where: Callable[[], AbstractContextManager[StrictServer]]
) -> None:
    """It takes nothing without a digest (AWS, "UploadPart"), though no job speaks of a lock: it is told from then on."""
    with where() as server:
        server.make_bucket().locked = True
        carry(journey, capsys, server)
        assert {told for told, _ in guards(server)} == {True}
        assert {each.code for each in parts(server) if each.status != 200} <= {"InvalidRequest"}


@pytest.mark.parametrize("conditions", [True, False])
def test_a_key_is_looked_at_before_an_earlier_upload_goes_on(
    server: StrictServer, monkeypatch: pytest.MonkeyPatch, conditions: bool
) -> None:
    """Something has it by now, and may not be replaced any more: no part is sent for nothing."""
    for name, value in server.environ().items():
        monkeypatch.setenv(name, value)
    server.behaviour.conditions = conditions
    begun = store_of(server).begin_large("p/large", 3 * PART_BYTES, replace=True)
    store = store_of(server)
    store.put("p/large", b"theirs")
    with pytest.raises(AlreadyThere):
        store.put_large("p/large", 3 * PART_BYTES, BytesOf(bytes(3 * PART_BYTES)), seal=lambda: None, begun=begun)
    assert [each.operation for each in server.log if each.operation in ("ListParts", "UploadPart")] == []
    assert server.buckets["the-bucket"].bodies()["p/large"] == b"theirs"


def store_of(server: StrictServer) -> S3Store:
    """As a process has it that has found out what the server does."""
    place = Destination("s3://the-bucket/p", "s3", "the-bucket", "p", "")
    store = S3Store(place, Connection(server.endpoint_url, server.region))
    store.adopt(store.probe())
    return store
