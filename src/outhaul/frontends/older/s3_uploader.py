"""`s3-uploader-cli CONFIG.json`: the command of s3-uploader, with its log lines, over the engine of outhaul."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

from outhaul import app
from outhaul.config.profiles import s3_uploader as profile
from outhaul.frontends.cli.stopping import stopped
from outhaul.frontends.older.command import configuration, parser, run_as, set_up_logging, state_of
from outhaul.frontends.older.logged import LoggingMonitor
from outhaul.model.evidence import Disposal, Proof, Receipt
from outhaul.model.job import Job
from outhaul.model.keys import object_key, printable
from outhaul.model.lifecycle import REASONS, Standing

PROGRAM = "s3-uploader-cli"
FORM = "%(asctime)s - %(levelname)6s - %(message)s"


def entry() -> None:
    """The console script."""
    run_as(PROGRAM, main)


def main(arguments: list[str]) -> int:
    """One pass, as it was started from cron.

    Returns:
        The exit code, as `outhaul run` has it.
    """
    options = parser(PROGRAM, "Upload the .dat files beneath a directory to a bucket, and remove them.")
    options.add_argument("config_file", metavar="CONFIG_FILE", help="the configuration of s3-uploader, unchanged")
    given = options.parse_args(arguments)
    state = state_of(given)
    read = configuration(profile.PROFILE, given.config_file, state, "names neither base_dir nor s3_bucket")
    jobs = read.jobs()
    set_up_logging(logging.INFO, FORM, [logging.StreamHandler(sys.stderr)])
    monitor = S3UploaderLog(logging.getLogger(), profile.base_directory(read.document))
    return app.run(jobs, state=state, monitor=monitor, stopped=stopped).exit_code


class S3UploaderLog(LoggingMonitor):
    """The lines of s3-uploader, with paths as they follow from `base_dir`, not as links in it are resolved."""

    def __init__(self, logger: logging.Logger, base: str) -> None:
        super().__init__(logger)
        self._base = base

    def standing(self, job: Job, standing: Standing) -> None:
        """See `LoggingMonitor`."""
        super().standing(job._replace(source=self._base), standing)

    def carried(self, job: Job, receipts: Sequence[Receipt], proofs: Sequence[Proof]) -> None:
        """See `LoggingMonitor`."""
        super().carried(job._replace(source=self._base), receipts, proofs)

    def released(self, job: Job, disposals: Sequence[Disposal], earlier: Sequence[Receipt]) -> None:
        """See `LoggingMonitor`."""
        super().released(job._replace(source=self._base), disposals, earlier)

    def arrived(self, job: Job, path: str, proof: Proof) -> None:
        """See `LoggingMonitor`."""
        self.logger.info("%s has been uploaded to %s.", path, job.destination.bucket)

    def failed(self, job: Job, path: str, standing: Standing) -> None:
        """See `LoggingMonitor`."""
        there = printable(f"{job.destination.bucket}/{object_key(job.destination.prefix, standing.path)}")
        detail = printable(standing.detail) or REASONS[standing.reason].meaning
        self.logger.warning("Failed to upload %s to %s: %s", path, there, detail)
