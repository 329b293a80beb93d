"""`kingfisher-archive archive [--dry-run]`: the command of Kingfisher Archive, with its configuration, its log and its words.

`outhaul run config.ini` comes here too (`run`). Another user's process that lets go of files (`kingfisher/removal.py`) is this
module with the argument `release`.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import logging
import os
import sys
from collections.abc import Iterator, Sequence

from outhaul.config.profiles.kingfisher import Settings, read, usual_place
from outhaul.frontends.cli.stopping import stopped
from outhaul.frontends.older.command import run_as
from outhaul.frontends.telling.logged import configure
from outhaul.frontends.telling.sentry import initialise
from outhaul.model.errors import ConfigurationError, OuthaulError
from outhaul.model.events import Tally
from outhaul.model.evidence import Disposal, Proof, Receipt
from outhaul.model.job import Job
from outhaul.model.keys import printable
from outhaul.model.lifecycle import Standing, State

ALREADY_RUNNING = "Already running."
_EXIT_CODES = """exit codes: 0 all collections are archived, decided or wait; 1 something failed; 2 wrong usage or configuration;
3 already running; 4 the bucket cannot be used; 130 interrupted"""
logger = logging.getLogger("ocdskingfisher.archive")


def entry() -> None:
    """The console script."""
    run_as("kingfisher-archive", main)


def main(arguments: Sequence[str]) -> int:
    """Run one command.

    Returns:
        The exit code.
    """
    if list(arguments) == ["release"]:
        return _release()
    options = _parser().parse_args(arguments)
    return run(options.config or usual_place(), options.state, dry_run=options.dry_run)


def run(path: str, state: str = "", *, dry_run: bool = False) -> int:
    """One run by a configuration of Kingfisher Archive.

    Args:
        path: Of its config.ini; `logging.json` is looked for beside it.
        state: State directory; '' is the usual one.
        dry_run: Say what would be archived, and change nothing.

    Returns:
        The exit code.

    Raises:
        ConfigurationError: it is wrong.
        OuthaulError: the database, the memory or the ledger failed; nothing was let go.
    """
    settings = read(path)
    configure(os.path.join(os.path.dirname(path), "logging.json"), must_exist=False)
    if settings.sentry:
        initialise(settings.sentry, "[SENTRY] DSN", "DSN = https://KEY@sentry.io/PROJECT")
    state = os.path.abspath(state) if state else _usual_state()
    with _locked(state) as ours:
        if not ours:
            print(ALREADY_RUNNING)
            return 3
        try:
            return _run(settings, state, dry_run=dry_run)
        except OuthaulError as error:
            if logger.hasHandlers():  # Else Python would say it on standard error, where it is said anyway.
                logger.error("%s", printable(str(error)))
            raise


def _run(settings: Settings, state: str, *, dry_run: bool) -> int:
    from outhaul.kingfisher.archiving import Run
    from outhaul.kingfisher.memory import Memory
    from outhaul.kingfisher.months import Months
    from outhaul.kingfisher.moving import Mover
    from outhaul.kingfisher.selection import collections
    from outhaul.wiring import open_copying

    found = collections(settings.database)
    months = Months(open_copying(settings.bucket))
    mover = Mover(settings.bucket, state, LogMonitor(), stopped)
    with Memory(settings.memory, read_only=dry_run) as memory:
        working = Run(settings, memory, months, mover, stopped=stopped)
        if dry_run:
            working.dry(found, print)
        else:
            working.archive(found)
    if stopped():
        return 130
    return 4 if working.destination_failed else int(bool(working.failed))


class LogMonitor:
    """What the engine tells, to the log."""

    def started(self, job: Job) -> None:
        """See `ports.Monitor`."""

    def standing(self, job: Job, standing: Standing) -> None:
        """See `ports.Monitor`."""
        if standing.state in (State.HELD, State.IGNORED):
            logger.debug("%s: %s: %s %s", job.name, printable(standing.path), standing.reason, standing.detail)

    def carried(self, job: Job, receipts: Sequence[Receipt], proofs: Sequence[Proof]) -> None:
        """See `ports.Monitor`."""
        for key in sorted({proof.key for proof in proofs}):
            logger.info("%s: proved %s", job.name, printable(key))

    def released(self, job: Job, disposals: Sequence[Disposal], earlier: Sequence[Receipt]) -> None:
        """See `ports.Monitor`."""
        logger.debug("%s: %s files let go", job.name, len(disposals))

    def progress(self, job: Job, tally: Tally) -> None:
        """See `ports.Monitor`."""

    def notice(self, job: Job, text: str) -> None:
        """See `ports.Monitor`."""
        logger.warning("%s: %s", job.name, printable(text))

    def finished(self, job: Job, tally: Tally) -> None:
        """See `ports.Monitor`."""


# --- around it ----------------------------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kingfisher-archive",
        description="Archives crawls of Kingfisher Collect, month by month, and removes them here once they are proved.",
        epilog=_EXIT_CODES,
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    archive = commands.add_parser("archive", help="archive what is worth it, then exit", epilog=_EXIT_CODES)
    archive.add_argument("-n", "--dry-run", action="store_true", help="say what would be done, and change nothing")
    archive.add_argument("--config", metavar="FILE", default="", help=f"instead of {usual_place()}")
    archive.add_argument("--state", metavar="DIR", default="", help="where the ledger is (default: as outhaul's)")
    return parser


def _usual_state() -> str:
    from outhaul.wiring import default_state

    return os.path.join(default_state(), "kingfisher-archive")


@contextlib.contextmanager
def _locked(state: str) -> Iterator[bool]:
    """Whether this process alone works here. The kernel gives the lock back, however the process ends."""
    try:
        os.makedirs(state, mode=0o700, exist_ok=True)
        descriptor = os.open(
            os.path.join(state, "kingfisher-archive.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
    except OSError as error:
        raise ConfigurationError(
            f"the state directory {state} cannot be used: {error.strerror}; name one with --state"
        ) from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(descriptor)


def _release() -> int:
    from outhaul.kingfisher.removal import serve

    try:
        return serve(sys.stdin, lambda line: print(line, flush=True))
    except (ValueError, KeyError, TypeError) as error:
        print(f"kingfisher-archive release: what was told is no list of receipts: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    entry()
