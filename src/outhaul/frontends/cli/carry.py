"""`run`, `move` and `copy`: make the jobs, run them, say what became of every file."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from outhaul import app
from outhaul.config.connection_settings import CONNECTION_KEYS, faults, reader_of
from outhaul.config.paths import absolute_from
from outhaul.config.profiles.kingfisher import is_kingfisher_file
from outhaul.config.telling import SENTRY_VARIABLE, TRACE_VARIABLES, Telling
from outhaul.config.together import unsuited
from outhaul.config.wording import dotted
from outhaul.frontends.cli.one_off import job_of
from outhaul.frontends.cli.pinging import pinged
from outhaul.frontends.cli.sharing import address, given_ledger, given_shard, refuse_beside_workers
from outhaul.frontends.cli.stopping import stopped
from outhaul.frontends.cli.telling import Voice, voiced
from outhaul.frontends.telling.log import Log
from outhaul.model.bandwidth import Bandwidth
from outhaul.model.errors import ConfigurationError
from outhaul.model.fleet import Fleet
from outhaul.model.job import Connection, Destination, Job
from outhaul.model.ledger_address import is_ledger_address
from outhaul.model.shard import Shard
from outhaul.ports import Monitor
from outhaul.wiring import default_state

if TYPE_CHECKING:
    from outhaul.config.native import Configured
    from outhaul.model.orders import Setting


def run(options: argparse.Namespace) -> int:
    """One pass over every job of a configuration."""
    if options.config and is_kingfisher_file(options.config):
        for name in ("job", "shard", "on", "ledger", "bandwidth", "nice"):
            if getattr(options, name):
                raise ConfigurationError(
                    f"--{name}: Kingfisher Archive knows none, and decides about whole months; leave it out"
                )
        from outhaul.frontends.older.kingfisher_archive import run as archive

        return archive(options.config, options.state or "", dry_run=options.dry_run)
    said = configured(options)
    wanted = chosen(said.jobs, options.job)
    be_nice(options, said.nice)
    if options.dry_run:
        return _carry(wanted, options, said)
    if options.shard is not None and said.program == "archive-upload":
        raise ConfigurationError(
            "--shard: archive-upload knows none; translate its configuration, and run that in shards"
        )
    telling = given_telling(options, said.telling)
    log = Log(quiet=options.quiet, verbose=options.verbose)
    log.configure(telling.log)
    own = app.state_of(state_of(options), given_shard(options))
    voices = voiced(said.fleet, own, stopped, log.notice, partial(reconfigured, options))
    with pinged(said.ping, log.notice) as told, voices as voice:
        said = voice.obeyed(said)
        wanted = [job for job in said.jobs if not options.job or job.name in options.job]
        left = _take_over(wanted, options) if said.program == "archive-upload" else 0
        if telling == Telling() and not any(os.environ.get(name) for name in (SENTRY_VARIABLE, *TRACE_VARIABLES)):
            return told.ended(_carry(wanted, options, said, voice) or left)
        return told.ended(_told(wanted, options, said._replace(telling=telling), log, voice) or left)


def _told(jobs: list[Job], options: argparse.Namespace, said: Configured, log: Log, voice: Voice) -> int:
    """As `_carry`, and everybody is told whom the configuration names."""
    from outhaul.frontends.telling.everyone import Everyone
    from outhaul.frontends.telling.publishing import write_once

    state = state_of(options)
    monitors, close = _monitors(options, log)
    try:
        with Everyone(monitors, log, state) as everyone:
            everyone.configure(said.telling)
            report = _run(jobs, options, said, everyone)
            for one in report.jobs:
                everyone.passed(one.job, one.tally, one.fault, whole=not report.interrupted)
                voice.job(one.job.name, one.fault)
            if not report.interrupted:
                everyone.patience = 35.0
    finally:
        close()
    write_once(state, said.telling.metrics, log.notice)
    return report.exit_code


def _monitors(options: argparse.Namespace, log: Log) -> tuple[list[Monitor], Callable[[], None]]:
    """Where the log is elsewhere, a person at a terminal sees what goes on all the same."""
    if options.json or not log.settings:
        monitor, close = monitor_of(options)
        return [monitor], close
    from outhaul.frontends.telling.log_monitor import RunLog

    elsewhere = log.settings.file or log.settings.config
    if not elsewhere or options.quiet or not sys.stderr.isatty():
        return [RunLog(log)], lambda: None
    monitor, close = monitor_of(options)
    return [monitor, RunLog(log)], close


def given_telling(options: argparse.Namespace, telling: Telling) -> Telling:
    """Whom to tell, with what the command line says of the log."""
    if options.log_file:
        telling = telling._replace(log=telling.log._replace(file=os.path.abspath(options.log_file), config=""))
    if options.log_format:
        telling = telling._replace(log=telling.log._replace(form=options.log_format, config=""))
    if options.log_file and not telling.log.form:
        telling = telling._replace(log=telling.log._replace(form="text"))
    return telling


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

    monitor, close = monitor_of(options)
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
    if said.fleet is not None:
        said = said._replace(fleet=_known(said.fleet, given, given_shard(options)))
    if found := [f'job "{job.name}": {dotted(path)}: {text}' for job in jobs for path, text in unsuited(job)]:
        raise ConfigurationError(*found)
    return said._replace(jobs=jobs)


def reconfigured(options: argparse.Namespace, settings: tuple[Setting, ...]) -> Configured:
    """The same, with what an order of the fleet sets in it. Raises as `configured`."""
    from outhaul.config.ordered import ordered

    return ordered(config_path(options), configured(options), settings, state_of(options))


def configured_names(path: str, state: str) -> list[str]:
    """The names of the jobs of a configuration. Raises as `configured`."""
    from outhaul.config.native import load

    return [job.name for job in load(path, state=state)]


def _over(given: Connection, job: Job) -> Job:
    """The job with what the command line says laid over what its configuration does."""
    said = {name: value for name, value in given._asdict().items() if value}
    return job._replace(connection=job.connection._replace(**said)) if said else job


def _known(fleet: Fleet, given: Connection, shard: Shard) -> Fleet:
    """With the name of the device, and what the command line says of the way there. Raises ConfigurationError: no name."""
    from outhaul.fleet.telling import device_of

    fleet = fleet._replace(shard=shard)
    said = {name: value for name, value in given._asdict().items() if value}
    connection = fleet.connection._replace(**said) if fleet.destination.kind == "s3" else fleet.connection
    return fleet._replace(device=device_of(fleet), connection=connection)


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


def be_nice(options: argparse.Namespace, configured: int) -> None:
    """Let others go before us, as the command line says, or else the configuration.

    Raises:
        ConfigurationError: that is no number for it.
    """
    wanted = configured
    if options.nice:
        from outhaul.config.timing import nice

        try:
            wanted = nice(int(options.nice) if options.nice.isdecimal() else options.nice)
        except ValueError as error:
            raise ConfigurationError(f"--nice: {error}") from None
    if wanted:
        from outhaul.host.niceness import step_back

        if fault := step_back(wanted):
            print(f"outhaul: {fault}", file=sys.stderr)


def state_of(options: argparse.Namespace) -> str:
    """The state directory, absolute; or the address of a ledger that several share, to look into.

    Raises:
        ConfigurationError: the command needs a directory.
    """
    if is_ledger_address(options.state):
        if hasattr(options, "ledger"):
            raise ConfigurationError("--state is a directory, on a local disk; write --ledger for the database")
        return address(options.state, "--state")
    return os.path.abspath(options.state) if options.state else default_state()


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
    raise ConfigurationError(f"no configuration: name one, or make {' or '.join(dict.fromkeys(places))}")


def _carry(
    jobs: list[Job], options: argparse.Namespace, said: Configured | None = None, voice: Voice | None = None
) -> int:
    monitor, close = monitor_of(options)
    try:
        report = _run(jobs, options, said, monitor)
    finally:
        close()
    for one in report.jobs if voice else ():
        assert voice is not None
        voice.job(one.job.name, one.fault)
    return report.exit_code


def _run(jobs: list[Job], options: argparse.Namespace, said: Configured | None, monitor: Monitor) -> app.RunReport:
    """Here, or by the workers of a cluster."""
    limit = given_bandwidth(options) or (said.bandwidth if said else None)
    ledger, state, shard = (
        given_ledger(options) or (said.ledger if said else ""),
        state_of(options),
        given_shard(options),
    )
    zone = said.time_zone if said else ""
    if options.on is not None:
        refuse_beside_workers(options)
        from outhaul.cluster.driver import run as spread

        return spread(
            jobs, on=options.on, ledger=ledger, state=state, monitor=monitor, stopped=stopped, bandwidth=limit,
            time_zone=zone,
        )  # fmt: skip
    return app.run(
        jobs, state=state, monitor=monitor, stopped=stopped, dry_run=options.dry_run, bandwidth=limit, time_zone=zone,
        shard=shard, ledger=ledger,
    )  # fmt: skip


def monitor_of(options: argparse.Namespace) -> tuple[Monitor, Callable[[], None]]:
    """Who tells what happens, as the options say, and what ends that."""
    from outhaul.frontends.cli.monitors import JsonMonitor, PlainMonitor

    if options.json:
        return JsonMonitor(), lambda: None
    if options.quiet or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        return PlainMonitor(quiet=options.quiet, verbose=options.verbose), lambda: None
    from outhaul.frontends.cli.progress import ProgressMonitor

    watching = ProgressMonitor(verbose=options.verbose)
    return watching, watching.close
