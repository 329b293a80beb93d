"""`rebuild`: a new ledger from what is in a bucket, where the old one is lost."""

from __future__ import annotations

import argparse
import os

from outhaul import rebuilding
from outhaul.config.paths import absolute_from
from outhaul.frontends.cli.carry import given_connection, state_of
from outhaul.frontends.cli.restore import missing
from outhaul.frontends.cli.returning import UNUSABLE, unusable, watcher
from outhaul.frontends.cli.stopping import stopped
from outhaul.model.address import destination
from outhaul.model.errors import ConfigurationError
from outhaul.model.job import Job
from outhaul.model.returning import ALONE


def rebuild(options: argparse.Namespace) -> int:
    """Make receipts of what is there. Exit code 1 where something could not be recorded."""
    found: list[str] = []
    connection = given_connection(options, found)
    absolute = absolute_from(os.getcwd())
    address = source = None
    try:
        address = destination(options.address, absolute)
        found.extend(missing(options.address, address))
    except ValueError as error:
        found.append(f"ADDRESS: {error}")
    try:
        source = absolute(options.source)
    except ValueError as error:
        found.append(f"--source: {error}")
    if found or address is None or source is None:
        raise ConfigurationError(*found)
    job = Job(options.job, source, address, connection)
    watching = watcher("rebuild", options, ALONE)
    try:
        report = rebuilding.rebuild(job, state_of(options), watching, stopped, read_back=options.read_back)
        watching.finished(report.account, [])
    except UNUSABLE as error:
        return unusable(address, error)
    finally:
        watching.close()
    return report.exit_code
