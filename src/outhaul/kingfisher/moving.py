"""The way of an accepted collection: jobs for the engine, which carries, proves and lets go; nothing of that is done here.

Its data directory and its log are one group, and become `data.tar.lz4`; the log goes beside it once more; and when both are
proved, `metadata.json` follows, without which they are no archive. Where the log lies on another file system than the data,
or a directory that holds both may not be read, the log goes alone. Each job goes to a place that is free: other bytes under
its key hold it, and `months.py` makes room. The same job once more, with `after` 'delete', lets the sources go.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from outhaul import app
from outhaul.kingfisher import removal
from outhaul.kingfisher.collection import DATA, LOG, METADATA, Collection, Measured
from outhaul.kingfisher.months import Kept
from outhaul.ledgers.moved import Moved, record_moved
from outhaul.ledgers.queries import ReceiptRow
from outhaul.model.errors import OuthaulError
from outhaul.model.job import Destination, Job
from outhaul.model.lifecycle import REASONS, Standing, State
from outhaul.model.selection import Selection
from outhaul.ports import Monitor

_STATISTICS = ".stats"
"""logparser writes what it has found beside a log."""


class Waits(OuthaulError):
    """A file is in use, or nobody can tell yet whether it is: the next run looks again."""

    def __init__(self, text: str, *, unknown: bool = False) -> None:
        super().__init__(text)
        self.unknown = unknown
        """Whether nobody can tell: then it goes when it has been seen unchanged for long enough."""


class Failed(OuthaulError):
    """A collection could not be carried, or not be let go. Its files are where they were."""

    def __init__(self, text: str, *, destination: bool = False) -> None:
        super().__init__(text)
        self.destination = destination
        """Whether the bucket cannot be used."""


class Parcel(NamedTuple):
    """Where the files of a collection are, and where they go."""

    number: int
    folder: str
    """Of its objects: 'source/2020/09'."""
    source: str
    """Absolute path of the directory that the engine is to open."""
    directory: str
    """The data directory beneath it."""
    companions: tuple[str, ...]
    """Paths beneath it: the log, and what belongs to that."""
    alone: tuple[tuple[str, str, str], ...]
    """Files that go as objects of their own: directory, name, name of the object; with those that are companions too."""
    apart: bool
    """Whether the files that go alone are nobody's companions, and are let go alone too."""

    def to_json(self) -> str:
        """To be remembered."""
        return json.dumps(self._asdict())


def parcel_of_json(text: str) -> Parcel:
    """The opposite. Raises Failed where it is none."""
    try:
        told = json.loads(text)
        alone = tuple((str(directory), str(name), str(key)) for directory, name, key in told["alone"])
        return _parcel(told, alone)
    except (ValueError, KeyError, TypeError) as error:
        raise Failed(f"what is remembered of it is no place of files: {error}") from None


def _parcel(told: dict[str, Any], alone: tuple[tuple[str, str, str], ...]) -> Parcel:
    return Parcel(
        int(told["number"]), told["folder"], told["source"], told["directory"], tuple(told["companions"]), alone,
        bool(told["apart"]),
    )  # fmt: skip


def parcel_of(collection: Collection, data: str, logs: str, log: str) -> Parcel:
    """Where the files of a collection are.

    Args:
        collection: Whose.
        data: Directory of all data.
        logs: Directory of all logs.
        log: Name of its log; '' for none.
    """
    directory = os.path.realpath(os.path.join(data, collection.directory))
    alone = []
    if log:
        beside = os.path.realpath(os.path.join(logs, collection.source_id))
        alone.append((beside, log, LOG))
        if os.path.isfile(os.path.join(beside, log + _STATISTICS)):
            alone.append((beside, log + _STATISTICS, LOG + _STATISTICS))
    files = [os.path.join(folder, name) for folder, name, _ in alone]
    source = _common(directory, files)
    apart = not source
    source = source or os.path.dirname(directory)
    companions = () if apart else tuple(os.path.relpath(file, source) for file in files)
    relative = os.path.relpath(directory, source)
    return Parcel(collection.number, collection.folder, source, relative, companions, tuple(alone), apart)


