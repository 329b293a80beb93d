"""A server that reads requests and then sends whatever bytes a test wants, when and how it wants.

A test gives a function that is called with each connection, on a thread of its own, and does all the talking.
"""

import contextlib
import re
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Conversation:
    """One connection, from the server's side."""

    def __init__(self, sock: socket.socket, number: int, seen: list[int]) -> None:
        self.sock = sock
        self.number = number
        """Counted from 0, in the order in which they came."""
        self._seen = seen
        self._buffer = b""

    def request(self) -> int | None:
        """Read a whole request; the number in its path, None where the other side has closed."""
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            if not self._more():
                return None
        length = re.search(rb"(?i)content-length: (\d+)", self._buffer[:end])
        size = end + 4 + (int(length[1]) if length else 0)
        while len(self._buffer) < size:
            if not self._more():
                return None
        return self._taken(size)

    def head(self) -> int | None:
        """Read a request's headers and leave its body where it is."""
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            data = self.sock.recv(1)
            if not data:
                return None
            self._buffer += data
        return self._taken(end + 4)

    def _taken(self, size: int) -> int:
        found = re.match(rb"(?:PUT|HEAD) /(\d+) ", self._buffer)
        assert found is not None, self._buffer[:80]
        self._buffer = self._buffer[size:]
        self._seen.append(int(found[1]))
        return int(found[1])

    def _more(self) -> bool:
        data = self.sock.recv(1 << 16)
        self._buffer += data
        return bool(data)

    def send(self, *pieces: bytes, pause_seconds: float = 0.002) -> None:
        """Send these, each in a segment of its own."""
        for index, piece in enumerate(pieces):
            if index:
                time.sleep(pause_seconds)
            self.sock.sendall(piece)

    def reset(self) -> None:
        """Close with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def wait(self) -> None:
        """Say nothing until the other side has closed."""
        with contextlib.suppress(OSError):
            while self.sock.recv(1 << 16):
                pass


class RawServer:
    """Where it listens, and what has come."""

    def __init__(self, listener: socket.socket) -> None:
        self.listener = listener
        self.port: int = listener.getsockname()[1]
        self.seen: list[int] = []
        """The number of each request, in the order in which they came."""
        self.conversations: list[Conversation] = []


@contextmanager
def raw_server(
    talk: Callable[[Conversation], None], tls: ssl.SSLContext | None = None, receive_bytes: int = 0
) -> Iterator[RawServer]:
    """Listen on a free port of 127.0.0.1 while the block runs.

    Args:
        talk: Called with each connection; when it returns, the connection is closed.
        tls: Where TLS is spoken.
        receive_bytes: Size of the socket's receive buffer; 0 is what the system likes.
    """
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        if receive_bytes:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        server = RawServer(listener)
        threading.Thread(target=_accept, args=(server, talk, tls), daemon=True).start()
        try:
            yield server
        finally:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            for conversation in server.conversations:
                with contextlib.suppress(OSError):
                    conversation.sock.shutdown(socket.SHUT_RDWR)


def _accept(server: RawServer, talk: Callable[[Conversation], None], tls: ssl.SSLContext | None) -> None:
    while True:
        try:
            sock, _ = server.listener.accept()
        except OSError:
            return
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        conversation = Conversation(sock, len(server.conversations), server.seen)
        server.conversations.append(conversation)
        threading.Thread(target=_talk, args=(conversation, talk, tls), daemon=True).start()


def _talk(conversation: Conversation, talk: Callable[[Conversation], None], tls: ssl.SSLContext | None) -> None:
    try:
        if tls is not None:
            conversation.sock = tls.wrap_socket(conversation.sock, server_side=True)
        talk(conversation)
    except OSError:
        pass
    finally:
        conversation.sock.close()
