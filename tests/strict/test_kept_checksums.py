"""A store whose ETags are no digests, as with SSE-KMS, is asked for the SHA-256 of each small file; over our own connections."""

from collections import Counter

import pytest

from outhaul.model.errors import Misconfigured
from outhaul.model.job import Connection, Destination
from outhaul.ports import Abilities, Stored
from outhaul.stores.s3 import S3Store
from strict.faults import Fault, Kind
from strict.journeys import Journey
from strict.server import StrictServer

Capsys = pytest.CaptureFixture[str]


def carry(journey: Journey, capsys: Capsys) -> Counter[tuple[str, str]]:
    """Carry the files; operation and first word of the user agent of each request for one of them, and how many."""
    server = journey.server
    server.behaviour.etag = "opaque"
    journey.begin()
    outcome = journey.run(capsys)
    assert outcome.exit_code == 0, outcome.said
    journey.check_carried()
    files = [each for each in server.log if any(each.key.endswith(name) for name in journey.files)]
    assert {"HeadObject", "PutObject"} == {each.operation for each in files}
    return Counter((each.operation, each.headers["user-agent"].split("/")[0].split()[0]) for each in files)


def test_one_head_for_each_file(journey: Journey, capsys: Capsys) -> None:
    """And nothing is read back, and no MD5 is told: a SHA-256 is, and is compared on arrival."""
    count = len(journey.files)
    assert carry(journey, capsys) == {("PutObject", "outhaul"): count, ("HeadObject", "outhaul"): count}
    sent = [each.headers for each in journey.server.log if each.operation == "PutObject" and ".outhaul" not in each.key]
    assert {("content-md5" in told, "x-amz-checksum-sha256" in told) for told in sent} == {(False, True)}


@pytest.mark.parametrize(
    "fault",
    [
        Fault("HeadObject", Kind.ERROR, "in/", code="ServiceUnavailable", status=503, times=2),
        Fault("HeadObject", Kind.ERROR, "in/", status=500),
        Fault("HeadObject", Kind.ERROR, "in/", code="NoSuchKey", status=404),
        Fault("HeadObject", Kind.CLOSE, "in/", times=2),
        Fault("HeadObject", Kind.LOST, "in/", times=2),
        Fault("HeadObject", Kind.HEADERS, "in/", headers={"x-amz-checksum-sha256": "bm90IHdoYXQgd2FzIHNlbnQ="}),
        Fault("HeadObject", Kind.HEADERS, "in/", headers={"x-amz-checksum-type": "COMPOSITE"}),
        Fault("HeadObject", Kind.HEADERS, "in/", headers={"ETag": '"of-another-object"'}),
    ],
    ids=str,
)
def test_an_answer_that_shows_nothing(journey: Journey, capsys: Capsys, fault: Fault) -> None:
    """The file is proved otherwise, or by the next try; others are not held up."""
    journey.server.behaviour.etag = "opaque"
    journey.begin()
    journey.server.have(fault)
    for _ in range(3):
        journey.run(capsys)
        journey.check()
        if not journey.left:
            break
    journey.check_carried()


def test_where_the_general_client_knows_better(server: StrictServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that is no answer of an object is asked for again; an order is kept."""
    for name, value in server.environ().items():
        monkeypatch.setenv(name, value)
    server.behaviour.etag = "opaque"
    store = S3Store(
        Destination("s3://the-bucket/p", "s3", "the-bucket", "p", ""), Connection(server.endpoint_url, server.region)
    )
    store.adopt(store.probe())
    stored = [store.put(f"p/{number}", b"%d" % number) for number in range(3)]
    alone = [store.stored_sha256(f"p/{number}", one.version) for number, one in enumerate(stored)]
    server.have(Fault("HeadObject", Kind.ERROR, "p/1", code="BadRequest", status=400))
    asked = [(f"p/{number}", one) for number, one in enumerate(stored)]
    assert store.stored_sha256s(asked, 2) == alone
    assert store.stored_sha256s([], 2) == []


def test_credentials_that_are_gone_meanwhile(server: StrictServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each object has the fault; nothing is raised for all."""
    for name, value in server.environ().items():
        monkeypatch.setenv(name, value)
    store = S3Store(
        Destination("s3://the-bucket/p", "s3", "the-bucket", "p", ""), Connection(server.endpoint_url, server.region)
    )
    store.adopt(Abilities(create_only=True, readable=True, keeps_sha256=True))
    assert store._fast is not None

    def gone() -> dict[str, str]:
        raise OSError("no more")

    store._fast._account = store._fast._account._replace(provider=gone)
    asked = [(f"p/{number}", Stored("", "")) for number in (1, 2)]
    assert [type(found) for found in store.stored_sha256s(asked, 2)] == [Misconfigured] * 2
