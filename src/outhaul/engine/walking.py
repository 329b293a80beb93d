"""Walk a source, and say of each file whether it goes now, has gone before, or waits.

Nothing is sent or removed here. What is remembered of a file that is not there any more is forgotten, but never what is in
a directory that could not be read, and nothing at all after a walk that was not finished (law L10).
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from outhaul.engine.batches import Ports
from outhaul.engine.bundling import LeftBehind
from outhaul.engine.standings import Standings
from outhaul.model.evidence import Receipt, Settled, Sighting, same_generation
from outhaul.model.job import Job
from outhaul.model.shard import WHOLE
from outhaul.ports import Moment, Observation, Tree
from outhaul.stages.discover import Found, Part, discover, holder
from outhaul.stages.group import Group, group_sighting
from outhaul.stages.settle import SECOND_NS, settle

CLOCK_TOLERANCE_NS = 5 * SECOND_NS


class Looked(NamedTuple):
    """What some entries of one directory came to, but for those that wait."""

    settled: list[Settled]
    """To be carried."""
    proved: list[Receipt]
    """Of files that are still here: to be let go."""
    group: Group | None = None
    """To be carried as one."""
    proved_group: str = ""
    """The directory of the group whose receipts `proved` are: to be let go as one."""


class Walk:
    """One walk over the source of a job."""

    def __init__(
        self,
        job: Job,
        place: int,
        ports: Ports,
        standings: Standings,
        seen: Callable[[Sequence[Sighting]], None],
        part: Part | None = None,
    ) -> None:
        self._job = job
        self._part = part
        self._place = place
        self._ports = ports
        self._standings = standings
        self._seen = seen
        self.steady = False
        """Whether the wall clock can be believed, as far as was known when the walk began (L7)."""
        self.saw_all = True
        """Whether every directory could be read."""
        self.directories: list[str] = []
        """All that were looked into, where the job removes empty ones."""
        self.entering: Callable[[str], None] = lambda _directory: None
        """Called with each directory before it is listed."""
        self.elsewhere: Container[str] = ()
        """Paths of files and groups that an earlier look has under way: to this one they are not there."""
        self.left = LeftBehind()
        """What this pass has recorded of what an earlier process had sent."""
        self.goes_early: Callable[[int], bool] = lambda _size: False
        """Whether a proved file of so many bytes that would stay for a while goes now: there is too little room."""

    def looks(self, tree: Tree, now: Moment) -> Iterator[Looked]:
        """Walk, from this moment on.

        Raises:
            SourceError: the source itself cannot be read.
        """
        ledger = self._ports.ledger
        steady = self.steady = ledger.steady_since(now, CLOCK_TOLERANCE_NS)
        # Of what lies outside of a part nothing is known, and nothing forgotten.
        unvisited = ledger.observed_directories(self._place) if self._part is None else set[str]()
        unvisited = set(filter(holder(self._job), unvisited))  # A ledger may be that of all shards.
        directory, remembered = None, dict[str, Observation]()
        closed: list[str] = []
        for found in discover(self._job, tree, self._part, self.entering):
            if self._ports.stopped():
                return
            if found.group in self.elsewhere:
                continue
            if found.group:
                yield self._whole(found, now, steady and self.kept_step(now), unvisited)
                continue
            if found.directory != directory:
                self._forget(directory, remembered)
                directory = found.directory
                remembered = self._remembered(directory)
                unvisited.discard(directory)
                if self._job.empty_ns:
                    self.directories.append(directory)
            if self.elsewhere:
                found = self._ours(found, remembered)
            if self._stand(found, closed):
                remembered = {}
            steady = steady and self.kept_step(now)
            yield self._sort(found, remembered, now, steady)
            self._standings.tell()
        self._forget(directory, remembered)
        for vanished in unvisited:
            if not vanished.startswith(tuple(closed)):
                ledger.forget_directory(self._place, vanished)

    def _ours(self, found: Found, remembered: dict[str, Observation]) -> Found:
        """Without what is elsewhere, of which nothing is forgotten."""
        ours = []
        for sighting in found.sightings:
            if sighting.path in self.elsewhere:
                remembered.pop(sighting.name, None)
            else:
                ours.append(sighting)
        return found._replace(sightings=ours)

    def _remembered(self, directory: str) -> dict[str, Observation]:
        """Of its files: of those that this walk looks for."""
        known = self._ports.ledger.observations(self._place, directory)
        if self._part is None or self._part.share == WHOLE:
            return known
        return {name: past for name, past in known.items() if self._part.share.holds(name)}

    def _stand(self, found: Found, closed: list[str]) -> bool:
        """Account for what does not go; whether a directory could not be read."""
        self._standings.tally.seen += len(found.sightings) + len(found.standings)
        some_closed = False
        for standing in found.standings:
            self._standings.stand(standing)
            if standing.reason == "closed-directory":  # Whatever was known of what is in it stays known (L10).
                closed.append(f"{standing.path}/")
                self.saw_all, some_closed = False, True
        return some_closed

    def _whole(self, found: Found, now: Moment, steady: bool, unvisited: set[str]) -> Looked:
        """A group: all of its files go, or have gone before, or wait together."""
        closed: list[str] = []
        self._stand(found, closed)
        pasts = dict[tuple[str, str], Observation]()
        receipts = dict[tuple[str, str], Receipt]()
        for directory, some in groupby(sorted(found.sightings), lambda sighting: sighting.directory):
            names = [sighting.name for sighting in some]
            known = self._ports.ledger.observations(self._place, directory)
            pasts |= {(directory, name): known.pop(name) for name in names if name in known}
            if directory == found.group or directory.startswith(f"{found.group}/"):
                unvisited.discard(directory)
                self._forget(directory, {} if found.missing else known)
            for name, latest in self._ports.ledger.receipts(self._place, directory, names).items():
                receipts[directory, name] = latest
        if not found.sightings:
            return Looked([], [])
        self._seen([group_sighting(found.group, found.sightings)])
        proved = [
            receipt
            for sighting in found.sightings
            if (receipt := receipts.get(sighting[:2])) is not None and same_generation(receipt.sighting, sighting)
        ]
        if len(proved) == len(found.sightings):
            return self._gone_before(found, proved, pasts)
        if not found.missing and not self._is_filled(found):
            found = found._replace(missing=f"{found.group} is empty")
        return self._together(found, pasts, now, steady)

    def _is_filled(self, found: Found) -> bool:
        """Whether there are files in the directory itself, or its companions are what is left of a group that has gone."""
        beneath = f"{found.group}/"
        return any(sighting.path.startswith(beneath) for sighting in found.sightings) or all(
            self._ports.ledger.ever_carried(self._place, *sighting[:2]) for sighting in found.sightings
        )

    def _gone_before(self, found: Found, proved: list[Receipt], pasts: dict[tuple[str, str], Observation]) -> Looked:
        if self._job.after == "keep" and not all(self._is_over(receipt) for receipt in proved):
            self._stay(proved)
            self._ports.ledger.note(self._place, forgotten=list(pasts))
            return Looked([], [])
        for receipt in proved:
            if past := pasts.get(receipt.sighting[:2]):
                self._standings.past[receipt.sighting] = past
        return Looked([], proved, None, found.group)

    def _together(self, found: Found, pasts: dict[tuple[str, str], Observation], now: Moment, steady: bool) -> Looked:
        verdicts = [
            (sighting, settle(self._job, sighting, pasts.get(sighting[:2]), now, steady))
            for sighting in sorted(found.sightings, key=lambda sighting: sighting.path)
        ]
        settled = [verdict for _, verdict in verdicts if isinstance(verdict, Settled)]
        whole = len(settled) == len(verdicts) and not found.missing
        if whole:
            self._standings.past.update(
                {one.sighting: pasts[one.sighting[:2]] for one in settled if one.sighting[:2] in pasts}
            )
            return Looked([], [], Group(found.group, group_sighting(found.group, found.sightings), tuple(settled)))
        for sighting, verdict in verdicts:
            past = pasts.get(sighting[:2])
            if isinstance(verdict, Settled):
                self._standings.wait(sighting, past, now, "group", found.missing)
            else:
                self._standings.wait(sighting, past, now, "quiet", f"{-(-verdict // SECOND_NS)} s more")
                self._standings.ready(found.group, now.boot_ns + verdict)
        return Looked([], [])

    def kept_step(self, then: Moment) -> bool:
        """Whether the wall clock has kept step with the boot clock since: what was listed is older than this look (L7)."""
        now = self._ports.clock.moment()
        return abs((now.wall_ns - then.wall_ns) - (now.boot_ns - then.boot_ns)) <= CLOCK_TOLERANCE_NS

    def _sort(self, found: Found, remembered: dict[str, Observation], now: Moment, steady: bool) -> Looked:
        job, keep = self._job, self._job.after == "keep"
        self._seen(found.sightings)
        receipts = self._ports.ledger.receipts(self._place, found.directory, [s.name for s in found.sightings])
        unchanged: list[Receipt] = []
        looked = Looked([], [])
        for sighting in sorted(found.sightings, key=_by_age) if _is_limited(job) else found.sightings:
            receipt = receipts.get(sighting.name)
            past = remembered.pop(sighting.name, None)
            if receipt is not None and same_generation(receipt.sighting, sighting):
                if keep and not self._is_over(receipt):
                    unchanged.append(receipt)
                    if past is not None:
                        self._ports.ledger.note(self._place, forgotten=[(found.directory, sighting.name)])
                else:
                    looked.proved.append(receipt)
                    if past is not None:
                        self._standings.past[receipt.sighting] = past
                continue
            held_back = found.held_back.get(sighting.name, "") if found.held_back else ""
            if held_back in ("unmarked", "group"):
                detail = "the directory that it belongs to is not there" if held_back == "group" else ""
                self._standings.wait(sighting, past, now, held_back, detail)
                continue
            verdict = settle(job, sighting, past, now, steady, among_newest=held_back == "newest")
            if isinstance(verdict, Settled):
                if past is not None:
                    self._standings.past[sighting] = past
                looked.settled.append(verdict)
            else:
                self._standings.wait(sighting, past, now, held_back or "quiet", f"{-(-verdict // SECOND_NS)} s more")
                self._standings.ready(found.directory, now.boot_ns + verdict)
        if unchanged:
            self._stay(unchanged)
        return looked

    def _stay(self, receipts: Sequence[Receipt]) -> None:
        """These were carried before, by their receipts, and stay."""
        unchanged = len(self.left.see(receipts))
        for reason, count in (("unchanged", unchanged), ("kept", len(receipts) - unchanged)):
            if count:
                self._standings.tally.put(reason, count)

    def _is_over(self, receipt: Receipt) -> bool:
        """Whether a file that stays where it is after its proof has stayed for long enough."""
        past_ns = self._ports.clock.moment().wall_ns - receipt.proved_ns
        if not self._job.delete_after_ns:
            return False
        return (self.steady and past_ns >= self._job.delete_after_ns) or self.goes_early(receipt.sighting.size)

    def _forget(self, directory: str | None, remembered: dict[str, Observation]) -> None:
        if directory is not None and remembered:
            self._ports.ledger.note(self._place, forgotten=[(directory, name) for name in remembered])


def _is_limited(job: Job) -> bool:
    return bool(job.files_max or job.bytes_max or job.bytes_a_day or job.bytes_a_month)


def _by_age(sighting: Sighting) -> int:
    return sighting.mtime_ns
