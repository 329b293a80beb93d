"""What a run says as it goes: plain lines on standard error, or JSON lines on standard output."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence

from outhaul.frontends.cli import say
from outhaul.frontends.cli.main import silence
from outhaul.frontends.telling.log import ERROR, INFO, WARNING, priority
from outhaul.model.events import Tally
from outhaul.model.evidence import Disposal, Proof, Receipt
from outhaul.model.job import Job
from outhaul.model.keys import printable
from outhaul.model.lifecycle import REASONS, Standing, State

_NAMED_MAX = 10
_LISTED = (State.HELD, State.WAITING)
_PLACE = ("offset", "length", "at")
_NOT_NAMED = ("destination", "interrupted", "on-its-way")  # True of all alike, and said once.


class PlainMonitor:
    """A summary for each job, with the files that need attention by name."""

    def __init__(self, *, quiet: bool = False, verbose: bool = False) -> None:
        self._quiet = quiet
        self._verbose = verbose
        self._started: dict[str, float] = {}
        self._named: dict[str, dict[State, list[Standing]]] = {}

    def started(self, job: Job) -> None:
        """See `ports.Monitor`."""
        self._started[job.name] = time.monotonic()
        self._named[job.name] = {state: [] for state in State}

    def standing(self, job: Job, standing: Standing) -> None:
        """See `ports.Monitor`."""
        if self._verbose:
            self.line(describe(standing), _level(standing.state))
        elif standing.reason not in _NOT_NAMED and len(named := self._named[job.name][standing.state]) < _NAMED_MAX:
            named.append(standing)

    def carried(self, job: Job, receipts: Sequence[Receipt], proofs: Sequence[Proof]) -> None:
        """See `ports.Monitor`."""
        if self._verbose:
            for proof in proofs:
                self.line(f"carried  {printable(proof.sighting.path)} -> {printable(proof.key)} ({proof.kind.value})")

    def released(self, job: Job, disposals: Sequence[Disposal], earlier: Sequence[Receipt]) -> None:
        """See `ports.Monitor`. The summary counts them; those that `carried` was not told of are named."""
        if self._verbose:
            for path, key in [(receipt.sighting.path, receipt.key) for receipt in earlier]:
                self.line(f"carried  {printable(path)} -> {printable(key)} (by an earlier run)")

    def progress(self, job: Job, tally: Tally) -> None:
        """See `ports.Monitor`. Plain output has no progress: it may be a log."""

    def notice(self, job: Job, text: str) -> None:
        """See `ports.Monitor`."""
        self.line(printable(f"{job.name}: {text}"), WARNING)

    def finished(self, job: Job, tally: Tally) -> None:
        """See `ports.Monitor`."""
        if self._quiet and not tally.of(State.HELD) and not tally.of(State.GIVEN_UP):
            return
        for line in summary(job, tally, time.monotonic() - self._started[job.name]):
            self.line(line)
        if not self._verbose:
            for state in _LISTED:
                alike = sum(tally.by_reason.get(reason, 0) for reason in _NOT_NAMED) if state is State.WAITING else 0
                self._name_some(self._named[job.name][state], state, tally.of(state) - alike)

    def _name_some(self, named: list[Standing], state: State, count: int) -> None:
        for standing in named:
            self.line("  " + describe(standing), _level(state))
        if count > len(named):
            self.line(f"  and {count - len(named):,} more {state.value}: outhaul status")

    def line(self, text: str, level: int = INFO) -> None:
        """Say one line."""
        try:
            print(f"{priority(level)}{text}", file=sys.stderr)
        except OSError:
            return  # Nobody can hear us; the work goes on.


def _level(state: State) -> int:
    return ERROR if state is State.HELD else INFO


def summary(job: Job, tally: Tally, seconds: float) -> list[str]:
    """The account of a run: every file seen is under one of these lines."""
    carried = tally.of(State.CARRIED)
    unchanged = tally.by_reason.get("unchanged", 0)
    sent = carried - unchanged
    first = f"{job.name}: {say.files(tally.seen)} seen, {carried:,} carried"
    if sent:
        first += (
            f" ({say.size(tally.bytes_carried)} in {seconds:.1f} s, {say.files(round(sent / max(seconds, 0.001)))}/s"
        )
        first += f"; {tally.adopted:,} were there already)" if tally.adopted else ")"
    lines = [first]
    if unchanged:
        lines.append(f"  {unchanged:,} of these carried before, and not changed since")
    if tally.expired:
        lines.append(f"  {say.files(tally.expired)} removed from the archive: long enough there")
    if tally.directories:
        lines.append(f"  {tally.directories:,} empty directories removed")
    for state in (State.GIVEN_UP, State.WAITING, State.HELD, State.IGNORED, State.VANISHED):
        if count := tally.of(state):
            lines.append(f"  {count:,} {state.value}: {say.reasons(tally.by_reason, state)}")
    return lines


def describe(standing: Standing) -> str:
    """One line on one file."""
    detail = f" ({printable(standing.detail)})" if standing.detail else ""
    return f"{standing.state.value:8} {printable(standing.path)}: {REASONS[standing.reason].meaning}{detail}"


def _stored(proof: Proof) -> dict[str, object]:
    """What is in the store, where that is not the file itself."""
    if proof.within is None and not proof.codec:
        return {}
    stored = {"codec": proof.codec, "stored_size": proof.length, "stored_sha256": proof.stored_sha256.hex()}
    return stored if proof.within is None else {**stored, **dict(zip(_PLACE, proof.within[1:], strict=True))}


class JsonMonitor:
    """One JSON object a line on standard output: each file, each notice, and a summary of each job."""

    def __init__(self) -> None:
        self._started: dict[str, float] = {}

    def started(self, job: Job) -> None:
        """See `ports.Monitor`."""
        self._started[job.name] = time.monotonic()

    def standing(self, job: Job, standing: Standing) -> None:
        """See `ports.Monitor`."""
        self._out({
            "event": standing.state.value, "job": job.name, **say.path_fields(standing.path),
            "reason": standing.reason, "meaning": REASONS[standing.reason].meaning, "detail": standing.detail,
        })  # fmt: skip

    def carried(self, job: Job, receipts: Sequence[Receipt], proofs: Sequence[Proof]) -> None:
        """See `ports.Monitor`."""
        for receipt, proof in zip(receipts, proofs, strict=True):
            self._out({
                "event": "carried", "job": job.name, **say.path_fields(proof.sighting.path), "receipt": receipt.number,
                "size": proof.sighting.size, "sha256": proof.sha256.hex(), **_stored(proof), "destination": receipt.destination,
                "key": proof.key, "version": proof.version, "etag": proof.etag, "proof": proof.kind.value,
                "sent": proof.sent,
            })  # fmt: skip

    def released(self, job: Job, disposals: Sequence[Disposal], earlier: Sequence[Receipt]) -> None:
        """See `ports.Monitor`. The summary counts them; those that `carried` was not told of are named."""
        for receipt in earlier:
            self._out({
                "event": "carried", "job": job.name, **say.path_fields(receipt.sighting.path), "receipt": receipt.number,
                "size": receipt.sighting.size, "sha256": receipt.sha256.hex(), "destination": receipt.destination,
                "key": receipt.key, "sent": False, "earlier": True,
            })  # fmt: skip

    def progress(self, job: Job, tally: Tally) -> None:
        """See `ports.Monitor`. JSON has the events themselves."""

    def notice(self, job: Job, text: str) -> None:
        """See `ports.Monitor`."""
        self._out({"event": "notice", "job": job.name, "text": text})

    def finished(self, job: Job, tally: Tally) -> None:
        """See `ports.Monitor`."""
        self._out({
            "event": "summary", "job": job.name, "seen": tally.seen, "reasons": tally.by_reason,
            **{state.value: tally.of(state) for state in State}, "bytes_carried": tally.bytes_carried,
            "bytes_waiting": tally.bytes_waiting, "adopted": tally.adopted, "expired": tally.expired,
            "directories": tally.directories,
            "seconds": round(time.monotonic() - self._started[job.name], 3),
        })  # fmt: skip
        try:
            sys.stdout.flush()
        except OSError:
            silence(sys.stdout)

    def _out(self, event: dict[str, object]) -> None:
        try:
            print(json.dumps(event))
        except OSError:
            silence(sys.stdout)  # Nobody can read us; the work goes on.
