"""The page of a fleet: the devices that tell of themselves in one place, those that are late or in trouble first.

It shows what `outhaul fleet` does. The store is asked while somebody looks, and no more often than every half minute,
or than costs a twentieth of the time. Nothing can be done here. A device chooses what it is called and what it says:
both are data.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from anyio import to_thread
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from outhaul.fleet.shards import totals, with_missing
from outhaul.fleet.status import Found
from outhaul.frontends.telling.publishing import TIMES
from outhaul.frontends.web.acting import Acting
from outhaul.frontends.web.changes import Parts
from outhaul.frontends.web.pages import Pages
from outhaul.frontends.web.sessions import Sessions
from outhaul.model.errors import StoreError
from outhaul.model.job import Connection
from outhaul.model.lifecycle import REASONS

EVERY_SECONDS = 30.0
WELL_MAX, TROUBLED_MAX = 200, 500
_MEANINGS = {name: reason.meaning for name, reason in REASONS.items()}


class Devices(NamedTuple):
    """All of them at one moment."""

    fault: str = ""
    """Why there is nothing new to show."""
    troubled: tuple[tuple[Found, list[str]], ...] = ()
    well: tuple[Found, ...] = ()
    at_ns: int = 0
    """When that was; 0 for never."""

    def waiting(self) -> tuple[int, int]:
        """Files and bytes that wait, on all of them."""
        return totals((*(found for found, _ in self.troubled), *self.well))[:2]


class Looking:
    """Asks the store, one at a time."""

    def __init__(self, devices: Callable[[], Iterable[Found]]) -> None:
        self._devices = devices
        self._lock = threading.Lock()
        self._last = Devices()
        self._until = 0.0

    def __call__(self) -> Devices:
        """What is known, or was a moment ago; where the store does not answer, what was known last."""
        with self._lock:
            began = time.monotonic()
            if began >= self._until:
                try:
                    self._last = _judged(list(self._devices()))
                except StoreError as error:
                    self._last = self._last._replace(fault=str(error))
                now = time.monotonic()
                self._until = now + max(EVERY_SECONDS, TIMES * (now - began))
            return self._last


def _judged(devices: list[Found]) -> Devices:
    # Our own clock may be behind that of the store.
    now = max(time.time_ns(), max((found.modified_ns for found in devices), default=0))
    judged = [(found, found.troubles(now, _MEANINGS)) for found in with_missing(devices, now)]
    troubled = [one for one in judged if one[1]]
    troubled.sort(key=lambda one: (not one[0].late_ns(now), -one[0].late_ns(now), one[0].device))
    well = sorted((found for found, troubles in judged if not troubles), key=lambda found: found.device)
    return Devices("", tuple(troubled), tuple(well), now)


class FleetPages(Pages):
    """Makes it."""

    def __init__(self, address: str, devices: Callable[[], Iterable[Found]], sessions: Sessions, cookie: str) -> None:
        super().__init__("", sessions, Acting("", "", Connection()), cookie)
        self._address = address
        self._looking = Looking(devices)
        self._templates.globals |= {"searches": False, "where": address}

    def application(self) -> Starlette:
        """The routes: to look, and to come in."""
        return Starlette(routes=self._routes_of(self._front))

    async def _front(self, request: Request) -> Response:
        parts = await self._parts_of("", request.scope["session"])
        return self._page("fleet.html", request, parts=parts, of="")

    async def _parts_of(self, of: str, session: str) -> Parts:
        return await to_thread.run_sync(self._fleet_parts)

    def _fleet_parts(self) -> Parts:
        known = {"devices": self._looking(), "well_max": WELL_MAX, "troubled_max": TROUBLED_MAX}
        names = ("headline", "troubled", "well")
        return {name: self._templates.get_template(f"fleet-{name}.html").render(known) for name in names}
