"""`fleet`: how all devices are that tell of themselves in one place. Those that are late or in trouble stand first.

Exit code 1 where any is, or nobody has told anything at all; what a device is called, and what it says, is shown as data.
The other commands of the word, `import`, `keygen` and `control`, are in modules beside this one.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from importlib import import_module

from outhaul.config.paths import absolute_from
from outhaul.config.telling import Hook
from outhaul.fleet.reading import Reader
from outhaul.fleet.shards import totals, with_missing
from outhaul.fleet.status import Found, span
from outhaul.frontends.cli import say
from outhaul.frontends.cli.carry import given_connection
from outhaul.frontends.cli.fleet_alarm import Alarm, given_hook
from outhaul.frontends.cli.metrics import label, write
from outhaul.frontends.cli.show import terminal_width
from outhaul.frontends.cli.stopping import end_without_a_word, stopped
from outhaul.frontends.telling.delivery import Delivery
from outhaul.model.address import destination
from outhaul.model.errors import ConfigurationError, StoreError
from outhaul.model.fleet import RESERVED
from outhaul.model.job import Connection, Destination
from outhaul.model.keys import printable
from outhaul.model.lifecycle import REASONS
from outhaul.wiring import open_meeting

WELL_MAX = 20
"""Devices that are well and are named nevertheless, without -v."""
_NAME_MAX = 20
_MEANINGS = {name: reason.meaning for name, reason in REASONS.items()}
_OTHERS = {"import": "importing.bring_in", "keygen": "controlling.keygen", "control": "controlling.control"}


def fleet(options: argparse.Namespace) -> int:
    """One of the commands."""
    word, *rest = options.what
    if word in _OTHERS:
        module, function = _OTHERS[word].split(".")
        options.what = rest
        code: int = import_module(f"outhaul.frontends.cli.{module}").__dict__[function](options)
        return code
    if rest:
        raise ConfigurationError(f"{rest[0]}: one address is enough: outhaul fleet s3://bucket/prefix")
    there, connection = place(options, word)
    told = given_hook(options.hook) if options.hook else Hook()
    reader = Reader(open_meeting(there, connection), there.prefix)
    with contextlib.closing(Alarm(told, there.address, Delivery(_complain))) as alarm:
        end_without_a_word()
        while True:
            code = _look(reader, there, options, alarm)
            if not options.watch or not _rest(options.watch):
                return code


def _complain(text: str) -> None:
    print(f"outhaul: {printable(text)}", file=sys.stderr)


def place(options: argparse.Namespace, address: str) -> tuple[Destination, Connection]:
    """Where the devices meet, and how it is reached.

    Raises:
        ConfigurationError: the address or an option is wrong.
    """
    found: list[str] = []
    connection = given_connection(options, found)
    try:
        there = destination(address, absolute_from(os.getcwd()))
    except ValueError as error:
        raise ConfigurationError(*found, f"ADDRESS: {error}") from None
    if found:
        raise ConfigurationError(*found)
    return there, connection if there.kind == "s3" else Connection()


def nobody(there: Destination) -> str:
    """What is said where no device is found: the address may be wrong, or all of it removed; no news is not that all are well."""
    where = there.address
    return f"no device has told anything beneath {where}/{RESERVED}: is {where} what they have as `to` in [fleet]?"


def _rest(seconds: float) -> bool:
    """Wait; False where it is asked to end."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not stopped():
        time.sleep(0.2)
    return not stopped()


def _look(reader: Reader, there: Destination, options: argparse.Namespace, alarm: Alarm) -> int:
    try:
        devices = [seen.found for seen in reader.devices()]
    except StoreError as error:
        if not options.watch:
            raise
        _complain(f"{error}; tried again in a while")
        return 1
    now = time.time_ns()
    if there.kind == "s3":  # Our own clock may be behind that of the store.
        now = max(now, max((found.modified_ns for found in devices), default=0))
    judged = [(found, found.troubles(now, _MEANINGS)) for found in with_missing(devices, now)]
    judged.sort(key=lambda one: (not one[1], not one[0].late_ns(now), -one[0].late_ns(now), one[0].device))
    if options.metrics:
        write("".join(f"{line}\n" for line in _exposition(judged, now)), options.metrics)
    if options.hook:
        late = [found.device for found, _ in judged if found.late_ns(now)]
        alarm.look(late, {found.device: troubles for found, troubles in judged if troubles}, len(devices))
    troubled = any(troubles for _, troubles in judged)
    if options.json:
        for found, troubles in judged:
            if troubles or not options.quiet:
                print(json.dumps(_fields(found, troubles, now)))
    elif judged and (troubled or not options.quiet):
        if options.watch and sys.stdout.isatty():
            print("\x1b[H\x1b[2J", end="")
        print("\n".join(_lines(judged, now, options)), flush=True)
    if not judged:
        _complain(nobody(there))
    return 1 if troubled or not judged else 0


Judged = Sequence[tuple[Found, list[str]]]


