"""The faults of the strict server are what they say, and a fault that nothing reaches fails its test."""

import base64
import hashlib
import http.client

import pytest

from strict import checksums
from strict.clients import ask, ask_on, signed
from strict.faults import ALWAYS, Fault, Kind, Script
from strict.server import StrictServer

BODY = b"some bytes of a file\n" * 3
OBJECT = "/the-bucket/a/b.csv"


def test_a_fault_strikes_when_it_is_due() -> None:
    """The nth request that matches is struck, so many times; the first fault that is due is taken."""
    script = Script()
    script.add([Fault("PutObject", Kind.CLOSE, key="a", nth=2, times=2), Fault("*", Kind.LOST, nth=5)])
    asked = [
        ("PutObject", "a1"),
        ("GetObject", "a1"),
        ("PutObject", "b"),
        ("PutObject", "a2"),
        ("PutObject", "xa"),
        ("PutObject", "a"),
    ]
    taken = [script.take(*one) for one in asked]
    assert [fault and fault.kind for fault in taken] == [None, None, None, Kind.CLOSE, Kind.CLOSE, None]
    assert [fault.kind for fault in script.unused()] == [Kind.LOST]


def test_an_unused_fault_is_an_error(server: StrictServer) -> None:
    """A fault that nothing has reached fails the test that asked for it."""
    server.have(Fault("GetObject", Kind.CLOSE))
    with pytest.raises(AssertionError, match="never reached"):
        server.check_all_used()
    with pytest.raises(http.client.RemoteDisconnected):
        ask(server, signed(server, OBJECT, method="GET"))


@pytest.mark.parametrize("kind", [Kind.CLOSE, Kind.LOST, Kind.RESET])
def test_a_lost_answer(server: StrictServer, kind: Kind) -> None:
    """The connection ends without a whole answer; the effect is there, unless it was closed before."""
    server.have(Fault("PutObject", kind))
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        ask(server, signed(server, OBJECT, body=BODY))
    assert ({} if kind is Kind.CLOSE else {"a/b.csv": BODY}) == server.buckets["the-bucket"].bodies()


def test_half_an_answer(server: StrictServer) -> None:
    """Some bytes of the answer come, and then the end of the stream; the effect is there."""
    server.have(Fault("PutObject", Kind.HALF))
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    request = signed(server, OBJECT, body=BODY)
    connection.request("PUT", request.target, request.body, request.headers)
    data = b"".join(iter(lambda: connection.sock.recv(4096), b""))
    connection.close()
    assert data.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\n\r\n" not in data
    assert server.buckets["the-bucket"].bodies() == {"a/b.csv": BODY}


@pytest.mark.parametrize("kind", [Kind.STALL, Kind.TRICKLE])
def test_a_stalled_answer(server: StrictServer, kind: Kind) -> None:
    """Nothing comes in time, or very slowly."""
    server.have(Fault("PutObject", kind))
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=0.1)
    with pytest.raises(TimeoutError):
        ask_on(connection, signed(server, OBJECT, body=BODY))
    connection.close()


