"""A real forward proxy on 127.0.0.1: CONNECT for TLS, whole URLs for plain HTTP (RFC 9110, 9.3.6; RFC 9112, 3.2.2)."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit


class ForwardProxy:
    """It notes what it is asked for, and does it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        """Method and target of each request of a connection's beginning."""
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def serve(self) -> None:
        """Until the listener is closed."""
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._guarded, args=(client,), daemon=True).start()

    def close(self) -> None:
        """Take no more."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _guarded(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            self._one(client)

    def _one(self, client: socket.socket) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            if not (more := client.recv(65536)):
                return
            data += more
        method, target, rest = data.split(b" ", 2)
        self.asked.append(f"{method.decode()} {target.decode()}")
        if method == b"CONNECT":
            host, _, port = target.decode().rpartition(":")
            with socket.create_connection((host, int(port)), 10) as upstream:
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                threading.Thread(target=_pump, args=(client, upstream), daemon=True).start()
                _pump(upstream, client)
            return
        url = urlsplit(target.decode())
        path = target.decode().split(url.netloc, 1)[1] or "/"
        with socket.create_connection((url.hostname or "", url.port or 80), 10) as upstream:
            upstream.sendall(_closing(b" ".join((method, path.encode(), rest))))
            threading.Thread(target=_pump, args=(client, upstream), daemon=True).start()
            answer = b""
            while b"\r\n\r\n" not in answer and (more := upstream.recv(65536)):
                answer += more
            client.sendall(_closing(answer))
            _pump(upstream, client)


def _closing(message: bytes) -> bytes:
    """With word that the connection ends after it: so each request is one of its own, and is seen."""
    line, rest = message.split(b"\r\n", 1)
    return line + b"\r\nConnection: close\r\n" + rest


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextmanager
def forward_proxy() -> Iterator[ForwardProxy]:
    """One that serves while the `with` block runs."""
    proxy = ForwardProxy()
    threading.Thread(target=proxy.serve, daemon=True).start()
    try:
        yield proxy
    finally:
        proxy.close()
