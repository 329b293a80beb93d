"""An order to a device, or to all of a fleet: to pause, to go on, to send no more than so much, to set a key otherwise. Pure.

An order is the whole of what is wanted: the next one takes its place, and what it says nothing of is as configured. It can name
no file, no address and no command: the keys that it may set say when and how much, and each device has a list of those that it
lets be set. So whoever holds the private key decides when a device carries, and how much, and nothing else.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from outhaul.model.fleet import ALL, DEVICE, TEXT_MAX, Malformed

FORMAT = 1
BYTES_MAX = 4 << 10
VALID_MAX_NS = 366 * 86400 * 10**9
"""An order holds no longer than a year."""
RATE_MIN, RATE_MAX = 8 << 10, 1 << 50
SIGNED_WITH = b"outhaul fleet control 1\n"
"""Stands before what is signed, so that a signature for anything else is none of an order."""
SETTINGS_MAX = 32
ALL_JOBS = "*"
"""Stands for every job of a device; no job is called so."""
_DEPTH_MAX = 4


class Setting(NamedTuple):
    """A key that an order sets."""

    job: str
    """Whose; '' for one that stands above the jobs, `ALL_JOBS` for that of each."""
    key: str
    value: Any
    """As it would stand in the configuration; None for as if nothing stood there."""

    @property
    def name(self) -> str:
        """As people write it: 'readings.every'."""
        return f"{self.job}.{self.key}" if self.job else self.key

    @property
    def text(self) -> str:
        """With its value, or that it is left out; as data, and no longer than a status may hold."""
        shown = "left out" if self.value is None else f"= {json.dumps(self.value)}"
        text = f"{self.name} {shown}"
        return text if len(text) <= TEXT_MAX else text[: TEXT_MAX - 1] + "…"


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
    settings: tuple[Setting, ...] = ()
    """What it sets; one for a job goes before one for all."""


def told(order: Order) -> bytes:
    """What is signed. An order that sets nothing is as it was before any could: older devices understand it."""
    tree = {"format": FORMAT, **order._asdict()}
    if not order.settings:
        del tree["settings"]
    return json.dumps(tree, separators=(",", ":")).encode()


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
    if not isinstance(tree, dict) or tree.pop("format", None) != FORMAT:
        raise Malformed("it is no order that this outhaul knows")
    settings = _settings(tree.pop("settings", []))
    if tree.keys() != set(Order._fields) - {"settings"}:
        raise Malformed("it is no order that this outhaul knows")
    order = Order(**tree, settings=settings)
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


def _settings(found: Any) -> tuple[Setting, ...]:
    """What an order sets; which keys may be set, and to what, is for whoever knows the configuration."""
    if not isinstance(found, list) or len(found) > SETTINGS_MAX or not all(map(_is_setting, found)):
        raise Malformed("it sets what no order can")
    settings = tuple(Setting(*one) for one in found)
    if len({(one.job, one.key) for one in settings}) < len(settings):
        raise Malformed("it sets one key twice")
    return settings


def _is_setting(found: Any) -> bool:
    if not isinstance(found, list) or len(found) != 3 or not all(isinstance(one, str) for one in found[:2]):
        return False
    named = found[0] in ("", ALL_JOBS) or re.fullmatch(r"[A-Za-z0-9._-]{1,64}", found[0]) is not None
    return named and re.fullmatch(r"[a-z.-]{1,40}", found[1]) is not None and _is_plain(found[2], _DEPTH_MAX)


def _is_plain(value: Any, depth: int) -> bool:
    """Whether it is a value as a configuration may have it, and not nested without end."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return depth > 0 and all(_is_plain(one, depth - 1) for one in value)
    return value is None or isinstance(value, (bool, int, str))
