"""What the older commands have in common: one configuration file, a state directory, and logs by the standard library."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable

from outhaul.frontends.cli.main import fill_closed_descriptors, guarded
from outhaul.model.errors import ConfigurationError

_TELLTALES = ("botocore", "boto3", "urllib3", "s3transfer")
"""Loggers of libraries that write signed headers, and so tokens, at level DEBUG (law L14)."""


def run_as(program: str, main: Callable[[list[str]], int]) -> None:
    """The console script of an older command. Ends the process."""
    fill_closed_descriptors()
    sys.exit(guarded(program, lambda: main(sys.argv[1:])))


def parser(program: str, text: str) -> argparse.ArgumentParser:
    """A parser with what outhaul adds to each of them."""
    made = argparse.ArgumentParser(
        prog=program, description=text, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="This is outhaul. `outhaul status`, `ls` and `why` tell what was carried and what waits.",
    )  # fmt: skip
    made.add_argument(
        "--state", metavar="DIR", default="", help="ledger and private files, as in `outhaul run --state`"
    )
    return made


def state_of(options: argparse.Namespace) -> str:
    """The state directory, absolute; by default that of `outhaul`, so that `outhaul status` needs no option."""
    from outhaul.wiring import default_state

    return os.path.abspath(options.state) if options.state else default_state()


def set_up_logging(level: int, form: str, handlers: list[logging.Handler]) -> None:
    """The root logger, as the older programs had it; libraries that would write secrets are kept from that."""
    logging.basicConfig(level=level, format=form, handlers=handlers, force=True)
    logging.raiseExceptions = False  # A full disk ends no run: what cannot be logged is not logged.
    hush_libraries(level)


def hush_libraries(level: int = logging.NOTSET) -> None:
    """Keep libraries from writing secrets, whatever a configuration of logging says."""
    for name in _TELLTALES:
        logging.getLogger(name).setLevel(max(level, logging.INFO))


def made_directory(path: str, what: str) -> str:
    """A directory of ours, with those above it.

    Raises:
        ConfigurationError: it cannot be made.
    """
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"{what} {path} cannot be made: {error.strerror}") from None
    return path
