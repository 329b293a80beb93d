"""A small HTTP/1.1 proxy on loopback that counts the bytes of bodies and lets one fault strike one upload.

True here: requests are read as HTTP (a head, and as many bytes as Content-Length says), answers are passed on as
they come; nothing but what the fault alters is altered, so that signatures hold. Two threads a connection; all of them
end with `stop`.
Not done here: TLS, chunked requests (passed on, and no fault strikes them).
"""

from __future__ import annotations

import contextlib
import io
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bench.losses.faults import Fault, Head

CHUNK = 64 * 1024
RECEIVE_BUFFER = 64 * 1024
"""Small, so that a body which is held here has not been swallowed whole by the kernel."""


@dataclass
class _Link:
    """One connection of a client with the one to the server, and the fault that strikes its current request."""

    client: socket.socket
    server: socket.socket
    fault: Fault | None = None
    body_sent: bool = False
    answered: int = 0
    """Bytes of answers, with their heads."""

    def close(self) -> None:
        for end in (self.client, self.server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


class Proxy:
    """Listens on a free port of 127.0.0.1 until `stop`, and passes everything on to another port there."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(512)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._fault: Fault | None = None
        self.seen: list[Head] = []
        """Every request, in the order of their coming."""
        self._answered = 0
        self._open: dict[int, _Link] = {}
        self._lock = threading.Lock()
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    @contextlib.contextmanager
    def fault(self, fault: Fault) -> Iterator[None]:
        """Let the fault strike while the block runs; whatever it holds is released at the end."""
        self._fault = fault
        try:
            yield
        finally:
            self._fault = None
            fault.released.set()

    @property
    def answered(self) -> int:
        """Bytes of all answers so far, with their heads."""
        with self._lock:
            return self._answered + sum(link.answered for link in self._open.values())

    def stop(self) -> None:
        """Close every connection and listen no more."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join(5)
        with self._lock:
            links = list(self._open.values())
        for link in links:
            link.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        """Pass requests on in this thread, and answers in another, until either side closes."""
        with client:
            try:
                server = socket.create_connection(("127.0.0.1", self._server_port), 10)
            except OSError:
                return
            server.settimeout(None)
            link = _Link(client, server)
            with self._lock:
                self._open[id(link)] = link
            answers = threading.Thread(target=_until_closed, args=(link, _answers), daemon=True)
            answers.start()
            with server:
                _until_closed(link, self._requests)
                answers.join()
            with self._lock:
                del self._open[id(link)]
                self._answered += link.answered

    def _requests(self, link: _Link) -> None:
        with link.client.makefile("rb") as reader:
            assert isinstance(reader, io.BufferedReader)
            while head := _read_head(reader):
                self.seen.append(head)
                if "transfer-encoding" in head.headers:
                    link.server.sendall(head.raw)
                    while data := reader.read1(CHUNK):
                        link.server.sendall(data)
                    return
                fault = self._fault
                _pass_on(link, head, reader, fault if fault and fault.claims(head) else None)


def _pass_on(link: _Link, head: Head, reader: io.BufferedReader, fault: Fault | None) -> None:
    """Pass one request on. `body_sent` is set before its last bytes go, for the answer may come at once."""
    link.fault, link.body_sent = fault, head.length == 0
    link.server.sendall(fault.head(head) if fault else head.raw)
    offset = 0
    while offset < head.length:
        data = reader.read1(min(CHUNK, head.length - offset))
        if not data:
            raise ConnectionError("the client ended within a body")
        passed = fault.body(offset, data) if fault else data
        offset += len(data)
        link.body_sent = offset == head.length
        link.server.sendall(passed)


def _answers(link: _Link) -> None:
    while data := link.server.recv(CHUNK):
        if link.fault and link.body_sent:
            link.fault.reply()
            link.fault = None
        link.answered += len(data)
        link.client.sendall(data)


def _until_closed(link: _Link, work: Callable[[_Link], None]) -> None:
    with contextlib.suppress(OSError):
        work(link)
    link.close()


def _read_head(reader: io.BufferedReader) -> Head | None:
    """Read the lines up to the empty one; None where the client has no more requests."""
    lines = []
    while (line := reader.readline(CHUNK)) not in (b"", b"\r\n"):
        lines.append(line)
    if not lines or not line:
        return None
    method, target, _ = lines[0].decode("latin-1").split(" ", 2)
    pairs = (line.decode("latin-1").partition(":") for line in lines[1:])
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    return Head(method, target, headers, b"".join([*lines, b"\r\n"]))
