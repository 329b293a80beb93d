"""What all devices have told, read in one go: a listing, and the status of each device that has told anew.

True here: nothing that a device wrote can do more than make its own line wrong, or unreadable. A listing that fails says nothing
of any device: it is an error, and no fleet without devices (law L10).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from outhaul.fleet.status import Found, read_status
from outhaul.model.errors import StoreError
from outhaul.model.fleet import DEVICE, STATUS_BYTES_MAX, Malformed, reserved
from outhaul.model.returning import Listed
from outhaul.ports.meeting import Meeting

_BATCH = 500
_SUFFIX = ".json"


class Seen(NamedTuple):
    """A device, and what its status object was read from."""

    found: Found
    body: bytes
    """b'' where it was not read, or has not changed."""


class Reader:
    """Reads a fleet, again and again; what has not changed is not fetched again."""

    def __init__(self, meeting: Meeting, prefix: str) -> None:
        self._meeting = meeting
        self._folder = f"{reserved(prefix)}status/"
        self._known: dict[str, tuple[tuple[str, int, int], Found]] = {}

    def devices(self) -> Iterator[Seen]:
        """Each device. Raises StoreError: they cannot be listed."""
        there: set[str] = set()
        listing = self._meeting.listing(self._folder)
        while batch := list(islice(listing, _BATCH)):
            there.update(listed.key for listed in batch)
            yield from self._read(batch)
        self._known = {key: known for key, known in self._known.items() if key in there}

    def _read(self, batch: list[Listed]) -> Iterator[Seen]:
        wanted = [listed for listed in batch if not self._same(listed) and not self._refusal(listed)]
        bodies = dict(
            zip(
                (listed.key for listed in wanted),
                self._meeting.read_many([listed.key for listed in wanted]),
                strict=True,
            )
        )
        for listed in batch:
            if self._same(listed):
                yield Seen(self._known[listed.key][1], b"")
                continue
            body = bodies.get(listed.key, b"")
            found = self._found(listed, body)
            if found.told is not None:
                self._known[listed.key] = _mark(listed), found
            yield Seen(found, body if isinstance(body, bytes) else b"")

    def _same(self, listed: Listed) -> bool:
        known = self._known.get(listed.key)
        return known is not None and known[0] == _mark(listed)

    def _found(self, listed: Listed, body: bytes | StoreError) -> Found:
        name = self._name(listed)
        why, heard_ns = self._refusal(listed), listed.modified_ns or 0
        if not why and isinstance(body, StoreError):
            why = str(body)
        if why or isinstance(body, StoreError):
            return Found(name, heard_ns, None, why)
        try:
            return Found(name, heard_ns, read_status(body, name), "")
        except Malformed as error:
            return Found(name, heard_ns, None, str(error))

    def _name(self, listed: Listed) -> str:
        return listed.key[len(self._folder) :].removesuffix(_SUFFIX)

    def _refusal(self, listed: Listed) -> str:
        """Why an object is not even read."""
        if not listed.key.endswith(_SUFFIX) or not re.fullmatch(DEVICE[1:-1], self._name(listed)):
            return "its name is none of a device"
        return f"more than {STATUS_BYTES_MAX:,} bytes" if listed.length > STATUS_BYTES_MAX else ""


def _mark(listed: Listed) -> tuple[str, int, int]:
    return listed.etag, listed.modified_ns or 0, listed.length
