"""The large uploads of a job: which were begun, which go on, and which the store is to forget.

What is remembered of one is a hint. It is on disk before the first part is sent, so that no process leaves parts behind
that nobody knows of; it goes when the object is recorded, or when the store has forgotten the upload.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from outhaul.model.errors import OuthaulError, Refused, SourceChanged, SourceVanished, StoreError, Unproved, UploadGone
from outhaul.model.evidence import Sighting
from outhaul.ports import Begun, Ledger, Store

_ENDED = (SourceChanged, SourceVanished, Refused, Unproved)
"""Its bytes are not what was sent so far, or the store takes no more of it: whatever is carried later begins anew."""
_LEFT_NS = 30 * 86_400 * 10**9
"""What another pair of source and destination began is left to it for so long after its last run: it may come back."""
AT_ONCE = 2
"""Large files under way at the same time; each is sent in several parts at once."""


class Slots:
    """What all jobs of a run have together: places for what is large and under way, and memory."""

    def __init__(self, free: int = AT_ONCE) -> None:
        self.free = free
        self.bytes = 0
        """Bytes of memory that small files under way are reckoned with."""


class LargeUploads:
    """Those of one pair of source and destination."""

    def __init__(self, place: int, ledger: Ledger, notice: Callable[[str], None]) -> None:
        self._place = place
        self._ledger = ledger
        self._notice = notice
        self._begun: dict[Sighting, Begun] = {}
        self._stale: list[tuple[int, Sighting, Begun]] = []
        """With the number of the pair that began it."""
        self._wanted: set[Sighting] = set()
        for sighting, begun in ledger.uploads(place):
            self._put(sighting, begun)
        self._wanted.clear()

    def of(self, sighting: Sighting) -> Begun | None:
        """The upload of this generation of a file that was begun, to go on with."""
        return self._begun.get(_plain(sighting)) if self._begun else None

    def seen(self, sightings: Sequence[Sighting]) -> None:
        """These files are there: what was begun for them may go on, if not in this pass."""
        if self._begun:
            self._wanted.update([sighting for sighting in sightings if sighting in self._begun])

    def began(self, sighting: Sighting, begun: Begun) -> None:
        """One was begun; when this returns, that is on disk."""
        self._ledger.begin_upload(self._place, _plain(sighting), begun)
        self._put(_plain(sighting), begun)

    def recorded(self, sightings: Sequence[Sighting]) -> None:
        """Their objects are proved, and about to be recorded in the next durable transaction."""
        for sighting in map(_plain, sightings) if self._begun else ():
            if begun := self._begun.pop(sighting, None):
                self._ledger.end_upload(self._place, sighting, begun)

    def failed(self, sighting: Sighting, error: OuthaulError) -> None:
        """What was begun for this file, or group, is not gone on with where this is its fault, and the store is to forget it."""
        if isinstance(error, UploadGone):
            self.useless(sighting, str(error))
        elif isinstance(error, _ENDED):
            self.useless(sighting)

    def useless(self, sighting: Sighting, why: str = "") -> None:
        """It cannot go on: another one is begun for the file. Why is said."""
        begun = self._begun.pop(_plain(sighting), None)
        if begun and why:
            self._notice(f"{sighting.path}: what was sent of it before is of no use: {why}")
        self._stale += [(self._place, _plain(sighting), begun)] if begun else []

    def left_by_others(self, bucket: str, now_ns: int) -> None:
        """Have also forgotten what went into this bucket from pairs that nobody runs any more: their jobs are gone, or others."""
        if bucket:
            self._stale += self._ledger.left_uploads(self._place, bucket, now_ns - _LEFT_NS)

    @property
    def to_abandon(self) -> bool:
        """Whether there is one that nobody will go on with, after a whole walk that has seen every directory."""
        return bool(self._stale) or any(sighting not in self._wanted for sighting in self._begun)

    def abandon(self, store: Store) -> str:
        """Have the store forget those that nobody will go on with: their files are gone, or others.

        Returns:
            Why that could not be done, for all of them; it is tried again at the end of the next pass.
        """
        for sighting in [sighting for sighting in self._begun if sighting not in self._wanted]:
            self.useless(sighting)
        try:
            while self._stale:
                place, sighting, begun = self._stale[-1]
                store.abandon(begun)
                self._ledger.end_upload(place, sighting, begun)
                self._stale.pop()
        except StoreError as error:
            return f"parts of {len(self._stale)} uploads that are no longer needed are still in the store: {error}"
        return ""

    def _put(self, sighting: Sighting, begun: Begun) -> None:
        """Of two for one file, the later goes on."""
        if sighting in self._begun:
            self._stale.append((self._place, sighting, self._begun[sighting]))
        self._begun[sighting] = begun
        self._wanted.add(sighting)


def _plain(sighting: Sighting) -> Sighting:
    """As a walk sees it: the birth time is known of an open file only."""
    return sighting._replace(birth_ns=0)
