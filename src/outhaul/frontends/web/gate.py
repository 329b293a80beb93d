"""What every request comes through (threat T12), and what every answer says.

The Host header must be a name of ours, so that no other site can lead its own name here (DNS rebinding). What acts is
a POST whose Origin is ours, from a browser that has come in, with a form token. The answers allow nothing from
elsewhere, no frame, no script or style in the page, and are kept by nobody.
"""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Sequence
from http.cookies import CookieError, SimpleCookie
from typing import NamedTuple

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from outhaul.frontends.web.sessions import Sessions

OPEN = ("/enter", "/outhaul.css", "/outhaul.js", "/outhaul.svg")
"""What is answered to whoever asks: it tells nothing."""
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # With no-referrer a form has the Origin `null` (Fetch, "append a request Origin header").
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}


class Names(NamedTuple):
    """The names under which this page is asked for."""

    allowed: Sequence[str] = ()
    """Names beside this machine's own, in small letters, with whatever port: those of a proxy."""
    port: int = 0
    """0 for a Unix socket: whoever forwards to it has a port of his own."""
    remote: bool = False
    """Whether other machines may ask: then any address is a name of ours, for nobody can have led one here."""
    listens: str = ""
    """The name that it listens on, in small letters; '' for none beside the others."""

    def are_ours(self, host: str) -> bool:
        """Whether a Host header (RFC 9110, 7.2) names us."""
        name, port = _parted(host.lower())
        if name in self.allowed:
            return True
        if self.port and (port or 80) != self.port:
            return False
        if name and name in ("localhost", self.listens):
            return True
        with contextlib.suppress(ValueError):
            return ipaddress.ip_address(name).is_loopback or self.remote
        return False


def _parted(host: str) -> tuple[str, int]:
    """Name and port, 0 for none; ('', 0) where it is neither."""
    name, colon, port = host.rpartition(":") if not host.endswith("]") else (host, "", "")
    if not colon:
        name, port = host, ""
    bracketed = name.startswith("[") and name.endswith("]")
    if (colon and not (port.isascii() and port.isdecimal())) or (":" in name and not bracketed):
        return "", 0
    return name[1:-1] if bracketed else name, int(port or 0)


class Gate:
    """An ASGI application around another."""

    def __init__(self, app: ASGIApp, names: Names, sessions: Sessions) -> None:
        self._app = app
        self._names = names
        self._sessions = sessions
        self._cookie = cookie_name(names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let it through, or refuse it."""
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)
        scope["session"] = _cookie(headers, self._cookie)
        scope["is_in"] = self._sessions.knows(scope["session"])

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        why = self._refusal(scope, headers)
        if not scope["is_in"] and scope["path"] not in OPEN:
            scope["path"] = "/enter"  # Whatever was asked for, it is not told whether there is such.
        await (PlainTextResponse(f"{why}\n", 403) if why else self._app)(scope, receive, answer)

    def _refusal(self, scope: Scope, headers: Headers) -> str:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._names.are_ours(hosts[0].strip()):
            return "this page has another name"
        if scope["method"] in ("GET", "HEAD"):
            return ""
        origins = headers.getlist("origin")
        ours = [f"{scheme}://{hosts[0].strip().lower()}" for scheme in ("http", "https")]
        if (
            len(origins) != 1
            or origins[0].lower() not in ours
            or headers.get("sec-fetch-site", "same-origin") != "same-origin"
        ):
            return "this does not come from a page of ours"
        return "" if scope["is_in"] or scope["path"] == "/enter" else "come in first"


def cookie_name(names: Names) -> str:
    """Cookies know no ports (RFC 6265, 8.5): two of us on one machine have two names."""
    return f"outhaul-{names.port}"


def _cookie(headers: Headers, name: str) -> str:
    with contextlib.suppress(CookieError):
        found = SimpleCookie(headers.get("cookie", "")).get(name)
        return found.value if found else ""
    return ""
