"""`metrics` and `health`: what the ledger knows, for Prometheus and for probes. Both read beside a run, without the network.

The text is that of "Exposition formats", version 0.0.4, of the Prometheus documentation; names follow its "Metric and label
naming". Times are read when it is asked, so an age is that of this moment.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from collections.abc import Iterator, Sequence

from outhaul import app
from outhaul.config.durations import duration_ns
from outhaul.config.telling import MetricsSettings, listen
from outhaul.frontends.cli import say
from outhaul.frontends.cli.carry import state_of
from outhaul.frontends.cli.main import VERSION
from outhaul.frontends.cli.stopping import end_without_a_word, stopped
from outhaul.ledgers.queries import JobStatus
from outhaul.model.errors import ConfigurationError
from outhaul.model.forecast import Forecast
from outhaul.model.keys import printable
from outhaul.model.lifecycle import REASONS, State

_FIRST = "# HELP outhaul_"
_METRICS = (
    ("files_carried_total", "counter", "Files that have a receipt."),
    ("bytes_carried_total", "counter", "Bytes of files that have a receipt."),
    ("files_waiting", "gauge", "Files that have not been carried, by reason; state is waiting or held."),
    ("waiting_bytes", "gauge", "Bytes of files that have not been carried."),
    ("oldest_waiting_age_seconds", "gauge", "Since when the oldest of them has been seen; 0 where none waits."),
    ("last_run_timestamp_seconds", "gauge", "When the last run ended; 0 where none has."),
    (
        "last_success_timestamp_seconds", "gauge",
        "When a run ended last in which nothing was held, and the destination could be used; 0 where none has.",
    ),
    ("files_given_up_total", "counter", "Files that a full disk made outhaul remove without having carried them."),
    ("disk_free_bytes", "gauge", "What may still be written where the files lie."),
    ("disk_size_bytes", "gauge", "The size of that file system."),
    ("disk_full_seconds", "gauge", "In how long it will be full as things go; absent where that is not in sight."),
)  # fmt: skip


def metrics(options: argparse.Namespace) -> int:
    """Print them, write them into a file for the textfile collector, or answer whoever asks for them."""
    if options.listen:
        return _listen(options)
    text = as_text(app.status(state_of(options)))
    if options.output:
        write(text, options.output)
    else:
        sys.stdout.write(text)
    return 0


def _listen(options: argparse.Namespace) -> int:
    from outhaul.frontends.telling.publishing import Publishing

    def notice(text: str) -> None:
        print(f"outhaul: {printable(text)}", file=sys.stderr, flush=True)

    if options.output:
        raise ConfigurationError("--listen and --output: give one of them; `metrics.file` and `watch` do both")
    try:
        where = listen(options.listen)
    except ValueError as error:
        raise ConfigurationError(f"--listen: {error}") from None
    limits = limit("--oldest", options.oldest), limit("--last-run", options.last_run)
    with Publishing(state_of(options), notice) as publishing:
        publishing.listen(MetricsSettings(where, oldest_ns=limits[0], last_run_ns=limits[1]))
        end_without_a_word()
        notice(f"listening on {where}")
        while not stopped():
            time.sleep(0.2)
    return 0


def as_text(jobs: Sequence[JobStatus]) -> str:
    """All of it, now."""
    return "".join(f"{line}\n" for line in exposition(jobs, time.time_ns()))


def write(text: str, path: str) -> None:
    """Write them into a file, for the textfile collector.

    Raises:
        ConfigurationError: it cannot be written, or is somebody else's.
    """
    _refuse_others(path)
    # The collector reads at any moment: it sees the former text or this one (node_exporter, "Textfile Collector").
    beside = f"{path}.{os.getpid()}"
    try:
        with open(beside, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o644)  # The collector is somebody else, and a service has a strict umask.
            file.write(text)
        os.rename(beside, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(beside)
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from None


def _refuse_others(path: str) -> None:
    """A file that is none of these stays: somebody may have meant another name."""
    with contextlib.suppress(FileNotFoundError):
        try:
            with open(path, "rb") as file:
                ours = file.read(len(_FIRST)) == _FIRST.encode()
        except OSError as error:
            if isinstance(error, FileNotFoundError):
                raise
            raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None
        if not ours:
            raise ConfigurationError(f"{path} is there, and outhaul did not write it: name another file")


def exposition(jobs: Sequence[JobStatus], now_ns: int) -> Iterator[str]:
    """The lines of the text.

    Args:
        jobs: What the ledger knows of each.
        now_ns: The wall clock.
    """
    disks = [(job, app.disk(job)) for job in jobs]
    yield "# HELP outhaul_build_info The version that tells this."
    yield "# TYPE outhaul_build_info gauge"
    yield f'outhaul_build_info{{version="{VERSION}"}} 1'
    for name, kind, text in _METRICS:
        yield f"# HELP outhaul_{name} {text}"
        yield f"# TYPE outhaul_{name} {kind}"
        for job, disk in disks:
            labels = (
                f'outhaul_job="{label(job.job)}",source="{label(job.source)}",destination="{label(job.destination)}"'
            )
            for more, value in _values(name, job, disk, now_ns):
                yield f"outhaul_{name}{{{labels}{more}}} {value:.15g}"


def _values(name: str, job: JobStatus, disk: Forecast | None, now_ns: int) -> list[tuple[str, float]]:
    if name == "files_waiting":
        return [
            (f',reason="{reason}",state="{REASONS[reason].state.value}"', count)
            for reason, count in sorted(job.waiting.items())
        ]
    age_ns = max(0, now_ns - job.oldest.since_ns) if job.oldest else 0
    of_name: dict[str, float | None] = {
        "files_carried_total": job.receipts,
        "bytes_carried_total": job.receipt_bytes,
        "waiting_bytes": job.waiting_bytes,
        "oldest_waiting_age_seconds": age_ns / 10**9,
        "last_run_timestamp_seconds": job.last_run_ns / 10**9,
        "last_success_timestamp_seconds": job.last_well_ns / 10**9,
        "files_given_up_total": job.given_up,
        "disk_free_bytes": disk.free if disk else None,
        "disk_size_bytes": disk.size if disk else None,
        "disk_full_seconds": disk.full_in_seconds if disk else None,
    }
    return [("", value)] if (value := of_name[name]) is not None else []


def label(text: str) -> str:
    """The value of a label."""
    return printable(text).replace("\\", r"\\").replace('"', r"\"")


def health(options: argparse.Namespace) -> int:
    """Say in one line for each job what is not well; exit code 1 where anything is not."""
    oldest_ns, run_ns = limit("--oldest", options.oldest), limit("--last-run", options.last_run)
    found = faults(app.status(state_of(options)), oldest_ns, run_ns)
    for fault in found:
        print(fault)
    return 1 if found else 0


def faults(jobs: Sequence[JobStatus], oldest_ns: int, run_ns: int) -> list[str]:
    """What is not well, one line each.

    Args:
        jobs: What the ledger knows.
        oldest_ns: How long a file may have waited, in nanoseconds; 0 is not asked.
        run_ns: The same of the time since the last run.
    """
    return [printable(fault) for job in jobs for fault in _faults(job, oldest_ns, run_ns, time.time_ns())]


def limit(option: str, text: str) -> int:
    """What an option says, in nanoseconds. Raises ConfigurationError where that is no time."""
    try:
        return duration_ns(text) if text else 0
    except ValueError as error:
        raise ConfigurationError(f"{option}: {error}") from None


def _faults(job: JobStatus, oldest_ns: int, run_ns: int, now_ns: int) -> Iterator[str]:
    if held := sum(count for reason, count in job.waiting.items() if REASONS[reason].state is State.HELD):
        yield f"{job.job}: {say.files(held)} held: outhaul status"
    if (disk := app.disk(job)) and disk.is_full:
        yield f"{job.job}: the disk of {job.source} is full: {say.size(disk.free)} of {say.size(disk.size)} free"
    if oldest_ns and job.oldest and now_ns - job.oldest.since_ns > oldest_ns:
        yield f"{job.job}: {job.oldest.path} waits since {say.moment(job.oldest.since_ns)}"
    if run_ns and now_ns - job.last_run_ns > run_ns:
        ended = f"the last run ended {say.moment(job.last_run_ns)}" if job.last_run_ns else "no run has ended yet"
        yield f"{job.job}: {ended}"
