"""`check`: validate a configuration, look at each source, try each destination, say what would stop it."""

from __future__ import annotations

import argparse
import json
import os

from outhaul import app
from outhaul.config.paths import absolute_from
from outhaul.frontends.cli.carry import configured_jobs, given_connection, state_of
from outhaul.model.address import destination
from outhaul.model.errors import ConfigurationError
from outhaul.model.job import Job
from outhaul.model.keys import printable


def check(options: argparse.Namespace) -> int:
    """Say of each job what is well and what is not. Exit codes as for a run."""
    given = options.config or ""
    is_address = given.startswith(("s3:", "file:")) or os.path.isdir(given)
    jobs = [_bare_job(given, options)] if is_address else configured_jobs(options)
    code = 0
    for checked in app.check(jobs, state_of(options)):
        if options.json:
            print(json.dumps(_fields(checked)))
        elif not options.quiet or checked.destination_fault or checked.source_fault:
            print("\n".join(printable(line) for line in _lines(checked, bare=is_address)))
        code = 4 if checked.destination_fault else max(code, 1 if checked.source_fault else 0)
    return code


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
    where = job.destination.address + (
        f" at {checked.job.connection.endpoint_url}" if checked.job.connection.endpoint_url else ""
    )
    lines.append(f"  destination  {where}: {checked.destination_fault or 'can be written to'}")
    if checked.abilities:
        lines.append(
            "               "
            + (
                "it refuses to replace an object (If-None-Match), so that nothing is ever overwritten"
                if checked.abilities.create_only
                else "it would replace an object when asked to create one: outhaul looks before each write instead, "
                "which does not protect against another machine that writes the same key at the same moment"
            )
        )
        lines.append(
            "               "
            + (
                "what was written can be read back"
                if checked.abilities.readable
                else "what was written cannot be read back: a proof is possible by ETag only"
            )
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
        "destination_fault": checked.destination_fault,
        "create_only": abilities.create_only if abilities else None,
        "readable": abilities.readable if abilities else None,
    }  # fmt: skip
