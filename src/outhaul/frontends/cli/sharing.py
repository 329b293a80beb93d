"""Options of a run that several processes share: which part of the tree is this one's, and where their ledger is."""

from __future__ import annotations

import argparse

from outhaul.model.errors import ConfigurationError
from outhaul.model.ledger_address import ledger_address
from outhaul.model.shard import WHOLE, Shard, shard_of

_LEDGER = (
    "keep the ledger in this PostgreSQL, such as postgresql://host/database (default: a file in the state directory)"
)
_SHARD = "carry this share of the directories, such as 3/8; processes with 1/8 to 8/8 together carry all (default: 1/1)"


_ON = (
    "spread the work over processes: local:4, or the address of a scheduler of Dask, dask://host:8786 (outhaul[dask]); "
    "-v and --json then name no file that was carried"
)


def add_ledger(command: argparse.ArgumentParser) -> None:
    """Where the ledger is."""
    command.add_argument("--ledger", metavar="ADDRESS", help=_LEDGER)


def add_shard(command: argparse.ArgumentParser) -> None:
    """Which part of the tree is carried, and where the ledger is."""
    add_ledger(command)
    command.add_argument("--shard", metavar="I/N", help=_SHARD)
    command.add_argument("--on", metavar="WHERE", help=_ON)


def given_shard(options: argparse.Namespace) -> Shard:
    """The share that the command line names.

    Raises:
        ConfigurationError: it is none.
    """
    try:
        return shard_of(options.shard) if getattr(options, "shard", None) is not None else WHOLE
    except ValueError as error:
        raise ConfigurationError(f"--shard: {error}") from None


def refuse_beside_workers(options: argparse.Namespace) -> None:
    """Raise ConfigurationError where an option is given that does not go with `--on`."""
    for name, given in (("--shard", options.shard is not None), ("--dry-run", options.dry_run)):
        if given:
            raise ConfigurationError(f"--on does not go with {name}; leave one of them out")


def given_ledger(options: argparse.Namespace) -> str:
    """The database that the command line names; '' where it says nothing of it. Raises as `address`."""
    return address(options.ledger, "--ledger") if options.ledger is not None else ""


def address(text: str, option: str) -> str:
    """The address of a database that an option names.

    Raises:
        ConfigurationError: it is none.
    """
    try:
        return ledger_address(text)
    except ValueError as error:
        raise ConfigurationError(f"{option}: {error}") from None
