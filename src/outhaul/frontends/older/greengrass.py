"""`outhaul-greengrass PathName BucketName ObjectKeyPrefix Interval LogLevel [Via]`: what the Greengrass component runs.

It passes over the directory again and again until it is told to end. Whatever is wrong with a pass (no directory, no network, no
credentials, a ledger that cannot be opened) is logged when it begins, changes and ends, and the next pass tries again, at a
pace that is never faster than once a second. Only wrong arguments end it.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable

from outhaul import app
from outhaul.config.native import of_older, surroundings
from outhaul.config.profiles import greengrass as profile
from outhaul.config.profiles.profile import Profiled
from outhaul.frontends.cli.monitors import describe
from outhaul.frontends.cli.stopping import stopped
from outhaul.frontends.older.command import parser, run_as, set_up_logging
from outhaul.frontends.older.logged import FAILED, LoggingMonitor
from outhaul.model.errors import ConfigurationError, OuthaulError
from outhaul.model.evidence import Proof
from outhaul.model.job import Job
from outhaul.model.keys import printable
from outhaul.model.lifecycle import Standing, State

PROGRAM = "outhaul-greengrass"
STATE_NAME = "outhaul"
_LONGEST_PAUSE_SECONDS = 60
_LOOK_SECONDS = 0.25
"""How soon a request to end is seen."""
_REMEMBERED_MAX = 1000
"""Files whose trouble is told once each; of more, one line is enough."""
_OF_ALL = ("destination", "interrupted")
"""Reasons that all files share: they are told as the fault of the pass."""


def entry() -> None:
    """The console script."""
    run_as(PROGRAM, main)


def main(arguments: list[str]) -> int:
    """Run until a signal says to end.

    Returns:
        The exit code: 0.

    Raises:
        ConfigurationError: the arguments are wrong.
    """
    options = parser(PROGRAM, "Carry the finished files of a directory to S3, as a component of AWS IoT Greengrass.")
    options.add_argument("values", nargs="*", metavar="VALUE", help=" ".join(profile.PARAMETERS[:5]) + " [Via]")
    given = options.parse_args(arguments)
    if not len(profile.REQUIRED) <= len(given.values) <= len(profile.PARAMETERS):
        wanted = f"{' '.join(profile.REQUIRED)} [Via]"
        raise ConfigurationError(f"expected {wanted}; these are {len(given.values)} values")
    made, pacing = profile.of_arguments(given.values, surroundings())
    state = os.path.abspath(given.state or STATE_NAME)
    of_older("arguments", made, state)
    set_up_logging(logging.getLevelName(pacing.level), logging.BASIC_FORMAT, [logging.StreamHandler(sys.stderr)])
    logging.getLogger("botocore").setLevel(logging.CRITICAL)  # It logs with tracebacks what we tell in a line.
    Passes(made, state, logging.getLogger(PROGRAM)).run(pacing.interval_seconds, stopped)
    return 0


class Passes:
    """One pass after the other."""

    def __init__(self, made: Profiled, state: str, logger: logging.Logger) -> None:
        self._made, self._state, self._logger = made, state, logger
        self._monitor = GreengrassLog(logger)
        self._fault = ""

    def run(self, interval_seconds: int, over: Callable[[], bool]) -> None:
        """Until it is over."""
        pause = 0.0
        while not over():
            fault = self.once(over)
            if over():
                break
            self._tell(fault)
            pause = min(_LONGEST_PAUSE_SECONDS, max(1.0, 2 * pause)) if fault else 0.0
            _wait(max(float(interval_seconds), pause), over)
        self._logger.info("Ended, as it was asked to.")

    def once(self, over: Callable[[], bool]) -> str:
        """One pass.

        Returns:
            What was wrong with it as a whole; '' for nothing.
        """
        self._monitor.begin()
        try:
            jobs = of_older("arguments", self._made, self._state).jobs
            report = app.run(jobs, state=self._state, monitor=self._monitor, stopped=over)
        except OuthaulError as error:
            return printable(str(error))
        except Exception as error:  # A fault of ours is told with its traceback, and ends no component.
            if f"{error!r}" not in self._fault:
                self._logger.exception("General error.")
            return printable(f"{error!r}")
        return "; ".join(printable(one.fault) for one in report.jobs if one.fault)

    def _tell(self, fault: str) -> None:
        self._monitor.tell_notices(fault)
        if fault and fault != self._fault:
            self._logger.error("%s; it is tried again", fault)
        elif self._fault and not fault:
            self._logger.info("All is well again.")
        self._fault = fault


def _wait(seconds: float, over: Callable[[], bool]) -> None:
    deadline = time.monotonic() + seconds
    while not over() and (left := deadline - time.monotonic()) > 0:
        time.sleep(min(left, _LOOK_SECONDS))


class GreengrassLog(LoggingMonitor):
    """What becomes of files; what stays as it was in the pass before is not said again."""

    def __init__(self, logger: logging.Logger) -> None:
        super().__init__(logger)
        self._before: dict[str, str] = {}
        self._now: dict[str, str] = {}
        self._more = False
        self._notices: list[str] = []

    def begin(self) -> None:
        """Another pass begins."""
        self._before, self._now, self._notices = self._now, {}, []
        self._more = self._more and len(self._before) >= _REMEMBERED_MAX

    def arrived(self, job: Job, path: str, proof: Proof) -> None:
        """See `LoggingMonitor`."""
        self.logger.info("Uploaded %s to s3://%s/%s", path, job.destination.bucket, printable(proof.key))

    def let_go(self, job: Job, path: str) -> None:
        """See `LoggingMonitor`."""
        self.logger.info("Removed %s", path)

    def standing(self, job: Job, standing: Standing) -> None:
        """See `ports.Monitor`."""
        if standing.state not in (State.HELD, State.WAITING) or standing.reason in _OF_ALL:
            return
        troubled = standing.state is State.HELD or standing.reason in FAILED
        path = printable(os.path.join(job.source, standing.path))
        if not troubled:
            self.logger.debug("%s", describe(standing._replace(path=path)))
        elif self._is_new(path, standing.reason):
            self.logger.error("%s", describe(standing._replace(path=path)))

    def _is_new(self, path: str, reason: str) -> bool:
        if len(self._now) >= _REMEMBERED_MAX:
            if not self._more:
                self.logger.error("and more files like these: outhaul status")
            self._more = True
            return False
        self._now[path] = reason
        return self._before.get(path) != reason

    def notice(self, job: Job, text: str) -> None:
        """See `ports.Monitor`."""
        self._notices.append(printable(text))

    def tell_notices(self, fault: str) -> None:
        """What was noted in this pass and not in the one before; but for what comes back as the fault of the whole."""
        for text in self._notices:
            if not any(part in text for part in fault.split("; ") if part) and self._is_new(f"notice: {text}", ""):
                self.logger.warning("%s", text)