@pytest.mark.parametrize(
    ("fault", "kept"),
    [
        (Fault("PutObject", Kind.NOT_STORED), None),
        (Fault("PutObject", Kind.TRUNCATED), BODY[: len(BODY) // 2]),
        (Fault("PutObject", Kind.OVERWRITTEN), b"somebody else's bytes"),
    ],
)
def test_a_lie_looks_like_the_truth(server: StrictServer, fault: Fault, kept: bytes | None) -> None:
    """The answer to the write is the usual one; what is stored is not."""
    server.have(fault)
    answer = ask(server, signed(server, OBJECT, body=BODY))
    assert (200, f'"{hashlib.md5(BODY).hexdigest()}"') == (answer.status, answer.headers["etag"])
    assert kept == server.buckets["the-bucket"].bodies().get("a/b.csv")


@pytest.mark.parametrize("told", ["sent", "stored"])
def test_a_flipped_bit(server: StrictServer, told: str) -> None:
    """Just one bit of what is stored is another, and the ETag is of what the fault says."""
    server.have(Fault("PutObject", Kind.FLIPPED, etag="sent" if told == "sent" else "stored"))
    answer = ask(server, signed(server, OBJECT, body=BODY))
    kept = server.buckets["the-bucket"].bodies()["a/b.csv"]
    assert sum((one ^ other).bit_count() for one, other in zip(BODY, kept, strict=True)) == 1
    expected = BODY if told == "sent" else kept
    assert f'"{hashlib.md5(expected).hexdigest()}"' == answer.headers["etag"]


def test_what_is_seen_later(server: StrictServer) -> None:
    """It is missed so many times by every kind of reader, and then there."""
    server.have(Fault("PutObject", Kind.DELAYED, requests=2))
    ask(server, signed(server, OBJECT, body=BODY))
    answers = [ask(server, signed(server, OBJECT, method=method)) for method in ("HEAD", "GET", "GET")]
    assert [answer.status for answer in answers] == [404, 404, 200]


def test_reading_that_goes_wrong(server: StrictServer) -> None:
    """A body breaks off, or has another bit, though the object is whole."""
    ask(server, signed(server, OBJECT, body=BODY))
    server.have(Fault("GetObject", Kind.CUT), Fault("GetObject", Kind.BENT, nth=2))
    with pytest.raises(http.client.IncompleteRead):
        ask(server, signed(server, OBJECT, method="GET"))
    bent = ask(server, signed(server, OBJECT, method="GET"))
    assert (200, len(BODY), True) == (bent.status, len(bent.body), bent.body != BODY)


def test_any_error_and_any_body(server: StrictServer) -> None:
    """An error has its code and headers, and no effect; a 200 can hold anything."""
    server.have(
        Fault("PutObject", Kind.ERROR, code="SlowDown"),
        Fault(
            "PutObject", Kind.ERROR, nth=2, status=307, code="TemporaryRedirect", headers={"Location": "{endpoint}/x"}
        ),
        Fault("PutObject", Kind.SAYS, nth=3, body=b"<html>", headers={"Content-Type": "text/html"}),
        Fault("PutObject", Kind.SAYS, nth=4, times=ALWAYS, effect=True),
    )
    answers = [ask(server, signed(server, OBJECT, body=BODY)) for _ in range(4)]
    assert [answer.status for answer in answers] == [503, 307, 200, 200]
    assert f"{server.endpoint_url}/x" == answers[1].headers["location"]
    assert [answer.code for answer in answers] == ["SlowDown", "TemporaryRedirect", "", "InternalError"]
    assert answers[2].body == b"<html>"
    assert server.buckets["the-bucket"].bodies() == {"a/b.csv": BODY}


def test_other_manners(server: StrictServer) -> None:
    """ETags that are no MD5, checksums that are echoed or ignored, and conditions that are not obeyed."""
    wrong = {"x-amz-checksum-sha256": checksums.encoded(bytes(32))}
    asked = {"x-amz-checksum-mode": "ENABLED"}
    server.behaviour.checksums, server.behaviour.etag, server.behaviour.conditions = "echoed", "opaque", False
    answer = ask(server, signed(server, OBJECT, body=BODY, headers=wrong))
    assert (answer.status, answer.headers["etag"].strip('"') != hashlib.md5(BODY).hexdigest()) == (200, True)
    head = ask(server, signed(server, OBJECT, method="HEAD", headers=asked))
    assert wrong["x-amz-checksum-sha256"] == head.headers["x-amz-checksum-sha256"]
    server.behaviour.checksums, server.behaviour.etag = "ignored", "echo"
    md5 = {"content-md5": base64.b64encode(bytes(16)).decode(), "if-none-match": "*"} | wrong
    assert f'"{bytes(16).hex()}"' == ask(server, signed(server, OBJECT, body=BODY, headers=md5)).headers["etag"]
    head = ask(server, signed(server, OBJECT, method="HEAD", headers=asked))
    assert "x-amz-checksum-sha256" not in head.headers
