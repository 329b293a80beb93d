"""What a fleet tells, brought into a database: segments that are not there yet, and how each device is.

Each import lists all segments, a thousand a request, and fetches those that are new. One that is malformed is told each time, and
stops no other.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from outhaul.fleet.databases import Count, Database, Device
from outhaul.fleet.reading import Reader, Seen
from outhaul.fleet.segments import Row, read_segment
from outhaul.model.errors import StoreError
from outhaul.model.fleet import SEGMENT_BYTES_MAX, Malformed, Segment, receipts_prefix, segment_of
from outhaul.ports.meeting import Meeting

_BATCH = 1000
_AT_ONCE = 8
_DEVICES = 500


def bring_in(meeting: Meeting, prefix: str, database: Database) -> Count:
    """Import all that is new. Raises StoreError, DatabaseFailed."""
    segments = receipts = devices = 0
    refused: list[tuple[str, str]] = []
    for segment, outcome in _new(meeting, prefix, database):
        if isinstance(outcome, str):
            refused.append((segment, outcome))
            continue
        segments, receipts = segments + 1, receipts + outcome
    found = Reader(meeting, prefix).devices()
    while batch := list(islice(found, _DEVICES)):
        database.put([_device(seen) for seen in batch])
        devices += len(batch)
    return Count(segments, receipts, devices, refused)


def _new(meeting: Meeting, prefix: str, database: Database) -> Iterator[tuple[str, int | str]]:
    """Each segment that was not there: how many receipts it brought, or why it is refused."""
    listing = meeting.listing(receipts_prefix(prefix))
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        while keys := [listed.key for listed in islice(listing, _BATCH)]:
            known = database.known(keys)
            coming = [(key, segment_of(key, prefix)) for key in keys if key not in known]
            yield from ((key, "its name is none of a segment") for key, segment in coming if segment is None)
            named = iter([segment for _, segment in coming if segment is not None])
            while some := list(islice(named, _AT_ONCE)):  # No more of them are in memory at once.
                for segment, rows in zip(some, pool.map(lambda one: _read(meeting, one), some), strict=True):
                    if not isinstance(rows, str):
                        database.add(segment, rows)
                    yield segment.key, rows if isinstance(rows, str) else len(rows)


def _read(meeting: Meeting, segment: Segment) -> list[Row] | str:
    try:
        body = meeting.read_one(segment.key, SEGMENT_BYTES_MAX)
        return "it cannot be read" if body is None else read_segment(body, segment)
    except (StoreError, Malformed) as error:
        return str(error)


def _device(seen: Seen) -> Device:
    """A row of `outhaul_devices`."""
    found, told = seen.found, seen.found.told
    name = found.device.encode("utf-8", "replace").decode().replace("\0", "")
    if told is None:
        return (name, found.modified_ns, *[None] * 10, found.unreadable.replace("\0", ""), None)
    return (
        name, found.modified_ns, found.modified_ns + told.next_by_ns - told.told_ns, told.version.replace("\0", ""),
        told.files, told.bytes, sum(told.held.values()), told.carried, told.carried_bytes, told.given_up,
        told.fault.replace("\0", ""), told.paused, "", seen.body.decode("utf-8", "replace").replace("\\u0000", ""),
    )  # fmt: skip
