"""`fleet keygen` and `fleet control`: orders to devices, signed here and put into the bucket. Off until a device pins the key."""

from __future__ import annotations

import argparse
import re
import time

from outhaul.config.bandwidth import limit
from outhaul.config.durations import duration_ns
from outhaul.config.ordered import setting
from outhaul.fleet.signing import load_key, make_key, public_of, signed, verified
from outhaul.frontends.cli.fleet import place
from outhaul.model.errors import ConfigurationError, Refused
from outhaul.model.fleet import ALL, DEVICE, Malformed, control_key
from outhaul.model.job import Destination
from outhaul.model.keys import printable
from outhaul.model.orders import BYTES_MAX, SETTINGS_MAX, VALID_MAX_NS, Order, Setting, read_order, told
from outhaul.ports.meeting import Meeting
from outhaul.wiring import open_meeting


def keygen(options: argparse.Namespace) -> int:
    """A new private key into a file; what goes into the configurations, on standard output."""
    if len(options.what) != 1:
        raise ConfigurationError("write outhaul fleet keygen FILE: the private key goes there")
    print(f'control-key = "{make_key(options.what[0])}"')
    return 0


def control(options: argparse.Namespace) -> int:
    """Sign an order, and put it where its device reads it."""
    device, rate, valid_ns, settings = _checked(options)
    key = load_key(options.key)
    there, connection = place(options, options.what[0])
    meeting = open_meeting(there, connection)
    now = time.time_ns()
    last = max(_sequence(meeting, there, name, public_of(key)) for name in {ALL, device})
    order = Order(there.address, device, max(now // 10**6, last + 1), now + valid_ns, options.pause, rate, settings)
    body = signed(told(order), key)
    if len(body) > BYTES_MAX:
        raise ConfigurationError(
            f"--set: the order would have more than {BYTES_MAX:,} bytes, and no device reads that; set less"
        )
    meeting.replace(control_key(there.prefix, device), body)
    if not options.quiet:
        until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(order.expires_ns // 10**9))
        print(f"order {order.sequence} for {'all devices' if device == ALL else device} holds until {until}")
        for one in settings:
            print(f"  {printable(one.text)}, where the device lets it be set")
    return 0


def _checked(options: argparse.Namespace) -> tuple[str, int, int, tuple[Setting, ...]]:
    """For whom, how many bytes a second, how long it holds, and what it sets."""
    found = []
    if len(options.what) != 1:
        found.append("write outhaul fleet control s3://bucket/prefix --key FILE --device NAME --pause")
    if not options.key:
        found.append("--key is missing: the file that `outhaul fleet keygen` has written")
    if not options.device and not options.all:
        found.append("for whom? write --device NAME or --all")
    if options.device and not re.fullmatch(DEVICE[1:-1], options.device):
        found.append("--device: that is no name of a device")
    if not (options.pause or options.resume or options.bandwidth or options.set):
        found.append("what? write --pause, --resume, --bandwidth 2MiB/s or --set JOB.KEY=VALUE")
    settings: dict[tuple[str, str], Setting] = {}
    for text in options.set:
        try:
            one = setting(text)
            if settings.setdefault((one.job, one.key), one) is not one:
                raise ValueError(f"{one.name} is set twice")
        except ValueError as error:
            found.append(f"--set: {error}")
    if len(settings) > SETTINGS_MAX:
        found.append(f"--set: an order sets no more than {SETTINGS_MAX} keys")
    rate = valid_ns = 0
    try:
        rate = limit(options.bandwidth) or 0 if options.bandwidth else 0
    except ValueError as error:
        found.append(f"--bandwidth: {error}")
    try:
        valid_ns = duration_ns(options.expires)
        if not 0 < valid_ns <= VALID_MAX_NS:
            raise ValueError("expected no more than 366d, and more than 0")
    except ValueError as error:
        found.append(f"--expires: {error}")
    if found:
        raise ConfigurationError(*found)
    return options.device or ALL, rate, valid_ns, tuple(settings.values())


def _sequence(meeting: Meeting, there: Destination, name: str, public: str) -> int:
    """The number of the order that is there; 0 where there is none of this key, whatever else it says."""
    try:
        body = meeting.read_one(control_key(there.prefix, name), BYTES_MAX)
        return read_order(verified(body, public), there.address, name).sequence if body else 0
    except (Malformed, Refused):
        return 0
