"""`c3 -n | -d [-f CONFIG.yaml]`: the command of C3, over the engine of outhaul.

`-n` makes a pass and stays for the daily ones, as its configuration says; for each configuration there is one such process
at most. `-d` fetches what is not there yet, as `outhaul mirror` does.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from functools import partial
from typing import NamedTuple

from outhaul import app, bringing
from outhaul.config import formats
from outhaul.config.native import of_older, surroundings
from outhaul.config.profiles import c3 as profile
from outhaul.config.profiles.profile import Profiled
from outhaul.config.profiles.reading import Old
from outhaul.frontends.cli.main import stopped
from outhaul.frontends.cli.monitors import PlainMonitor
from outhaul.frontends.cli.returning import PlainWatcher
from outhaul.frontends.older.command import parser, run_as, state_of
from outhaul.frontends.older.daily import every_day, patiently
from outhaul.ledgers.opening import lock
from outhaul.model.errors import AnotherInstance, ConfigurationError, OuthaulError
from outhaul.model.job import Job
from outhaul.model.keys import printable
from outhaul.wiring import reading_hands

PROGRAM = "c3"
OF_OLD = "last-upload.json"


class _Read(NamedTuple):
    """A configuration that has been read."""

    path: str
    state: str
    old: Old
    made: Profiled

    def job(self) -> Job:
        """Its job, as things are on this machine now."""
        return of_older(self.path, self.made, self.state).jobs[0]


def entry() -> None:
    """The console script."""
    run_as(PROGRAM, main)


def main(arguments: list[str]) -> int:
    """Upload, or fetch.

    Returns:
        The exit code: of the last pass, where there are several.
    """
    options = parser(PROGRAM, "Back up the files of a directory to a bucket, or fetch them from there.")
    options.add_argument(
        "-n", "--new", action="store_true", help="upload: now, and then daily at the time of the configuration"
    )
    options.add_argument("-d", "--download", action="store_true", help="fetch what is not in output.path yet")
    options.add_argument(
        "-f", "--config-file", metavar="CONFIG", default="./config.yaml", help="default: ./config.yaml"
    )
    options.add_argument("--once", action="store_true", help="with -n: one pass, then exit")
    given = options.parse_args(arguments)
    if not given.new and not given.download:
        options.print_help(sys.stderr)
        return 2
    return _upload(_read(given), once=given.once) if given.new else _fetch(_read(given))


def _read(given: argparse.Namespace) -> _Read:
    path = given.config_file
    document = formats.read(path)
    if not profile.PROFILE.recognises(document.tree):
        raise ConfigurationError(f"{path} is no configuration of C3: it has not the tables input, output and target")
    around = surroundings()
    return _Read(path, state_of(given), Old(document, around), profile.compile(document, around))


def _upload(read: _Read, *, once: bool) -> int:
    at = None if once else profile.daily(read.old)
    read.job()  # What is wrong with it is told before anything is done.
    name = f"c3-{hashlib.sha256(os.fsencode(os.path.realpath(read.path))).hexdigest()[:16]}.lock"
    first = not os.path.exists(os.path.join(read.state, name))
    held = _held(read, name) if at is not None or first else -1
    try:
        if first and os.path.exists(OF_OLD):
            _say(
                f"{OF_OLD} is not used, as it says nothing of what was uploaded: every file is looked at, and goes once"
            )
        if at is None:
            return _pass(read)
        clock = reading_hands()[0]
        return every_day(at, patiently(partial(_told, read), clock, stopped, _say), clock, stopped, _say)
    finally:
        if held >= 0:
            os.close(held)


def _held(read: _Read, name: str) -> int:
    """The lock that is held as long as this process stays; the ledger's own is held for each pass only."""
    try:
        return lock(read.state, name)
    except AnotherInstance:
        said = f"another c3 -n stays for {read.path}, and runs daily; --once makes a pass beside it"
        raise AnotherInstance(said) from None


def _told(read: _Read) -> int:
    """A pass of many: what goes wrong is told, and the next one tries again."""
    try:
        return _pass(read)
    except AnotherInstance:
        raise
    except OuthaulError as error:
        _say(str(error))
        return 1


def _pass(read: _Read) -> int:
    return app.run([read.job()], state=read.state, monitor=PlainMonitor(), stopped=stopped).exit_code


def _fetch(read: _Read) -> int:
    fetching = profile.fetching(read.old)
    missing = [problem for problem in read.old.problems if problem not in read.made.problems]
    job = read._replace(made=read.made._replace(problems=[*read.made.problems, *missing])).job()
    # The job of this very configuration keeps its files: what is fetched into its source is carried nowhere else.
    into_source = f"{os.path.realpath(fetching.to)}/".startswith(f"{job.source.rstrip('/')}/")
    manner = bringing.Manner(
        fetching.to, by_time=True, limit=fetching.limit, as_stored=True, into_source=into_source
    )  # fmt: skip
    watcher = PlainWatcher(PROGRAM)
    watcher.limit = "target.max-download-file"
    try:
        report = bringing.restore_bucket(
            job.destination, (), read.state, job.connection, manner, watcher, stopped
        )  # fmt: skip
    except bringing.InSource as error:
        raise ConfigurationError(f"{read.path}: output.path: {error.why}; write another directory") from None
    watcher.finished(report.account, report.unmatched)
    return report.exit_code


def _say(text: str) -> None:
    try:
        print(printable(f"{PROGRAM}: {text}"), file=sys.stderr)
    except OSError:
        return  # Nobody can hear us; the work goes on.
