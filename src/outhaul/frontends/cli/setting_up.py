"""The options of commands that are of use before anything is carried: policy and schema."""

from __future__ import annotations

import argparse
from collections.abc import Callable

Add = Callable[[str, str, str, str, list[argparse.ArgumentParser]], argparse.ArgumentParser]
"""As in `ways_back.py`."""


def add(command: Add, state: argparse.ArgumentParser, connection: argparse.ArgumentParser) -> None:
    """Add both."""
    policy = command(
        "policy", "policy.print_policy", "print the least IAM policy that the jobs of a configuration need",
        "outhaul policy /etc/outhaul/outhaul.toml > policy.json\n  outhaul policy --for restore",
        [state, connection],
    )  # fmt: skip
    policy.add_argument("config", metavar="CONFIG", nargs="?", help="configuration file, as for `run`")
    policy.add_argument("--job", metavar="NAME", action="append", default=[], help="only this job; may be repeated")
    policy.add_argument(
        "--for", dest="purpose", choices=("run", "restore", "all"), default="run",
        help="to carry files away (default), to look back and bring them back, or both",
    )  # fmt: skip
    policy.add_argument(
        "--shard",
        metavar="I/N",
        help="for processes that run with --shard 1/N to N/N: of what they tell a fleet",
    )
    command(
        "schema", "schema.schema", "print the JSON Schema of the configuration, for editors",
        "outhaul schema > outhaul.schema.json", [],
    )  # fmt: skip