def _common(directory: str, files: Sequence[str]) -> str:
    """The directory in which data and log are, where it can be the source of a job; '' where it cannot."""
    if not files:
        return ""
    common = os.path.commonpath([os.path.dirname(directory), *files])
    beneath = [os.path.relpath(file, common) for file in files]
    devices = {os.stat(path).st_dev for path in (common, directory, *map(os.path.dirname, files))}
    usable = common != "/" and os.access(common, os.R_OK | os.X_OK) and len(devices) == 1
    return common if usable and not any("{" in path for path in beneath) else ""


class Mover:
    """Runs the engine for one parcel after the other."""

    def __init__(self, bucket: str, state: str, monitor: Monitor, stopped: Callable[[], bool]) -> None:
        self._bucket = bucket
        self._state = state
        self._seen = _Seen(monitor)
        self._stopped = stopped

    def group(self, parcel: Parcel) -> Job:
        """The job of data and log."""
        directory = _literal(parcel.directory)
        job = self._job(parcel, parcel.source, DATA.partition(".")[0], f"/{directory}/**")
        return job._replace(groups=(f"/{directory}",), companions=parcel.companions, compress="lz4")

    def singles(self, parcel: Parcel) -> list[Job]:
        """The jobs of files that become objects of their own."""
        return [self._job(parcel, directory, key, f"/{_literal(name)}") for directory, name, key in parcel.alone]

    def _job(self, parcel: Parcel, source: str, key: str, include: str) -> Job:
        to = Destination(f"s3://{self._bucket}/{parcel.folder}", "s3", self._bucket, parcel.folder)
        # The crawl has ended, as its log and the database say; that nobody writes to a file is looked at all the same.
        return Job(
            f"kingfisher-{parcel.number}", source, to, key=key, include=(include,), temporary_names=True, quiet_ns=0,
            after="keep", on_conflict="hold",
        )  # fmt: skip

    def carry(self, job: Job) -> str:
        """Carry what is not carried yet.

        Returns:
            A reason to try again: other bytes stand under the key. '' where all is proved.

        Raises:
            Waits, Failed: why not.
        """
        report = app.run([job], state=self._state, monitor=self._seen.anew(), stopped=self._stopped)
        if self._seen.of("conflict"):
            return self._seen.of("conflict")
        self._settle(report)
        return ""

    def let_go(self, job: Job) -> None:
        """Let go of what is carried. Raises as `carry`."""
        if conflict := self.carry(job._replace(after="delete")):
            raise Failed(f"it has changed since it was archived: {conflict}")

    def let_go_as(self, user: str, parcel: Parcel) -> None:
        """The same for all of a parcel, by another user. Raises as `carry`."""
        if fault := removal.let_go(user, self._state, self._sections(parcel)):
            raise Failed(fault)

    def _sections(self, parcel: Parcel) -> list[removal.Section]:
        """What that user is told: the data directory from the one above it on, and then each log from its own."""
        above, name = os.path.split(os.path.join(parcel.source, parcel.directory))
        data: list[tuple[int, str]] = []
        logs: list[removal.Section] = []
        for job, key in [(self.group(parcel), DATA), *((job, job.key) for job in self.singles(parcel))]:
            for row in self.receipts(parcel, job, key).values():
                folder = os.path.join(row.source, os.path.dirname(row.path))
                if f"{folder}/".startswith(f"{above}/{name}/"):
                    data.append((row.number, os.path.relpath(folder, above)))
                elif job.groups or parcel.apart:
                    logs.append(removal.Section(folder, "", [(row.number, "")]))
        return [removal.Section(above, name, data), *logs]

    def directories(self, parcel: Parcel) -> list[str]:
        """All that something is removed from when a parcel is let go."""
        data = os.path.join(parcel.source, parcel.directory)
        found = [
            os.path.dirname(data),
            *(path for path, _, _ in os.walk(data)),
            *(beside for beside, _, _ in parcel.alone),
        ]
        with contextlib.suppress(OSError):
            if os.stat(self._state).st_dev != os.stat(parcel.source).st_dev:
                found.append(parcel.source)  # Where the engine's private directory is then.
        return found

    def _settle(self, report: app.RunReport) -> None:
        for done in report.jobs:
            if done.fault:
                raise Failed(done.fault, destination=done.destination_fault)
        if report.interrupted:
            raise Waits("the run was interrupted")
        if held := self._seen.in_state(State.HELD):
            raise Failed(held)
        if waiting := self._seen.in_state(State.WAITING):
            raise Waits(waiting, unknown=bool(self._seen.of("writers-unknown")))

    def receipts(self, parcel: Parcel, job: Job, key: str) -> dict[str, ReceiptRow]:
        """The latest receipt of each file of a parcel under a key, by path. Other collections may have been under it before."""
        asked = Selection(key=f"s3://{self._bucket}/{job.destination.prefix}/{key}")
        ours = (*parcel.companions, *(name for _, name, _ in parcel.alone if not job.groups))
        return {
            row.path: row
            for row in app.receipts(self._state, asked)
            if row.source == job.source and (row.path.startswith(f"{parcel.directory}/") or row.path in ours)
        }

    def note_kept(self, kept: Kept) -> None:
        """Write down where the bytes of an object are that makes room. Raises LedgerError."""
        destination = f"s3://{self._bucket}/{kept.key.rpartition('/')[0]}"
        there = kept.second_held
        record_moved(self._state, destination, Moved(kept.key, kept.held.etag, kept.second, there.etag, there.version))

    def put_metadata(self, parcel: Parcel, text: bytes) -> None:
        """Write the metadata of an archive: from now on it is one. Raises as `carry`."""
        source = os.path.join(self._state, "metadata")
        folder = os.path.join(source, str(parcel.number))
        os.makedirs(folder, mode=0o700, exist_ok=True)
        with open(os.path.join(folder, METADATA), "wb") as file:
            file.write(text)
        job = self._job(parcel, source, METADATA, f"/{parcel.number}/{METADATA}")
        if conflict := self.carry(job._replace(after="delete")):
            raise Failed(conflict)
        with contextlib.suppress(OSError):
            os.rmdir(folder)


