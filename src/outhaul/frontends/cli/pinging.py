"""Word to a dead man's switch: that a run starts, and how it ends. What hears nothing for too long raises the alarm.

The addresses are those of healthchecks.io ("Pinging API"), which its kin take too: the one that was given, with /start or
/fail behind it. A ping that does not go through is one line, and changes nothing: the silence says it.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from outhaul.model.errors import AnotherInstance
from outhaul.model.keys import printable

_SECONDS = 10
WELL_SECONDS = 60.0
"""How often a daemon says that all is well."""


def ping(address: str, what: str, text: str = "") -> None:
    """Tell it.

    Args:
        address: As configured; '' tells nobody.
        what: '' all is well, '/start', '/fail'.
        text: For a person who looks at it there.
    """
    if not address:
        return
    import http.client
    from urllib.error import URLError
    from urllib.parse import urlsplit
    from urllib.request import Request, urlopen

    try:
        with urlopen(Request(f"{address}{what}", text.encode(), {"User-Agent": "outhaul"}), timeout=_SECONDS) as answer:
            answer.read(1024)
    except (OSError, URLError, http.client.HTTPException, ValueError) as error:
        # The path is what nobody else may know, and some errors repeat it (law L14).
        said = str(getattr(error, "reason", "") or getattr(error, "code", "") or type(error).__name__)
        host = urlsplit(address).hostname or ""
        print(
            f"outhaul: {host} was not told how the run goes: {printable(said.replace(address, '...'))}", file=sys.stderr
        )


class Told:
    """How the run of a `pinged` ended."""

    def __init__(self) -> None:
        self.code = 0

    def ended(self, code: int) -> int:
        """With this exit code."""
        self.code = code
        return code


@contextmanager
def pinged(address: str) -> Iterator[Told]:
    """Tell of a run that starts here, and how it ends. Where another is at work, that one is told of."""
    told = Told()
    ping(address, "/start")
    try:
        yield told
    except AnotherInstance:
        raise
    except BaseException as error:
        ping(address, "/fail", printable(str(error) or type(error).__name__))
        raise
    ping(address, "/fail" if told.code else "", f"exit code {told.code}" if told.code else "")


class Heart:
    """What a daemon tells: that all is well, once a minute; and at once that it is not, and again that it is.

    Each ping goes out on a thread of its own, so that no file waits for it.
    """

    def __init__(self) -> None:
        self.address = ""
        self._faults: dict[str, str] = {}
        self._said = ""
        self._at = 0.0

    def job(self, name: str, fault: str) -> None:
        """A pass over a job has ended; '' is well."""
        self._faults[name] = fault
        self.beat()

    def beat(self) -> None:
        """May be called as often as one likes."""
        fault = next((f"{name}: {why}" for name, why in sorted(self._faults.items()) if why), "")
        now = time.monotonic()
        if not self.address or (
            bool(fault) == bool(self._said) and self._at and (fault or now - self._at < WELL_SECONDS)
        ):
            return
        self._said, self._at = fault, now
        threading.Thread(target=ping, args=(self.address, "/fail" if fault else "", fault), daemon=True).start()
