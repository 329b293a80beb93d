"""`fleet import`: what a fleet tells, into a database, for SQL. Exit code 1 where some of it was refused, or there is none."""

from __future__ import annotations

import argparse
import json
import sys

from outhaul.fleet.databases import open_database
from outhaul.fleet.importing import bring_in as bring_into
from outhaul.frontends.cli import say
from outhaul.frontends.cli.fleet import nobody, place
from outhaul.model.errors import ConfigurationError
from outhaul.model.keys import printable
from outhaul.wiring import open_meeting


def bring_in(options: argparse.Namespace) -> int:
    """Import it."""
    if len(options.what) != 1 or not options.to:
        raise ConfigurationError(
            "write outhaul fleet import s3://bucket/prefix --to postgresql://host/database, or a file: fleet.duckdb, fleet.sqlite"
        )
    there, connection = place(options, options.what[0])
    meeting = open_meeting(there, connection)
    database = open_database(options.to)
    try:
        count = bring_into(meeting, there.prefix, database)
    finally:
        database.close()
    for key, why in count.refused:
        print(f"outhaul: {printable(key)} is refused: {printable(why)}", file=sys.stderr)
    if options.json:
        print(json.dumps({"event": "imported", **count._asdict(), "refused": len(count.refused)}))
    elif not options.quiet:
        print(
            f"{count.segments:,} new segment{'' if count.segments == 1 else 's'} with {say.files(count.receipts)}; "
            f"{count.devices:,} device{'' if count.devices == 1 else 's'}"
        )
    if is_empty := not (count.devices or count.segments or count.refused):
        print(f"outhaul: {printable(nobody(there))}", file=sys.stderr)
    return 1 if count.refused or is_empty else 0
