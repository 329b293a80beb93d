"""Word to a dead man's switch: that a run starts, and how it ends. What hears nothing for too long raises the alarm.

The addresses are those of healthchecks.io ("Pinging API"), which its kin take too: the one that was given, with /start or
/fail behind it. A ping that does not go through is one line, and changes nothing: the silence says it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from outhaul.model.errors import AnotherInstance
from outhaul.model.keys import printable

WELL_SECONDS = 60.0
"""How often a daemon says that all is well."""


def ping(address: str, what: str, text: str = "") -> str:
    """Tell it.

    Args:
        address: As configured; '' tells nobody.
        what: '' all is well, '/start', '/fail'.
        text: For a person who looks at it there.

    Returns:
        A line on why it was not told; '' where it was.
    """
    if not address:
        return ""
    from outhaul.frontends.telling.posting import host_of, post

    if fault := post(f"{address}{what}", text.encode(), {}):
        return f"{host_of(address)} was not told how the run goes: {fault.replace(address, '...')}"
    return ""


class Told:
    """How the run of a `pinged` ended."""

    def __init__(self) -> None:
        self.code = 0

    def ended(self, code: int) -> int:
        """With this exit code."""
        self.code = code
        return code


@contextmanager
def pinged(address: str, notice: Callable[[str], None]) -> Iterator[Told]:
    """Tell of a run that starts here, and how it ends. Where another is at work, that one is told of.

    Args:
        address: As configured.
        notice: Told when it does not hear.
    """

    def tell(what: str, text: str = "") -> None:
        if fault := ping(address, what, text):
            notice(fault)

    told = Told()
    tell("/start")
    try:
        yield told
    except AnotherInstance:
        raise
    except BaseException as error:
        tell("/fail", printable(str(error) or type(error).__name__))
        raise
    tell("/fail" if told.code else "", f"exit code {told.code}" if told.code else "")


class Heart:
    """What a daemon tells: that all is well, once a minute; and at once that it is not, and again that it is.

    Each ping goes out on a thread of its own, so that no file waits for it.
    """

    def __init__(self, notice: Callable[[str], None]) -> None:
        self.address = ""
        self._notice = notice
        self._unheard = ""
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
        threading.Thread(target=self._ping, args=(self.address, "/fail" if fault else "", fault), daemon=True).start()

    def _ping(self, address: str, what: str, text: str) -> None:
        """What does not go through is said when that changes, and not each minute for weeks."""
        fault = ping(address, what, text)
        if fault and not self._unheard:
            self._notice(fault)
        self._unheard = fault
