"""A device tells: its new receipts first, in segments that are never replaced, and then how it is.

It reads its ledger beside whoever writes to it, and is asked from a thread of its own: nothing waits for it. What was told
twice is told in the same words, under the same key or under one that an import makes out as the same receipts.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from outhaul import app
from outhaul.fleet.memory import Memory, load, save
from outhaul.fleet.status import SOON_SECONDS
from outhaul.ledgers.choice import address_of
from outhaul.ledgers.queries import JobStatus, ReceiptRow, is_held
from outhaul.ledgers.tail import Tail
from outhaul.model.errors import ConfigurationError, LedgerError
from outhaul.model.fleet import (
    DEVICE,
    FORMAT,
    JOBS_MAX,
    SECOND_NS,
    SEGMENT_BYTES_MAX,
    STATUS_BYTES_MAX,
    Fleet,
    segment_key,
    shortened,
    status_key,
)
from outhaul.model.forecast import Forecast
from outhaul.model.shard import WHOLE
from outhaul.ports.meeting import Meeting

ROWS_MAX = 10_000
"""Receipts in one segment: some 2 MB, compressed."""
Fields = Callable[[ReceiptRow], dict[str, object]]
"""A receipt as `outhaul export` gives it."""


def device_of(fleet: Fleet) -> str:
    """Its name, as configured, or that of the host.

    Raises:
        ConfigurationError: the name of the host will not do, or that of the shard would be too long.
    """
    import re

    name = fleet.device or socket.gethostname()
    if not re.fullmatch(DEVICE[1:-1], name):
        raise ConfigurationError(f'fleet.device: the name of this host, {name!r}, will not do; write device = "a-name"')
    whole = fleet._replace(device=name).name
    if not re.fullmatch(DEVICE[1:-1], whole):
        raise ConfigurationError(
            f"fleet.device: a shard of it would be called {whole}, which is too long; write a shorter one"
        )
    return name


class Teller:
    """What one device tells.

    Args:
        fleet: Where, and how often.
        state: The state directory.
        meeting: Opens the place, when there is something to tell.
        fields: Makes a line of a receipt.
        version: Of outhaul.
        stopped: Once it is true, no further segment is begun.
    """

    def __init__(
        self,
        fleet: Fleet,
        state: str,
        meeting: Callable[[], Meeting],
        fields: Fields,
        version: str,
        stopped: Callable[[], bool],
    ) -> None:
        self._fleet, self._state, self._open, self._fields = fleet, state, meeting, fields
        self._opened: Meeting | None = None
        self._version, self._stopped = version, stopped
        self._device = fleet._replace(device=device_of(fleet)).name
        self._has_told = False
        self._memory = load(state)
        if self._memory.to != self._place:
            self._memory = Memory(self._place)

    @property
    def _place(self) -> str:
        return f"{self._fleet.connection.endpoint_url} {self._fleet.destination.address} {self._device}"

    def is_due(self) -> bool:
        """Whether as much time has passed as has to. A clock that was set back delays nothing."""
        since = time.time_ns() - self._memory.told_ns
        return not 0 <= since < self._fleet.interval_ns

    def tell(
        self, faults: Mapping[str, str], control: Mapping[str, object] | None = None, *, ending: bool = False
    ) -> bool:
        """Tell what is new, where it is due.

        Args:
            faults: What cannot be used, by job.
            control: What it has been told to do; None where nobody may tell it anything.
            ending: Whether the run is over: what it told while it went on is to be set right, due or not.

        Returns:
            Whether anything was told.

        Raises:
            StoreError: the place cannot be used now.
            LedgerError: the ledger cannot be read.
        """
        if not self.is_due() and not (ending and self._has_told):
            return False
        self._tell_receipts()
        jobs = self._jobs()
        status = {**_of_jobs(jobs, {job.source: app.disk(job) for job in jobs}, faults), "control": control}
        state, now = hashlib.sha256(json.dumps(_lasting(status)).encode()).hexdigest(), time.time_ns()
        if state == self._memory.state and 0 <= now - self._memory.told_ns < self._fleet.heartbeat_ns:
            return False
        self._tell_status(status, state, now)
        self._has_told = True
        return True

    def _shard(self) -> dict[str, object] | None:
        """Which one it is, and of what; where its ledger is shared, a mark of that, which is the same for all of them."""
        shard, device = self._fleet.shard, device_of(self._fleet)
        if shard == WHOLE:
            return None
        shared = (
            hashlib.sha256(f"{device} {address_of(self._state)}".encode()).hexdigest()[:12] if self._is_shared() else ""
        )
        return {"of": device, "number": shard.number, "shards": shard.of, "shared": shared}

    @property
    def _meeting(self) -> Meeting:
        if self._opened is None:
            self._opened = self._open()
        return self._opened

    def _jobs(self) -> list[JobStatus]:
        try:
            return app.status(self._state)
        except LedgerError:
            return []  # None has been made yet, or it is damaged: the next run says so.

    def _is_shared(self) -> bool:
        """Whether its ledger has what other shards carry, too."""
        try:
            return self._fleet.shard != WHOLE and address_of(self._state) != ""
        except LedgerError:
            return False

    def _tell_receipts(self) -> None:
        if self._is_shared() and not self._fleet.shard.is_first:
            return  # They are told by the first.
        try:
            tail = Tail(self._state)
        except LedgerError:
            return
        with tail:
            ledger = tail.identity()
            if ledger != self._memory.ledger:
                self._memory = self._memory._replace(ledger=ledger, sent=0)
            last = tail.last()  # Those that come meanwhile are for the next time: else it would never tell how it is.
            again = tail.again_after()
            while self._memory.sent < last and not self._stopped():
                rows = tail.after(self._memory.sent, ROWS_MAX)
                body, told = segment(map(self._fields, rows))
                first, end, digest = rows[0].number, rows[told - 1].number, hashlib.sha256(body).hexdigest()
                # The month is that of a receipt, so that what is told twice has one key.
                month = time.strftime("%Y/%m", time.gmtime(rows[0].recorded_ns // SECOND_NS))
                key = segment_key(self._fleet.destination.prefix, self._device, month, ledger, first, end, digest)
                self._meeting.create(key, body)
                self._memory = self._memory._replace(sent=end)
                self._remember()
            if self._memory.sent > again:
                self._memory = self._memory._replace(sent=again)
                self._remember()

    def _remember(self) -> None:
        """As far as that can be: a disk that is full is to be told of, and what is told twice does no harm."""
        with contextlib.suppress(OSError):
            save(self._state, self._memory)

    def _tell_status(self, status: dict[str, Any], state: str, now: int) -> None:
        memory = self._memory
        whole = {
            "format": FORMAT, "device": self._device, "version": self._version, "sequence": memory.sequence + 1,
            "told_ns": now, "next_by_ns": now + self._fleet.patience_ns,
            "interval_seconds": self._fleet.interval_ns // SECOND_NS,
            "clock_offset_seconds": memory.clock_offset_seconds, "ledger": memory.ledger, "receipts_told": memory.sent,
            "shard": self._shard(), **status,
        }  # fmt: skip
        key = status_key(self._fleet.destination.prefix, self._device)
        there = self._meeting.replace(key, encoded(whole))
        offset = None if there is None else round((there - time.time_ns()) / SECOND_NS)
        self._memory = memory._replace(
            sequence=memory.sequence + 1, told_ns=now, state=state, clock_offset_seconds=offset
        )
        self._remember()


def segment(rows: Iterable[dict[str, object]]) -> tuple[bytes, int]:
    """Receipts as lines of JSON, compressed, and how many there are: as many as go in. The same receipts are the same bytes."""
    body, count, left = io.BytesIO(), 0, SEGMENT_BYTES_MAX
    with gzip.GzipFile(fileobj=body, mode="wb", compresslevel=6, mtime=0, filename="") as file:
        for row in rows:
            line = json.dumps(row, separators=(",", ":")).encode() + b"\n"
            if len(line) > left and count:
                break
            file.write(line)
            count, left = count + 1, left - len(line)
    return body.getvalue(), count


def encoded(status: dict[str, Any]) -> bytes:
    """A status object; one that would be too large goes without its jobs."""
    body = json.dumps(status, indent=1, ensure_ascii=False).encode()
    if len(body) <= STATUS_BYTES_MAX:
        return body
    return encoded({**status, "jobs": [], "jobs_left_out": len(status["jobs"]) + int(status["jobs_left_out"])})


def _of_jobs(jobs: list[JobStatus], disks: Mapping[str, Forecast | None], faults: Mapping[str, str]) -> dict[str, Any]:
    """What the ledger knows, all jobs together, and some of them each."""
    held: dict[str, int] = {}
    for job in jobs:
        for reason, files in job.waiting.items():
            if is_held(reason):
                held[reason] = held.get(reason, 0) + files
    oldest = min((job.oldest for job in jobs if job.oldest), key=lambda one: one.since_ns, default=None)
    fault = next((f"{name}: {text}" for name, text in sorted(faults.items()) if text), "")
    return {
        "waiting": {
            "files": sum(sum(job.waiting.values()) for job in jobs), "bytes": sum(job.waiting_bytes for job in jobs),
            "held": held,
            "oldest": {"path": _text(oldest.path), "since_ns": oldest.since_ns} if oldest else None,
        },
        "carried": {
            "files": sum(job.receipts for job in jobs), "bytes": sum(job.receipt_bytes for job in jobs),
            "last_ns": max((job.last_carried_ns for job in jobs), default=0),
        },
        "given_up": {
            "files": sum(job.given_up for job in jobs), "bytes": sum(job.given_up_bytes for job in jobs),
            "last_ns": max((job.given_up_ns for job in jobs), default=0),
        },
        "fault": _text(fault),
        "disk": _disk(disks.values()),
        "jobs": [_job(job, faults.get(job.job, "")) for job in jobs[:JOBS_MAX]],
        "jobs_left_out": max(0, len(jobs) - JOBS_MAX),
    }  # fmt: skip


def _job(job: JobStatus, fault: str) -> dict[str, object]:
    return {
        "job": _text(job.job), "destination": _text(job.destination), "waiting": job.waiting,
        "waiting_bytes": job.waiting_bytes, "receipts": job.receipts, "last_run_ns": job.last_run_ns,
        "last_carried_ns": job.last_carried_ns, "fault": _text(fault),
    }  # fmt: skip


def _disk(found: Iterable[Forecast | None]) -> dict[str, object] | None:
    """The disk that is full first."""
    there = [one for one in found if one is not None]
    if not there:
        return None
    worst = min(there, key=lambda one: (one.full_in_seconds is None, one.full_in_seconds or 0, one.free))
    return {"free": worst.free, "size": worst.size, "full_in_seconds": worst.full_in_seconds}


def _text(text: str) -> str:
    """A path need not be text."""
    return shortened(text.encode("utf-8", "replace").decode("utf-8"))


def _lasting(status: dict[str, Any]) -> dict[str, Any]:
    """What of it is news: not that a disk has some bytes less, nor that a run has ended and found nothing."""
    disk = status["disk"]
    soon = bool(disk and disk["full_in_seconds"] is not None and disk["full_in_seconds"] < SOON_SECONDS)
    jobs = [{key: value for key, value in job.items() if key != "last_run_ns"} for job in status["jobs"]]
    return {**status, "disk": soon, "jobs": jobs}
