"""A status object, held against its form, and what is made of it: who is late, and who is in trouble.

What others have written is input that nobody vouches for: each field is of its kind and in its bounds, or all of it is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from outhaul.model.fleet import FORMAT, NEXT_BY_MAX_NS, SECOND_NS, STATUS_BYTES_MAX, TEXT_MAX, Malformed, shard_name
from outhaul.model.shard import SHARDS_MAX, Shard

SOON_SECONDS = 86400
"""A disk that is full within this time is trouble."""
CLOCK_OFF_NS = 300 * SECOND_NS
"""As far as a clock may be off. S3 refuses requests from 15 minutes on (AWS, "RequestTimeTooSkewed")."""
GIVEN_UP_NS = 7 * 86400 * SECOND_NS
"""So long after the last file that was given up that is trouble."""
TEXTS_MAX = 100
_NAMED_MAX = 5
_INT_MAX = (1 << 63) - 1


class OfShard(NamedTuple):
    """Which share of a device it is that tells."""

    of: str
    """The device."""
    shards: int
    number: int


class Told(NamedTuple):
    """A status object that was read, and is of its form."""

    device: str
    version: str
    sequence: int
    told_ns: int
    """By the clock of the device."""
    next_by_ns: int
    """The same: unless it has told again by then, something is wrong."""
    files: int
    """That have not been carried."""
    bytes: int
    oldest_ns: int
    """Since when the oldest of them has been seen; 0 where none waits."""
    oldest_path: str
    held: dict[str, int]
    """Files by reason."""
    carried: int
    carried_bytes: int
    last_ns: int
    """When something was last carried; 0 for never."""
    given_up: int
    given_up_ns: int
    full_in_seconds: int | None
    """Of the disk that is full first, 0 where it is; None where none is to be."""
    fault: str
    paused: bool
    refused: str
    """Why it does not obey an order; '' where it refuses none."""
    order: int = 0
    """The number of the order that holds there; 0 for none."""
    sets: tuple[str, ...] = ()
    """What of its configuration that order has set, in words of the device."""
    shard: OfShard | None = None
    """None for a device that is whole."""
    shared: str = ""
    """A mark of the ledger of a shard that all of them share; '' where it has one of its own."""


def read_status(body: bytes, device: str) -> Told:
    """What a device has told.

    Args:
        body: Its status object.
        device: Whose it is, by its key.

    Raises:
        Malformed: it is none.
    """
    if len(body) > STATUS_BYTES_MAX:
        raise Malformed(f"more than {STATUS_BYTES_MAX:,} bytes")
    try:
        tree = json.loads(body.decode("utf-8"), parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise Malformed("no JSON") from None
    fields = _Fields(tree, "")
    if fields.number("format") != FORMAT:
        raise Malformed(f"format {fields.number('format')}; this outhaul reads {FORMAT}")
    if fields.text("device") != device:
        raise Malformed("it is of another device")
    told_ns, next_by_ns = fields.number("told_ns"), fields.number("next_by_ns")
    if not 0 < next_by_ns - told_ns <= NEXT_BY_MAX_NS:
        raise Malformed("next_by_ns is not within 100 days of told_ns")
    waiting, carried, given_up = fields.table("waiting"), fields.table("carried"), fields.table("given_up")
    oldest, disk, control = waiting.optional("oldest"), fields.optional("disk"), fields.optional("control")
    return Told(
        device, fields.text("version"), fields.number("sequence"), told_ns, next_by_ns, waiting.number("files"),
        waiting.number("bytes"), oldest.number("since_ns") if oldest else 0, oldest.text("path") if oldest else "",
        waiting.counts("held"), carried.number("files"), carried.number("bytes"), carried.number("last_ns"),
        given_up.number("files"), given_up.number("last_ns"),
        disk.number("full_in_seconds") if disk and disk.has("full_in_seconds") else None,
        fields.text("fault"), bool(control and control.truth("paused")), control.text("refused") if control else "",
        control.number("sequence") if control and control.number("expires_ns") else 0,
        control.texts("set") if control and control.has("set") else (),
        *_shard(fields.optional("shard"), device),
    )  # fmt: skip


def _shard(fields: _Fields | None, device: str) -> tuple[OfShard | None, str]:
    """Which it is; a name is a shard's only where it says so itself."""
    if fields is None:
        return None, ""
    shard = OfShard(fields.text("of"), fields.number("shards"), fields.number("number"))
    if not 1 <= shard.number <= shard.shards <= SHARDS_MAX:
        raise Malformed("shard.number is none of shard.shards")
    if shard_name(shard.of, Shard(shard.number, shard.shards)) != device:
        raise Malformed("shard is that of another device")
    return shard, fields.text("shared")


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