class _Seen:
    """A monitor that passes everything on, and remembers what does not go."""

    def __init__(self, monitor: Monitor) -> None:
        self._standings: list[Standing] = []
        self.started, self.progress, self.finished = monitor.started, monitor.progress, monitor.finished
        self.carried, self.released, self.notice = monitor.carried, monitor.released, monitor.notice
        self._pass_on = monitor.standing

    def anew(self) -> _Seen:
        """With nothing remembered."""
        self._standings.clear()
        return self

    def standing(self, job: Job, standing: Standing) -> None:
        """See `ports.Monitor`. Of those that wait for others of their group, only one that says why counts."""
        counts = standing.state in (State.HELD, State.WAITING)
        if counts and (standing.reason != "group" or standing.detail):
            self._standings.append(standing)
        self._pass_on(job, standing)

    def of(self, reason: str) -> str:
        """The first that has this reason, in words; '' where none has."""
        return next((_said(one) for one in self._standings if one.reason == reason), "")

    def in_state(self, state: State) -> str:
        """The first in this state, in words; '' for none."""
        return next((_said(one) for one in self._standings if one.state is state), "")


def _said(standing: Standing) -> str:
    detail = f" ({standing.detail})" if standing.detail else ""
    return f"{standing.path}: {REASONS[standing.reason].meaning}{detail}"


def is_whole(parcel: Parcel, measured: Measured, rows: dict[str, ReceiptRow]) -> bool:
    """Whether receipts are those of the very files that were measured, none more and none less."""
    return _proved(parcel, rows) == measured.files and all(path in rows for path in parcel.companions)


def is_part(parcel: Parcel, measured: Measured, rows: dict[str, ReceiptRow]) -> bool:
    """Whether all files that are left are among those that were proved."""
    return measured.files.items() <= _proved(parcel, rows).items()


def _proved(parcel: Parcel, rows: dict[str, ReceiptRow]) -> dict[str, tuple[int, bytes]]:
    beneath = f"{parcel.directory}/"
    return {
        path.removeprefix(beneath): (row.size, row.sha256) for path, row in rows.items() if path.startswith(beneath)
    }


def _literal(path: str) -> str:
    """A pattern that only this path matches."""
    return re.sub(r"([*?\[])", r"[\1]", path)
