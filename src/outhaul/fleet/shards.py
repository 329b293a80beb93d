"""Shards in a fleet: each tells of itself as a device of its own, and one that has told nothing yet is missed by the others.

True here: a device is a shard of another only where its own name says so, so that none can speak, or be counted, for one that it
is not. What a ledger says that several share is counted once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from outhaul.fleet.status import Found
from outhaul.model.fleet import SECOND_NS

FIRST_NS = 900 * SECOND_NS
"""So long after the only word of a shard the others may still be at their beginning: a run tells first after an interval."""


class _Shard(NamedTuple):
    number: int
    modified_ns: int
    is_new: bool
    """Whether this is its first word, and fresh."""


class Totals(NamedTuple):
    """Of a fleet."""

    files: int
    """That wait."""
    bytes: int
    carried: int
    carried_bytes: int


def with_missing(devices: Iterable[Found], now_ns: int) -> list[Found]:
    """The devices, and one more for each set of shards of which some have told nothing.

    Args:
        devices: Those that have told of themselves.
        now_ns: As for `Found.troubles`.
    """
    found = list(devices)
    sets: dict[tuple[str, int], list[_Shard]] = {}
    for one in found:
        if one.told and (shard := one.told.shard):
            is_new = one.told.sequence == 1 and now_ns - one.modified_ns < FIRST_NS
            sets.setdefault((shard.of, shard.shards), []).append(_Shard(shard.number, one.modified_ns, is_new))
    for (device, of), there in sorted(sets.items()):
        missing = sorted(set(range(1, of + 1)) - {shard.number for shard in there})
        if missing and not all(shard.is_new for shard in there):
            heard = max(shard.modified_ns for shard in there)
            found.append(Found(f"{device}.*-of-{of}", heard, None, "", tuple(missing)))
    return found


def totals(devices: Iterable[Found]) -> Totals:
    """What waits, and what was carried. Of devices that share a ledger the one counts that was heard of last."""
    counts = [
        Totals(one.told.files, one.told.bytes, one.told.carried, one.told.carried_bytes)
        for one in _each_ledger(devices)
        if one.told
    ]
    return Totals(*(sum(column) for column in zip(*counts, strict=True))) if counts else Totals(0, 0, 0, 0)


def _each_ledger(devices: Iterable[Found]) -> Iterator[Found]:
    shared: dict[str, Found] = {}
    for one in devices:
        ledger = one.told.shared if one.told else ""
        if not ledger:
            yield one
        elif ledger not in shared or shared[ledger].modified_ns < one.modified_ns:
            shared[ledger] = one
    yield from shared.values()
