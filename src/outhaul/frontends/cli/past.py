"""`find`, `history` and `export`: what the ledger knows of the past, without the network."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator

from outhaul import app
from outhaul.frontends.cli import say
from outhaul.frontends.cli.carry import state_of
from outhaul.frontends.cli.show import address, print_receipts, terminal_width, waiting_text
from outhaul.frontends.cli.stopping import end_at_the_first
from outhaul.ledgers.history import RunRow
from outhaul.ledgers.queries import Why
from outhaul.model.errors import ConfigurationError
from outhaul.model.keys import printable
from outhaul.model.lifecycle import State
from outhaul.model.patterns import broken
from outhaul.model.selection import Selection


def find(options: argparse.Namespace) -> int:
    """The receipts that are meant. Exit code 1 where there is none."""
    return 0 if print_receipts(app.receipts(state_of(options), selection_of(options), options.limit), options) else 1


def selection_of(options: argparse.Namespace) -> Selection:
    """What the options of `find` and `export` say.

    Raises:
        ConfigurationError: a word or a digest is none.
    """
    words = (options.pattern,) if options.pattern else ()
    found = [f"PATTERN {word!r} {wrong}" for word in words if not word.startswith("/") and (wrong := broken(word))]
    sha256 = options.sha256.lower()
    if sha256 and (len(sha256) < 8 or len(sha256) > 64 or set(sha256) - set("0123456789abcdef")):
        found.append(f"--sha256 {options.sha256!r}: write 8 to 64 hexadecimal digits")
    if found:
        raise ConfigurationError(*found)
    return Selection(options.job, words, options.key, "", sha256, options.since, options.until)


def history(options: argparse.Namespace) -> int:
    """The runs, or what happened with one path. Exit code 1 where nothing is known of it."""
    end_at_the_first()
    if options.path:
        return _of_path(options)
    runs = app.runs(state_of(options), job=options.job, limit=options.limit)
    for run in runs:
        print(json.dumps(_run_fields(run)) if options.json else "\n".join(_run_lines(run, terminal_width())))
    return 0


def _run_lines(run: RunRow, width: int) -> list[str]:
    """One line; on a terminal that is too narrow for it, the job and what became of its files beneath."""
    carried = sum(run.reasons.get(reason, 0) for reason in run.reasons if reason in _SENT)
    rest = [text for state in (State.WAITING, State.HELD) if (text := say.reasons(_known(run.reasons), state))]
    took = (run.ended_ns - run.started_ns) / 1e9
    figures = (
        f"{say.moment(run.started_ns)}  {took:7.1f} s  {run.seen:>9,} seen  {carried:>9,} carried  "
        f"{say.size(run.bytes_carried):>7}"
    )
    told = f"{run.job}{': ' if rest else ''}{'; '.join(rest)}"
    line = printable(f"{figures}  {told}")
    return [line] if not width or len(line) <= width else [figures, *say.beneath(told, width)]


_SENT = ("removed", "archived", "kept", "gone")


def _known(reasons: dict[str, int]) -> dict[str, int]:
    from outhaul.model.lifecycle import REASONS

    return {reason: count for reason, count in reasons.items() if reason in REASONS}


def _run_fields(run: RunRow) -> dict[str, object]:
    return {
        "event": "run", "job": run.job, "source": printable(run.source), "destination": run.destination,
        "started_ns": run.started_ns, "ended_ns": run.ended_ns, "seen": run.seen,
        "bytes_carried": run.bytes_carried, "reasons": run.reasons,
    }  # fmt: skip


def _of_path(options: argparse.Namespace) -> int:
    answers = [
        answer
        for answer in app.of_path(state_of(options), options.path)
        if (answer.receipts or answer.waiting) and options.job in ("", answer.job)
    ]
    for answer in answers:
        if not options.json:
            print(printable(f"{answer.source.rstrip('/')}/{answer.path}, job {answer.job}"))
        for when_ns, event, text in sorted(_events(answer), key=lambda found: found[0]):
            if options.json:
                fields = {"time_ns": when_ns, "event": event, "job": answer.job, "text": text}
                print(json.dumps({**fields, **say.path_fields(answer.path)}))
            else:
                print(printable(f"  {say.moment(when_ns)}  {text}"))
    if not answers:
        print(f"outhaul: nothing is known of {printable(options.path)}", file=sys.stderr)
    return 0 if answers else 1


def _events(answer: Why) -> Iterator[tuple[int, str, str]]:
    """What happened, each with its time."""
    for row in answer.receipts:
        how = "sent to" if row.sent else "found at"
        version = f" version {row.version}" if row.version else ""
        yield (
            row.recorded_ns,
            "carried",
            f"{how} {address(row)}{version}: {row.size:,} bytes, sha256 {row.sha256.hex()[:16]}..., proved by {row.proof}, "
            f"receipt {row.number}",
        )
        if row.disposal:
            yield row.disposed_ns, row.disposal, f"{row.disposal} from the source (receipt {row.number})"
    if answer.waiting:
        yield answer.waiting.since_ns, "seen", waiting_text(answer.waiting)
