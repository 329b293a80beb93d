"""The options of `web`. It is loaded for every command, and loads nothing."""

from __future__ import annotations

import argparse
from collections.abc import Callable

DEFAULT = "127.0.0.1:9276"


def add(command: Callable[..., argparse.ArgumentParser], parents: list[argparse.ArgumentParser]) -> None:
    """Add the command."""
    web = command(
        "web", "web.web", "a page to look at: what moves, what waits and why, the last day, search",
        "outhaul web\n  outhaul web --listen unix:/run/outhaul/web.sock --restore-to /data/back", parents,
    )  # fmt: skip
    web.add_argument(
        "address",
        metavar="ADDRESS",
        nargs="?",
        default="",
        help="where devices meet, as for `fleet` (default: this machine)",
    )
    web.add_argument(
        "--listen", metavar="WHERE", default=DEFAULT, help=f"HOST:PORT, or unix:PATH for this user alone (default: {DEFAULT})"
    )  # fmt: skip
    web.add_argument(
        "--allow-remote",
        action="store_true",
        help="listen where other machines can connect: plain HTTP, so use a proxy with TLS",
    )
    web.add_argument(
        "--allow-host",
        metavar="NAME",
        action="append",
        default=[],
        help="a name, too, under which the page is asked for: that of a proxy",
    )
    web.add_argument(
        "--token-file",
        metavar="FILE",
        default="",
        help="come in with the token in this file (default: one for each browser, shown here)",
    )
    web.add_argument(
        "--restore-to",
        metavar="DIR",
        default="",
        help="let the page restore files beneath this directory (default: it restores none)",
    )
