"""GET /metrics and /health over HTTP, for Prometheus and for probes. Nothing can be changed here, and nothing else is told.

A request that names this machine by a name that is not its own is refused: a page in a browser could have led its own name here
(DNS rebinding). So few connections are served at once, and each for so short a time, that nobody can hold much of it.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any

from outhaul.config.telling import MetricsSettings
from outhaul.frontends.cli.metrics import as_text, faults
from outhaul.model.errors import ConfigurationError, LedgerError
from outhaul.model.keys import printable

if TYPE_CHECKING:
    from outhaul.ledgers.queries import JobStatus

CONNECTIONS_MAX = 8
SECONDS = 10.0
"""How long a connection may last in all."""
_SILENT_SECONDS = 3.0
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Prometheus, "Exposition formats"."""
_PLAIN = "text/plain; charset=utf-8"


class Server:
    """Listens until it is closed, in threads of its own."""

    def __init__(self, settings: MetricsSettings, status: Callable[[], Sequence[JobStatus]]) -> None:
        """Begin.

        Args:
            settings: Where, and what is well.
            status: What the ledger knows; raises LedgerError.

        Raises:
            ConfigurationError: it cannot listen there.
        """
        host, _, port = settings.listen.rpartition(":")
        try:
            self._listening = _Listening(host.strip("[]"), int(port), settings, status)
        except (OSError, UnicodeError) as error:
            why = getattr(error, "strerror", "") or error
            raise ConfigurationError(f"metrics: {settings.listen} cannot be listened on: {why}") from None
        self.port = int(self._listening.server_address[1])
        self._thread = threading.Thread(target=self._listening.serve_forever, args=(0.2,), name="metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Listen no more."""
        self._listening.shutdown()
        self._thread.join()
        self._listening.server_close()


class _Listening(ThreadingMixIn, HTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 16

    def __init__(
        self, host: str, port: int, settings: MetricsSettings, status: Callable[[], Sequence[JobStatus]]
    ) -> None:
        self.settings = settings
        self.status = status
        self.names = {"localhost", host.lower(), socket.gethostname().lower()}
        self._open: dict[socket.socket, float] = {}
        self._lock = threading.Lock()
        if ":" in host:
            self.address_family = socket.AF_INET6
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        """As of a TCP server: whose name this is, nobody is asked for."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        """One more than are served at once is closed."""
        with self._lock:
            full = len(self._open) >= CONNECTIONS_MAX
            if not full:
                self._open[request] = time.monotonic() + SECONDS
        if full:
            super().shutdown_request(request)
        else:
            super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """It is over."""
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Whoever sends a byte now and then is cut off when its time is over."""
        with self._lock:
            late = [request for request, until in self._open.items() if time.monotonic() > until]
        for request in late:
            with contextlib.suppress(OSError):
                request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever hangs up is none of our business."""

    def is_ours(self, named: str) -> bool:
        """Whether a Host header (RFC 9110, 7.2) names this machine. An address does: nobody else can have led it here."""
        host = named.rpartition("]")[0] + "]" if named.startswith("[") else named.partition(":")[0]
        with contextlib.suppress(ValueError):
            ipaddress.ip_address(host.strip("[]"))
            return True
        return host.lower() in self.names


class _Handler(BaseHTTPRequestHandler):
    timeout = _SILENT_SECONDS
    server_version, sys_version = "outhaul", ""
    server: _Listening

    def do_GET(self) -> None:
        """Answer."""
        named = self.headers.get_all("Host") or []
        if len(named) != 1 or not self.server.is_ours(named[0].strip()):
            self._answer(403, _PLAIN, "this machine has another name\n")
            return
        pages = {"/metrics": self._metrics, "/health": self._health}
        page = pages.get(self.path.partition("?")[0])
        self._answer(*(page() if page else (404, _PLAIN, "there are /metrics and /health\n")))

    do_HEAD = do_GET

    def _refuse(self) -> None:
        self._answer(405, _PLAIN, "only GET and HEAD\n", ("Allow", "GET, HEAD"))

    do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_TRACE = do_CONNECT = _refuse

    def log_message(self, format: str, *arguments: object) -> None:
        """Who asks is not logged: a probe asks each second."""

    def _metrics(self) -> tuple[int, str, str]:
        try:
            return 200, METRICS_TYPE, as_text(self.server.status())
        except LedgerError as error:
            return 503, _PLAIN, f"{printable(str(error))}\n"

    def _health(self) -> tuple[int, str, str]:
        settings = self.server.settings
        try:
            found = faults(self.server.status(), settings.oldest_ns, settings.last_run_ns)
        except LedgerError as error:
            found = [printable(str(error))]
        return (503, _PLAIN, "".join(f"{one}\n" for one in found)) if found else (200, _PLAIN, "well\n")

    def _answer(self, code: int, kind: str, text: str, *more: tuple[str, str]) -> None:
        body = text.encode("utf-8", "replace")
        self.send_response(code)
        for name, value in (("Content-Type", kind), ("Content-Length", str(len(body))),
                            ("X-Content-Type-Options", "nosniff"), ("Cache-Control", "no-store"), *more):  # fmt: skip
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
