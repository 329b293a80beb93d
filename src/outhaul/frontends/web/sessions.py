"""Who may look: whoever has come in with a token that the terminal showed, or that a file holds. Memory only.

A token from the terminal lets one browser in, once; the next is shown then. That of a file stays, for services. What
a browser has then is a cookie; to act, it also gives a form token that is made of the cookie's, and that no other
site can read.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable

SESSIONS_MAX = 64
SECONDS = 7 * 24 * 3600.0
"""How long a browser may stay away."""
TOKEN_LEAST = 32
"""Characters of a token from a file, at least: 43 hold 256 bits."""


class Sessions:
    """Who has come in. For one thread."""

    def __init__(self, kept: str = "", show: Callable[[str], None] = lambda _token: None) -> None:
        """Prepare.

        Args:
            kept: A token that stays; '' for such as let one in, once.
            show: Is told each of the latter.
        """
        self._key = secrets.token_bytes(32)
        self._kept = kept
        self._show = show
        self._seen: dict[str, float] = {}
        self._token = kept or self._next()

    def enter(self, token: str) -> str:
        """What the cookie of a browser is to be that has this token; '' where the token is wrong."""
        if not hmac.compare_digest(token.encode("utf-8", "replace"), self._token.encode()):
            return ""
        if not self._kept:
            self._token = self._next()
        name = secrets.token_urlsafe(32)
        self._seen[name] = time.monotonic()
        while len(self._seen) > SESSIONS_MAX:
            del self._seen[min(self._seen, key=self._seen.__getitem__)]
        return name

    def knows(self, name: str) -> bool:
        """Whether this is the cookie of one that has come in. A dictionary finds it: its 256 bits are not guessed by time."""
        seen = self._seen.get(name)
        if seen is None or time.monotonic() - seen > SECONDS:
            self._seen.pop(name, None)
            return False
        self._seen[name] = time.monotonic()
        return True

    def leave(self, name: str) -> None:
        """It is known no more."""
        self._seen.pop(name, None)

    def form_token(self, name: str) -> str:
        """What a form has in it that acts for this one."""
        return hmac.new(self._key, name.encode(), hashlib.sha256).hexdigest()

    def may_act(self, name: str, token: str) -> bool:
        """Whether a form with this token is one of ours, for this one."""
        return hmac.compare_digest(self.form_token(name), token.encode("ascii", "replace").decode())

    def _next(self) -> str:
        token = secrets.token_urlsafe(32)
        self._show(token)
        return token
