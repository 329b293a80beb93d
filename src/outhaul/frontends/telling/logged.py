"""The log by the standard `logging`: a file that turns over by its size, JSON lines, or whatever a configuration of logging says.

Everything goes to the logger `outhaul`; each record has `job`, `event`, `path` and `reason` beside its text. No other logger is
given a handler here. A file that cannot be written is told once on standard error, and the work goes on.
"""

from __future__ import annotations

import json
import logging
import logging.config
import sys
from collections.abc import Callable
from datetime import datetime
from logging.handlers import RotatingFileHandler

from outhaul.config.telling import LogSettings
from outhaul.frontends.cli import say
from outhaul.frontends.telling.log import DEBUG, ERROR, INFO, WARNING, Line, priority, to_standard_error
from outhaul.model.errors import ConfigurationError
from outhaul.model.keys import printable

LOGGER = "outhaul"
_TELLTALES = ("botocore", "boto3", "urllib3", "s3transfer")
"""Loggers of libraries that write signed headers, and so tokens, at level DEBUG (law L14)."""
_NAMES = {DEBUG: "debug", INFO: "info", WARNING: "warning", ERROR: "error"}


def writer(settings: LogSettings, level: int) -> Callable[[Line], None]:
    """What writes lines as these settings say. What an earlier one has opened is closed.

    Raises:
        ConfigurationError: see `Log.configure`.
    """
    logging.raiseExceptions = False
    if settings.config:
        configure(settings.config)
        logger = logging.getLogger(LOGGER)
        logger.disabled = False  # `disable_existing_loggers` means others.
    else:
        handler = _handler(settings)
        logger = logging.getLogger(LOGGER)
        for old in logger.handlers[:]:
            logger.removeHandler(old)
            old.close()
        logger.addHandler(handler)
        logger.propagate = False
        logger.setLevel(level)
    return lambda line: logger.log(
        line.level, "%s", line.whole,
        extra={"said": line.text, "job": line.job, "event": line.event, "path": line.path, "reason": line.reason},
    )  # fmt: skip


def _handler(settings: LogSettings) -> logging.Handler:
    handler: logging.Handler
    if settings.file:
        try:
            handler = LogFile(settings.file, maxBytes=settings.max_bytes, backupCount=settings.keep, encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(f"log.file: {settings.file} cannot be written: {error.strerror}") from None
    else:
        handler = logging.StreamHandler(sys.stderr)
    in_journal = not settings.file and bool(priority(INFO))
    form = JsonFormatter() if settings.form == "json" else TextFormatter(dated=not in_journal)
    handler.setFormatter(_Prioritised(form) if in_journal else form)
    return handler


class LogFile(RotatingFileHandler):
    """A file that turns over. Where it cannot be written, a line is given up, and standard error hears of that once."""

    _told = False

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler`."""
        self._failed = False
        super().emit(record)
        if not self._failed:
            self._told = False

    def handleError(self, record: logging.LogRecord) -> None:
        """See `logging.Handler`. What is still in its buffers must not pile up: the file is opened anew for the next line."""
        self._failed, error = True, sys.exc_info()[1]
        stream, self.stream = self.stream, None
        try:
            if stream:
                stream.close()
        except OSError:
            pass
        if not self._told:
            self._told = True
            why = getattr(error, "strerror", None) or type(error).__name__
            to_standard_error(Line(WARNING, f"the log {self.baseFilename} cannot be written: {why}"))


def _name(record: logging.LogRecord) -> str:
    return _NAMES.get(record.levelno, record.levelname.lower())


def _time(record: logging.LogRecord) -> str:
    """RFC 3339, with its offset."""
    return datetime.fromtimestamp(record.created).astimezone().isoformat(timespec="milliseconds")


class TextFormatter(logging.Formatter):
    """`TIME level job: text`; or the text alone, for the journal, which has the rest."""

    def __init__(self, *, dated: bool = True) -> None:
        super().__init__()
        self._dated = dated

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter`."""
        text = printable(record.getMessage())
        return f"{_time(record)} {_name(record)} {text}" if self._dated else text


class JsonFormatter(logging.Formatter):
    """One object a line: time, level, text, and job, event, path and reason where there are such.

    A path that is no text has `path_base64` beside it, which alone is lossless. All of it is ASCII: no name reaches a terminal.
    """

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter`."""
        given = record.__dict__
        line = {"time": _time(record), "level": _name(record)}
        line |= {key: given[key] for key in ("job", "event", "reason") if given.get(key)}
        if path := given.get("path"):
            fields = say.path_fields(path)
            line |= fields if fields["path"] != path else {"path": path}
        line["text"] = printable(str(given.get("said") or record.getMessage()))
        return json.dumps(line)


class _Prioritised(logging.Formatter):
    """The same with its priority in front, for the journal."""

    def __init__(self, form: logging.Formatter) -> None:
        super().__init__()
        self._form = form

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter`."""
        nearest = max((level for level in _NAMES if level <= record.levelno), default=DEBUG)
        return priority(nearest) + self._form.format(record)


def configure(path: str, *, must_exist: bool = True) -> None:
    """Have logging as a JSON file for `logging.config.dictConfig` says. It may call anything: trust it as a program.

    Args:
        path: The file.
        must_exist: Whether it is a fault that there is none.

    Raises:
        ConfigurationError: it cannot be read, or means nothing.
    """
    try:
        with open(path, encoding="utf-8") as file:
            logging.config.dictConfig(json.load(file))
        hush_libraries()
    except FileNotFoundError as error:
        if error.filename == path and not must_exist:
            return
        if error.filename == path:
            raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from None
        raise ConfigurationError(f"{path}: names {error.filename}, which cannot be made: {error.strerror}") from None
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read, or a file that it names: {error.strerror}") from None
    except (ValueError, TypeError, AttributeError, ImportError) as error:
        cause = f" ({error.__cause__})" if error.__cause__ else ""
        line = f":{error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise ConfigurationError(f"{path}{line}: is no configuration of logging: {error}{cause}") from None


def hush_libraries(level: int = logging.NOTSET) -> None:
    """Keep libraries from writing secrets, whatever a configuration of logging says."""
    for name in _TELLTALES:
        logging.getLogger(name).setLevel(max(level, logging.INFO))
