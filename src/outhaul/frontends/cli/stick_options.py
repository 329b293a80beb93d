"""The options of `export --to` and `carry`. Light: they are made for `--help`, too."""

from __future__ import annotations

import argparse
from collections.abc import Callable

Add = Callable[[str, str, str, str, list[argparse.ArgumentParser]], argparse.ArgumentParser]
"""As in `ways_back.py`."""


def add_export_options(export: argparse.ArgumentParser) -> None:
    """What `export` takes with --to."""
    add = export.add_argument_group("files, for a stick").add_argument
    add(
        "--to",
        metavar="DIR",
        default="",
        help="take the receipts that are there, and write packages of what is new there",
    )
    _add_key(add)
    add("--trust-stick", action="store_true", help="believe receipts that are not signed: let go of what they name")
    add(
        "--again",
        action="store_true",
        help="write what is on its way on another stick, too, or has a receipt that is not believed",
    )
    add("--make-key", metavar="FILE", default="", help="make a key for both machines, and do nothing else")
    add("--json", action="store_true", help="one JSON object a line on standard output")
    add("-q", "--quiet", action="store_true", help="say nothing unless something is held or fails")
    add("-v", "--verbose", action="store_true", help="name every file")


def add_carry(command: Add, reporting: argparse.ArgumentParser, connection: argparse.ArgumentParser) -> None:
    """The options of `carry`."""
    carry = command(
        "carry", "stick.carry", "send what `export --to` has written to a stick, and leave the receipts there",
        "outhaul carry /media/stick --to s3://my-bucket/site-7", [reporting, connection],
    )  # fmt: skip
    add = carry.add_argument
    add("stick", metavar="DIR", help="the mounted stick")
    add("--to", metavar="ADDRESS", required=True, help="s3://bucket/prefix: what goes elsewhere stays on the stick")
    _add_key(add)
    add(
        "--trust-stick",
        action="store_true",
        help="take object settings (tags, class ...) from a stick that is not signed, and carry one that is without its key",
    )
    add("--same-store", action="store_true", help="this is the store that the device means, under another address")
    add("--on-conflict", choices=("keep-both", "hold"), default="keep-both",
        help="where other bytes stand under the key of a package (default: keep both, ours under a second key)")  # fmt: skip
    add("--state", metavar="DIR", default="",
        help="where large uploads that have begun are remembered, so that they go on (default: as for `run`)")  # fmt: skip
    add("--bandwidth", metavar="RATE", default="", help="send no more than so many bytes a second, such as 2MiB/s")


def _add_key(add: Callable[..., argparse.Action]) -> None:
    add("--key-file", metavar="FILE", default="", help="key of both machines: only what is signed with it is believed")
