"""Where it listens, and for how long anybody may hold a connection. uvicorn speaks HTTP; its limits that are missing are here.

uvicorn waits for a request for ever, and a connection costs memory: one that is more than are served is closed, and
so is one whose requests are not answered after `SECONDS`; a stream of changes alone may last.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
from collections.abc import Callable
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from outhaul.model.errors import ConfigurationError

CONNECTIONS_MAX = 64
SECONDS = 20.0
IDLE_SECONDS = 5
BACKLOG = 64
STOP_SECONDS = 2
_STREAM = "/changes"


class _Connection(H11Protocol):
    """One, which has its time."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """One more than are served at once is closed."""
        super().connection_made(transport)  # type: ignore[arg-type]
        if len(self.connections) > CONNECTIONS_MAX:
            self.transport.abort()
        else:
            self._deadline = self.loop.call_later(SECONDS, self._late)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        if deadline := getattr(self, "_deadline", None):
            deadline.cancel()
        super().connection_lost(exc)

    def _late(self) -> None:
        streams = self.cycle is not None and self.cycle.response_started and self.scope["path"] == _STREAM
        if streams and not self.cycle.response_complete:
            self._deadline = self.loop.call_later(SECONDS, self._late)
        else:
            self.transport.abort()


class Server(uvicorn.Server):
    """Serves until it is asked to end; whoever waits for changes is told so."""

    def __init__(self, app: ASGIApp, ending: Callable[[], None], stopped: Callable[[], bool] = lambda: False) -> None:
        config = uvicorn.Config(
            app, http=_Connection, ws="none", lifespan="off", loop="asyncio", log_config=None, access_log=False,
            log_level="critical", proxy_headers=False, server_header=False, timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=STOP_SECONDS, h11_max_incomplete_event_size=32_768, backlog=BACKLOG,
        )  # fmt: skip
        super().__init__(config)
        self._ending = ending
        self._stopped = stopped

    async def on_tick(self, counter: int) -> bool:
        """See uvicorn, which hears SIGINT and SIGTERM; a terminal that is closed sends SIGHUP."""
        return await super().on_tick(counter) or self._stopped()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """See uvicorn."""
        self._ending()
        await super().shutdown(sockets)


def listening(where: str) -> tuple[socket.socket, Callable[[], None]]:
    """A socket that listens, and what takes it away again.

    Args:
        where: HOST:PORT, or unix:PATH.

    Raises:
        ConfigurationError: it cannot listen there.
    """
    try:
        made, take_away = _unix(where[5:]) if where.startswith("unix:") else _internet(where)
        made.listen(BACKLOG)  # Whoever is shown the address may come at once.
        return made, take_away
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", "") or error
        raise ConfigurationError(f"--listen: {where} cannot be listened on: {why}") from None


def _internet(where: str) -> tuple[socket.socket, Callable[[], None]]:
    host, _, port = where.rpartition(":")
    family, kind, protocol, _, address = socket.getaddrinfo(
        host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(address)
    return made, made.close


def _unix(path: str) -> tuple[socket.socket, Callable[[], None]]:
    """A socket that its owner alone may connect to. One that a dead process left is taken away; what is no socket stays."""
    made: Any = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    if os.path.lexists(path) and stat.S_ISSOCK(os.lstat(path).st_mode):
        with contextlib.suppress(ConnectionRefusedError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
            other.connect(path)
            raise OSError(98, "somebody listens there already")
        _take_away(path)
    before = os.umask(0o177)
    try:
        made.bind(path)
    finally:
        os.umask(before)
    return made, lambda: _take_away(path)


def _take_away(path: str) -> None:
    with contextlib.suppress(OSError):
        if stat.S_ISSOCK(os.lstat(path).st_mode):
            os.unlink(path)
