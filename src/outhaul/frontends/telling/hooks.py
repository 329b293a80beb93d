"""Hooks: a command or an address that is told when files were carried, when a job cannot go on or does again, and what is held.

What happens often is gathered: a job's hook hears of the same event once a minute at most. What was told is remembered from one
process to the next. A hook is told what happened, and decides nothing.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from outhaul.config.telling import Telling
from outhaul.frontends.cli import say
from outhaul.frontends.telling.delivery import Delivery, Word
from outhaul.frontends.telling.memory import Memory
from outhaul.frontends.telling.said_once import HeldOnce
from outhaul.model.events import Tally
from outhaul.model.evidence import Disposal, Proof, Receipt, stored_bytes
from outhaul.model.job import Job
from outhaul.model.keys import printable
from outhaul.model.lifecycle import REASONS, Standing, State

EVERY_SECONDS = 60.0
"""How often a hook hears of the same event of a job at most."""
NAMED_MAX, DOCUMENT_BYTES = 100, 32 << 10
"""Held files that are named in one document, and how large it may become: a pipe holds 64 KiB."""


class _OfJob:
    """What is to be told of one job."""

    def __init__(self, job: Job, fault: bool, held: HeldOnce) -> None:
        self.job = job
        self.fault = fault
        self.held = held
        self.new: list[Standing] = []
        self.new_count = 0
        self.files = self.bytes = 0
        self.tally = Tally()
        self.told: dict[str, float] = {}


class HookListener:
    """Tells hooks; a `Listener`."""

    def __init__(
        self, telling: Telling, state: str, notice: Callable[[str], None], *, every: float = EVERY_SECONDS,
        delivery: Delivery | None = None,
    ) -> None:  # fmt: skip
        """Prepare.

        Args:
            telling: The hooks.
            state: The state directory, where it is remembered what was told.
            notice: Told of a hook that fails.
            every: Seconds between two words of the same event of a job.
            delivery: Carries the words.
        """
        self._telling = telling
        self._memory = Memory(state)
        self._every = every
        self._delivery = delivery or Delivery(notice)
        self._jobs: dict[str, _OfJob] = {}
        for text in _missing(telling):
            notice(text)

    # --- Listener -------------------------------------------------------------------------------------------------------

    def started(self, job: Job) -> None:
        """See `Listener`."""
        self._of(job).held.begin()

    def held(self, job: Job, standing: Standing) -> None:
        """See `Listener`."""
        one = self._of(job)
        if one.held.is_new(standing):
            one.new_count += 1
            if len(one.new) < NAMED_MAX:
                one.new.append(standing)

    def carried(self, job: Job, receipts: Sequence[Receipt], proofs: Sequence[Proof]) -> None:
        """See `Listener`."""
        one = self._of(job)
        one.files += len(receipts)
        one.bytes += stored_bytes(proofs)

    def released(self, job: Job, disposals: Sequence[Disposal], earlier: Sequence[Receipt]) -> None:
        """See `Listener`. That files go says nothing new."""

    def passed(self, job: Job, tally: Tally, fault: str, *, whole: bool) -> None:
        """See `Listener`."""
        one = self._of(job)
        one.held.end(whole=whole and not fault)
        one.tally = tally
        if bool(fault) != one.fault:
            one.fault = bool(fault)
            self._tell("failure" if fault else "recovered", one, fault or "it goes on")
        self._gathered(one)
        self._memory.keep(job.name, one.fault, one.held.told)

    def beat(self) -> None:
        """See `Listener`. What has waited for its minute goes."""
        for one in self._jobs.values():
            self._gathered(one)

    def failed(self, error: Exception) -> None:
        """See `Listener`."""
        text = printable(str(error)) or type(error).__name__
        hook = self._telling.hook("", "failure")
        if hook:
            self._deliver("failure", "", _document("failure", text), 0, 0)

    def over(self, seconds: float) -> None:
        """See `Listener`."""
        for one in self._jobs.values():
            self._gathered(one, last=True)
        self._delivery.close(seconds)

    # --- what is told ---------------------------------------------------------------------------------------------------

    def _of(self, job: Job) -> _OfJob:
        one = self._jobs.get(job.name)
        if one is None:
            fault, held = self._memory.of(job.name)
            one = self._jobs[job.name] = _OfJob(job, fault, HeldOnce(held))
        return one

    def _gathered(self, one: _OfJob, *, last: bool = False) -> None:
        now = time.monotonic()
        if one.new_count and self._due(one, "held", now, last):
            count, named = one.new_count, one.new
            one.new_count, one.new = 0, []
            self._tell("held", one, f"{say.files(count)} held", files=count, named=named)
        if one.files and not one.fault and self._due(one, "success", now, last):
            files, size = one.files, one.bytes
            one.files = one.bytes = 0
            self._tell("success", one, f"{say.files(files)} carried ({say.size(size)})", files=files, size=size)

    def _due(self, one: _OfJob, event: str, now: float, last: bool) -> bool:
        if not last and now - one.told.get(event, -self._every) < self._every:
            return False
        one.told[event] = now
        return True

    def _tell(
        self, event: str, one: _OfJob, text: str, *, files: int = 0, size: int = 0, named: Sequence[Standing] = ()
    ) -> None:
        if not self._telling.hook(one.job.name, event):
            return
        document = _document(event, text) | {
            "job": one.job.name, **{f"source{key[4:]}": value for key, value in say.path_fields(one.job.source).items()},
            "destination": one.job.destination.address, "files": files, "bytes": size,
            "waiting": one.tally.of(State.WAITING), "held": one.tally.of(State.HELD), "paths": [], "more": 0,
        }  # fmt: skip
        _name(document, named, files)
        self._deliver(event, one.job.name, document, files, size)

    def _deliver(self, event: str, job: str, document: dict[str, object], files: int, size: int) -> None:
        variables = {
            "OUTHAUL_EVENT": event, "OUTHAUL_JOB": job, "OUTHAUL_TIME": str(document["time"]),
            "OUTHAUL_FILES": str(files), "OUTHAUL_BYTES": str(size), "OUTHAUL_TEXT": str(document["text"]),
        }  # fmt: skip
        body = json.dumps(document).encode()
        self._delivery.tell(Word(self._telling.hook(job, event), event, body, variables))


def _document(event: str, text: str) -> dict[str, object]:
    return {
        "event": event, "job": "", "time": datetime.now(UTC).isoformat(timespec="seconds"), "host": socket.gethostname(),
        "text": printable(text)[:2000],
    }  # fmt: skip


def _name(document: dict[str, object], standings: Sequence[Standing], count: int) -> None:
    """Put held files into a document, as many as there is room for."""
    paths: list[dict[str, str]] = []
    room = DOCUMENT_BYTES - len(json.dumps(document))
    for standing in standings:
        one = {
            **say.path_fields(standing.path), "reason": standing.reason, "meaning": REASONS[standing.reason].meaning,
            "detail": printable(standing.detail)[:500],
        }  # fmt: skip
        room -= len(json.dumps(one)) + 2
        if room < 0:
            break
        paths.append(one)
    document["paths"], document["more"] = paths, (count - len(paths) if standings else 0)


def _missing(telling: Telling) -> list[str]:
    """A hook that cannot be run is better known before it is needed."""
    hooks = {hook for table in (telling.hooks, *telling.of_jobs.values()) for hook in table.values() if hook.command}
    return [
        f"hooks: {hook.command[0]} cannot be run" for hook in sorted(hooks) if not os.access(hook.command[0], os.X_OK)
    ]
