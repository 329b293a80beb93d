"""A server in front of a store, which answers some requests itself or drops them, and passes on all others."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from servers.server import Server


@contextmanager
def relay(server: Server, faults: dict[str, int]) -> Iterator[Server]:
    """The same server at another address.

    Args:
        server: The store.
        faults: Of a part of a path, the status that a PUT there is answered with; 0 drops the connection.
    """

    class Passing(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            fault = next((status for part, status in faults.items() if part in self.path), None)
            if self.command == "PUT" and fault == 0:
                self.close_connection = True
            elif self.command == "PUT" and fault is not None:
                self._answer(fault, {}, b"<Error><Code>InvalidRequest</Code></Error>")
            else:
                connection = http.client.HTTPConnection(urlsplit(server.endpoint_url).netloc, timeout=30)
                connection.request(self.command, self.path, body, dict(self.headers))
                answer = connection.getresponse()
                self._answer(answer.status, dict(answer.getheaders()), answer.read())
                connection.close()

        def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response_only(status)
            length = headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(body))
            kept = {key: value for key, value in headers.items() if key.lower() not in _PER_CONNECTION}
            for key, value in {**kept, "Content-Length": length}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body if self.command != "HEAD" else b"")

        do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = _pass

        def log_message(self, format: str, *arguments: object) -> None:
            """Nothing is logged."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Passing)
    listening.daemon_threads = True
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    try:
        yield replace(server, endpoint_url=f"http://127.0.0.1:{listening.server_address[1]}")
    finally:
        listening.shutdown()
        listening.server_close()


_PER_CONNECTION = ("connection", "transfer-encoding", "content-length", "keep-alive")
