"""`export --to` and `carry`: files that travel on a stick. What is said of one; what happens is `by_stick.py`'s."""

from __future__ import annotations

import argparse
import json
import os
import sys

from outhaul import by_stick
from outhaul.config.paths import absolute_from
from outhaul.frontends.cli import say
from outhaul.frontends.cli.carry import chosen, configured, given_bandwidth, given_connection, monitor_of, state_of
from outhaul.frontends.cli.stopping import stopped
from outhaul.model.address import destination
from outhaul.model.errors import AnotherInstance, ConfigurationError, InUse, Misconfigured
from outhaul.model.job import Destination, Job
from outhaul.model.keys import printable
from outhaul.model.ledger_address import is_ledger_address


def export(options: argparse.Namespace) -> int:
    """Take receipts from a stick, let go, and give it what is new. Exit codes as for a run."""
    if options.make_key:
        by_stick.make_key(options.make_key)
        if not options.quiet:
            print(f"a key is in {options.make_key}: bring it to the other machine, and not by the stick")
        return 0
    path = os.path.abspath(options.to)
    jobs = _jobs(options)
    key = by_stick.read_key(options.key_file, path) if options.key_file else b""
    trust = by_stick.Trust(key, options.trust_stick)
    monitor, close = monitor_of(options)
    state = state_of(options)
    try:
        report = by_stick.export(
            jobs, path, state=state, monitor=monitor, trust=trust, again=options.again, stopped=stopped
        )
    except InUse:
        raise AnotherInstance(
            f"another outhaul works with {state}. Where it is a watch: stop it, export, and start it again, such as with "
            "`systemctl stop outhaul` and `systemctl start outhaul`. With another --state all files would travel again"
        ) from None
    except Misconfigured as error:
        _complain(str(error))
        return 4
    finally:
        close()
    return _say_export(report, options)


def _jobs(options: argparse.Namespace) -> list[Job]:
    if options.output or options.format:
        raise ConfigurationError("--to writes files to a stick, and --format receipts to a table: leave one out")
    options.config = options.pattern
    jobs = chosen(configured(options).jobs, [options.job] if options.job else [])
    reasons = {job.name: by_stick.why_not(job) for job in jobs}
    able = [job for job in jobs if not reasons[job.name]]
    lines = [f'job "{name}" does not travel on a stick: {why}' for name, why in reasons.items() if why]
    if not able:
        raise ConfigurationError(*(lines or ["there is no job"]))
    for line in lines:
        _complain(line)
    return able


def _say_export(report: by_stick.StickReport, options: argparse.Namespace) -> int:
    if options.json:
        said = {"event": "stick", "stick": report.stick, "written": report.written, "bytes_written": report.bytes_written,
                "receipts": report.receipts, "refused": report.refused, "on_their_way": report.away}  # fmt: skip
        print(json.dumps(said))
    elif not options.quiet:
        took = f"{_count(report.receipts, 'receipt')} taken, " if report.receipts else ""
        wrote = f"{_count(report.written, 'package')} written ({say.size(report.bytes_written)})"
        print(f"stick {report.stick[:8]}: {took}{wrote}, {report.away:,} on their way")
    if report.refused:
        _complain(_not_believed(report, options))
    if report.same_disk:
        _complain(f"{options.to} is on the disk of the sources: is the stick mounted?")
    if report.fault:
        _complain(report.fault)
    return report.run.exit_code or (4 if report.fault else 1 if report.refused else 0)


def _not_believed(report: by_stick.StickReport, options: argparse.Namespace) -> str:
    """Why receipts are not believed, and every way out."""
    which, ways = "signed, and no key was named here", ["name it with --key-file FILE"]
    if report.unsigned:
        some = "" if report.unsigned == report.refused else f"{report.unsigned:,} of them "
        which, ways = f"{some}not signed, as by a `carry` without --key-file", []
    elif options.key_file:
        which, ways = "not signed with this key", ["name the key that they were signed with, with --key-file FILE"]
    ways.append("where nobody else has had this stick, say --trust-stick")
    if not options.again:
        ways.append("say --again, and have the files carried once more, with the key")
    said = "; or, ".join(ways)
    return f"{_count(report.refused, 'receipt')} not believed: {which}. {said[0].upper()}{said[1:]}"


def carry(options: argparse.Namespace) -> int:
    """Send what lies on a stick. Exit code 1 where something stays on it, 4 where the destination or the stick cannot be used."""
    to, path = _destination(options), os.path.abspath(options.stick)
    found: list[str] = []
    connection = given_connection(options, found)
    if found:
        raise ConfigurationError(*found)
    key = by_stick.read_key(options.key_file, path) if options.key_file else b""

    def tell(one: by_stick.Carriage) -> None:
        if options.json:
            proof = str(one.proof.kind) if one.proof else ""
            print(
                json.dumps(
                    {"event": "carried" if proof else "stays", "key": one.offer.key, "proof": proof, "why": one.why}
                )
            )
        elif options.verbose:
            address = f"s3://{one.offer.bucket}/{one.proof.key if one.proof else one.offer.key}"
            print(printable(f"{one.proof.kind}  {address}" if one.proof else f"stays  {address}: {one.why}"))

    try:
        report = by_stick.carry(
            path, to, connection, state=_own_state(options), key=key, trust_stick=options.trust_stick,
            same_store=options.same_store, rule=options.on_conflict, bandwidth=given_bandwidth(options),
            stopped=stopped, tell=tell,
        )  # fmt: skip
    except Misconfigured as error:
        _complain(str(error))
        return 4
    return _say_carry(report, options)


def _own_state(options: argparse.Namespace) -> str:
    state = state_of(options)
    if is_ledger_address(state):
        raise ConfigurationError("--state is a directory, on a local disk")
    return state


def _destination(options: argparse.Namespace) -> Destination:
    try:
        to = destination(options.to, absolute_from(os.getcwd()))
    except ValueError as error:
        raise ConfigurationError(f"--to: {error}") from None
    if to.kind != "s3":
        raise ConfigurationError(f"--to {options.to}: is a directory; write s3://bucket/prefix")
    return to


def _say_carry(report: by_stick.CarryReport, options: argparse.Namespace) -> int:
    if options.json:
        print(
            json.dumps(
                {"event": "carry", "carried": report.carried, "bytes": report.bytes_carried, "left": report.left}
            )
        )
    elif not options.quiet:
        there = "bring the stick back" if report.carried else "nothing was carried"
        print(f"{_count(report.carried, 'package')} carried ({say.size(report.bytes_carried)}); {there}")
    for why, count in report.left.items():
        _complain(f"{_count(count, 'package')} left on the stick: {why}")
    if report.unneeded:
        _complain(report.unneeded)
    if report.strange:
        _complain(f"{_count(report.strange, 'line')} of manifests passed over: damaged, or not signed with your key")
    if report.unbelieved:
        _complain(
            f"{_count(report.unbelieved, 'package')} went before, without this key: the device will not believe their receipts, "
            "and says what to do"
        )
    if stopped():
        return 130
    return 4 if report.fault else 1 if report.left or report.strange or report.unbelieved else 0


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _complain(text: str) -> None:
    print(printable(f"outhaul: {text}"), file=sys.stderr)
