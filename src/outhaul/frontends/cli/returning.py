"""What a restore, a mirror or an audit says as it goes: a bar on a terminal, plain lines, or JSON lines."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping

from outhaul.engine.account import Account, Watcher
from outhaul.frontends.cli import say
from outhaul.frontends.cli.main import silence
from outhaul.model.errors import Denied, Misconfigured, StoreError, Transient
from outhaul.model.job import Destination
from outhaul.model.keys import printable
from outhaul.model.returning import RETURNS, Wanted

_NAMED_MAX = 10
_PROGRESS_SECONDS = 1.0
_QUIET = ("restored", "there", "as-proved", "recorded", "recorded-read", "marker", "planned")  # Named with -v only.


class PlainWatcher:
    """Names what is not well, and ends with a summary in which every file is."""

    limit = "--max-files"
    """What says how many files are fetched at most."""

    def __init__(
        self, verb: str, *, quiet: bool = False, verbose: bool = False, advice: Mapping[str, str] | None = None
    ) -> None:
        self._verb = verb
        self._advice = advice
        self._quiet = quiet
        self._verbose = verbose
        self._started = time.monotonic()
        self._named: dict[str, int] = {}

    def expect(self, files: int, size: int) -> None:
        """See `engine.account.Watcher`."""

    def returned(self, wanted: Wanted, outcome: str, detail: str) -> None:
        """See `engine.account.Watcher`."""
        if not self._verbose:
            if outcome in _QUIET or (self._quiet and RETURNS[outcome].well):
                return
            self._named[outcome] = self._named.get(outcome, 0) + 1
            if self._named[outcome] > _NAMED_MAX:
                return
        more = f" ({printable(detail)})" if detail else ""
        together = (
            wanted.within is not None and self._verb == "audit"
        )  # It was looked at for all that is in its object.
        others = f", and all that is in {printable(wanted.key)}" if together else ""
        if wanted.beside is not None:
            others = f", which lists {say.files(wanted.beside.files)}"
            others += ": they come back by their receipts" if wanted.sha256 else ""
        self.line(f"{outcome:12} {printable(wanted.path)}{others}{more}")

    def progress(self, account: Account) -> None:
        """See `engine.account.Watcher`. Plain output has no progress: it may be a log."""

    def notice(self, text: str) -> None:
        """See `engine.account.Watcher`."""
        self.line(printable(f"{self._verb}: {text}"))

    def finished(self, account: Account, unmatched: list[str]) -> None:
        """The account, and what a person can do."""
        for word in unmatched:
            self.line(f"{self._verb}: nothing fits {printable(word)}")
        if self._quiet and account.well:
            return
        for line in summary(self._verb, account, time.monotonic() - self._started, self.limit, self._advice):
            self.line(line)

    def line(self, text: str) -> None:
        """Say one line."""
        try:
            print(text, file=sys.stderr)
        except OSError:
            return  # Nobody can hear us; the work goes on.

    def close(self) -> None:
        """Take away what was for the time of the work only."""


def summary(
    verb: str,
    account: Account,
    seconds: float,
    limit: str = PlainWatcher.limit,
    advice: Mapping[str, str] | None = None,
) -> list[str]:
    """Every file that was asked for is under one of these lines; `advice` takes the place of what `RETURNS` has of an outcome."""
    by_outcome = account.by_outcome
    new = by_outcome.get("restored", 0) + by_outcome.get("unverified", 0)
    first = f"{verb}: {say.files(account.seen)} {'looked at' if verb == 'rebuild' else 'asked for'}"
    if verb == "audit":  # One look at an object is enough for all files in it, and what lists them is no file.
        first = f"audit: {account.seen:,} object{'' if account.seen == 1 else 's'} looked at"
    if new:
        rate = new / max(seconds, 0.001)
        first += (
            f", {new:,} restored ({say.size(account.bytes_restored)} in {seconds:.1f} s, {say.files(round(rate))}/s)"
        )
    lines = [first]
    for outcome, count in sorted(by_outcome.items(), key=lambda item: (not RETURNS[item[0]].well, -item[1])):
        if outcome != "restored" or len(by_outcome) > 1:
            lines.append(f"  {count:,} {RETURNS[outcome].meaning}")
        if what_to_do := (advice or {}).get(outcome, RETURNS[outcome].advice):
            lines.append(f"      {what_to_do}")
    if account.stopped_at_limit:
        lines.append(f"  stopped at {limit}: run it again for more")
    return lines


class JsonWatcher:
    """One JSON object a line on standard output: each file, each notice, and a summary."""

    def __init__(self, verb: str) -> None:
        self._verb = verb
        self._started = self._told = time.monotonic()

    def expect(self, files: int, size: int) -> None:
        """See `engine.account.Watcher`."""

    def returned(self, wanted: Wanted, outcome: str, detail: str) -> None:
        """See `engine.account.Watcher`."""
        self._out({
            "event": outcome, "well": RETURNS[outcome].well, **say.path_fields(wanted.path), "key": wanted.key,
            "version": wanted.version, "size": wanted.size if wanted.size >= 0 else None,
            "sha256": wanted.sha256.hex(), "meaning": RETURNS[outcome].meaning, "detail": detail,
        })  # fmt: skip

    def progress(self, account: Account) -> None:
        """See `engine.account.Watcher`. JSON has the events themselves; of large files it tells each second how far they are."""
        if account.bytes_under_way and time.monotonic() - self._told >= _PROGRESS_SECONDS:
            self._told = time.monotonic()
            self._out({
                "event": "progress", "files": sum(account.by_outcome.values()),
                "bytes": account.bytes_settled + account.bytes_under_way,
            })  # fmt: skip

    def notice(self, text: str) -> None:
        """See `engine.account.Watcher`."""
        self._out({"event": "notice", "text": text})

    def finished(self, account: Account, unmatched: list[str]) -> None:
        """The account."""
        self._out({
            "event": "summary", "command": self._verb, "seen": account.seen, "outcomes": account.by_outcome,
            "bytes_restored": account.bytes_restored, "unmatched": unmatched,
            "stopped_at_limit": account.stopped_at_limit, "seconds": round(time.monotonic() - self._started, 3),
        })  # fmt: skip

    def close(self) -> None:
        """Nothing is left open."""

    def _out(self, event: dict[str, object]) -> None:
        try:
            print(json.dumps(event))
        except OSError:
            silence(sys.stdout)  # Nobody can read us; the work goes on.


UNUSABLE = (Denied, Misconfigured, Transient)
"""What a store says that no file can come from; of a single object other words are used."""


def unusable(address: Destination, error: StoreError) -> int:
    """Say that files cannot come from an address; the exit code. Errors are of keys and requests: the bucket is named here."""
    print(printable(f"outhaul: {address.address}: {error}"), file=sys.stderr)
    return 4


def watcher(
    verb: str, options: argparse.Namespace, advice: Mapping[str, str] | None = None
) -> PlainWatcher | JsonWatcher:
    """Who tells of a command, as its options and the terminal say; `advice` as for `summary`."""
    if options.json:
        return JsonWatcher(verb)
    if options.quiet or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        return PlainWatcher(verb, quiet=options.quiet, verbose=options.verbose, advice=advice)
    from outhaul.frontends.cli.returning_bar import BarWatcher

    return BarWatcher(verb, verbose=options.verbose, advice=advice)


__all__ = ["UNUSABLE", "JsonWatcher", "PlainWatcher", "Watcher", "summary", "unusable", "watcher"]
