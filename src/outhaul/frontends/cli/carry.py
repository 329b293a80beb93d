"""`run`, `move` and `copy`: make the jobs, run them, say what became of every file."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from outhaul import app
from outhaul.config.connection_settings import CONNECTION_KEYS, faults, reader_of
from outhaul.config.paths import absolute_from
from outhaul.config.profiles.kingfisher import is_kingfisher_file
from outhaul.config.together import unsuited
from outhaul.config.wording import dotted
from outhaul.frontends.cli.main import stopped
from outhaul.frontends.cli.one_off import job_of
from outhaul.frontends.cli.pinging import pinged
from outhaul.model.bandwidth import Bandwidth
from outhaul.model.errors import ConfigurationError
from outhaul.model.job import Connection, Destination, Job
from outhaul.model.ledger_address import is_ledger_address, ledger_address
from outhaul.model.shard import WHOLE, Shard, shard_of
from outhaul.ports import Monitor
from outhaul.wiring import default_state

if TYPE_CHECKING:
    from outhaul.config.native import Configured


def run(options: argparse.Namespace) -> int:
    """One pass over every job of a configuration."""
    if options.config and is_kingfisher_file(options.config):
        if options.shard:
            raise ConfigurationError("--shard: Kingfisher Archive decides about whole months; leave it out")
        from outhaul.frontends.older.kingfisher_archive import run as archive

        return archive(options.config, options.state or "", dry_run=options.dry_run)
    jobs, limit, ping, program, ledger = configured(options)
    wanted = chosen(jobs, options.job)
    if options.dry_run:
        return _carry(wanted, options, limit, ledger)
    if options.shard and program == "archive-upload":
        raise ConfigurationError(
            "--shard: archive-upload knows none; translate the configuration, and run that in shards"
        )
    with pinged(ping) as told:
        left = _take_over(wanted, options) if program == "archive-upload" else 0
        return told.ended(_carry(wanted, options, limit, ledger) or left)


def chosen(jobs: list[Job], names: Sequence[str]) -> list[Job]:
    """The jobs of these names; all of them where none is named.

    Raises:
        ConfigurationError: there is no job of such a name.
    """
    if unknown := set(names) - {job.name for job in jobs}:
        there = ", ".join(job.name for job in jobs)
        raise ConfigurationError(f"--job {sorted(unknown)[0]}: there is no such job; there is {there}")
    return [job for job in jobs if not names or job.name in names]


def _take_over(jobs: list[Job], options: argparse.Namespace) -> int:
    """What archive-upload has left behind, before the first run of its jobs."""
    from outhaul.frontends.older.archive_upload import take_over

    monitor, close = _monitor(options)
    try:
        return take_over(jobs, state_of(options), monitor, lambda text: print(f"outhaul: {text}", file=sys.stderr))
    finally:
        close()


def move(options: argparse.Namespace) -> int:
    """A one-off job whose sources go."""
    return _carry([job_of(options, "move", state_of(options))], options)


def copy(options: argparse.Namespace) -> int:
    """A one-off job whose sources stay."""
    return _carry([job_of(options, "copy", state_of(options))], options)


def configured_jobs(options: argparse.Namespace) -> list[Job]:
    """The jobs of `configured`."""
    return configured(options).jobs


def configured(options: argparse.Namespace) -> Configured:
    """The jobs of the configuration that was named, or of the one in its usual place, and its limit.

    Raises:
        ConfigurationError: there is none, or it is wrong.
    """
    from outhaul.config.native import read

    said = read(config_path(options), state=state_of(options))
    found: list[str] = []
    given = given_connection(options, found)
    if found:
        raise ConfigurationError(*found)
    jobs = [_over(given, job) for job in said.jobs]
    if found := [f'job "{job.name}": {dotted(path)}: {text}' for job in jobs for path, text in unsuited(job)]:
        raise ConfigurationError(*found)
    return said._replace(jobs=jobs)


def _over(given: Connection, job: Job) -> Job:
    """The job with what the command line says laid over what its configuration does."""
    said = {name: value for name, value in given._asdict().items() if value}
    return job._replace(connection=job.connection._replace(**said)) if said else job


def given_connection(options: argparse.Namespace, found: list[str]) -> Connection:
    """How the command line wants the store to be reached; what is wrong with that goes into `found`."""
    given: dict[str, str | bool] = {}
    for key in CONNECTION_KEYS:
        name = key.replace("-", "_")
        try:
            if value := getattr(options, name):
                given[name] = reader_of(key, absolute_from(os.getcwd()))(value)
        except ValueError as error:
            found.append(f"--{key}: {error}")
    connection = Connection()._replace(**given)  # type: ignore[arg-type]
    found.extend(f"--{key}: {text}" for key, text in faults(connection, Destination("", "s3", "", "")))
    return connection


def given_bandwidth(options: argparse.Namespace) -> Bandwidth | None:
    """The limit that the command line sets; None where it says nothing of it.

    Raises:
        ConfigurationError: it is none.
    """
    if not options.bandwidth:
        return None
    from outhaul.config.bandwidth import limit

    try:
        return Bandwidth(limit(options.bandwidth))
    except ValueError as error:
        raise ConfigurationError(f"--bandwidth: {error}") from None


def given_ledger(options: argparse.Namespace) -> str:
    """The database that the command line names; '' where it says nothing of it.

    Raises:
        ConfigurationError: it is no address of one.
    """
    return _address(options.ledger, "--ledger") if options.ledger else ""


def state_of(options: argparse.Namespace) -> str:
    """The state directory, absolute; or the address of a ledger that several share, to look into.

    Raises:
        ConfigurationError: the command needs a directory.
    """
    if is_ledger_address(options.state):
        if hasattr(options, "ledger"):
            raise ConfigurationError("--state is a directory, on a local disk; write --ledger for the database")
        return _address(options.state, "--state")
    return os.path.abspath(options.state) if options.state else default_state()


def _address(text: str, option: str) -> str:
    try:
        return ledger_address(text)
    except ValueError as error:
        raise ConfigurationError(f"{option}: {error}") from None


def config_path(options: argparse.Namespace) -> str:
    """The configuration file that was named, or the one in its usual place.

    Raises:
        ConfigurationError: there is none.
    """
    if options.config:
        return str(options.config)
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    places = [os.path.join(home, "outhaul", "outhaul.toml"), "/etc/outhaul/outhaul.toml"]
    for place in places:
        if os.path.exists(place):
            return place
    raise ConfigurationError(f"no configuration: name one, or make {' or '.join(places)}")


def _carry(jobs: list[Job], options: argparse.Namespace, limit: Bandwidth | None = None, ledger: str = "") -> int:
    limit = given_bandwidth(options) or limit
    monitor, close = _monitor(options)
    try:
        report = app.run(
            jobs,
            state=state_of(options),
            monitor=monitor,
            stopped=stopped,
            dry_run=options.dry_run,
            bandwidth=limit,
            shard=_shard(options),
            ledger=given_ledger(options) or ledger,
        )
    finally:
        close()
    return report.exit_code


def _shard(options: argparse.Namespace) -> Shard:
    try:
        return shard_of(options.shard) if options.shard else WHOLE
    except ValueError as error:
        raise ConfigurationError(f"--shard: {error}") from None


def _monitor(options: argparse.Namespace) -> tuple[Monitor, Callable[[], None]]:
    from outhaul.frontends.cli.monitors import JsonMonitor, PlainMonitor

    if options.json:
        return JsonMonitor(), lambda: None
    if options.quiet or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        return PlainMonitor(quiet=options.quiet, verbose=options.verbose), lambda: None
    from outhaul.frontends.cli.progress import ProgressMonitor

    watching = ProgressMonitor(verbose=options.verbose)
    return watching, watching.close
