"""Whom outhaul tells how it goes: the keys `hooks`, `log`, `metrics`, `sentry-dsn` and `sentry-failures`.

Pure, like `values.py`. Addresses that speak for whoever knows them are repeated in no message (law L14).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from outhaul.config import values
from outhaul.config.sizes import shown_size, size_bytes
from outhaul.config.wording import Where, shown, unknown_key

HOOK_KEYS = ("success", "failure", "recovered", "held")
LOG_KEYS = ("file", "format", "level", "max-size", "keep", "config")
METRICS_KEYS = ("listen", "file", "every", "oldest", "last-run")
TELLING_KEYS = ("hooks", "log", "metrics", "sentry-dsn", "sentry-failures")
FORMATS = ("text", "json")
LEVELS = ("debug", "info", "warning", "error")
HOOK = r"^(?:https://[^\s/?#@]{1,253}|http://(?:localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])(?::[0-9]{1,5})?)(?:[/?][^\s#]*)?$"
LISTEN = r"^(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9.-]{1,253}):[0-9]{1,5}$"
DSN = r"^https?://[^\s/?#@]+@[^\s/?#@]+/[^\s?#]*$"
SENTRY_VARIABLE = "SENTRY_DSN"
TRACE_VARIABLES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
"""With one of these, the environment asks for it."""
WORDS_MAX, KEEP_MAX = 64, 1000
SIZE_MIN, SIZE_MAX = 64 << 10, 1 << 40
"""Bytes of a log file."""
_SECOND_NS = 10**9

Note = Callable[[Where, str], None]
Absolute = Callable[[str], str]
T = TypeVar("T")


class Hook(NamedTuple):
    """Who is told of one event. Nobody is where both are empty."""

    command: tuple[str, ...] = ()
    """Absolute path of a program, and its arguments."""
    url: str = ""

    def __bool__(self) -> bool:
        return bool(self.command or self.url)


Hooks = Mapping[str, Hook]
"""Event, a word of `HOOK_KEYS`, and who is told of it."""
NO_HOOKS: Hooks = MappingProxyType({})


class LogSettings(NamedTuple):
    """Where lines about the work go, and what they look like."""

    file: str = ""
    """Absolute path; '' is standard error."""
    form: str = ""
    """A word of `FORMATS`; '' is text as it always was: without times on standard error."""
    level: str = "info"
    max_bytes: int = 10 << 20
    """A file that would become larger is renamed to `FILE.1`."""
    keep: int = 5
    """How many of these stay."""
    config: str = ""
    """Absolute path of a file for `logging.config.dictConfig`; '' for none."""

    def __bool__(self) -> bool:
        return bool(self.file or self.form or self.config)


class MetricsSettings(NamedTuple):
    """Where metrics are had while `watch` runs."""

    listen: str = ""
    """HOST:PORT; '' is nowhere."""
    file: str = ""
    """Absolute path of a file for the textfile collector; '' for none."""
    every_ns: int = 15 * _SECOND_NS
    """How often the file is written."""
    oldest_ns: int = 0
    """For /health, as `outhaul health --oldest`; 0 is not asked. The next is --last-run."""
    last_run_ns: int = 0


class Telling(NamedTuple):
    """All of it."""

    hooks: Hooks = NO_HOOKS
    """Of all jobs that do not say otherwise."""
    of_jobs: Mapping[str, Hooks] = MappingProxyType({})
    """Name of a job, and what it says of hooks: event by event in place of those above."""
    log: LogSettings = LogSettings()
    metrics: MetricsSettings = MetricsSettings()
    sentry_dsn: str = ""
    sentry_failures: bool = False

    def hook(self, job: str, event: str) -> Hook:
        """Who is told of an event of a job; of one that is of no job with ''."""
        return self.of_jobs.get(job, NO_HOOKS).get(event) or self.hooks.get(event, Hook())

    @property
    def has_hooks(self) -> bool:
        """Whether anybody is told anything by a hook."""
        return any(self.hooks.values()) or any(any(hooks.values()) for hooks in self.of_jobs.values())


def telling(tree: dict[str, Any], absolute: Absolute, note: Note) -> Telling:
    """What the top of a configuration says of it; hooks of jobs are read by `hooks`."""
    top = _Table(tree, (), None, note)
    return Telling(
        hooks(tree, (), absolute, note),
        log=_log(tree.get("log", {}), absolute, note),
        metrics=_metrics(tree.get("metrics", {}), absolute, note),
        sentry_dsn=top.take("sentry-dsn", _dsn, ""),
        sentry_failures=top.take("sentry-failures", values.truth, False),
    )


def hooks(table: dict[str, Any], where: Where, absolute: Absolute, note: Note) -> Hooks:
    """The hooks of a job, or of all of them."""
    if "hooks" not in table:
        return NO_HOOKS
    given, where = table["hooks"], (*where, "hooks")
    if not isinstance(given, dict):
        note(where, f'expected a table such as {{ held = ["/usr/local/bin/told"] }}, not {shown(given)}')
        return NO_HOOKS
    read = _Table(given, where, HOOK_KEYS, note)
    return {
        event: read.take(event, lambda value: hook(value, absolute), Hook()) for event in HOOK_KEYS if event in given
    }


def hook(value: object, absolute: Absolute) -> Hook:
    """An address, or a command.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(value, str):
        if not re.fullmatch(HOOK, value) or not values.port_exists(value.partition("?")[0]):
            # It is not repeated: whoever knows it can speak for us (law L14).
            raise ValueError(
                'expected an address that begins with "https://" (or "http://127.0.0.1"), or a list that is a command: '
                '["/usr/local/bin/told", "--now"]'
            )
        return Hook(url=value)
    if not isinstance(value, list) or not 1 <= len(value) <= WORDS_MAX or not all(map(_is_word, value)):
        raise ValueError(
            f'expected a command such as ["/usr/local/bin/told", "--now"], or an address, not {shown(value)}'
        )
    if "/" not in value[0]:
        raise ValueError(f'expected the path of a program, such as "/usr/local/bin/told", not {shown(value[0])}')
    return Hook((absolute(value[0]), *value[1:]))


