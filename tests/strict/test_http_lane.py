"""stores/http_lane.py against a server that answers in every odd way: one answer or one error a request, in its place."""

import contextlib
import gc
import itertools
import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterator

import pytest

from outhaul.stores import http_lane
from outhaul.stores.http_lane import Answer, Endpoint, Lane, LaneError
from strict.raw import Conversation, raw_server

Talk = Callable[[Conversation], None]


def request(index: int, body: bytes = b"body") -> bytes:
    """A request with its number in the path."""
    return b"PUT /%d HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n" % (index, len(body)) + body


def ok(index: int | None, body: bytes | None = None, more: bytes = b"") -> bytes:
    """A whole answer with the number of its request in an ETag."""
    text = b"<ok/>" if body is None else body
    return b'HTTP/1.1 200 OK\r\nETag: "%d"\r\nContent-Length: %d\r\n%s\r\n' % (index or 0, len(text), more) + text


def number_of(answer: Answer | LaneError) -> int:
    """The number in the ETag of an answer."""
    assert isinstance(answer, Answer), answer
    return int(answer.head.split(b'ETag: "')[1].split(b'"')[0])


def void(_: object) -> None:
    """Nothing comes of it."""


def forever(talk: Callable[[Conversation, int], None]) -> Talk:
    """The same for each request of a connection."""

    def each(conversation: Conversation) -> None:
        while (index := conversation.request()) is not None:
            talk(conversation, index)

    return each


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Little of it, where a test does not say otherwise."""
    monkeypatch.setattr(http_lane, "SILENCE_SECONDS", 0.4)
    monkeypatch.setattr(http_lane, "CONNECT_SECONDS", 0.4)


@pytest.fixture
def lanes() -> Iterator[Callable[[int], Lane]]:
    """Makes lanes to a port of 127.0.0.1."""
    made: list[Lane] = []

    def make(port: int) -> Lane:
        made.append(Lane(Endpoint("127.0.0.1", port, None)))
        return made[-1]

    yield make
    for lane in made:
        lane.close()


Lanes = Callable[[int], Lane]


# --- answers that are whole ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("at_once", [1, 3, 64])
def test_each_request_has_its_own_answer(lanes: Lanes, at_once: int) -> None:
    """Whatever the order in which they come, each stands in the place of its request, and no more are under way than asked."""
    under_way, most, lock = 0, 0, threading.Lock()

    def talk(conversation: Conversation, index: int) -> None:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        time.sleep((index * 7 % 5) / 1000)
        with lock:
            under_way -= 1
        conversation.send(ok(index, b"x" * (index % 50)))

    with raw_server(forever(talk)) as server:
        answers = lanes(server.port).send(200, request, at_once)
        assert list(range(200)) == [number_of(answer) for answer in answers]
        assert [index % 50 for index in range(200)] == [
            len(answer.body) for answer in answers if isinstance(answer, Answer)
        ]
        assert list(range(200)) == sorted(server.seen)
        assert most <= at_once
        assert len(server.conversations) <= at_once


def test_a_head_has_no_body(lanes: Lanes) -> None:
    """Whatever length is told: the connection is good for the next request. One that was refused may be followed by a body
    nevertheless, and is not."""

    def talk(conversation: Conversation, index: int) -> None:
        conversation.send(b'HTTP/1.1 200 OK\r\nETag: "%d"\r\nContent-Length: 5000000\r\n\r\n' % index)

    def refuse(conversation: Conversation, index: int) -> None:
        conversation.send(b'HTTP/1.1 404 Not Found\r\nETag: "%d"\r\nContent-Length: 5\r\n\r\n' % index)
        with contextlib.suppress(OSError):  # The other side has closed.
            time.sleep(0.002)
            conversation.send(b"wrong")

    def head(index: int) -> bytes:
        return b"HEAD /%d HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n" % index

    for talking, connections in ((talk, 2), (refuse, 20)):
        with raw_server(forever(talking)) as server:
            answers = lanes(server.port).send(20, head, 2)
            assert [number_of(answer) for answer in answers] == list(range(20))
            assert {answer.body for answer in answers if isinstance(answer, Answer)} == {b""}
            assert len(server.conversations) == connections


class Body(bytearray):
    """One that tells whether anybody still holds it."""


@pytest.mark.parametrize("ends", ["answered", "reset before", "reset after the head"])
def test_no_body_is_held_when_the_answers_are_there(lanes: Lanes, ends: str) -> None:
    """A lane lives on, and holds nothing of what it has sent, or could not send; nor does an error, until the collector comes."""

    def talk(conversation: Conversation) -> None:
        if ends == "answered":
            forever(lambda conversation, index: conversation.send(ok(index)))(conversation)
        if ends == "reset after the head":
            conversation.head()
        conversation.reset()

    def sent(lane: Lane) -> tuple[list[Answer | LaneError], list[weakref.ref[Body]]]:
        bodies = [Body(16 << 20) for _ in range(3)]

        def made(index: int) -> tuple[bytes, bytes]:
            head = b"PUT /%d HTTP/1.1\r\nHost: t\r\nContent-Length: %d\r\n\r\n" % (index, len(bodies[index]))
            return head, bodies[index]  # type: ignore[return-value]

        answers = lane.send(3, made, 3, lambda index: len(bodies[index]))
        return answers, [weakref.ref(body) for body in bodies]

    with raw_server(talk) as server:
        lane = lanes(server.port)
        gc.collect()
        gc.disable()
        try:
            answers, held = sent(lane)
            assert [body() is None for body in held] == [True] * 3
        finally:
            gc.enable()
        assert all(isinstance(answer, Answer if ends == "answered" else LaneError) for answer in answers)


def test_connections_stay_open_from_one_call_to_the_next(lanes: Lanes) -> None:
    """Ten calls go over one connection, and no call leaves anything to the next."""
    with raw_server(forever(lambda conversation, index: conversation.send(ok(index)))) as server:
        lane = lanes(server.port)
        for count in (1, 3, 0, 5, 1):
            assert list(range(count)) == [number_of(answer) for answer in lane.send(count, request, 1)]
        assert len(server.conversations) == 1


WHOLE = {
    "plain": ok(7),
    "no reason": ok(7).replace(b"200 OK", b"200"),
    "empty reason": ok(7).replace(b"200 OK", b"200 "),
    "no body": ok(7, b""),
    "odd spacing": ok(7).replace(b"Content-Length: 5", b"content-LENGTH:\t5 "),
    "chunked": b'HTTP/1.1 200 OK\r\nETag: "7"\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n<ok\r\n2;x=1\r\n/>\r\n0\r\n\r\n',
    "chunked, a trailer": b'HTTP/1.1 200 OK\r\nETag: "7"\r\ntransfer-encoding: Chunked\r\n\r\n5\r\n<ok/>\r\n0\r\nA: b\r\n\r\n',
    "continue first": b"HTTP/1.1 100 Continue\r\n\r\n" + ok(7),
    "hints first": b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + ok(7),
    "version 1.0": ok(7).replace(b"HTTP/1.1", b"HTTP/1.0"),
    "goodbye": ok(7, None, b"Connection: close\r\n"),
    "204": b'HTTP/1.1 204 No Content\r\nETag: "7"\r\n\r\n',
}  # fmt: skip


@pytest.mark.parametrize("name", WHOLE)
def test_an_answer_may_come_in_any_two_pieces(lanes: Lanes, name: str) -> None:
    """Split at each of its bytes, or whole, an answer is the same; the one after it is found too."""
    data = WHOLE[name]

    def talk(conversation: Conversation) -> None:
        while (index := conversation.request()) is not None:
            number = b'"%d"' % index
            whole = data.replace(b'"7"', number)
            at = index * (len(whole) - 1) // 60 + 1
            conversation.send(*(piece for piece in (whole[:at], whole[at:]) if piece))
            if name in ("version 1.0", "goodbye") or "chunked" in name:
                return

    with raw_server(talk) as server:
        answers = lanes(server.port).send(60, request, 4)
        assert list(range(60)) == [number_of(answer) for answer in answers]
        expected = b"" if name in ("no body", "204") else b"<ok/>"
        assert {expected} == {answer.body for answer in answers if isinstance(answer, Answer)}
        assert list(range(60)) == sorted(server.seen)


def test_an_answer_may_come_byte_by_byte(lanes: Lanes) -> None:
    """Every byte in a segment of its own."""
    data = WHOLE["hints first"]

    def talk(conversation: Conversation, index: int) -> None:
        conversation.send(*(bytes([byte]) for byte in data), pause_seconds=0.0005)

    with raw_server(forever(talk)) as server:
        answers = lanes(server.port).send(2, request, 2)
        assert [number_of(answer) for answer in answers] == [7, 7]


def test_the_end_of_the_stream_may_end_a_body(lanes: Lanes) -> None:
    """Without a length the body is all there is until the connection is closed (RFC 9112, section 6.3)."""
    head = b'HTTP/1.1 200 OK\r\nETag: "%d"\r\n\r\n'

    def talk(conversation: Conversation) -> None:
        index = conversation.request()
        conversation.send(head % (index or 0), b"<ok", b"/>")

    with raw_server(talk) as server:
        answers = lanes(server.port).send(5, request, 2)
        assert list(range(5)) == [number_of(answer) for answer in answers]
        assert {b"<ok/>"} == {answer.body for answer in answers if isinstance(answer, Answer)}


@pytest.mark.parametrize("piece", ["", " ", "later"])
def test_what_comes_after_an_answer_is_nobodys_answer(lanes: Lanes, piece: str) -> None:
    """An answer that nobody has asked for, in the same read or while the connection is idle, is given to no request."""

    def talk(conversation: Conversation, index: int) -> None:
        spare = ok(99)
        if piece == "later":
            conversation.send(ok(index), spare, pause_seconds=0.02)
        else:
            conversation.send(ok(index) + spare + piece.encode())

    with raw_server(forever(talk)) as server:
        lane = lanes(server.port)
        for index in range(5):
            (answer,) = lane.send(1, lambda _, index=index: request(index), 1)  # type: ignore[misc]
            assert index == number_of(answer)
            time.sleep(0.05)


def test_an_answer_that_comes_before_the_body_is_sent(lanes: Lanes) -> None:
    """A store that refuses a large body after its headers is heard, though it closes without reading the rest."""
    refusal = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\nConnection: close\r\n\r\nnope"

    def talk(conversation: Conversation) -> None:
        conversation.head()
        conversation.send(refusal)

    body = bytes(8 << 20)
    with raw_server(talk) as server:
        for answer in lanes(server.port).send(4, lambda index: request(index, body), 2):
            assert isinstance(answer, Answer), answer
            assert (answer.status, answer.body) == (403, b"nope")


def test_a_slow_link_is_no_silent_one(lanes: Lanes) -> None:
    """As long as the other side takes bytes, a body may take longer than the longest silence."""
    body = bytes(3 << 20)

    def talk(conversation: Conversation) -> None:
        index = conversation.head()
        missing = len(body)
        while missing:
            missing -= len(conversation.sock.recv(min(missing, 100_000)))
            time.sleep(0.03)
        conversation.send(ok(index))

    with raw_server(talk, receive_bytes=65_536) as server:
        began = time.monotonic()
        (answer,) = lanes(server.port).send(1, lambda index: request(index, body), 1)
        assert number_of(answer) == 0
        assert time.monotonic() - began > http_lane.SILENCE_SECONDS


# --- answers that are not -----------------------------------------------------------------------------------------

BROKEN = {
    "nothing": b"",
    "half a status line": b"HTTP/1.1 2",
    "half a header": b"HTTP/1.1 200 OK\r\nContent-Le",
    "half a body": ok(7)[:-2],
    "half a chunk": WHOLE["chunked"][:-15],
    "no last chunk": WHOLE["chunked"][:-5],
    "only a continue": b"HTTP/1.1 100 Continue\r\n\r\n",
    "not http": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "html": b"<html><body>Welcome to the hotel</body></html>\r\n\r\n",
    "version 2": ok(7).replace(b"HTTP/1.1", b"HTTP/2"),
    "version 9": b"pong\r\n\r\n",
    "status of two digits": ok(7).replace(b"200 OK", b"20 OK"),
    "status of four digits": ok(7).replace(b"200 OK", b"2000 OK"),
    "an empty line first": b"\r\n\r\n" + ok(7),
    "zeros": bytes(100) + b"\r\n\r\n",
    "a chunk of no size": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n\r\n0\r\n\r\n",
    "a chunk of words": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfive\r\n<ok/>\r\n0\r\n\r\n",
    "a chunk less than none": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-6\r\n<ok/>\r\n0\r\n\r\n",
    "a chunk of 0x5": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\n<ok/>\r\n0\r\n\r\n",
    "a chunk of 1_0": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1_0\r\n0123456789abcdef\r\n0\r\n\r\n",
    "a huge chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffff\r\n<ok/>",
    "a huge length": b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n<ok/>",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n<ok/>",
    "a length and chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n<ok/>\r\n0\r\n\r\n",
    "a length that is none": b"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\n<ok/>",
    "a length less than none": b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n<ok/>",
    "headers without an end": b"HTTP/1.1 200 OK\r\n" + b"X-Long: " + b"a" * (200 << 10),
    "more headers than anybody reads": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 40_000,
}  # fmt: skip


@pytest.mark.parametrize("end", ["close", "reset"])
@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_whole_answer_is_an_error(lanes: Lanes, name: str, end: str) -> None:
    """It is an error in the place of its request alone; the others have their answers."""

    def talk(conversation: Conversation) -> None:
        while (index := conversation.request()) is not None:
            if index % 2:
                conversation.send(ok(index))
                continue
            conversation.send(BROKEN[name])
            time.sleep(0.01)
            if end == "reset":
                conversation.reset()
            return

    with raw_server(talk) as server:
        answers = lanes(server.port).send(6, request, 6)
        assert [LaneError, Answer] * 3 == [type(answer) for answer in answers]
        assert [number_of(answer) for answer in answers[1::2]] == [1, 3, 5]


@pytest.mark.parametrize("flood", ["body", "chunks", "a chunk's size", "continues", "headers"])
def test_an_answer_without_an_end_is_an_error(lanes: Lanes, flood: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that never stops is given up at a bounded size, long before its time is over."""
    monkeypatch.setattr(http_lane, "SILENCE_SECONDS", 20.0)
    begins = {"body": b"HTTP/1.1 200 OK\r\n\r\n", "continues": b"", "headers": b"HTTP/1.1 200 OK\r\n"}
    pieces = {"body": b"x" * 8192, "chunks": b"400\r\n" + b"x" * 1024 + b"\r\n", "a chunk's size": b"0" * 8192,
              "continues": b"HTTP/1.1 100 Continue\r\n\r\n" * 300, "headers": b"X: y\r\n" * 1000}  # fmt: skip
    sent = 0

    def talk(conversation: Conversation) -> None:
        nonlocal sent
        conversation.request()
        conversation.send(begins.get(flood, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"))
        for _ in range(2000):
            conversation.send(pieces[flood])
            sent += len(pieces[flood])

    with raw_server(talk) as server:
        began = time.monotonic()
        (answer,) = lanes(server.port).send(1, request, 1)
        assert isinstance(answer, LaneError)
        assert time.monotonic() - began < 5


def test_many_interim_answers_are_no_trouble(lanes: Lanes) -> None:
    """Two thousand times "100 Continue" in front of an answer are read over."""
    with raw_server(forever(lambda it, index: it.send(b"HTTP/1.1 100 Continue\r\n\r\n" * 2000 + ok(index)))) as server:
        assert [number_of(answer) for answer in lanes(server.port).send(2, request, 1)] == [0, 1]


# --- sent twice, or not -------------------------------------------------------------------------------------------


def test_a_fresh_connection_that_closes_is_not_asked_again(lanes: Lanes) -> None:
    """Nothing says that the request was not carried out: it is sent once (law L15)."""
    with raw_server(lambda conversation: void(conversation.request())) as server:
        answers = lanes(server.port).send(4, request, 2)
        assert [LaneError] * 4 == [type(answer) for answer in answers]
        assert list(range(4)) == sorted(server.seen)


@pytest.mark.parametrize("end", ["close", "reset"])
def test_a_used_connection_that_closes_is_asked_again_once(lanes: Lanes, end: str) -> None:
    """A keep-alive connection may be closed just as a request goes out on it: that request goes out once more, anew."""

    def talk(conversation: Conversation) -> None:
        index = conversation.request()
        conversation.send(ok(index))
        conversation.request()
        if end == "reset":
            conversation.reset()

    with raw_server(talk) as server:
        lane = lanes(server.port)
        first = lane.send(4, request, 4)
        assert list(range(4)) == [number_of(answer) for answer in first]
        second = lane.send(4, lambda index: request(10 + index), 4)
        assert [number_of(answer) for answer in second] == [10, 11, 12, 13]
        assert [server.seen.count(index) for index in (10, 11, 12, 13)] == [2, 2, 2, 2]


def test_no_request_is_sent_three_times(lanes: Lanes) -> None:
    """The second try is the last."""
    never = threading.Event()

    def talk(conversation: Conversation) -> None:
        index = conversation.request()
        if not never.is_set():
            conversation.send(ok(index))
            conversation.request()

    with raw_server(talk) as server:
        lane = lanes(server.port)
        lane.send(3, request, 3)
        never.set()
        answers = lane.send(3, lambda index: request(10 + index), 3)
        assert [LaneError] * 3 == [type(answer) for answer in answers]
        assert [server.seen.count(index) for index in (10, 11, 12)] == [2, 2, 2]


def test_half_an_answer_on_a_used_connection_is_not_asked_again(lanes: Lanes) -> None:
    """Once a byte of an answer has come, the request has been heard: it is not sent again."""

    def talk(conversation: Conversation) -> None:
        conversation.send(ok(conversation.request()))
        conversation.request()
        conversation.send(b"HTTP/1.1 200")

    with raw_server(talk) as server:
        lane = lanes(server.port)
        lane.send(1, request, 1)
        (answer,) = lane.send(1, lambda _: request(10), 1)
        assert isinstance(answer, LaneError)
        assert server.seen.count(10) == 1


def test_idle_connections_that_were_closed_are_not_used(lanes: Lanes) -> None:
    """A server that restarts between two calls costs nothing: no request is sent on what it has closed."""

    def talk(conversation: Conversation) -> None:
        conversation.send(ok(conversation.request()))

    with raw_server(talk) as server:
        lane = lanes(server.port)
        for turn in range(4):
            answers = lane.send(8, lambda index, turn=turn: request(10 * turn + index), 8)  # type: ignore[misc]
            assert [10 * turn + index for index in range(8)] == [number_of(answer) for answer in answers]
            time.sleep(0.05)
        assert len(server.seen) == 32


# --- silence, and no connection -----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("way", ["at once", "in the headers", "in the body", "byte by byte", "takes nothing"])
def test_a_stall_ends(lanes: Lanes, way: str) -> None:
    """A request that is not answered in time is an error, whoever else is answered meanwhile, and however slowly bytes drip."""
    stop = threading.Event()

    def talk(conversation: Conversation) -> None:
        while (index := conversation.request() if way != "takes nothing" else conversation.head()) is not None:
            if index or way == "takes nothing":
                conversation.send(ok(index), pause_seconds=0.05)
                if way != "takes nothing":
                    time.sleep(0.1)
                    continue
            whole = ok(index, b"x" * 500)
            sent = {"in the headers": 12, "in the body": len(whole) - 20}.get(way, 0)
            conversation.send(whole[:sent])
            if way == "byte by byte":
                for byte in whole:
                    if stop.is_set():
                        return
                    conversation.send(bytes([byte]))
                    time.sleep(0.1)
            stop.wait(30)
            return

    body = bytes(30 << 20) if way == "takes nothing" else b"body"

    def silent(conversation: Conversation) -> None:
        conversation.head()
        stop.wait(30)

    with raw_server(silent if way == "takes nothing" else talk) as server:
        began = time.monotonic()
        try:
            answers = lanes(server.port).send(
                1 if way == "takes nothing" else 12, lambda index: request(index, body), 2
            )
        finally:
            stop.set()
        assert time.monotonic() - began < 6
        assert isinstance(answers[0], LaneError)
        assert "in time" in str(answers[0])
        assert list(range(1, len(answers))) == [number_of(answer) for answer in answers[1:]]


def test_nobody_listens(lanes: Lanes) -> None:
    """Every request says that the connection was refused."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    answers = lanes(port).send(5, request, 2)
    assert [isinstance(answer, LaneError) and "refused" in str(answer) for answer in answers] == [True] * 5


def test_nobody_accepts(lanes: Lanes) -> None:
    """A connection that is not made in time is an error."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = []
        for _ in range(4):  # The queue of a listener that does not accept is soon full.
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
            fillers.append(filler)
        time.sleep(0.05)
        began = time.monotonic()
        answers = lanes(listener.getsockname()[1]).send(2, request, 2)
        for filler in fillers:
            filler.close()
    assert [isinstance(answer, LaneError) and "no connection" in str(answer) for answer in answers] == [True] * 2
    assert time.monotonic() - began < 5


def test_a_name_that_is_unknown() -> None:
    """A host that cannot be looked up is an error for each request, and so is one that is no name at all."""
    for host in ("no-such-host.invalid", "a..b", "x" * 70):
        lane = Lane(Endpoint(host, 9, None))
        answers = lane.send(2, request, 2)
        lane.close()
        assert [LaneError, LaneError] == [type(answer) for answer in answers]


@pytest.mark.parametrize("order", [[0, 1], [1, 0], [0, 0, 1, 0]])
def test_one_address_of_several_is_enough(lanes: Lanes, monkeypatch: pytest.MonkeyPatch, order: list[int]) -> None:
    """Where a host has an address that cannot be reached (IPv6 without a route), every request goes to another."""
    with (
        raw_server(forever(lambda conversation, index: conversation.send(ok(index)))) as server,
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):
        dead = listener.getsockname()[1]
        listener.close()
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        found = [(*kind, ("127.0.0.1", server.port if which else dead)) for which in order]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        answers = lanes(server.port).send(20, request, 4)
        assert list(range(20)) == [number_of(answer) for answer in answers]


def test_the_next_call_does_not_suffer(lanes: Lanes) -> None:
    """After errors of every kind the same lane carries on."""
    ways = itertools.cycle([b"", b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n<"])
    broken = threading.Event()
    broken.set()

    def talk(conversation: Conversation) -> None:
        while (index := conversation.request()) is not None:
            if broken.is_set():
                conversation.send(next(ways))
                return
            conversation.send(ok(index))

    with raw_server(talk) as server:
        lane = lanes(server.port)
        assert {LaneError} == {type(answer) for answer in lane.send(9, request, 3)}
        broken.clear()
        assert list(range(9)) == [number_of(answer) for answer in lane.send(9, request, 3)]
