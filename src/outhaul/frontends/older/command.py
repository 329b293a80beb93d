"""What the older commands have in common: one configuration file, a state directory, and logs by the standard library."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable
from typing import NamedTuple

from outhaul.config import formats
from outhaul.config.formats import Document
from outhaul.config.native import of_older, surroundings
from outhaul.config.profiles.profile import Profile, Profiled
from outhaul.config.profiles.reading import Old
from outhaul.frontends.cli.main import guarded
from outhaul.frontends.cli.parsing import Parser
from outhaul.frontends.cli.starting import begin
from outhaul.frontends.telling.logged import hush_libraries
from outhaul.model.errors import ConfigurationError
from outhaul.model.job import Job


def run_as(program: str, main: Callable[[list[str]], int]) -> None:
    """The console script of an older command. Ends the process."""
    begin()
    sys.exit(guarded(program, lambda: main(sys.argv[1:])))


def parser(program: str, text: str) -> argparse.ArgumentParser:
    """A parser with what outhaul adds to each of them."""
    made = Parser(
        prog=program, description=text, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="This is outhaul. `outhaul status`, `ls` and `why` tell what was carried and what waits.",
        allow_abbrev=True,  # As with the program whose place it takes: `c3 -n --config x.yaml`.
    )  # fmt: skip
    made.add_argument(
        "--state", metavar="DIR", default="", help="ledger and private files, as in `outhaul run --state`"
    )
    return made


class Configuration(NamedTuple):
    """The configuration of an older program, read."""

    path: str
    state: str
    """The state directory, absolute."""
    document: Document
    old: Old
    made: Profiled

    def jobs(self) -> list[Job]:
        """Its jobs, as things are on this machine now. Raises as `config.native.read`."""
        return of_older(self.path, self.made, self.state).jobs


def configuration(profile: Profile, path: str, state: str, lacks: str) -> Configuration:
    """Read the configuration of this program.

    Args:
        profile: Of the program.
        path: The file.
        state: The state directory, absolute.
        lacks: What one lacks that is not for this program.

    Raises:
        ConfigurationError: it cannot be read, or is for another program.
    """
    document, around = formats.read(path), surroundings()
    if not profile.recognises(document.tree):
        raise ConfigurationError(f"{path} is no configuration of {profile.program}: it {lacks}")
    return Configuration(path, state, document, Old(document, around), profile.compile(document, around))


def state_of(options: argparse.Namespace) -> str:
    """The state directory, absolute; by default that of `outhaul`, so that `outhaul status` needs no option."""
    from outhaul.wiring import default_state

    return os.path.abspath(options.state) if options.state else default_state()


def set_up_logging(level: int, form: str, handlers: list[logging.Handler]) -> None:
    """The root logger, as the older programs had it; libraries that would write secrets are kept from that."""
    logging.basicConfig(level=level, format=form, handlers=handlers, force=True)
    logging.raiseExceptions = False  # A full disk ends no run: what cannot be logged is not logged.
    hush_libraries(level)


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
