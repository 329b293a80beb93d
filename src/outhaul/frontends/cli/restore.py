"""`restore` and `mirror`: bring files back, from the ledger or from a bucket alone."""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Iterator

from outhaul import bringing
from outhaul.config.paths import absolute_from
from outhaul.frontends.cli.carry import given_connection, state_of
from outhaul.frontends.cli.returning import UNUSABLE, unusable, watcher
from outhaul.frontends.cli.stopping import stopped
from outhaul.model.address import destination
from outhaul.model.errors import ConfigurationError
from outhaul.model.job import Connection, Destination
from outhaul.model.patterns import broken
from outhaul.model.returning import ALONE, FOLLOWING
from outhaul.model.selection import Selection
from outhaul.model.thawing import Wish

_ADDRESS = ("s3:", "file:")


def restore(options: argparse.Namespace) -> int:
    """Bring back what is meant. Exit code 1 where a file is not there in the end."""
    words = tuple(options.what)
    address = words[0] if words and words[0].lower().startswith(_ADDRESS) else ""
    found: list[str] = []
    filters = {"--job": options.job, "--as-of": options.as_of, "--key": options.key, "--prefix": options.prefix}
    if address:
        found.extend(
            f"{name} asks the ledger, and {address} is asked alone" for name, given in filters.items() if given
        )
        words = words[1:]
    elif options.decompress:
        found.append("--decompress is for an address: the ledger knows what was compressed")
    if not address and not words and not any(filters.values()):
        found.append(
            "say what to restore: a path, a pattern ('**' is everything), --job, --key, --prefix, or an address"
        )
    found.extend(f"WHAT {word!r} {wrong}" for word in words if (wrong := _wrong(word)))
    connection = given_connection(options, found)
    if options.no_thaw and options.wait:
        found.append("--wait waits for what was asked for, and --no-thaw asks for nothing")
    manner = bringing.Manner(
        _directory(options.to, found), options.overwrite, options.dry_run, into_source=options.into_source,
        decompress=options.decompress, thaw=None if options.no_thaw else Wish(options.tier, options.for_days),
        wait=options.wait, look_seconds=options.look_every,
    )  # fmt: skip
    target = _address(address, found) if address else None
    if found:
        raise ConfigurationError(*found)
    if target is not None:
        return _from_bucket("restore", target, words, connection, manner, options)
    selection = Selection(options.job, words, options.key, options.prefix, until_ns=options.as_of)
    watching = watcher("restore", options)
    try:
        counted = not (options.json or options.quiet)
        report = bringing.restore(
            selection, state_of(options), connection, manner, watching, stopped, count_first=counted
        )
        watching.finished(report.account, report.unmatched)
    finally:
        watching.close()
    return report.exit_code


def mirror(options: argparse.Namespace) -> int:
    """Fetch what is not there yet, and delete nothing."""
    found: list[str] = []
    connection = given_connection(options, found)
    to = _directory(options.to, found)
    target = _address(options.address, found)
    if found or target is None:
        raise ConfigurationError(*found)
    manner = bringing.Manner(to, dry_run=options.dry_run, by_time=True, limit=options.max_files, as_stored=True)
    try:
        return _from_bucket("mirror", target, (), connection, manner, options)
    except bringing.InSource as error:  # Its own words name an option of `restore`.
        raise ConfigurationError(f"--to {error.why}; name another directory") from None


def _from_bucket(
    verb: str,
    target: Destination,
    words: tuple[str, ...],
    connection: Connection,
    manner: bringing.Manner,
    options: argparse.Namespace,
) -> int:
    watching = watcher(verb, options, FOLLOWING if manner.as_stored else ALONE)
    try:
        report = bringing.restore_bucket(target, words, state_of(options), connection, manner, watching, stopped)
        if manner.as_stored and not (report.account.seen or report.interrupted):
            watching.notice(f"there is nothing in {target.address} so far")
        watching.finished(report.account, report.unmatched)
    except UNUSABLE as error:
        return unusable(target, error)
    finally:
        watching.close()
    return report.exit_code


def _directory(text: str, found: list[str]) -> str:
    try:
        return absolute_from(os.getcwd())(text)
    except ValueError as error:
        found.append(f"--to: {error}")
        return ""


def _address(text: str, found: list[str]) -> Destination | None:
    try:
        target = destination(text, absolute_from(os.getcwd()))
    except ValueError as error:
        found.append(f"{text}: {error}")
        return None
    found.extend(missing(text, target))
    return target


def missing(text: str, target: Destination) -> Iterator[str]:
    """What is wrong with an address that files are to come from, as it was written: a directory that does not exist.

    To an empty one there is nothing to do, and so a bucket that was written without `s3://` would be as good as brought back.
    """
    if target.kind == "file" and not os.path.lexists(target.directory):
        wrong = f"{text} does not exist"
        with contextlib.suppress(ValueError):
            bucket = destination(f"s3://{text}", str) if text[:1] not in ("/", ".") and ":" not in text else None
            wrong += f"; for a bucket write {bucket.address}" if bucket else ""
        yield wrong


def _wrong(word: str) -> str:
    """What is wrong with a path or pattern. A path may be absolute, and may hold what would be wrong in a pattern."""
    return "" if word.startswith("/") or not any(mark in word for mark in "*?[") else broken(word)
