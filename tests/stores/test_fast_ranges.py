"""Ranges over our own connections: exactly what was asked for, or the general client's turn."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from outhaul.model.errors import Transient
from outhaul.model.job import Connection, Destination
from outhaul.stores.s3_account import Account
from outhaul.stores.s3_fast import FastPuts
from outhaul.stores.s3_fast_ranges import FastRanges
from outhaul.stores.s3_reading import S3Shelf
from servers.server import Server

BODY = bytes(range(256)) * 40
ASKED = (100, 50)
PART = BODY[100:150]


def answer(
    status: str = "206 Partial Content", told: str = "bytes 100-149/10240", body: bytes = PART, more: str = ""
) -> bytes:
    """One answer."""
    ranged = f"Content-Range: {told}\r\n" if told else ""
    return f"HTTP/1.1 {status}\r\n{ranged}Content-Length: {len(body)}\r\n{more}\r\n".encode() + body


class There:
    """A server that gives these answers, one for each request, and counts its connections; b'' closes without one."""

    def __init__(self, answers: list[bytes]) -> None:
        self.answers = answers
        self.requests: list[bytes] = []
        self.connections = 0
        self.listening = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                sock, _ = self.listening.accept()
            except OSError:
                return
            self.connections += 1
            with sock:
                while self.answers and (request := self._request(sock)):
                    self.requests.append(request)
                    reply = self.answers.pop(0)
                    if not reply:
                        break
                    sock.sendall(reply)
                    if b"Connection: close" in reply or b"cut" in reply[:40]:
                        break

    @staticmethod
    def _request(sock: socket.socket) -> bytes:
        data = b""
        while b"\r\n\r\n" not in data and (more := sock.recv(4096)):
            data += more
        return data


@contextmanager
def serving(*answers: bytes) -> Iterator[tuple[There, FastRanges]]:
    """A server, and what reads from it."""
    there = There(list(answers))
    account = Account(
        f"http://127.0.0.1:{there.listening.getsockname()[1]}", "us-east-1", "key", "secret", "", None, None, ""
    )
    try:
        yield there, FastRanges(FastPuts(account, "a-bucket"))
    finally:
        there.listening.close()


def read(ranges: FastRanges, version: str = "") -> bytes | None:
    """The range that is asked for."""
    part = ranges.part("a/key", version, *ASKED)
    return None if part is None else b"".join(part)


@pytest.mark.parametrize("status", ["206 Partial Content", "200 OK"])
def test_a_range_is_what_the_answer_says_it_is(status: str) -> None:
    """Also where a store says so with a 200; the request is signed, and its connection is used again."""
    with serving(answer(status), answer(status)) as (there, ranges):
        assert [read(ranges), read(ranges, "v 1")] == [PART, PART]
        assert there.connections == 1
    first, second = there.requests
    assert first.startswith(b"GET /a-bucket/a/key HTTP/1.1\r\nrange: bytes=100-149\r\n")
    assert second.startswith(b"GET /a-bucket/a/key?versionId=v%201 HTTP/1.1\r\n")
    assert b"Authorization: AWS4-HMAC-SHA256 Credential=key/" in first


@pytest.mark.parametrize(
    "odd",
    [
        answer("200 OK", "", BODY),
        answer(told="bytes 0-49/10240"),
        answer(told="bytes 100-149/10240", body=PART[:-1]),
        answer("403 Forbidden", "", b"<Error><Code>AccessDenied</Code></Error>"),
        answer("404 Not Found", "", b""),
        answer("301 Moved", "", b"", "Location: http://elsewhere/\r\n"),
        b"no HTTP at all\r\n\r\n",
        b"",
    ],
)
def test_anything_else_is_for_the_general_client(odd: bytes) -> None:
    """Nothing is guessed of it."""
    with serving(odd) as (_, ranges):
        assert read(ranges) is None


def test_a_connection_that_was_closed_meanwhile_costs_nothing() -> None:
    """The request goes out once more on a new one."""
    with serving(answer(), b"", answer()) as (there, ranges):
        assert [read(ranges), read(ranges)] == [PART, PART]
        assert there.connections == 2


def test_an_answer_that_breaks_off_is_no_range() -> None:
    """It is told, for the caller to ask again; the connection is not used any more."""
    cut = b"HTTP/1.1 206 cut\r\nContent-Range: bytes 100-149/10240\r\nContent-Length: 50\r\n\r\n" + PART[:20]
    with serving(cut, answer()) as (there, ranges):
        with pytest.raises(Transient, match=r"GET a/key: "):
            read(ranges)
        assert read(ranges) == PART
        assert there.connections == 2


def test_a_reader_that_leaves_takes_its_connection_with_it() -> None:
    """What was left unread would be taken for the next answer."""
    with serving(answer(), answer()) as (there, ranges):
        part = ranges.part("a/key", "", *ASKED)
        assert part is not None
        list_of_none: Callable[[], object] = part.close  # type: ignore[attr-defined]
        list_of_none()
        assert read(ranges) == PART
        assert there.connections in (1, 2)


def test_real_stores_give_their_ranges(s3_server: Server, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them, in its way."""
    for name, value in s3_server.environ().items():
        monkeypatch.setenv(name, value)
    with s3_server.client() as client:
        client.put(bucket, "p/o", BODY)
    there = Destination(f"s3://{bucket}/p", "s3", bucket, "p")
    shelf = S3Shelf(there, Connection(endpoint_url=s3_server.endpoint_url))
    for offset, length in ((0, 10), ASKED, (10_239, 1), (0, len(BODY))):
        assert b"".join(shelf.read_part("p/o", "", offset, length)) == BODY[offset : offset + length]
    assert list(shelf.read_part("p/o", "", 5, 0)) == []


def test_botocore_is_not_loaded_for_them(rclone_server: Server) -> None:
    """It takes longer than the rest of a small restore."""
    bucket = rclone_server.make_bucket()
    with rclone_server.client() as client:
        client.put(bucket, "o", BODY)
    program = (
        "import sys; from outhaul.stores.s3_reading import S3Shelf; from outhaul.model.job import Connection, Destination\n"
        "there = Destination('s3://' + sys.argv[1], 's3', sys.argv[1], '')\n"
        "shelf = S3Shelf(there, Connection(endpoint_url=sys.argv[2]))\n"
        "print(len(b''.join(shelf.read_part('o', '', 3, 7))), 'botocore' in sys.modules)"
    )
    command = [sys.executable, "-c", program, bucket, rclone_server.endpoint_url]
    said = subprocess.run(command, env=rclone_server.environ(), capture_output=True, text=True, check=True)
    assert said.stdout == "7 False\n"
