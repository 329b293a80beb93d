"""The options of the commands that look back: restore, mirror, audit, rebuild, find, history and export; and of `carry`."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from outhaul.frontends.cli.stick_options import add_carry, add_export_options
from outhaul.frontends.cli.times import days_of, files_of, sample_of, seconds_of, time_of

Add = Callable[[str, str, str, str, list[argparse.ArgumentParser]], argparse.ArgumentParser]
"""Adds a command: its name, where its function is, what it does, an example, and options that it shares with others."""


def add(
    command: Add,
    state: argparse.ArgumentParser,
    reporting: argparse.ArgumentParser,
    connection: argparse.ArgumentParser,
    count: Callable[[str], int],
) -> None:
    """Add all of them."""
    restore = command(
        "restore", "restore.restore", "bring files back, checked, from the ledger or from a bucket alone",
        "outhaul restore '*.csv' --to /tmp/back\n  outhaul restore /data/done/2026 --as-of 2026-03-01 --to /tmp/back\n"
        "  outhaul restore s3://my-bucket/site-7 --to /tmp/back",
        [state, reporting, connection],
    )  # fmt: skip
    restore.add_argument(
        "what", metavar="WHAT", nargs="*",
        help="path of a file or directory, or a pattern; or the address of a bucket or object, which needs no ledger, "
        "and behind it paths and patterns beneath it",
    )  # fmt: skip
    _where_to(restore)
    restore.add_argument("--job", metavar="NAME", default="", help="only this job")
    restore.add_argument(
        "--as-of", metavar="TIME", type=time_of(end=True), default=0,
        help="the latest recorded at or before this time, such as 2026-03-01, 2026-03-01T12:00Z or 2d (two days ago)",
    )  # fmt: skip
    restore.add_argument("--key", metavar="KEY", default="", help="only what is under this key")
    restore.add_argument("--prefix", metavar="PREFIX", default="", help="only what is under keys that begin so")
    _archived(restore)
    restore.add_argument("--overwrite", action="store_true", help="write over files that hold other bytes")
    restore.add_argument(
        "--decompress", action="store_true",
        help="from an address: decompress by the end of a name, too, where nothing is noted beside an object",
    )  # fmt: skip
    restore.add_argument(
        "--into-source", action="store_true", help="even into the source of a job, which may carry the files away again"
    )

    mirror = command(
        "mirror", "restore.mirror", "fetch every object that is not there yet, and delete nothing",
        "outhaul mirror s3://my-bucket/site-7 --to /data/site-7 --max-files 1000", [state, reporting, connection],
    )  # fmt: skip
    mirror.add_argument("address", metavar="ADDRESS", help="s3://bucket/prefix, or a directory")
    _where_to(mirror)
    mirror.add_argument(
        "--max-files", metavar="N", type=files_of, default=0,
        help="fetch at most N, from 1 on; the next time goes on (default: all)",
    )  # fmt: skip

    audit = command(
        "audit", "audit.audit", "do the stores still hold what the receipts say?",
        "outhaul audit --sample 5%\n  outhaul audit --all --read-back --job powerhouse", [state, reporting, connection],
    )  # fmt: skip
    which = audit.add_mutually_exclusive_group()
    which.add_argument(
        "--sample", metavar="SHARE", type=sample_of, default=(0.01, 0),
        help="a share such as 1%%, or a number, chosen by chance (default: 1%%)",
    )  # fmt: skip
    which.add_argument("--all", action="store_true", help="every object")
    audit.add_argument(
        "--read-back", action="store_true", help="read the bytes themselves (default: what the store says of them)"
    )
    audit.add_argument("--job", metavar="NAME", default="", help="only this job")
    audit.add_argument(
        "--rebuild-ledger", metavar="ADDRESS", default="", help="instead: as `outhaul rebuild ADDRESS --source DIR`"
    )
    audit.add_argument("--source", metavar="DIR", default="", help="with --rebuild-ledger")
    _add_rebuild(command, [state, reporting, connection])
    _add_past(command, state, reporting, connection, count)


def _archived(restore: argparse.ArgumentParser) -> None:
    """What is done about objects in an archive class."""
    restore.add_argument(
        "--tier", choices=("standard", "bulk", "expedited"), default="standard",
        help="how fast the store is to bring objects out of an archive class, and how dear (default: standard)",
    )  # fmt: skip
    restore.add_argument(
        "--for-days", metavar="N", type=days_of, default=7, help="how long they stay readable then (default: 7)"
    )
    restore.add_argument("--no-thaw", action="store_true", help="leave them; asking the store for them costs money")
    restore.add_argument("--wait", action="store_true", help="go on looking until all of them are there")
    restore.add_argument(
        "--look-every", metavar="TIME", type=seconds_of, default=0,
        help="how often, such as 10m (default: 15s to 30m, by class and tier)",
    )  # fmt: skip


def _where_to(command: argparse.ArgumentParser) -> None:
    command.add_argument("--to", metavar="DIR", required=True, help="directory to write beneath; made where missing")
    command.add_argument("--dry-run", action="store_true", help="say what would be fetched, and write nothing")


def _add_rebuild(command: Add, parents: list[argparse.ArgumentParser]) -> None:
    rebuild = command(
        "rebuild", "rebuild.rebuild", "a new ledger from a bucket, where the old one is lost; no file is touched",
        "outhaul rebuild s3://my-bucket/site-7 --source /data/done --job powerhouse", parents,
    )  # fmt: skip
    rebuild.add_argument(
        "address", metavar="ADDRESS", help="the destination of the job: s3://bucket/prefix, or a directory"
    )
    rebuild.add_argument("--source", metavar="DIR", required=True, help="the directory that the files came from")
    rebuild.add_argument(
        "--job", metavar="NAME", default="rebuilt", help="what the ledger calls it until a run does (default: rebuilt)"
    )
    rebuild.add_argument(
        "--read-back", action="store_true",
        help="read every byte (default: only of what the store keeps no SHA-256 of)",
    )  # fmt: skip


def _add_past(
    command: Add,
    state: argparse.ArgumentParser,
    reporting: argparse.ArgumentParser,
    connection: argparse.ArgumentParser,
    count: Callable[[str], int],
) -> None:
    find = command(
        "find", "past.find", "receipts by path, digest, key or time, without the network",
        "outhaul find '2026/**/*.csv' --since 7d\n  outhaul find --sha256 9f86d081884c7d65", [state, reporting],
    )  # fmt: skip
    find.add_argument(
        "pattern", metavar="PATTERN", nargs="?", default="", help="path of a file or directory, or a pattern"
    )
    _marks(find)
    find.add_argument("--limit", metavar="N", type=count, default=0, help="only the latest N")

    history = command(
        "history", "past.history", "the runs so far, or what happened with one path",
        "outhaul history --limit 10\n  outhaul history /data/done/reading.csv", [state, reporting],
    )  # fmt: skip
    history.add_argument(
        "path", metavar="PATH", nargs="?", default="", help="path of a file, absolute or beneath its source"
    )
    history.add_argument("--job", metavar="NAME", default="", help="only this job")
    history.add_argument("--limit", metavar="N", type=count, default=0, help="only the latest N runs")

    export = command(
        "export", "export.export", "files to a stick, for another machine to carry; or the receipts as a table",
        "outhaul export --to /media/stick\n  outhaul export --format csv -o receipts.csv", [state, connection],
    )  # fmt: skip
    export.add_argument(
        "pattern", metavar="PATTERN|CONFIG", nargs="?", default="",
        help="with --format: path of a file or directory, or a pattern; with --to: configuration file, as for `run`",
    )  # fmt: skip
    add_export_options(export)
    export.add_argument("--format", choices=("csv", "jsonl", "parquet"), default="", help="form of the table")
    export.add_argument(
        "-o", "--output", metavar="FILE", default="", help="new file to write; nothing is written over (default: print)"
    )
    _marks(export)
    add_carry(command, reporting, connection)


def _marks(command: argparse.ArgumentParser) -> None:
    command.add_argument("--job", metavar="NAME", default="", help="only this job")
    command.add_argument(
        "--sha256", metavar="HEX", default="", help="only this digest, or what begins so (8 digits or more)"
    )
    command.add_argument("--key", metavar="KEY", default="", help="only this key, or address of an object")
    command.add_argument(
        "--since", metavar="TIME", type=time_of(end=False), default=0, help="recorded at or after this time"
    )
    command.add_argument(
        "--until", metavar="TIME", type=time_of(end=True), default=0, help="recorded at or before this time"
    )
