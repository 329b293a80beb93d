"""The options of `fleet`."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable

Add = Callable[[str, str, str, str, list[argparse.ArgumentParser]], argparse.ArgumentParser]
"""As in `ways_back.py`."""


def add(command: Add, reporting: argparse.ArgumentParser, connection: argparse.ArgumentParser) -> None:
    """Add it."""
    fleet = command(
        "fleet", "fleet.fleet", "how all devices are that tell of themselves in one bucket; what they tell, for SQL",
        "outhaul fleet s3://my-bucket/site-7\n"
        "  outhaul fleet import s3://my-bucket/site-7 --to postgresql://localhost/fleet\n"
        "  outhaul fleet control s3://my-bucket/site-7 --key fleet.key --device logger-17 --pause",
        [reporting, connection],
    )  # fmt: skip
    fleet.add_argument(
        "what", metavar="WHAT", nargs="+",
        help="s3://bucket/prefix, or a directory: where the devices meet; or `import` or `control` and the same; "
        "or `keygen` and a new file",
    )  # fmt: skip
    fleet.add_argument(
        "--watch", metavar="SECONDS", type=_seconds, nargs="?", const=10.0, default=0.0,
        help="look again and again (default: every 10); write it behind the address",
    )  # fmt: skip
    fleet.add_argument(
        "--hook", metavar="URL|COMMAND", default="",
        help="told who is late or in trouble, as JSON; with --watch when that changes, and when all are well again",
    )  # fmt: skip
    fleet.add_argument("--metrics", metavar="FILE", default="", help="write them there too, for the textfile collector")
    fleet.add_argument(
        "--to", metavar="DATABASE", default="",
        help="with import: postgresql://..., or a file that ends with .duckdb or .sqlite",
    )  # fmt: skip
    whom = fleet.add_mutually_exclusive_group()
    whom.add_argument("--device", metavar="NAME", default="", help="with control: an order for this device")
    whom.add_argument("--all", action="store_true", help="with control: for all of them")
    fleet.add_argument("--key", metavar="FILE", default="", help="with control: the private key that keygen has made")
    what = fleet.add_mutually_exclusive_group()
    what.add_argument("--pause", action="store_true", help="with control: carry nothing until it expires")
    what.add_argument("--resume", action="store_true", help="with control: carry again")
    fleet.add_argument(
        "--bandwidth", metavar="RATE", default="", help="with control: send no more than so much: 2MiB/s"
    )
    fleet.add_argument(
        "--set", metavar="[JOB.]KEY=VALUE", action="append", default=[],
        help="with control: set a key, where the device has it in fleet.may-set: readings.every=10s; JOB may be *",
    )  # fmt: skip
    fleet.add_argument(
        "--expires", metavar="TIME", default="30d", help="with control: how long the order holds (default: 30d)"
    )


def _seconds(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not 1 <= found <= 86400:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 1 to 86400; write --watch 10")
    return found
