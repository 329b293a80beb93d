"""`archive-upload CONFIG.yaml`: the command of archive-upload, with its log, over the engine of outhaul."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Sequence
from logging.handlers import RotatingFileHandler

from outhaul import app
from outhaul.config.profiles import archive_upload as profile
from outhaul.frontends.cli.stopping import stopped
from outhaul.frontends.older.command import configuration, made_directory, parser, run_as, set_up_logging, state_of
from outhaul.frontends.older.logged import LoggingMonitor
from outhaul.frontends.older.pending import TakingOver
from outhaul.model.errors import ConfigurationError, OuthaulError
from outhaul.model.evidence import Proof
from outhaul.model.job import Job
from outhaul.model.keys import printable
from outhaul.model.lifecycle import REASONS, Standing, State
from outhaul.ports import Monitor

PROGRAM = "archive-upload"
FORM = "%(asctime)s - %(levelname)s - %(module)s - %(message)s"
BYTES_OF_A_LOG, LOGS = 200_000, 5


def entry() -> None:
    """The console script."""
    run_as(PROGRAM, main)


def main(arguments: list[str]) -> int:
    """One pass, as it was started from cron.

    Returns:
        The exit code, as `outhaul run` has it.
    """
    options = parser(PROGRAM, "Archive and upload finished files.")
    options.add_argument("config", metavar="CONFIG.yaml", help="the configuration of archive-upload, unchanged")
    given = options.parse_args(arguments)
    read = configuration(profile.PROFILE, given.config, state_of(given), "lists no directories")
    jobs = read.jobs()
    _set_up_logging(profile.logs(read.old))
    logger = logging.getLogger()
    logger.info("Script start.")
    try:
        return run(jobs, state_of(given), ArchiveUploadLog(logger), logger.warning)
    except OuthaulError as error:
        logger.error("General error. %s", printable(str(error)))
        raise


def run(jobs: Sequence[Job], state: str, monitor: Monitor, say: Callable[[str], None]) -> int:
    """What archive-upload left behind, and then a pass over the jobs."""
    code = take_over(jobs, state, monitor, say)
    report = app.run(jobs, state=state, monitor=monitor, stopped=stopped)
    _tell_faults(report, say)
    return max(code, report.exit_code)


def take_over(jobs: Sequence[Job], state: str, monitor: Monitor, say: Callable[[str], None]) -> int:
    """Carry what archive-upload had still to upload, and look after the copies that it left in its archives.

    Returns:
        The exit code, as of a run.
    """
    taking_over = TakingOver(state, os.path.join(os.path.expanduser("~"), ".archive-upload"), jobs)
    left = taking_over.jobs()
    for text in taking_over.said:
        say(printable(text))
    if not left:
        taking_over.done()
        return 0
    report = app.run(left, state=state, monitor=monitor, stopped=stopped)
    _tell_faults(report, say)
    if not report.exit_code and not report.tally.of(State.WAITING):
        taking_over.done()
    return report.exit_code


def _tell_faults(report: app.RunReport, say: Callable[[str], None]) -> None:
    for one in report.jobs:
        if one.fault:
            say(printable(f"{one.job.name}: {one.fault}"))


class ArchiveUploadLog(LoggingMonitor):
    """The lines of archive-upload's log."""

    def arrived(self, job: Job, path: str, proof: Proof) -> None:
        """See `LoggingMonitor`; the copy is named, as before."""
        copy = os.path.join(job.archive, job.archive_path(proof.sighting.path, ".bz2")) if job.archive else path
        self.logger.info("Uploaded %s", printable(copy))

    def let_go(self, job: Job, path: str) -> None:
        """See `LoggingMonitor`."""
        if job.archive:
            self.logger.info("Archived %s", path)
        else:
            self.logger.info("%s deleted due to exceeding max age.", path)

    def failed(self, job: Job, path: str, standing: Standing) -> None:
        """See `LoggingMonitor`."""
        detail = printable(standing.detail) or REASONS[standing.reason].meaning
        self.logger.error("Error attempting to upload %s: %s", path, detail)

    def standing(self, job: Job, standing: Standing) -> None:
        """See `LoggingMonitor`."""
        if standing.reason in ("not-removed", "put-aside"):
            path = printable(os.path.join(job.source, standing.path))
            self.logger.error("Error attempting to archive %s: %s", path, printable(standing.detail))
        else:
            super().standing(job, standing)


def _set_up_logging(logs: profile.Logs) -> None:
    path = os.path.join(made_directory(logs.directory, "log-file-dir"), "archive-upload.log")
    try:
        rotating = RotatingFileHandler(path, maxBytes=BYTES_OF_A_LOG, backupCount=LOGS)
    except OSError as error:
        raise ConfigurationError(printable(f"{path} cannot be written: {error.strerror}")) from None
    set_up_logging(logging.getLevelName(logs.level), FORM, [rotating, logging.StreamHandler(sys.stderr)])
