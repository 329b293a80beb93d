"""The files of a pass that do not go on: each is counted, told, and remembered for the next pass."""

from __future__ import annotations

from collections.abc import Sequence

from outhaul.engine.batches import Ports
from outhaul.engine.retry import HELD_AFTER
from outhaul.model.events import Tally
from outhaul.model.evidence import Settled, Sighting, same_generation
from outhaul.model.job import Job
from outhaul.model.lifecycle import Standing
from outhaul.ports import Moment, Observation
from outhaul.stages.settle import SECOND_NS

_SOON = {"changed": SECOND_NS, "in-use": 2 * SECOND_NS, "writers-unknown": 60 * SECOND_NS}
"""Reasons that end without anybody's doing, and after how long it is worth looking again."""
_LATER_MOST = 6
_DATED = ("day-limit", "month-limit", "quiet-hours", "paused")
"""Reasons whose particulars say until when: these change while the reason stays."""
_PROGRESS_NS = 100 * 10**6


class Standings:
    """Those of one pass over one job, and the count of all its files."""

    def __init__(self, job: Job, place: int, ports: Ports) -> None:
        self.tally = Tally()
        self.past: dict[Sighting, Observation] = {}
        """What was remembered of the files that are on their way."""
        self._job = job
        self._place = place
        self._ports = ports
        self._told_ns = 0
        self.tried_in: str | None = None
        """A directory with a file that waits for the destination; None where there is none."""
        self.ready_at: dict[str, int] = {}
        """Directory, and when on the boot clock the first of its files that wait will be ready."""

    def stand(self, standing: Standing, size: int = 0) -> None:
        """Count a file, and tell of it."""
        self.tally.put(standing.reason)
        self.tally.bytes_waiting += size
        self._ports.monitor.standing(self._job, standing)

    def wait(self, sighting: Sighting, past: Observation | None, now: Moment, reason: str, detail: str) -> None:
        """A file that has not settled. What is remembered of it already is not written again."""
        self.stand(Standing(sighting.path, reason, detail), sighting.size)
        if (
            past is None
            or past.reason != reason
            or (reason in _DATED and past.detail != detail)
            or past.since.boot_id != now.boot_id
            or not same_generation(past.sighting, sighting)
        ):
            # Seen at this moment, which may be hours after the beginning of the walk.
            self._observe(sighting, past, reason, detail, 0)

    def wait_for_others(self, sighting: Sighting, wait_ns: int, now: Moment) -> None:
        """A file that has settled, and waits for a bundle to become full."""
        detail = f"{-(-wait_ns // SECOND_NS)} s more, or until there are enough"
        self.ready(sighting.directory, now.boot_ns + wait_ns)
        self.wait(sighting, self.taken(sighting), now, "bundle", detail)

    def ready(self, directory: str, boot_ns: int) -> None:
        """A file of this directory will be ready then, as far as can be known."""
        before = self.ready_at.get(directory)
        if before is None or boot_ns < before:
            self.ready_at[directory] = boot_ns

    def set_back(self, sighting: Sighting, reason: str, detail: str, attempts: int = 1, *, alone: bool = False) -> None:
        """A file that was on its way; `alone`: in this pass others have arrived where it does not."""
        past = self.past.pop(sighting, None)
        before = past.attempts if past is not None and same_generation(past.sighting, sighting) else 0
        if alone and reason == "retry" and before + attempts >= HELD_AFTER:
            reason, detail = "failing", f"{before + attempts} attempts; the last: {detail}"
        self.stand(Standing(sighting.path, reason, detail), sighting.size)
        if reason == "vanished":
            if past is not None:
                self._ports.ledger.note(self._place, forgotten=[(sighting.directory, sighting.name)])
        else:
            if reason in ("retry", "destination"):
                self.tried_in = sighting.directory
            self._observe(sighting, past, reason, detail, attempts)
            if reason in _SOON:  # Later and later: it may stay so for long, and its whole directory is looked at.
                later_ns = _SOON[reason] << min(before, _LATER_MOST)
                self.ready(sighting.directory, self._ports.clock.moment().boot_ns + later_ns)

    def begun(self, files: Sequence[Settled]) -> None:
        """The upload of large files was begun: until they have arrived, that is what is known of them."""
        for sighting, *_ in files:
            past = self.taken(sighting)
            self.past[sighting._replace(birth_ns=0)] = self._observe(sighting, past, "begun", "", 0)

    def taken(self, sighting: Sighting) -> Observation | None:
        """What was remembered of a file before; the walk knows no birth time, so it is keyed without."""
        return self.past.pop(sighting._replace(birth_ns=0), None) if self.past else None

    def tell(self) -> None:
        """Say how far it is, ten times a second at most."""
        now = self._ports.clock.monotonic_ns()
        if now - self._told_ns > _PROGRESS_NS:
            self._told_ns = now
            self._ports.monitor.progress(self._job, self.tally)

    def _observe(
        self, sighting: Sighting, past: Observation | None, reason: str, detail: str, attempts: int
    ) -> Observation:
        """Keep since when this generation has been seen; a new one begins anew (L7)."""
        since = now = self._ports.clock.moment()
        if past is not None and past.since.boot_id == now.boot_id and same_generation(past.sighting, sighting):
            since, attempts = past.since, past.attempts + attempts
        observed = Observation(sighting, since, reason, detail, attempts)
        self._ports.ledger.note(self._place, observed=[observed])
        return observed
