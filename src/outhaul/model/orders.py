"""An order to a device, or to all of a fleet: to pause, to go on, to send no more than so much. Pure.

An order is the whole of what is wanted: the next one takes its place, and what it says nothing of is as configured. It can name
no file, no address and no command: whoever holds the key can delay what a device carries, and nothing else.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from outhaul.model.fleet import ALL, DEVICE, Malformed

FORMAT = 1
BYTES_MAX = 4 << 10
VALID_MAX_NS = 366 * 86400 * 10**9
"""An order holds no longer than a year."""
RATE_MIN, RATE_MAX = 8 << 10, 1 << 50
SIGNED_WITH = b"outhaul fleet control 1\n"
"""Stands before what is signed, so that a signature for anything else is none of an order."""


class Order(NamedTuple):
    """What a device is to do."""

    place: str
    """The address of the fleet: an order for another one is none."""
    device: str
    """Whom it is for; `ALL` for all of them."""
    sequence: int
    """Of two orders the one with the higher number holds, whomever they are for."""
    expires_ns: int
    """By the wall clock."""
    paused: bool
    rate: int
    """Bytes a second; 0 leaves it as configured."""


def told(order: Order) -> bytes:
    """What is signed."""
    return json.dumps({"format": FORMAT, **order._asdict()}, separators=(",", ":")).encode()


def read_order(payload: bytes, place: str, device: str) -> Order:
    """An order whose signature has been found right.

    Args:
        payload: What was signed.
        place: The address of the fleet.
        device: Who reads it.

    Raises:
        Malformed: it is none, or not for this device.
    """
    try:
        tree: Any = json.loads(payload)
    except (ValueError, RecursionError):
        raise Malformed("no JSON") from None
    if not isinstance(tree, dict) or tree.pop("format", None) != FORMAT or tree.keys() != set(Order._fields):
        raise Malformed("it is no order that this outhaul knows")
    order = Order(**tree)
    if not _is_of_its_form(order):
        raise Malformed("it holds what no order does")
    if order.place != place:
        raise Malformed("it is for another fleet")
    if order.device not in (device, ALL):
        raise Malformed("it is for another device")
    return order


def _is_of_its_form(order: Order) -> bool:
    numbers = (order.sequence, order.expires_ns, order.rate)
    return (
        all(type(number) is int and 0 <= number < 1 << 63 for number in numbers)
        and isinstance(order.place, str)
        and isinstance(order.device, str)
        and (order.device == ALL or re.fullmatch(DEVICE[1:-1], order.device) is not None)
        and isinstance(order.paused, bool)
        and (order.rate == 0 or RATE_MIN <= order.rate <= RATE_MAX)
    )
