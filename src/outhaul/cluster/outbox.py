"""What workers without a database in common ship to the bucket, and their driver fetches there.

A segment is there, read back and compared, before the ledger that it was made of forgets what is in it. None is replaced, and
none is removed: that needs a permission which outhaul does without.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count
from typing import NamedTuple

from outhaul.model.errors import Denied, TooLarge
from outhaul.model.job import Job
from outhaul.model.segments import SEGMENT_MAX, Foreign, Row, packed, segment_key, signed, verified
from outhaul.wiring import open_meeting


class Outbox(NamedTuple):
    """Where the workers of a driver put what they know of the files of one job."""

    run: str
    """12 hexadecimal digits, the same as long as the driver has its state directory."""
    secret: bytes
    """Who has it may say that files have arrived."""
    home: str
    """Where workers keep their ledgers; '' is where each machine has its place for that."""


class Parcel(NamedTuple):
    """What a worker is given with a batch."""

    number: int
    """Of the segments in which it tells what it did."""
    known: tuple[bytes, ...]
    """Packed rows: what is known of files of the batch that are still there."""
    spent: int = 0
    """Bytes that are to count as sent before; see `allowance.py`."""
    machines: frozenset[str] = frozenset()
    """Those that the driver has written down: only there it may be begun. Empty where all is on one."""


def ship(job: Job, outbox: Outbox, number: int, rows: Iterable[Row]) -> int:
    """Have these rows in the bucket.

    Returns:
        How many links the number has by that, from 0 on: who fetches has to find so many. 0 where there were no rows.

    Raises:
        StoreError: they may be there in part, which does no harm.
    """
    shipped, links = 0, count()
    meeting = None
    for body in packed(rows):
        meeting = meeting or open_meeting(job.destination, job.connection, job.objects)
        for link in links:  # Whoever had the same number before, and died, may have told something.
            key = segment_key(job.destination.prefix, outbox.run, number, link)
            whole = signed(outbox.secret, key, body)
            try:
                if meeting.read_one(key, SEGMENT_MAX) is not None:
                    continue
            except TooLarge:
                continue
            meeting.create(key, whole)
            there = meeting.read_one(key, SEGMENT_MAX)
            if there is None:
                raise Denied(f"GET {key}: what was written cannot be read back: allow s3:GetObject there")
            if there == whole:
                shipped = link + 1
                break
    return shipped


def fetch(job: Job, outbox: Outbox, number: int) -> Iterator[bytes | Foreign]:
    """The bodies of all segments of a number, in their order; or that one is none of ours.

    Without leave to read there are none: whoever must have them knows how many links there are (`ship`).

    Raises:
        StoreError: they cannot be read now.
    """
    meeting = open_meeting(job.destination, job.connection, job.objects)
    for link in count():
        key = segment_key(job.destination.prefix, outbox.run, number, link)
        try:
            if (found := meeting.read_one(key, SEGMENT_MAX)) is None:
                return
            yield verified(outbox.secret, key, found)
        except Foreign as error:
            yield error
        except TooLarge as error:
            yield Foreign(f"{error}: not written by a worker of this run")