def _lines(judged: Judged, now: int, options: argparse.Namespace) -> Iterator[str]:
    troubled = sum(1 for _, troubles in judged if troubles)
    well = 0 if options.quiet else len(judged) - troubled if options.verbose else WELL_MAX
    shown = judged[: troubled + well]
    rows = [_row(found, troubles, now) for found, troubles in shown]
    header = ("DEVICE", "HEARD", "WAITING", "SIZE", "OLDEST", "STATE")
    yield from say.table(header, rows, right=(1, 2, 3, 4), width=terminal_width())
    if len(shown) < len(judged) and not options.quiet:
        yield f"and {len(judged) - len(shown):,} more that are well: outhaul fleet -v"
    yield ""
    yield _sum(judged, now, troubled)


def _row(found: Found, troubles: list[str], now: int) -> tuple[str, ...]:
    name = printable(found.device)
    name = name if len(name) <= _NAME_MAX else f"{name[: _NAME_MAX - 1]}…"
    heard = span(max(0, now - found.modified_ns))
    if (told := found.told) is None:
        return name, heard, "?", "?", "?", troubles[0]
    oldest = span(max(0, told.told_ns - told.oldest_ns)) if told.oldest_ns else "-"
    state = "; ".join(troubles) or ("paused" if told.paused else "well")
    if told.order:
        state += f"; order {told.order}" + (f": {printable(', '.join(told.sets))}" if told.sets else "")
    return name, heard, f"{told.files:,}", say.size(told.bytes), oldest, state


def _sum(judged: Judged, now: int, troubled: int) -> str:
    waiting, devices = totals(found for found, _ in judged), sum(1 for found, _ in judged if not found.missing)
    late = sum(1 for found, _ in judged if found.late_ns(now))
    parts = [f"{late:,} late"] if late else []
    sets, missing = sum(1 for found, _ in judged if found.missing), sum(len(found.missing) for found, _ in judged)
    parts += [f"{troubled - late - sets:,} in trouble"] if troubled - late - sets else []
    parts += [f"{missing:,} shard{'' if missing == 1 else 's'} missing"] if missing else []
    parts.append(f"{len(judged) - troubled:,} well")
    return (
        f"{devices:,} device{'' if devices == 1 else 's'}: {', '.join(parts)}; "
        f"{say.files(waiting.files)} waiting ({say.size(waiting.bytes)}), "
        f"{say.files(waiting.carried)} carried ({say.size(waiting.carried_bytes)})"
    )


def _fields(found: Found, troubles: list[str], now: int) -> dict[str, object]:
    told = found.told
    fields: dict[str, object] = {
        "event": "device", "device": printable(found.device), "heard": say.moment(found.modified_ns),
        "late_seconds": found.late_ns(now) // 10**9, "troubles": [printable(text) for text in troubles],
    }  # fmt: skip
    if found.missing:
        return {**fields, "shards_missing": found.missing}
    if told is None:
        return {**fields, "unreadable": printable(found.unreadable)}
    return {
        **fields, "version": told.version, "sequence": told.sequence, "next_by": say.moment(told.next_by_ns),
        "clock_seconds": found.clock_ns // 10**9, "waiting": told.files, "waiting_bytes": told.bytes,
        "oldest": told.oldest_path, "oldest_since": say.moment(told.oldest_ns), "held": told.held,
        "carried": told.carried, "carried_bytes": told.carried_bytes, "last_carried": say.moment(told.last_ns),
        "given_up": told.given_up, "disk_full_in_seconds": told.full_in_seconds, "fault": told.fault,
        "paused": told.paused, "order": told.order, "set": [printable(one) for one in told.sets],
        "refused": printable(told.refused), "shard": told.shard and told.shard._asdict(),
    }  # fmt: skip


def _exposition(judged: Judged, now: int) -> Iterator[str]:
    """As `metrics.exposition`, of many devices."""
    late = sum(1 for found, _ in judged if found.late_ns(now))
    for name, text, count in (
        ("fleet_devices", "Devices that have told of themselves.", sum(1 for found, _ in judged if not found.missing)),
        ("fleet_devices_late", "Those that should have been heard of since.", late),
        ("fleet_devices_in_trouble", "Those that are late or not well.", sum(1 for _, found in judged if found)),
    ):
        yield f"# HELP outhaul_{name} {text}"
        yield f"# TYPE outhaul_{name} gauge"
        yield f"outhaul_{name} {count}"
    for name, text in (
        ("fleet_device_heard_age_seconds", "How long ago the device was heard of."),
        ("fleet_device_late_seconds", "For how long it should have been heard of; 0 where it is in time."),
        ("fleet_device_in_trouble", "1 where it is late or not well."),
        ("fleet_device_files_waiting", "Files that have not been carried."),
    ):
        yield f"# HELP outhaul_{name} {text}"
        yield f"# TYPE outhaul_{name} gauge"
        for found, troubles in judged:
            if (value := _value(name, found, bool(troubles), now)) is not None:
                yield f'outhaul_{name}{{device="{label(found.device)}"}} {value}'


def _value(name: str, found: Found, troubled: bool, now: int) -> int | None:
    of_name = {
        "fleet_device_heard_age_seconds": max(0, now - found.modified_ns) // 10**9,
        "fleet_device_late_seconds": found.late_ns(now) // 10**9,
        "fleet_device_in_trouble": int(troubled),
        "fleet_device_files_waiting": found.told.files if found.told else None,
    }
    return of_name[name]
