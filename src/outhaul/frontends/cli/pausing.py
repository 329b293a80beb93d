"""`pause` and `resume`: a word to whoever carries, now or later, through the state directory."""

from __future__ import annotations

import argparse
import contextlib
import getpass
import os
import time
from datetime import datetime, timedelta

from outhaul import app
from outhaul.config.durations import duration_ns
from outhaul.frontends.cli.carry import config_path, configured_names, state_of
from outhaul.host import pauses
from outhaul.host.pauses import ALL, Pause, PausesUnreadable
from outhaul.host.permits import described
from outhaul.model.errors import ConfigurationError, LedgerError
from outhaul.model.keys import printable

WHY_MOST = 200
_SECOND_NS = 10**9


def pause(options: argparse.Namespace) -> int:
    """Pause some jobs, or all."""
    state, now = state_of(options), time.time_ns()
    _known(options)
    one = Pause(now, _until_ns(options, now), _who(), _why(options.why))
    with contextlib.suppress(PausesUnreadable):  # A new one takes its place.
        pauses.write(state, pauses.without(pauses.read(state), (), now) | dict.fromkeys(options.job or [ALL], one))
        return _say(options, one)
    pauses.write(state, dict.fromkeys(options.job or [ALL], one))
    return _say(options, one)


def resume(options: argparse.Namespace) -> int:
    """End the pause of some jobs, or all there are."""
    state, now = state_of(options), time.time_ns()
    _known(options)
    if not options.job:
        pauses.write(state, {})
        print("all jobs go on")
        return 0
    there = pauses.without(pauses.read(state), (), now)
    if ALL in there:
        raise ConfigurationError("all jobs are paused: `outhaul resume` without a name ends that")
    if missing := [name for name in options.job if name not in there]:
        print(printable(f"{', '.join(missing)}: not paused"))
    pauses.write(state, pauses.without(there, options.job, now))
    for name in options.job:
        if name in there:
            print(printable(f"{name} goes on"))
    return 0


def _say(options: argparse.Namespace, one: Pause) -> int:
    print(printable(f"{', '.join(options.job) or 'all jobs'}: paused {described(one)}"))
    return 0


def _known(options: argparse.Namespace) -> None:
    """Whether the jobs that are named exist: in the configuration, or in the ledger."""
    if not options.job:
        return
    names: list[str] = []
    fault = ""
    try:
        names += configured_names(config_path(options), state_of(options))
    except ConfigurationError as error:
        if options.config:
            raise
        fault = error.problems[0]
    with contextlib.suppress(LedgerError):
        names += [job.job for job in app.status(state_of(options))]
    if not names:
        raise ConfigurationError(f"which jobs there are is not known: {fault}; --config names a configuration")
    if unknown := [name for name in options.job if name not in names]:
        raise ConfigurationError(f"{unknown[0]}: there is no such job; there is {', '.join(dict.fromkeys(names))}")


def _until_ns(options: argparse.Namespace, now: int) -> int:
    if options.duration:
        try:
            if length := duration_ns(options.duration):
                return now + length
            raise ValueError('expected a duration such as "2h", not "0"')
        except ValueError as error:
            raise ConfigurationError(f"--for: {error}") from None
    return _moment(options.until, now) if options.until else 0


def _moment(text: str, now: int) -> int:
    """A time of the day, the next that comes; or a day and a time; of this machine where no zone is said."""
    today = datetime.fromtimestamp(now / _SECOND_NS)
    try:
        if len(text) <= len("06:00"):
            clock = datetime.strptime(text, "%H:%M")
            found = today.replace(hour=clock.hour, minute=clock.minute, second=0, microsecond=0)
            found += timedelta(found <= today)
        else:
            found = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(
            f'--until: expected a time such as "06:00" or "2026-11-22T06:00", not "{text}"'
        ) from None
    if found.timestamp() * _SECOND_NS <= now:
        raise ConfigurationError(f"--until: {text} is over")
    return int(found.timestamp()) * _SECOND_NS


def _why(text: str) -> str:
    if len(text) > WHY_MOST:
        raise ConfigurationError(f"--why: expected at most {WHY_MOST} characters, not {len(text)}")
    return text


def _who() -> str:
    """Whoever is behind sudo(8), or whoever this is."""
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
