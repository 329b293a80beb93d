"""Where lines about the work go: standard error, as long as a configuration says nothing else.

A line is a fact and where it belongs; whoever writes it says what it looks like. In the journal of systemd each line carries its
priority (sd-daemon(3), "<N>"), and no time, which the journal knows. What cannot be written is not written: the work goes on.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import NamedTuple

from outhaul.config.telling import LEVELS, LogSettings
from outhaul.model.keys import printable

DEBUG, INFO, WARNING, ERROR = 10, 20, 30, 40
"""As in the standard `logging`."""
_PRIORITIES = {DEBUG: 7, INFO: 6, WARNING: 4, ERROR: 3}
"""What syslog(3) calls these."""


class Line(NamedTuple):
    """One line of the log."""

    level: int
    text: str
    """For a person. As it came: whoever writes it makes it `printable`."""
    job: str = ""
    event: str = ""
    """What happened, in one word of a program."""
    path: str = ""
    reason: str = ""
    """A key of `model.lifecycle.REASONS`."""

    @property
    def whole(self) -> str:
        """With its job, and nothing that a terminal or a reader would interpret."""
        return printable(f"{self.job}: {self.text}" if self.job else self.text)


def level_of(*, quiet: bool, verbose: bool, settings: LogSettings | None = None) -> int:
    """The least level that is written: what the command line says, else the configuration."""
    if verbose or quiet:
        return DEBUG if verbose else WARNING
    return 10 * (1 + LEVELS.index(settings.level)) if settings else INFO


def priority(level: int) -> str:
    """What a line of standard error begins with: '' where it does not lead into the journal.

    systemd.exec(5): JOURNAL_STREAM holds the device and inode of the stream that it has connected.
    """
    if not (stream := os.environ.get("JOURNAL_STREAM")):
        return ""
    try:
        found = os.fstat(2)
    except OSError:
        return ""
    return f"<{_PRIORITIES[level]}>" if stream == f"{found.st_dev}:{found.st_ino}" else ""


def to_standard_error(line: Line) -> None:
    """As outhaul always did."""
    begin = priority(line.level)
    try:
        print(f"{begin}{line.whole}" if begin else f"outhaul: {line.whole}", file=sys.stderr, flush=True)
    except OSError:
        return  # Nobody can hear us.


class Log:
    """The log of a command."""

    def __init__(self, *, quiet: bool = False, verbose: bool = False) -> None:
        self._quiet, self._verbose = quiet, verbose
        self._write: Callable[[Line], None] = to_standard_error
        self._settings = LogSettings()
        self.level = level_of(quiet=quiet, verbose=verbose)

    @property
    def settings(self) -> LogSettings:
        """What holds now."""
        return self._settings

    def configure(self, settings: LogSettings) -> None:
        """Let it be as these say. A file is opened anew, as somebody may have renamed it.

        Raises:
            ConfigurationError: a file cannot be written, or is no configuration of logging; all stays as it was.
        """
        if settings:
            from outhaul.frontends.telling.logged import writer

            level = level_of(quiet=self._quiet, verbose=self._verbose, settings=settings)
            self._write = writer(settings, level)
        else:
            level = level_of(quiet=self._quiet, verbose=self._verbose, settings=settings)
            self._write = to_standard_error
        self._settings, self.level = settings, level

    def say(self, level: int, text: str, *, job: str = "", event: str = "", path: str = "", reason: str = "") -> None:
        """Write one line. May be called by any thread."""
        if level >= self.level:
            self._write(Line(level, text, job, event, path, reason))

    def notice(self, text: str) -> None:
        """Something that a person should know, and that is of no job."""
        self.say(WARNING, text, event="notice")
