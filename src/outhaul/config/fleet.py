"""Where a device tells how it is: `[fleet] to = "s3://bucket/prefix"`. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from outhaul.config import values
from outhaul.config.wording import Where, shown, unknown_key
from outhaul.model.address import destination
from outhaul.model.fleet import DEVICE, NEXT_BY_MAX_NS, SECOND_NS, SETTABLE, Fleet
from outhaul.model.job import Connection, Destination

FLEET_KEYS = ("to", "device", "interval", "heartbeat", "control-key", "may-set")
INTERVAL_NS, HEARTBEAT_NS = 900 * SECOND_NS, 3600 * SECOND_NS
"""Where nothing is said of them."""
CONTROL_KEY = r"^ed25519:[A-Za-z0-9+/]{43}=$"
_Note = Callable[[Where, str], None]


def fleet(value: object, connection: Connection, absolute: Callable[[str], str], note: _Note) -> Fleet | None:
    """What a configuration says of it.

    Args:
        value: What stands in the tree.
        connection: How stores are reached, where a job does not say otherwise.
        absolute: Makes a path absolute.
        note: Is told what is wrong, and where.
    """
    if not isinstance(value, dict):
        note(("fleet",), f'expected a table such as {{ to = "s3://bucket/prefix" }}, not {shown(value)}')
        return None
    for key in value:
        if key not in FLEET_KEYS:
            note(("fleet", key), unknown_key(key, FLEET_KEYS, {}))
    if "to" not in value:
        note(("fleet", "to"), 'is missing; write to = "s3://bucket/prefix"')

    def take(key: str, read: Callable[[object], Any], default: Any) -> Any:
        try:
            return read(value[key]) if key in value else default
        except ValueError as error:
            note(("fleet", key), str(error))
            return default

    there = take("to", lambda given: destination(values.text(given, '"s3://bucket/prefix"'), absolute), _NOWHERE)
    interval = take("interval", _at_least_a_second, INTERVAL_NS)
    heartbeat = take("heartbeat", _at_least_a_second, max(HEARTBEAT_NS, interval))
    if heartbeat < interval:
        note(("fleet", "heartbeat"), "is shorter than interval; leave it out, or write a longer one")
    reached = connection if there.kind == "s3" else Connection()
    # A list without a key says nothing, and is not wrong: who takes the key away is to have that at the next reload.
    found = Fleet(
        there, reached, take("device", device, ""), interval, heartbeat, take("control-key", control_key, ""),
        take("may-set", may_set, ()),
    )  # fmt: skip
    if found.patience_ns > NEXT_BY_MAX_NS:
        note(("fleet", "heartbeat"), "is too long: nobody would notice for more than 100 days; write a shorter one")
    return found


_NOWHERE = Destination("", "s3", "", "")


def device(value: object) -> str:
    """The name of a device."""
    if not isinstance(value, str) or not re.fullmatch(DEVICE[1:-1], value):
        raise ValueError(
            f"expected 1 to 63 letters, digits, '.', '_' or '-', the first a letter or digit, not {shown(value)}"
        )
    return value


def control_key(value: object) -> str:
    """A public key. What is refused is not repeated: somebody may have taken the other half."""
    if not isinstance(value, str) or not re.fullmatch(CONTROL_KEY[1:-1], value):
        raise ValueError("expected a public key such as `outhaul fleet keygen` prints: ed25519: and 44 characters")
    return value


def may_set(value: object) -> tuple[str, ...]:
    """Keys that an order may set."""
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ValueError(f'expected an array of keys such as ["every", "bandwidth"], not {shown(value)}')
    for one in value:
        if one not in SETTABLE:
            raise ValueError(f"no order may ever set {shown(one)}; those that may be are {', '.join(SETTABLE)}")
    return tuple(value)


def _at_least_a_second(value: object) -> int:
    found = values.kept(value)
    if found < SECOND_NS:
        raise ValueError('expected at least "1s"')
    return found
