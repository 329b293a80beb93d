"""A server that answers each request with whatever it is told, well-formed or not, on a free port of 127.0.0.1."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Answerer = Callable[[bytes], bytes]
"""Makes the bytes of an answer from the bytes of a request's head."""

_PATIENCE_SECONDS = 5.0


class RawServer:
    """Serves each connection on a thread of its own; `answer` may be exchanged at any time."""

    def __init__(self, answer: Answerer) -> None:
        self.answer = answer
        self.requests = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        """One request with its body, one answer, and the end."""
        connection.settimeout(_PATIENCE_SECONDS)
        with connection, suppress(OSError):
            data = b""
            while b"\r\n\r\n" not in data:
                piece = connection.recv(65536)
                if not piece:
                    return
                data += piece
            head, _, body = data.partition(b"\r\n\r\n")
            length = _length(head)
            while len(body) < length:
                piece = connection.recv(65536)
                if not piece:
                    return
                body += piece
            self.requests += 1
            connection.sendall(self.answer(head))


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length" and value.strip().isdigit():
            return int(value)
    return 0


@contextmanager
def raw_server(answer: Answerer) -> Iterator[RawServer]:
    """The server, for the length of a block."""
    server = RawServer(answer)
    try:
        yield server
    finally:
        server.close()


def reply(status: int, body: bytes = b"", headers: bytes = b"") -> bytes:
    """A well-formed answer."""
    return b"HTTP/1.1 %d Any\r\nContent-Length: %d\r\nConnection: close\r\n%s\r\n%s" % (
        status,
        len(body),
        headers,
        body,
    )


def error(status: int, code: str, message: str, more: str = "") -> bytes:
    """An answer with an error as S3 writes it."""
    text = f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>{message}</Message>{more}</Error>"
    return reply(status, text.encode(), b"Content-Type: application/xml\r\n")
