"""HTTP/1.1 as the server speaks it: one request after the other on a connection, bodies with a Content-Length."""

import re
import select
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from urllib.parse import unquote

_HEAD_BYTES_MAX = 64 << 10
_BODY_BYTES_MAX = 5 << 30
_READ_BYTES = 256 << 10
_SECOND = 1.0


class Malformed(Exception):
    """What came is no request that this server understands."""


@dataclass(slots=True)
class Request:
    """One request, whole."""

    method: str
    path: str
    """As it was sent."""
    query: list[tuple[str, str]]
    """Decoded, in the order in which it was sent."""
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    def asked(self, name: str) -> str | None:
        """A parameter of the query; '' where it stands there without a value."""
        return next((value for found, value in self.query if found == name), None)


@dataclass(slots=True)
class Reply:
    """What is answered."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    length: int | None = None
    """Of Content-Length, where it is not the body's: the answer to HEAD."""
    seconds: float | None = None
    """Of Date, since 1970; None is now."""

    def encode(self) -> bytes:
        """The bytes of it."""
        try:
            phrase = HTTPStatus(self.status).phrase
        except ValueError:
            phrase = "Unknown"
        length = len(self.body) if self.length is None else self.length
        lines = [
            f"HTTP/1.1 {self.status} {phrase}",
            "Server: AmazonS3",
            f"Date: {formatdate(self.seconds, usegmt=True)}",
        ]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if self.status != 204:
            lines.append(f"Content-Length: {length}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + self.body


class Channel:
    """One connection, as the server sees it."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._buffer = b""

    def read(self) -> Request | None:
        """The next request; None where the other side has closed before it began one."""
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            if len(self._buffer) > _HEAD_BYTES_MAX:
                raise Malformed("no end of the headers")
            if not (data := self.sock.recv(_READ_BYTES)):
                if self._buffer:
                    raise Malformed("the request breaks off in its headers")
                return None
            self._buffer += data
        head, self._buffer = self._buffer[:end], self._buffer[end + 4 :]
        request = _parse(head)
        if "transfer-encoding" in request.headers:
            raise Malformed("a body without a length")
        length = int(request.headers.get("content-length", "0"))
        if length > _BODY_BYTES_MAX:
            raise Malformed("too long")
        if request.headers.get("expect", "").lower() == "100-continue" and not self._buffer:
            self.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.body = self._body(length)
        return request

    def _body(self, length: int) -> bytes:
        pieces, missing = [self._buffer[:length]], length - len(self._buffer)
        self._buffer = self._buffer[length:]
        while missing > 0:
            data = self.sock.recv(min(_READ_BYTES, missing))
            if not data:
                raise Malformed("the request breaks off in its body")
            pieces.append(data)
            missing -= len(data)
        return b"".join(pieces)

    def write(self, data: bytes) -> None:
        """Send these bytes."""
        self.sock.sendall(data)

    def reset(self) -> None:
        """Close with RST in place of FIN, so that what was sent before may be lost too."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def trickle(self, data: bytes, pause_seconds: float, stopped: Callable[[], bool]) -> None:
        """Send byte by byte, until the other side has had enough."""
        for index in range(len(data)):
            if stopped() or self.gone():
                return
            self.sock.sendall(data[index : index + 1])
            time.sleep(pause_seconds)

    def gone(self) -> bool:
        """Whether the other side has closed."""
        if not select.select([self.sock], [], [], 0)[0]:
            return False
        try:
            return not self.sock.recv(1, socket.MSG_PEEK)
        except OSError:
            return True


def _parse(head: bytes) -> Request:
    line, *rest = head.decode("latin-1").split("\r\n")
    found = re.fullmatch(r"([A-Z]+) (/\S*) HTTP/1\.1", line)
    if found is None:
        raise Malformed(f"no request line: {line[:80]!r}")
    headers: dict[str, str] = {}
    for text in rest:
        name, colon, value = text.partition(":")
        if not colon or not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
            raise Malformed(f"no header: {text[:80]!r}")
        name = name.lower()
        if name in headers and name in ("host", "content-length", "authorization"):
            raise Malformed(f"{name} twice")
        headers[name] = f"{headers[name]},{value.strip()}" if name in headers else value.strip()
    if "host" not in headers or not headers.get("content-length", "0").isdecimal():
        raise Malformed("no Host, or a Content-Length that is no number")
    path, _, search = found[2].partition("?")
    query = []
    for pair in search.split("&") if search else ():
        name, _, value = pair.partition("=")
        query.append((unquote(name), unquote(value)))
    return Request(found[1], path, query, headers, b"")
