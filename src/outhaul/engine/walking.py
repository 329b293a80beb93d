"""Walk a source, and say of each file whether it goes now, has gone before, or waits.

Nothing is sent or removed here. What is remembered of a file that is not there any more is forgotten, but never what is in
a directory that could not be read, and nothing at all after a walk that was not finished (law L10).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from outhaul.engine.batches import Ports
from outhaul.engine.standings import Standings
from outhaul.model.evidence import Receipt, Settled, Sighting, same_generation
from outhaul.model.job import Job
from outhaul.ports import Moment, Observation, Tree
from outhaul.stages.discover import Found, discover
from outhaul.stages.settle import SECOND_NS, settle

CLOCK_TOLERANCE_NS = 5 * SECOND_NS


class Looked(NamedTuple):
    """What some entries of one directory came to, but for those that wait."""

    settled: list[Settled]
    """To be carried."""
    proved: list[Receipt]
    """Of files that are still here: to be let go."""


class Walk:
    """One walk over the source of a job."""

    def __init__(
        self, job: Job, place: int, ports: Ports, standings: Standings, seen: Callable[[Sequence[Sighting]], None]
    ) -> None:
        self._job = job
        self._place = place
        self._ports = ports
        self._standings = standings
        self._seen = seen
        self.steady = False
        """Whether the wall clock can be believed, as far as was known when the walk began (L7)."""
        self.saw_all = True
        """Whether every directory could be read."""
        self.directories: list[str] = []
        """All that were found, where the job removes empty ones."""

    def looks(self, tree: Tree, now: Moment) -> Iterator[Looked]:
        """Walk, from this moment on.

        Raises:
            SourceError: the source itself cannot be read.
        """
        ledger = self._ports.ledger
        steady = self.steady = ledger.steady_since(now, CLOCK_TOLERANCE_NS)
        unvisited = ledger.observed_directories(self._place)
        directory, remembered = None, dict[str, Observation]()
        closed: list[str] = []
        for found in discover(self._job, tree):
            if self._ports.stopped():
                return
            if found.directory != directory:
                self._forget(directory, remembered)
                directory = found.directory
                remembered = ledger.observations(self._place, directory)
                unvisited.discard(directory)
                if self._job.empty_ns:
                    self.directories.append(directory)
            self._standings.tally.seen += len(found.sightings) + len(found.standings)
            for standing in found.standings:
                self._standings.stand(standing)
                if standing.reason == "closed-directory":  # Whatever was known of what is in it stays known (L10).
                    closed.append(f"{directory}/")
                    self.saw_all = False
                    remembered = {}
            steady = steady and self._kept_step(now)
            yield self._sort(found, remembered, now, steady)
            self._standings.tell()
        self._forget(directory, remembered)
        for vanished in unvisited:
            if not vanished.startswith(tuple(closed)):
                ledger.forget_directory(self._place, vanished)

    def _kept_step(self, then: Moment) -> bool:
        """Whether the wall clock has kept step with the boot clock since: what was listed is older than this look (L7)."""
        now = self._ports.clock.moment()
        return abs((now.wall_ns - then.wall_ns) - (now.boot_ns - then.boot_ns)) <= CLOCK_TOLERANCE_NS

    def _sort(self, found: Found, remembered: dict[str, Observation], now: Moment, steady: bool) -> Looked:
        job, keep = self._job, self._job.after == "keep"
        self._seen(found.sightings)
        receipts = self._ports.ledger.receipts(self._place, found.directory, [s.name for s in found.sightings])
        unchanged = 0
        looked = Looked([], [])
        for sighting in found.sightings:
            receipt = receipts.get(sighting.name)
            past = remembered.pop(sighting.name, None)
            if receipt is not None and same_generation(receipt.sighting, sighting):
                if keep:
                    unchanged += 1
                    if past is not None:
                        self._ports.ledger.note(self._place, forgotten=[(found.directory, sighting.name)])
                else:
                    looked.proved.append(receipt)
                    if past is not None:
                        self._standings.past[receipt.sighting] = past
                continue
            held_back = found.held_back.get(sighting.name, "") if found.held_back else ""
            if held_back == "unmarked":
                self._standings.wait(sighting, past, now, held_back, "")
                continue
            verdict = settle(job, sighting, past, now, steady, among_newest=held_back == "newest")
            if isinstance(verdict, Settled):
                if past is not None:
                    self._standings.past[sighting] = past
                looked.settled.append(verdict)
            else:
                self._standings.wait(sighting, past, now, held_back or "quiet", f"{-(-verdict // SECOND_NS)} s more")
        if unchanged:
            self._standings.tally.put("unchanged", unchanged)
        return looked

    def _forget(self, directory: str | None, remembered: dict[str, Observation]) -> None:
        if directory is not None and remembered:
            self._ports.ledger.note(self._place, forgotten=[(directory, name) for name in remembered])
