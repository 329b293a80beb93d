"""`audit`: do the stores still hold what the receipts say?"""

from __future__ import annotations

import argparse

from outhaul import bringing
from outhaul.frontends.cli.carry import given_connection, state_of
from outhaul.frontends.cli.returning import watcher
from outhaul.frontends.cli.stopping import stopped
from outhaul.model.errors import ConfigurationError


def audit(options: argparse.Namespace) -> int:
    """Hold receipts against the stores. Exit code 1 where anything is missing, changed or unproved."""
    if options.rebuild_ledger or options.source:
        return _rebuild(options)
    found: list[str] = []
    connection = given_connection(options, found)
    if found:
        raise ConfigurationError(*found)
    share, count = (1.0, 0) if options.all else options.sample
    watching = watcher("audit", options)
    try:
        report = bringing.audit(
            state_of(options), connection, watching, stopped,
            job=options.job, share=share, count=count, read_back=options.read_back,
        )  # fmt: skip
        watching.finished(report.account, [])
    finally:
        watching.close()
    return report.exit_code


def _rebuild(options: argparse.Namespace) -> int:
    if not (options.rebuild_ledger and options.source):
        raise ConfigurationError(
            "--rebuild-ledger and --source belong together: --rebuild-ledger s3://bucket/prefix --source DIR"
        )
    from outhaul.frontends.cli.rebuild import rebuild

    return rebuild(
        argparse.Namespace(**{**vars(options), "address": options.rebuild_ledger, "job": options.job or "rebuilt"})
    )
