"""Devices that meet in a bucket: where each tells how it is, and what it tells. Pure.

Everything lies beneath `<prefix>/.outhaul/fleet/`, which no job uses: `status/<device>.json`, which is replaced, and
`receipts/<device>/<yyyy>/<mm>/<ledger>-<first>-<last>-<digest>.jsonl.gz`, which never is. docs/format.md has the form. What
others have written is input that nobody vouches for: it is bounded, and held against its form, before it is believed.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from outhaul.model.job import Connection, Destination
from outhaul.model.shard import WHOLE, Shard

RESERVED = ".outhaul/fleet/"
WORKERS = ".outhaul/workers/"
"""What workers ship to their driver; see `segments.py`."""
DEVICE = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"
FORMAT = 1
ALL = "_all"
"""What stands in the place of the name of a device, and can be none."""
STATUS_BYTES_MAX = 64 << 10
SEGMENT_BYTES_MAX = 32 << 20
"""Of a segment of receipts, before it is compressed."""
JOBS_MAX = 50
TEXT_MAX = 400
"""Characters of a path, a name or a fault; what is longer is cut, and ends with an ellipsis."""
SETTABLE = (
    "at", "bandwidth", "cron", "every", "jitter", "max-bytes", "max-bytes-per-day", "max-bytes-per-month", "max-files", "order",
    "priority", "quiet-hours", "settle.quiet", "time-zone",
)  # fmt: skip
"""All keys that an order may ever set, of which a device lets none be set unless its own configuration lists it. None of them
says what is carried, where to, whether it is removed, or how that is proved (decision 0033)."""
SECOND_NS = 10**9
NEXT_BY_MAX_NS = 100 * 86400 * SECOND_NS
"""Nobody may say that it will not be heard of for longer."""


class Fleet(NamedTuple):
    """Where a device tells how it is, and how often."""

    destination: Destination
    connection: Connection
    device: str
    """'' is the name of this host."""
    interval_ns: int
    """It tells no more than once in this time."""
    heartbeat_ns: int
    """It tells even where nothing has changed, once in this time."""
    control_key: str = ""
    """The public key of whoever may control it, as `outhaul fleet keygen` prints it; '' for nobody."""
    may_set: tuple[str, ...] = ()
    """Keys of this configuration that an order may set, of those in `SETTABLE`."""

    shard: Shard = WHOLE
    """The share that this process has of what the device carries."""

    @property
    def name(self) -> str:
        """What it is called in the fleet: a shard is a device of its own there."""
        return self.device if self.shard == WHOLE else shard_name(self.device, self.shard)

    @property
    def patience_ns(self) -> int:
        """After so long without a word, something is wrong: one heartbeat may get lost, and be late by an interval."""
        return 2 * self.heartbeat_ns + self.interval_ns


def shard_name(device: str, shard: Shard) -> str:
    """What a shard of a device is called."""
    return f"{device}.{shard.number}-of-{shard.of}"


def reserved(prefix: str) -> str:
    """Where the fleet of a prefix lies."""
    return f"{prefix}/{RESERVED}" if prefix else RESERVED


def status_key(prefix: str, device: str) -> str:
    """Where a device tells how it is."""
    return f"{reserved(prefix)}status/{device}.json"


def receipts_prefix(prefix: str, device: str = "") -> str:
    """Where the receipts of a device lie, or those of all."""
    return f"{reserved(prefix)}receipts/" + (f"{device}/" if device else "")


def segment_key(prefix: str, device: str, month: str, ledger: str, first: int, last: int, digest: str) -> str:
    """Where a segment of receipts lies; a month is '2026/11'. Its digest is in the name, so what is there has its bytes."""
    return f"{receipts_prefix(prefix, device)}{month}/{ledger}-{first:012d}-{last:012d}-{digest[:16]}.jsonl.gz"


def control_key(prefix: str, device: str) -> str:
    """Where an order for a device lies; `ALL` for all of them."""
    return f"{reserved(prefix)}control/{device}.json"


def is_reserved(key: str) -> bool:
    """Whether a key, or a path, is of some fleet, or of workers (`segments.py`): no file that anybody carried."""
    return any(key.startswith(there) or f"/{there}" in key for there in (RESERVED, WORKERS))


def shortened(text: str) -> str:
    """No longer than what a status object may hold."""
    return text if len(text) <= TEXT_MAX else text[: TEXT_MAX - 1] + "…"


_SEGMENT = re.compile(
    r"(?P<device>[A-Za-z0-9][A-Za-z0-9._-]{0,62})/[0-9]{4}/[0-9]{2}/"
    r"(?P<ledger>[0-9a-f]{12})-(?P<first>[0-9]{12,18})-(?P<last>[0-9]{12,18})-(?P<digest>[0-9a-f]{16})\.jsonl\.gz"
)


class Segment(NamedTuple):
    """What the key of a segment says."""

    key: str
    device: str
    ledger: str
    first: int
    last: int
    digest: str
    """The first 16 digits of the SHA-256 of the object."""


def segment_of(key: str, prefix: str) -> Segment | None:
    """What a key beneath the receipts of a fleet says; None where it is none of a segment."""
    found = _SEGMENT.fullmatch(key[len(receipts_prefix(prefix)) :])
    if found is None:
        return None
    return Segment(key, found["device"], found["ledger"], int(found["first"]), int(found["last"]), found["digest"])


class Malformed(ValueError):
    """It is no status object; the message says why, in words of ours."""
