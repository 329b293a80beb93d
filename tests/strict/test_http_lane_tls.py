"""stores/http_lane.py over TLS: only to whom an authority vouches for, and then as without."""

import os
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from outhaul.stores import http_lane
from outhaul.stores.http_lane import Answer, Endpoint, Lane, LaneError
from strict.certificates import Authority
from strict.raw import Conversation, raw_server
from strict.test_http_lane import forever, number_of, ok, request


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Little of it."""
    monkeypatch.setattr(http_lane, "SILENCE_SECONDS", 0.6)
    monkeypatch.setattr(http_lane, "CONNECT_SECONDS", 0.6)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that the client trusts."""
    return Authority(tmp_path_factory.mktemp("tls"))


def answering(conversation: Conversation) -> None:
    """Answer every request."""
    forever(lambda it, index: it.send(ok(index)))(conversation)


@contextmanager
def lane_to(port: int, authority: Authority) -> Iterator[Lane]:
    """A lane that trusts this authority and no other."""
    lane = Lane(Endpoint("127.0.0.1", port, ssl.create_default_context(cafile=str(authority.path))))
    yield lane
    lane.close()


def test_as_without_tls(authority: Authority) -> None:
    """Many requests with bodies beyond one TLS record, answers in pieces, on few connections that stay open."""
    body = os.urandom(300_000)

    def talk(conversation: Conversation) -> None:
        while (index := conversation.request()) is not None:
            whole = ok(index, b"x" * 40_000 if index % 3 == 0 else None)
            conversation.send(whole[:30], whole[30:20_000], whole[20_000:])

    with raw_server(talk, authority.server_context()) as server, lane_to(server.port, authority) as lane:
        for _ in range(2):
            answers = lane.send(30, lambda index: request(index, body), 5)
            assert list(range(30)) == [number_of(answer) for answer in answers]
        assert len(server.conversations) <= 5
        assert [len(answer.body) for answer in answers[::3] if isinstance(answer, Answer)] == [40_000] * 10


@pytest.mark.parametrize("wrong", ["another host", "another authority", "expired"])
def test_whom_nobody_vouches_for_is_sent_nothing(authority: Authority, tmp_path: Path, wrong: str) -> None:
    """A certificate of another host, of an unknown authority or out of date: an error that says so, and no request goes out."""
    contexts = {
        "another host": lambda: authority.server_context("s3.example.org"),
        "another authority": lambda: Authority(tmp_path, "stranger").server_context(),
        "expired": lambda: authority.server_context(days=-2),
    }
    with raw_server(answering, contexts[wrong]()) as server, lane_to(server.port, authority) as lane:
        answers = lane.send(3, request, 2)
        assert [isinstance(answer, LaneError) and "certificate" in str(answer) for answer in answers] == [True] * 3
        assert server.seen == []


def test_a_server_without_tls(authority: Authority) -> None:
    """Something that speaks no TLS is an error, at once."""
    with raw_server(lambda it: it.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as server:
        with lane_to(server.port, authority) as lane:
            began = time.monotonic()
            answers = lane.send(2, request, 2)
        assert [LaneError, LaneError] == [type(answer) for answer in answers]
        assert time.monotonic() - began < 2


def test_a_handshake_that_never_ends(authority: Authority) -> None:
    """It is given up in time."""
    with raw_server(lambda it: it.wait()) as server, lane_to(server.port, authority) as lane:
        began = time.monotonic()
        (answer,) = lane.send(1, request, 1)
        assert isinstance(answer, LaneError)
        assert "no connection" in str(answer)
        assert time.monotonic() - began < 4


@pytest.mark.parametrize("at", [0, 10, 60])
def test_a_connection_that_is_cut(authority: Authority, at: int) -> None:
    """A connection that ends without TLS's own goodbye, before or in an answer, is an error, and not asked again."""

    def talk(conversation: Conversation) -> None:
        index = conversation.request()
        conversation.send(ok(index, b"x" * 100)[:at])
        time.sleep(0.02)
        raw = socket.socket(fileno=conversation.sock.detach())
        raw.close()

    with raw_server(talk, authority.server_context()) as server, lane_to(server.port, authority) as lane:
        answers = lane.send(3, request, 3)
        assert [LaneError] * 3 == [type(answer) for answer in answers]
        assert sorted(server.seen) == [0, 1, 2]


def test_idle_connections_that_were_closed(authority: Authority) -> None:
    """A server that closes after each answer, with TLS's goodbye, costs nothing."""

    def talk(conversation: Conversation) -> None:
        conversation.send(ok(conversation.request()))

    with raw_server(talk, authority.server_context()) as server, lane_to(server.port, authority) as lane:
        for _ in range(3):
            assert list(range(4)) == [number_of(answer) for answer in lane.send(4, request, 4)]
            time.sleep(0.05)
        assert len(server.seen) == 12
