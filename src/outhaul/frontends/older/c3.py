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

from outhaul import app, bringing
from outhaul.config.profiles import c3 as profile
from outhaul.frontends.cli.monitors import PlainMonitor
from outhaul.frontends.cli.returning import PlainWatcher
from outhaul.frontends.cli.stopping import stopped
from outhaul.frontends.older.command import Configuration, configuration, parser, run_as, state_of
from outhaul.frontends.older.daily import every_day, patiently
from outhaul.ledgers.opening import lock
from outhaul.model.errors import AnotherInstance, ConfigurationError, OuthaulError
from outhaul.model.keys import printable
from outhaul.model.returning import FOLLOWING
from outhaul.wiring import reading_hands

PROGRAM = "c3"
OF_OLD = "last-upload.json"


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


def _read(given: argparse.Namespace) -> Configuration:
    lacks = "has not the tables input, output and target"
    return configuration(profile.PROFILE, given.config_file, state_of(given), lacks)


def _upload(read: Configuration, *, once: bool) -> int:
    at = None if once else profile.daily(read.old)
    read.jobs()  # What is wrong with it is told before anything is done.
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


def _held(read: Configuration, name: str) -> int:
    """The lock that is held as long as this process stays; the ledger's own is held for each pass only."""
    try:
        return lock(read.state, name)
    except AnotherInstance:
        said = f"another c3 -n stays for {read.path}, and runs daily; --once makes a pass beside it"
        raise AnotherInstance(said) from None


def _told(read: Configuration) -> int:
    """A pass of many: what goes wrong is told, and the next one tries again."""
    try:
        return _pass(read)
    except AnotherInstance:
        raise
    except OuthaulError as error:
        _say(str(error))
        return 1


def _pass(read: Configuration) -> int:
    return app.run(read.jobs(), state=read.state, monitor=PlainMonitor(), stopped=stopped).exit_code


def _fetch(read: Configuration) -> int:
    fetching = profile.fetching(read.old)
    missing = [problem for problem in read.old.problems if problem not in read.made.problems]
    job = read._replace(made=read.made._replace(problems=[*read.made.problems, *missing])).jobs()[0]
    # The job of this very configuration keeps its files: what is fetched into its source is carried nowhere else.
    into_source = f"{os.path.realpath(fetching.to)}/".startswith(f"{job.source.rstrip('/')}/")
    manner = bringing.Manner(
        fetching.to, by_time=True, limit=fetching.limit, as_stored=True, into_source=into_source
    )  # fmt: skip
    watcher = PlainWatcher(PROGRAM, advice=FOLLOWING)
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
