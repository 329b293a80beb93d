"""`status`, `ls` and `why`: what the ledger knows, without the network."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterable

from outhaul import app
from outhaul.fleet import told_here
from outhaul.frontends.cli import say
from outhaul.frontends.cli.carry import state_of
from outhaul.frontends.cli.stopping import end_at_the_first
from outhaul.ledgers.queries import GivenUp, JobStatus, ReceiptRow, Waiting, Why
from outhaul.model.forecast import Forecast
from outhaul.model.keys import printable
from outhaul.model.lifecycle import REASONS, State
from outhaul.model.selection import Chooser

_NAMED_MAX = 20


def status(options: argparse.Namespace) -> int:
    """What has been carried, what waits, and why. Exit code 1 where something is held."""
    end_at_the_first()
    at_work = app.at_work(state_of(options))  # First: what ends meanwhile is in what comes next.
    found = app.status(state_of(options))
    looks = app.next_looks(state_of(options))
    waiting = app.waiting(state_of(options), limit=0 if options.verbose or options.json else _NAMED_MAX)
    if options.json:
        for job in found:
            more = {"paused": _pause_fields(state_of(options), job.job), "next_look": _next_look(looks, job.job)}
            print(json.dumps({**_status_fields(job), **more}))
        for job_name, source, file in waiting:
            print(json.dumps({"event": "file", "job": job_name, "source": printable(source), **_waiting_fields(file)}))
        if order := told_here.held_here(state_of(options)):
            print(json.dumps({"event": "order", **order}))
        if at_work:
            since = say.moment(at_work.since_ns)
            print(json.dumps({"event": "at-work", **at_work._asdict(), "since": since}))
    else:
        paused = _pauses(state_of(options))
        for job in found:
            print("\n".join([*_status_lines(job), *paused(job.job), *_next_lines("  ", looks, job.job)]))
        for line in told_here.lines(state_of(options)):
            print(line)
        if at_work:
            so_far = f"{say.files(at_work.files)} carried so far, {say.size(at_work.bytes)}"
            print(
                f"a run is under way, begun {say.ago(at_work.since_ns)}: {so_far}; what it has just found is not counted"
            )
        if waiting:
            print()
            print("\n".join(_waiting_lines([file for _, _, file in waiting], terminal_width())))
            total = sum(sum(job.waiting.values()) for job in found)
            if total > len(waiting):
                print(f"and {total - len(waiting):,} more: outhaul status -v")
    return 1 if any(REASONS[reason].state is State.HELD for job in found for reason in job.waiting) else 0


def _waiting_lines(files: list[Waiting], width: int) -> list[str]:
    """A table. Where the terminal is too narrow for it the reason goes beneath: the name is never cut."""
    begin = [(REASONS[file.reason].state.value, say.ago(file.since_ns), say.size(file.size)) for file in files]
    rows = [(*known, waiting_text(file), file.path) for known, file in zip(begin, files, strict=True)]
    wide = say.table(("STATE", "SEEN", "SIZE", "BECAUSE", "FILE"), rows, right=(2,))
    if not width or max(map(len, wide)) <= width:
        return wide
    rows_of_four = [(*known, file.path) for known, file in zip(begin, files, strict=True)]
    header, *lines = say.table(("STATE", "SEEN", "SIZE", "FILE"), rows_of_four, right=(2,))
    told = [[line, *say.beneath(waiting_text(file), width)] for line, file in zip(lines, files, strict=True)]
    return [header, *(line for each in told for line in each)]


def _next_look(looks: dict[str, int], job: str) -> str | None:
    return say.moment(looks[job]) if job in looks else None


def _next_lines(begin: str, looks: dict[str, int], job: str) -> list[str]:
    """What is said of a job that a watch looks at again."""
    if job not in looks:
        return []
    seconds = (looks[job] - time.time_ns()) // 10**9
    return [f"{begin}the watch looks again {f'in {say.span(seconds)}' if seconds > 0 else 'now'}"]


def _pauses(state: str) -> Callable[[str], list[str]]:
    """What is said of a job that is paused."""
    from outhaul.host import pauses
    from outhaul.host.permits import described

    try:
        there = pauses.read(state)
    except pauses.PausesUnreadable as error:
        fault = printable(str(error))
        return lambda _job: [f"  paused: {fault}"]

    def lines(job: str) -> list[str]:
        found = pauses.of_job(there, job, time.time_ns())
        return [printable(f"  paused {described(found)}")] if found else []

    return lines


def _pause_fields(state: str, job: str) -> dict[str, object] | None:
    from outhaul.host import pauses

    try:
        found = pauses.of_job(pauses.read(state), job, time.time_ns())
    except pauses.PausesUnreadable as error:
        return {"fault": printable(str(error))}
    if found is None:
        return None
    until = say.moment(found.until_ns) if found.until_ns else None
    return {"since": say.moment(found.since_ns), "until": until, "by": found.by, "why": found.why}


def waiting_text(file: Waiting) -> str:
    """Why it waits."""
    return REASONS[file.reason].meaning + (f" ({file.detail})" if file.detail else "")


def _status_lines(job: JobStatus) -> list[str]:
    ran = f"last run {say.ago(job.last_run_ns)}" if job.last_run_ns else "no run has ended yet"
    lines = [
        printable(f"{job.job}: {job.source} -> {job.destination}"),
        f"  {say.files(job.receipts)} carried, {say.size(job.receipt_bytes)}; {ran}",
    ]
    if job.last_hour.files:
        lines.append(f"  in the last hour {say.files(job.last_hour.files)}, {say.size(job.last_hour.bytes)}")
    elif job.last_carried_ns:
        lines.append(f"  the last file was carried {say.ago(job.last_carried_ns)}")
    for state in (State.WAITING, State.HELD):
        if text := say.reasons(job.waiting, state):
            count = sum(files for reason, files in job.waiting.items() if REASONS[reason].state is state)
            lines.append(f"  {count:,} {state.value}: {text}")
    if job.oldest:
        lines.append(
            f"  the oldest was first seen {say.ago(job.oldest.since_ns)}; together {say.size(job.waiting_bytes)}"
        )
    if job.begun:
        lines.append(f"  {_parts(job.begun)} in the store, begun {say.ago(job.begun_ns)}")
    if job.given_up:
        lines.append(
            f"  {say.files(job.given_up)} GIVEN UP, never carried ({say.size(job.given_up_bytes)}), the last "
            f"{say.ago(job.given_up_ns)}: outhaul ls --given-up"
        )
    return lines + _disk_lines(app.disk(job))


def _parts(uploads: int) -> str:
    return "parts of a large file are" if uploads == 1 else f"parts of {uploads:,} large files are"


def _disk_lines(disk: Forecast | None) -> list[str]:
    if disk is None:
        return []
    free = f"  disk: {say.size(disk.free)} of {say.size(disk.size)} free"
    if disk.full_in_seconds is None:
        return [free]
    if disk.is_full:
        return [f"{free}; it is full"]
    return [f"{free}; full in about {say.span(disk.full_in_seconds)} as in the last {say.span(disk.over_seconds)}"]


def _status_fields(job: JobStatus) -> dict[str, object]:
    return {
        "event": "status", "job": job.job, "source": printable(job.source), "destination": job.destination,
        "receipts": job.receipts, "receipt_bytes": job.receipt_bytes, "waiting": job.waiting,
        "waiting_bytes": job.waiting_bytes, "oldest": _waiting_fields(job.oldest) if job.oldest else None,
        "last_run": say.moment(job.last_run_ns), "last_run_reasons": job.last_run,
        "last_carried": say.moment(job.last_carried_ns), "last_hour": job.last_hour._asdict(),
        "disk": disk._asdict() if (disk := app.disk(job)) else None,
        "begun": job.begun, "first_begun": say.moment(job.begun_ns) if job.begun else None,
        "given_up": job.given_up, "given_up_bytes": job.given_up_bytes, "last_given_up": say.moment(job.given_up_ns),
    }  # fmt: skip


def _waiting_fields(file: Waiting) -> dict[str, object]:
    return {
        **say.path_fields(file.path), "state": REASONS[file.reason].state.value, "reason": file.reason,
        "meaning": REASONS[file.reason].meaning, "detail": file.detail, "size": file.size,
        "since": say.moment(file.since_ns), "attempts": file.attempts,
    }  # fmt: skip


def ls(options: argparse.Namespace) -> int:
    """The receipts, or the tombstones."""
    if options.given_up:
        return _given_up(options)
    words = (options.pattern,) if options.pattern else ()
    print_receipts(app.receipts(state_of(options), app.Selection(options.job, words), options.limit), options)
    return 0


def _given_up(options: argparse.Namespace) -> int:
    """A line for each file that was given up, never carried."""
    chosen = Chooser((options.pattern,) if options.pattern else ())
    for row in app.given_up(state_of(options), job=options.job, limit=options.limit):
        if chosen(row.source, row.path):
            print(json.dumps(_given_up_fields(row)) if options.json else _given_up_line(row))
    return 0


def _given_up_line(row: GivenUp) -> str:
    return printable(f"{say.moment(row.recorded_ns)}  {say.size(row.size):>8}  {row.outcome:5}  {row.path}")


def _given_up_fields(row: GivenUp) -> dict[str, object]:
    return {
        "job": row.job, "source": printable(row.source), **say.path_fields(row.path), "size": row.size,
        "mtime_ns": row.mtime_ns, "free": row.free, "recorded_ns": row.recorded_ns, "outcome": row.outcome,
    }  # fmt: skip


def print_receipts(rows: Iterable[ReceiptRow], options: argparse.Namespace) -> int:
    """A line each, for people or for programs; how many there were."""
    end_at_the_first()
    count = 0
    for row in rows:
        count += 1
        print(json.dumps(receipt_fields(row)) if options.json else _receipt_line(row, verbose=options.verbose))
    return count


def _receipt_line(row: ReceiptRow, *, verbose: bool) -> str:
    source = row.disposal or "kept"
    how = ", ".join(filter(None, (row.within and f"in a {row.within}", row.codec)))
    stored = f"  ({how}, {say.size(row.stored_size)} stored)" if verbose and how else ""
    return (
        f"{say.moment(row.recorded_ns)}  {say.size(row.size):>8}  {row.proof:9}  {source:8}  "
        f"{printable(row.path)} -> {printable(address(row))}{stored}"
    )


def receipt_fields(row: ReceiptRow) -> dict[str, object]:
    """One receipt for JSON. Times are nanoseconds since 1970, UTC."""
    return {
        "receipt": row.number, "job": row.job, "source": printable(row.source), **say.path_fields(row.path),
        "size": row.size, "mtime_ns": row.mtime_ns, "sha256": row.sha256.hex(), "destination": row.destination,
        "key": row.key, "version": row.version, "etag": row.etag, "proof": row.proof, "sent": row.sent,
        "proved_ns": row.proved_ns, "recorded_ns": row.recorded_ns, "disposal": row.disposal,
        "disposed_ns": row.disposed_ns, "codec": row.codec, "stored_size": row.stored_size,
        "stored_sha256": row.stored_sha256.hex(), "within": row.within, "offset": row.offset, "length": row.length,
        "at": row.at,
    }  # fmt: skip


def address(row: ReceiptRow) -> str:
    """Where the object is: the bucket, or the directory, and the key."""
    if row.destination.startswith("s3://"):
        return "s3://" + row.destination[5:].partition("/")[0] + "/" + row.key
    return f"{row.destination}/{row.key}"


def why(options: argparse.Namespace) -> int:
    """Everything about one file. Exit code 1 where outhaul has never heard of it."""
    path = os.path.abspath(options.file)
    answers, looks = app.why(state_of(options), path), app.next_looks(state_of(options))
    for answer in answers:
        if options.json:
            print(json.dumps({**_why_fields(answer), "next_look": _next_look(looks, answer.job)}))
        else:
            next_look = _next_lines("    ", looks, answer.job) if answer.waiting else []
            print("\n".join([*_why_lines(answer, path), *next_look]))
    if not answers:
        print(f"outhaul: {printable(path)} lies in no source that this ledger knows", file=sys.stderr)
        return 1
    return 0


_DISPOSALS = {
    "removed": "removed from the source",
    "archived": "moved to the archive",
    "expired": "removed from the archive",
    "gone": "somebody else had removed it by",
    "changed": "another file had its name by",
    "missing": "the store did not hold it any more, so the source stayed,",
}


_GIVEN_UP = {
    "shed": "given up",
    "gone": "was to be given up, and was gone",
    "stays": "was to be given up, and stayed",
    "": "was to be given up, and it is not known whether it went,",
}


def _why_lines(answer: Why, path: str) -> list[str]:
    lines = [printable(f"{path}, job {answer.job} -> {answer.destination}")]
    for row in answer.receipts:
        lines.append(f"  carried {say.moment(row.recorded_ns)} to {printable(address(row))}")
        lines.append(f"    {row.size:,} bytes, sha256 {row.sha256.hex()}, proved by {row.proof}, receipt {row.number}")
        lines.extend(_stored_lines(row))
        if row.disposal:
            lines.append(f"    {_DISPOSALS[row.disposal]} {say.moment(row.disposed_ns)}")
    for given_up in answer.given_up:
        lines.append(
            f"  {_GIVEN_UP[given_up.outcome]} {say.moment(given_up.recorded_ns)}, never carried: "
            f"only {say.size(given_up.free)} were free"
        )
    if answer.waiting:
        reason = REASONS[answer.waiting.reason]
        lines.append(f"  {reason.state.value}: {printable(waiting_text(answer.waiting))}")
        attempts = answer.waiting.attempts
        tried = f"{attempts} attempt{'' if attempts == 1 else 's'} to carry it"
        lines.append(f"    first seen so {say.ago(answer.waiting.since_ns)}, {tried}")
        lines.extend(f"    {line}" for line in ([reason.advice] if reason.advice else []))
    elif answer.ignored:
        lines.append(printable(f"  ignored: {REASONS[answer.ignored].meaning}: {', '.join(answer.patterns)}"))
    elif not os.path.lexists(path):
        lines.append("  there is no file here now")
    elif os.path.islink(path) or not os.path.isfile(path):
        lines.append("  ignored: it is a link, or no regular file")
    elif not answer.receipts:
        when = f"the last run ended {say.ago(answer.last_run_ns)}" if answer.last_run_ns else "no run has ended yet"
        lines.append(f"  not seen by a run so far; {when}")
    else:
        lines.append("  a file is here now; the next run compares it with its receipt")
    return lines


def _stored_lines(row: ReceiptRow) -> list[str]:
    """What the object is, and where in it the file, where they are not the same."""
    if not (row.codec or row.within):
        return []
    what = f"in a {row.within}" if row.within else f"as {row.codec}"
    lines = [f"    stored {what}: {row.stored_size:,} bytes, sha256 {row.stored_sha256.hex()}"]
    if row.within:
        inside = f", decompressed by {row.codec}, from {row.at:,} on" if row.codec else ""
        lines.append(f"    there: {row.length:,} bytes from {row.offset:,} on{inside}")
    return lines


def _why_fields(answer: Why) -> dict[str, object]:
    return {
        "job": answer.job, "source": printable(answer.source), **say.path_fields(answer.path),
        "destination": answer.destination, "receipts": [receipt_fields(row) for row in answer.receipts],
        "waiting": _waiting_fields(answer.waiting) if answer.waiting else None, "ignored": answer.ignored,
        "patterns": answer.patterns,
        "last_run": say.moment(answer.last_run_ns), "given_up": [_given_up_fields(row) for row in answer.given_up],
    }  # fmt: skip


def terminal_width() -> int:
    """Columns of the terminal; 0 where output goes elsewhere and must not be cut."""
    import shutil

    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