def _is_word(value: object) -> bool:
    return isinstance(value, str) and "\0" not in value and value.isprintable()


def _log(value: object, absolute: Absolute, note: Note) -> LogSettings:
    if not isinstance(value, dict):
        note(("log",), f'expected a table such as {{ format = "json" }}, not {shown(value)}')
        return LogSettings()
    if "config" in value and len(value) > 1:
        note(("log", "config"), "says all of it; leave the other keys of log out")
    for key in ("max-size", "keep"):
        if key in value and "file" not in value:
            note(("log", key), "says nothing without file; write file beside it, or leave it out")
    table, usual = _Table(value, ("log",), LOG_KEYS, note), LogSettings()
    return LogSettings(
        table.take("file", lambda one: absolute(values.text(one, '"/var/log/outhaul.log"')), ""),
        # A table that says only the level is still one: its lines have times.
        table.take("format", lambda one: values.choice(one, FORMATS), "text" if value else ""),
        table.take("level", lambda one: values.choice(one, LEVELS), usual.level),
        table.take("max-size", _log_size, usual.max_bytes),
        table.take("keep", _keep, usual.keep),
        table.take("config", lambda one: absolute(values.text(one, '"logging.json"')), ""),
    )


def _log_size(value: object) -> int:
    size = size_bytes(value, "10MiB")
    if not SIZE_MIN <= size <= SIZE_MAX:
        raise ValueError(f'expected "{shown_size(SIZE_MIN)}" to "{shown_size(SIZE_MAX)}", not {shown(value)}')
    return size


def _keep(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= KEEP_MAX:
        raise ValueError(f"expected how many old files stay, 1 to {KEEP_MAX}, not {shown(value)}")
    return value


def _metrics(value: object, absolute: Absolute, note: Note) -> MetricsSettings:
    if not isinstance(value, dict):
        note(("metrics",), f'expected a table such as {{ listen = "127.0.0.1:9275" }}, not {shown(value)}')
        return MetricsSettings()
    table, usual = _Table(value, ("metrics",), METRICS_KEYS, note), MetricsSettings()
    return MetricsSettings(
        table.take("listen", listen, ""),
        table.take("file", lambda one: absolute(values.text(one, '"/var/lib/node_exporter/outhaul.prom"')), ""),
        table.take("every", _every, usual.every_ns),
        table.take("oldest", values.kept, 0),
        table.take("last-run", values.kept, 0),
    )


def listen(value: object) -> str:
    """Where to listen: a host and a port."""
    if not isinstance(value, str) or not re.fullmatch(LISTEN, value) or not values.port_exists(value):
        raise ValueError(f'expected a host and a port, such as "127.0.0.1:9275", not {shown(value)}')
    return value


def _every(value: object) -> int:
    every = values.kept(value)
    if every < _SECOND_NS:
        raise ValueError(f'expected at least "1s", not {shown(value)}')
    return every


def _dsn(value: object) -> str:
    """The address of a project of Sentry. It is not repeated (law L14)."""
    if not isinstance(value, str) or not re.fullmatch(DSN, value):
        raise ValueError('expected the DSN of a project, such as "https://KEY@sentry.example.net/7"')
    return value


class _Table:
    """One table, of which every wrong key and value is noted."""

    def __init__(self, table: dict[str, Any], where: Where, known: tuple[str, ...] | None, note: Note) -> None:
        self._table, self._where, self._note = table, where, note
        for key in table if known is not None else ():
            if key not in (known or ()):
                note((*where, key), unknown_key(key, known or (), {}))

    def take(self, key: str, read: Callable[[object], T], default: T) -> T:
        if key not in self._table:
            return default
        try:
            return read(self._table[key])
        except ValueError as error:
            self._note((*self._where, key), str(error))
            return default
