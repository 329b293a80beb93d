"""`check`: validate a configuration, look at each source, try each destination, say what would stop it."""

from __future__ import annotations

import argparse
import json
import os

from outhaul import app
from outhaul.config.paths import absolute_from
from outhaul.frontends.cli import object_lines
from outhaul.frontends.cli.carry import configured, given_connection, reconfigured, state_of
from outhaul.model.address import destination
from outhaul.model.errors import ConfigurationError
from outhaul.model.fleet import Fleet
from outhaul.model.job import Job
from outhaul.model.keys import printable
from outhaul.ports import Abilities


def check(options: argparse.Namespace) -> int:
    """Say of each job what is well and what is not. Exit codes as for a run."""
    given = options.config or ""
    is_address = given.startswith(("s3:", "file:")) or os.path.isdir(given)
    said = None if is_address else configured(options)
    jobs = said.jobs if said else [_bare_job(given, options)]
    code = 0
    for checked in app.check(jobs, state_of(options)):
        if options.json:
            print(json.dumps(_fields(checked)))
        elif not options.quiet or checked.destination_fault or checked.source_fault or checked.faults:
            print("\n".join(printable(line) for line in _lines(checked, bare=is_address)))
        code = 4 if checked.destination_fault else max(code, 1 if checked.source_fault or checked.faults else 0)
    if said is not None and said.fleet is not None and said.fleet.control_key:
        _tell_order(said.fleet, options)
    return code


def _tell_order(fleet: Fleet, options: argparse.Namespace) -> None:
    """What an order may set here, and what the one that holds does set."""
    from outhaul.fleet.obeying import Obedience
    from outhaul.fleet.told_here import lines_of

    obedience = Obedience(fleet, state_of(options))
    order = obedience.holds()
    try:
        if order is not None and order.settings:
            reconfigured(options, order.settings)
    except ConfigurationError as error:
        obedience.unfit = f"order {order.sequence if order else 0}: {error.problems[0]}"
    found = obedience.report()
    if options.json:
        print(json.dumps({"event": "order", "may_set": fleet.may_set, **found}))
    elif not options.quiet or found["refused"]:
        may = f"an order may pause, set a rate, and set: {', '.join(fleet.may_set) or 'nothing'}"
        print("\n  ".join(["fleet:", may, *(lines_of(found) or ["no order holds"])]))


def _bare_job(address: str, options: argparse.Namespace) -> Job:
    found: list[str] = []
    connection = given_connection(options, found)
    try:
        target = destination(address, absolute_from(os.getcwd()))
    except ValueError as error:
        found.append(f"DESTINATION: {error}")
    if found:
        raise ConfigurationError(*found)
    return Job(name="check", source="", destination=target, connection=connection)


def _lines(checked: app.Checked, *, bare: bool) -> list[str]:
    job = checked.job
    lines = [] if bare else [f"{job.name}:"]
    if not bare:
        lines.append(f"  source       {job.source}: {checked.source_fault or 'can be read'}")
        if not checked.source_fault:
            lines.append(f"               {_writers(checked.sees_writers)}")
        lines.extend(f"  {what:12} {text}" for what, _, text in (one.partition(": ") for one in checked.faults))
    where = job.destination.address + (
        f" at {checked.job.connection.endpoint_url}" if checked.job.connection.endpoint_url else ""
    )
    lines.append(f"  destination  {where}: {checked.destination_fault or 'can be written to'}")
    if job.destination.kind == "s3":
        lines.extend(f"               {line}" for line in object_lines.lines(job))
    if checked.abilities:
        lines.extend(f"               {line}" for line in _abilities(checked.abilities))
        if job.objects.lock.mode:
            lines.append("               it keeps locks: an object of outhaul's own is locked there, for an hour")
        if not checked.abilities.can_prove(job.proof):
            lines.append(
                f"               it gives no evidence that proof = {job.proof!r} asks for: nothing would be carried"
            )
    return lines


def _abilities(found: Abilities) -> list[str]:
    """What the destination does, a line each."""
    proofs = [
        name
        for name, has in (
            ("an ETag that is the MD5 of the bytes", found.md5_etag),
            ("a SHA-256 that it keeps and checks", found.keeps_sha256),
            ("reading back", found.readable),
        )
        if has
    ]
    lines = [
        f"evidence it can give: {', '.join(proofs) or 'none'}",
        "it refuses to replace an object (If-None-Match), so that nothing is ever overwritten"
        if found.create_only
        else "it would replace an object when asked to create one: outhaul looks before each write instead, "
        "which does not protect against another machine that writes the same key at the same moment",
    ]
    for what, checks in (
        ("a body that is not the one that was signed", found.checks_payload),
        ("a body that does not fit its Content-MD5", found.checks_md5),
        ("another expected owner of the bucket", found.checks_owner),
    ):
        if checks is not None:
            lines.append(f"it {'refuses' if checks else 'does NOT refuse'} {what}")
    for what, takes in (("of 1,024 bytes", found.takes_long_keys), ("of unusual characters", found.takes_odd_keys)):
        if takes is not None:
            lines.append(
                f"it takes keys {what}" if takes else f"it does NOT take a key {what}: such files will be held"
            )
    return lines


def _writers(sees: bool | None) -> str:
    if sees is None:
        return "there is no file yet to try whether open writers are seen"
    if sees:
        return "files that are open for writing are seen, and wait"
    return (
        "the kernel does not say who writes here: a file goes after outhaul has seen it unchanged for 60 seconds "
        "(run as the owner of the files, or as root, on a local file system)"
    )


def _fields(checked: app.Checked) -> dict[str, object]:
    abilities = checked.abilities
    return {
        "event": "check", "job": checked.job.name, "source": printable(checked.job.source),
        "source_fault": checked.source_fault, "sees_writers": checked.sees_writers,
        "destination": checked.job.destination.address, "endpoint": checked.job.connection.endpoint_url,
        "destination_fault": checked.destination_fault, "faults": [printable(fault) for fault in checked.faults],
        "abilities": abilities._asdict() if abilities else None, **object_lines.fields(checked.job),
    }  # fmt: skip