class _Fields:
    """A table of which nothing is believed before it is looked at."""

    def __init__(self, tree: object, name: str) -> None:
        if not isinstance(tree, dict):
            raise Malformed(f"{name or 'the whole'} is no table")
        self._tree = tree
        self._name = f"{name}." if name else ""

    def has(self, key: str) -> bool:
        """Whether there is such a key with a value."""
        return self._tree.get(key) is not None

    def number(self, key: str) -> int:
        """Whole, and not below zero."""
        found = self._tree.get(key)
        if type(found) is not int or not 0 <= found <= _INT_MAX:
            raise Malformed(f"{self._name}{key} is no number")
        return found

    def truth(self, key: str) -> bool:
        """True or false."""
        found = self._tree.get(key)
        if not isinstance(found, bool):
            raise Malformed(f"{self._name}{key} is neither true nor false")
        return found

    def text(self, key: str) -> str:
        """Of bounded length."""
        found = self._tree.get(key)
        if not isinstance(found, str) or len(found) > TEXT_MAX:
            raise Malformed(f"{self._name}{key} is no text of up to {TEXT_MAX} characters")
        return found.encode("utf-8", "replace").decode()

    def texts(self, key: str) -> tuple[str, ...]:
        """A few of them."""
        found = self._tree.get(key)
        if not isinstance(found, list) or len(found) > TEXTS_MAX:
            raise Malformed(f"{self._name}{key} is no list of up to {TEXTS_MAX} texts")
        return tuple(_Fields({key: one}, self._name[:-1]).text(key) for one in found)

    def table(self, key: str) -> _Fields:
        """A table."""
        return _Fields(self._tree.get(key), f"{self._name}{key}")

    def optional(self, key: str) -> _Fields | None:
        """A table; None where there is none."""
        return self.table(key) if self.has(key) else None

    def counts(self, key: str) -> dict[str, int]:
        """A table of a few numbers."""
        found = self.table(key)
        if len(found._tree) > 100 or any(re.fullmatch(r"[a-z0-9-]{1,64}", name) is None for name in found._tree):
            raise Malformed(f"{self._name}{key} has no names of reasons")
        return {name: found.number(name) for name in found._tree}


class Found(NamedTuple):
    """A device, as it is found in the bucket."""

    device: str
    modified_ns: int
    """When its status was written, by the clock of the store."""
    told: Told | None
    unreadable: str
    """Why `told` is None; '' where it is not."""
    missing: tuple[int, ...] = ()
    """Where this stands for a set of shards, those of which nothing was heard."""

    def late_ns(self, now_ns: int) -> int:
        """For how long it should have been heard of; 0 where it is in time. No clock of a device counts here."""
        if self.told is None:
            return 0
        return max(0, now_ns - self.modified_ns - (self.told.next_by_ns - self.told.told_ns))

    @property
    def clock_ns(self) -> int:
        """How far the clock of the device is ahead of the store's, by what it told and when that was written."""
        return self.told.told_ns - self.modified_ns if self.told else 0

    def troubles(self, now_ns: int, meanings: Mapping[str, str]) -> list[str]:
        """What is wrong, the gravest first; [] where all is well.

        Args:
            now_ns: By the clock of whoever reads, or better, the store's.
            meanings: Of the reasons why files are held.
        """
        told = self.told
        if self.missing:
            return [_missed(self.missing)]
        if told is None:
            return [f"unreadable: {self.unreadable}"]
        found = []
        if late := self.late_ns(now_ns):
            found.append(f"late by {span(late)}")
        if told.fault:
            found.append(f"failing: {told.fault}")
        if told.refused:
            found.append(f"refuses {told.refused}")
        if told.held:
            worst = max(told.held, key=lambda reason: told.held[reason])
            found.append(f"{sum(told.held.values()):,} held: {meanings.get(worst, worst)}")
        if told.given_up and told.told_ns - told.given_up_ns < GIVEN_UP_NS:
            found.append(f"{told.given_up:,} given up, never carried")
        if told.full_in_seconds is not None and told.full_in_seconds < SOON_SECONDS:
            found.append(
                f"disk full in {span(told.full_in_seconds * SECOND_NS)}" if told.full_in_seconds else "the disk is full"
            )
        if abs(self.clock_ns) > CLOCK_OFF_NS:
            found.append(f"clock {span(abs(self.clock_ns))} {'ahead' if self.clock_ns > 0 else 'behind'}")
        return found


def _missed(missing: tuple[int, ...]) -> str:
    named = ", ".join(map(str, missing[:_NAMED_MAX]))
    more = f" and {len(missing) - _NAMED_MAX:,} more" if len(missing) > _NAMED_MAX else ""
    return f"nothing was heard of shard{'s' if len(missing) > 1 else ''} {named}{more}"


def span(length_ns: int) -> str:
    """How long, in a word: '45s', '12m', '3h', '9d'."""
    seconds = length_ns // SECOND_NS
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"
