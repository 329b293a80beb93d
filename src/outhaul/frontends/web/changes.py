"""Changes as they come: server-sent events (WHATWG HTML, "Server-sent events"), for so many pages at once and no more.

A page is sent the parts that have changed since it was made. Nothing is asked of the ledger while nobody looks. A
browser that takes nothing for a while is let go, and comes again by itself; so does every one after some minutes.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from outhaul.frontends.web.names import mark

Parts = dict[str, str]
"""Name, and HTML."""

STREAMS_MAX = 16
EVERY_SECONDS, BEAT_SECONDS, LAST_SECONDS, SLOW_SECONDS = 2.0, 15.0, 600.0, 10.0


class Changes:
    """Who looks, and what of it has changed."""

    def __init__(self, parts_of: Callable[[str, str], Awaitable[Parts]], knows: Callable[[str], bool]) -> None:
        """Prepare.

        Args:
            parts_of: Makes the parts of a page for a session.
            knows: Whether a session has not ended.
        """
        self._parts_of = parts_of
        self._knows = knows
        self.open = 0
        """How many look."""
        self.over = False

    async def stream(self, request: Request) -> Response:
        """The changes of one page: `of` is the file that it is about, '' for all files."""
        if self.open >= STREAMS_MAX:
            return PlainTextResponse("so many pages are open already\n", 503, headers={"Retry-After": "30"})
        return _Stream(self, request.query_params.get("of", ""), request.scope["session"])

    async def send(self, of: str, session: str, send: Callable[[str], Awaitable[None]]) -> None:
        """Go on until the time is over, or somebody hangs up."""
        known: dict[str, str] = {}
        silent = 0.0
        until = anyio.current_time() + LAST_SECONDS
        while not self.over and self._knows(session) and anyio.current_time() < until:
            for name, html in (await self._parts_of(of, session)).items():
                if known.get(name) != html:
                    known[name], silent = html, 0.0
                    await send(f"event: part\ndata: {json.dumps({'name': name, 'mark': mark(html), 'html': html})}\n\n")
            if silent >= BEAT_SECONDS:
                silent = 0.0
                await send(": still here\n\n")
            await self._rest()
            silent += EVERY_SECONDS

    async def _rest(self) -> None:
        """Until the next look; shorter where all of it ends."""
        for _ in range(int(EVERY_SECONDS / 0.25)):
            if not self.over:
                await anyio.sleep(0.25)


class _Stream(Response):
    def __init__(self, changes: Changes, of: str, session: str) -> None:
        super().__init__(headers={"Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._changes = changes
        self._of = of
        self._session = session

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI. It ends with the first of both: what is to be sent, and whoever reads it."""
        start: dict[str, Any] = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}

        async def say(text: str) -> None:
            with anyio.fail_after(SLOW_SECONDS):
                await send({"type": "http.response.body", "body": text.encode("utf-8", "replace"), "more_body": True})

        async def tell() -> None:
            with contextlib.suppress(TimeoutError):
                await self._changes.send(self._of, self._session, say)
            group.cancel_scope.cancel()

        self._changes.open += 1
        try:
            await send(start)
            await say("retry: 3000\n\n")
            async with anyio.create_task_group() as group:
                group.start_soon(tell)
                while (await receive())["type"] != "http.disconnect":
                    pass
                group.cancel_scope.cancel()
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._changes.open -= 1
