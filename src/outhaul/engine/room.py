"""How full the disk of a job's source is, and what follows from that where the job says how much is to stay free.

What is proved goes first: files that would have stayed for a while, and then what is in the archive, the oldest first, each
only until there is enough. Only where a job says so (`shed-below`) are files given up that were never carried: at the end of a
pass that has carried what it could, the oldest first, each with a tombstone on disk before it goes; and only where what waits
here can make up for what is missing, so that nothing is given up for a disk that somebody else has filled.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from outhaul.engine.batches import Ports
from outhaul.model.errors import RemovalUnknown, SourceError, SourceVanished
from outhaul.model.evidence import Settled, Tombstone, same_generation
from outhaul.model.job import Job
from outhaul.ports import Moment, Tree
from outhaul.stages.discover import discover
from outhaul.stages.settle import SECOND_NS, settle
from outhaul.stages.shed import shed

CANDIDATES_MAX = 1024
"""How many of the oldest files are given up by one walk at most."""
PATIENCE_NS = 60 * SECOND_NS
"""For so long a pass carries what it can before it ends early, for files to be given up."""


class Shed(NamedTuple):
    """A file that has been given up."""

    size: int
    reason: str
    """Why it stood where it stood before, as the ledger knows; '' where it was not seen in this pass."""


class Room:
    """How full it is, as one pass of a job sees it."""

    def __init__(self, job: Job, ports: Ports) -> None:
        self._job = job
        self._ports = ports
        self._began_ns = ports.clock.monotonic_ns()
        self._to_free = self.missing(job.source)

    def missing(self, path: str) -> int:
        """How many bytes are missing from what is to stay free there; 0 where there is enough, or nobody can tell."""
        return self._below(path, self._job.keep_free)

    @property
    def is_pressed(self) -> bool:
        """Whether anything is missing now, at the source or in the archive."""
        return bool(self.missing(self._job.source) or (self._job.archive and self.missing(self._job.archive)))

    @property
    def is_short(self) -> bool:
        """Whether there was too little when the pass began, and what `takes` has counted does not make up for it."""
        return self._to_free > 0

    def takes(self, size: int) -> bool:
        """Whether a file that is proved, and would have stayed for a while, goes now; what it frees is counted."""
        if not self.is_short:
            return False
        self._to_free -= size
        return True

    @property
    def cuts_short(self) -> bool:
        """Whether the pass is to end, so that files can be given up."""
        return self._to_shed > 0 and self._ports.clock.monotonic_ns() - self._began_ns > PATIENCE_NS

    def note(self, place: int, now: Moment) -> None:
        """Remember how full it is, for a forecast."""
        if (space := self._ports.files.space(self._job.source)) is not None:
            self._ports.ledger.note_space(place, space, now)

    def shed(self, place: int, tree: Tree, now: Moment, steady: Callable[[], bool]) -> list[Shed]:
        """Give files up where the job says so and there is too little room.

        Args:
            place: Of the ledger.
            tree: The source.
            now: When the pass began; what has not been left alone for long enough then is not given up.
            steady: Whether the wall clock can still be believed; asked again and again, as this looks at the files once more.

        Raises:
            SourceError: the source cannot be read.
            LedgerError: the ledger failed.
        """
        all_of_them = list[Shed]()
        while self._to_shed and not self._ports.stopped():
            oldest, size = self._oldest(place, tree, now, steady)
            space = self._ports.files.space(self._job.source)
            missing = self._job.shed_below - space.free if space is not None else 0
            if space is None or missing <= 0:
                break  # To look took its time, and somebody has made room meanwhile.
            if size < missing:
                self._notice(f"{size:,} bytes wait here, and {missing:,} are missing: nothing is given up for them")
                break
            gone = self._give_up(place, oldest, missing, space.free, tree)
            all_of_them += gone
            if not gone or missing - self._to_shed < sum([shed.size for shed in gone]) // 2:
                break  # It does not help, or not at once: another link, a snapshot, a reader. The next pass looks again.
        return all_of_them

    @property
    def _to_shed(self) -> int:
        return self._below(self._job.source, self._job.shed_below)

    def _below(self, path: str, wanted: int) -> int:
        space = self._ports.files.space(path) if wanted else None
        return max(0, wanted - space.free) if space is not None else 0

    def _oldest(self, place: int, tree: Tree, now: Moment, steady: Callable[[], bool]) -> tuple[list[Settled], int]:
        """Some of the oldest finished files that were never carried, and the bytes of all there are."""
        size, kept = 0, list[tuple[int, str, Settled]]()
        for settled in self._candidates(place, tree, now, steady):
            size += settled.sighting.size
            entry = (-settled.sighting.mtime_ns, settled.sighting.path, settled)
            if len(kept) < CANDIDATES_MAX:
                heapq.heappush(kept, entry)
            else:
                heapq.heappushpop(kept, entry)
        return [settled for _, _, settled in sorted(kept, reverse=True)], size

    def _candidates(self, place: int, tree: Tree, now: Moment, steady: Callable[[], bool]) -> Iterator[Settled]:
        """Files that would be carried now; not those of which a part has been sent already."""
        ledger = self._ports.ledger
        begun = {sighting[:2] for sighting, _ in ledger.uploads(place)}
        for found in discover(self._job, tree):
            remembered = ledger.observations(place, found.directory)
            receipts = ledger.receipts(place, found.directory, [sighting.name for sighting in found.sightings])
            is_steady = steady()
            for sighting in found.sightings:
                receipt = receipts.get(sighting.name)
                proved = receipt is not None and same_generation(receipt.sighting, sighting)
                if proved or sighting[:2] in begun or sighting.name in found.held_back:
                    continue
                verdict = settle(self._job, sighting, remembered.get(sighting.name), now, is_steady)
                if isinstance(verdict, Settled):
                    yield verdict

    def _give_up(self, place: int, oldest: Sequence[Settled], missing: int, free: int, tree: Tree) -> list[Shed]:
        """As many as make up for what is missing, with so much free: first all are written down, and then they go."""
        chosen = list[Settled]()
        for settled in oldest:
            if missing <= 0:
                break
            chosen.append(settled)
            missing -= settled.sighting.size
        ledger = self._ports.ledger
        tombstones = ledger.bury(place, chosen, free)
        gone = list[Shed]()
        for directory, some in groupby(sorted(tombstones, key=_directory), _directory):
            known = ledger.observations(place, directory)
            for tombstone in some:
                sighting = tombstone.settled.sighting
                if self._went(place, tombstone, tree):
                    gone.append(Shed(sighting.size, known[sighting.name].reason if sighting.name in known else ""))
        if gone:
            size, first = sum([shed.size for shed in gone]), chosen[0].sighting.path
            self._notice(
                f"the disk is full: {len(gone):,} files ({size:,} bytes) given up, never carried, from {first} on"
            )
        return gone

    def _went(self, place: int, tombstone: Tombstone, tree: Tree) -> bool:
        sighting, outcome = tombstone.settled.sighting, "shed"
        try:
            with tree.folder(sighting.directory) as folder:
                shed(tombstone, folder)
        except RemovalUnknown as error:
            self._notice(f"{sighting.path}: it was to be given up, and may be gone: {error}")
            return (
                False  # Its tombstone says so. Where it is still there, the next run finds it in the private directory.
            )
        except SourceVanished:
            outcome = "gone"
        except SourceError:
            outcome = "stays"
        self._ports.ledger.buried(tombstone, outcome)
        if outcome != "stays":
            self._ports.ledger.note(place, forgotten=[(sighting.directory, sighting.name)])
        return outcome == "shed"

    def _notice(self, text: str) -> None:
        self._ports.monitor.notice(self._job, text)


def _directory(tombstone: Tombstone) -> str:
    return tombstone.settled.sighting.directory
