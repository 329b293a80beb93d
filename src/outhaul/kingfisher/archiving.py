"""One run over all collections: decide, carry, write down, let go; each by itself, and none is stopped by another.

The order is what makes it safe. Data and log are proved, then the metadata; then it is written down that the collection is
archived; and only then its sources go. A run that ends anywhere is gone on with by the next: what the bucket has, and what the
ledger and the memory say, tell it where.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

from outhaul.config.profiles.kingfisher import Settings
from outhaul.kingfisher import removal
from outhaul.kingfisher.collection import DATA, MANIFEST, Archived, Collection, Crawl, Measured
from outhaul.kingfisher.local import Logs, has_files, measure
from outhaul.kingfisher.memory import ARCHIVED, DO_NOT_ARCHIVE, Memory, MemoryFailed, Remembered
from outhaul.kingfisher.metadata import metadata_text
from outhaul.kingfisher.months import Months
from outhaul.kingfisher.moving import Failed, Mover, Parcel, Waits, is_part, is_whole, parcel_of, parcel_of_json
from outhaul.kingfisher.rules import Verdict, compare, judge_log
from outhaul.model.errors import AnotherInstance, Denied, LedgerError, Misconfigured, OuthaulError, Transient
from outhaul.model.job import Job
from outhaul.model.keys import printable

logger = logging.getLogger("ocdskingfisher.archive")


class Candidate(NamedTuple):
    """A collection that has been looked at."""

    collection: Collection
    verdict: Verdict
    log: str = ""
    crawl: Crawl | None = None
    measured: Measured | None = None


class Run:
    """One run over collections."""

    def __init__(
        self,
        settings: Settings,
        memory: Memory,
        months: Months,
        mover: Mover,
        *,
        stopped: Callable[[], bool] = lambda: False,
        step: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._settings = settings
        self._memory = memory
        self._months = months
        self._mover = mover
        self._logs = Logs(settings.logs)
        self._stopped = stopped
        self._step = step
        self._of_source: tuple[str, list[Archived]] | None = None
        self._begun: set[str] = set()
        self.failed = 0
        self.destination_failed = False

    def dry(self, collections: Sequence[Collection], say: Callable[[str], None]) -> None:
        """Say of each collection that is not decided what would be done, and do nothing."""
        for collection in collections:
            if self._stopped() or not self._is_open(collection, self._memory.of(collection.number)):
                continue
            with _Apart(self, collection):
                say(self._told(self._look(collection)))

    def archive(self, collections: Sequence[Collection]) -> None:
        """Archive those that are worth it; first what an earlier run has left to be let go."""
        remembered = {collection.number: self._memory.of(collection.number) for collection in collections}
        for collection in collections:
            if remembered[collection.number].pending and not self._stopped():
                with _Apart(self, collection):
                    self._let_go(collection, parcel_of_json(remembered[collection.number].pending))
        for collection in collections:
            if not self._stopped() and self._is_open(collection, self._memory.of(collection.number)):
                with _Apart(self, collection):
                    self._one(collection)
        for name, why in self._logs.unreadable:
            logger.error("%s in %s cannot be read: %s", name, self._settings.logs, why)
            self.failed += 1
        self._tell_of_the_rest()

    def _is_open(self, collection: Collection, remembered: Remembered) -> bool:
        """Whether it is still to be decided. The older program said no for ever, also of what was away for a moment."""
        if not remembered.state:
            return True
        again = remembered.state == DO_NOT_ARCHIVE and not remembered.reason
        return again and os.path.isdir(os.path.join(self._settings.data, collection.directory))

    def _one(self, collection: Collection) -> None:
        candidate = self._look(collection)
        self._told(candidate)
        verdict, measured = candidate.verdict, candidate.measured
        if verdict.outcome == "wait":
            return
        size = measured.bytes if measured else 0
        if verdict.outcome == "skip":
            self._memory.decide(collection.number, DO_NOT_ARCHIVE, verdict.reason, verdict.detail, bytes=size)
            return
        assert measured is not None
        parcel = parcel_of(collection, self._settings.data, self._settings.logs, candidate.log)
        if verdict.reason != "own":
            self._carry_in_turn(candidate, measured, parcel)
        self._step("write down")
        self._memory.decide(
            collection.number, ARCHIVED, verdict.reason, verdict.detail, bytes=size, pending=parcel.to_json()
        )
        self._of_source = None
        self._let_go(collection, parcel)

    # --- decide -------------------------------------------------------------------------------------------------

    def _look(self, collection: Collection) -> Candidate:
        if collection.unusable:
            raise Failed(collection.unusable)
        directory = os.path.join(self._settings.data, collection.directory)
        if not os.path.isdir(directory):
            return Candidate(collection, Verdict("no_data_directory"))
        if not has_files(directory):
            return Candidate(collection, Verdict("no_data_files"))
        log = self._logs.find(collection)
        if (verdict := judge_log(log.crawl if log else None)) is not None:
            return Candidate(collection, verdict)
        assert log is not None
        measured = measure(directory)
        if measured is None:
            return Candidate(collection, Verdict("no_data_directory"))
        archives = self._archives(collection.source_id)
        verdict = compare(collection, measured, log.crawl.errors, archives)
        return Candidate(collection, verdict, log.name, log.crawl, measured)

    def _archives(self, source_id: str) -> list[Archived]:
        if self._of_source is None or self._of_source[0] != source_id:
            self._of_source = (source_id, self._months.of(source_id))
        return self._of_source[1]

    def _told(self, candidate: Candidate) -> str:
        result = "Archive" if candidate.verdict.outcome == "archive" else "Skip"
        line = f"Collection {candidate.collection.number} result: {result}"
        logger.info("%s", line)
        logger.info("Collection %s: %s", candidate.collection.number, candidate.verdict)
        return line

    # --- carry --------------------------------------------------------------------------------------------------

    def _carry_in_turn(self, candidate: Candidate, measured: Measured, parcel: Parcel) -> None:
        """One of a month after the other: what is begun is ended first, and is not made to give way."""
        if parcel.folder in self._begun:
            raise Waits("another collection of its month is on its way")
        self._begun.add(parcel.folder)
        self._carry(candidate, measured, parcel)
        self._begun.discard(parcel.folder)
        self._months.tidy(candidate.collection)

    def _carry(self, candidate: Candidate, measured: Measured, parcel: Parcel) -> None:
        """Data, then log, then metadata: what has metadata is complete."""
        collection = candidate.collection
        if self._months.has_metadata(collection):
            self._make_room(collection)
        self._step("carry data")
        group = self._mover.group(parcel)
        if self._carry_group(group, parcel):
            self._make_room(collection, (MANIFEST, DATA))
            self._must(self._mover.carry(group))
        rows = self._mover.receipts(parcel, group, DATA)
        if not is_whole(parcel, measured, rows):
            raise Waits("its files have changed while they were read")
        row = next(iter(rows.values()))
        self._months.stands(collection, row.stored_size, row.etag, row.stored_sha256)
        for job in self._mover.singles(parcel):
            self._step(f"carry {job.key}")
            if self._mover.carry(job):
                self._make_room(collection, (job.key,))
                self._must(self._mover.carry(job))
        self._step("carry metadata")
        text = metadata_text(collection, measured, candidate.crawl, candidate.verdict.reason)
        self._mover.put_metadata(parcel, text)

    def _carry_group(self, group: Job, parcel: Parcel) -> str:
        """As `Mover.carry`. Where it has to be seen unchanged for a while, that of the files that go alone begins now too."""
        try:
            return self._mover.carry(group)
        except Waits as waits:
            for job in self._mover.singles(parcel) if waits.unknown else ():
                with contextlib.suppress(Waits, Failed):
                    self._mover.carry(job)
            raise

    def _make_room(self, collection: Collection, names: Sequence[str] = ()) -> None:
        for key in self._months.make_room(collection, names, self._step, self._mover.note_kept):
            logger.warning("Collection %s takes the place of what is now %s", collection.number, key)

    @staticmethod
    def _must(conflict: str) -> None:
        if conflict:
            raise Failed(conflict)

    # --- let go -------------------------------------------------------------------------------------------------

    def _let_go(self, collection: Collection, parcel: Parcel) -> None:
        """Everything is proved and written down: its sources go, each as the file that was proved."""
        self._step("let go")
        user = removal.user_for(self._mover.directories(parcel), self._settings.delete_as)
        try:
            if user and not self._has_changed(parcel):
                self._mover.let_go_as(user, parcel)
            elif not user:
                for job in [self._mover.group(parcel), *(self._mover.singles(parcel) if parcel.apart else ())]:
                    self._mover.let_go(job)
            else:
                raise Failed("files have come, or have changed, since it was archived")
        except Failed:
            self._decide_anew(collection, parcel)
            raise
        self._step("let gone")
        self._memory.let_go(collection.number)

    def _decide_anew(self, collection: Collection, parcel: Parcel) -> None:
        """Where files have come or changed since they were archived, that is a collection that nobody has looked at."""
        if self._has_changed(parcel):
            self._memory.forget(collection.number)
            logger.warning("Collection %s has changed since it was archived: it is looked at again", collection.number)

    def _has_changed(self, parcel: Parcel) -> bool:
        measured = measure(os.path.join(parcel.source, parcel.directory))
        rows = self._mover.receipts(parcel, self._mover.group(parcel), DATA)
        return measured is not None and not is_part(parcel, measured, rows)

    def _tell_of_the_rest(self) -> None:
        count, size = self._memory.kept_back()
        if count:
            logger.info("%s collections were not archived, and stay where they are: %s bytes", count, size)


class _Apart:
    """What goes wrong with one collection stops no other."""

    def __init__(self, run: Run, collection: Collection) -> None:
        self._run = run
        self._number = collection.number

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, Waits):
            logger.info("Collection %s waits: %s", self._number, printable(str(error)))
            return True
        if isinstance(error, MemoryFailed | LedgerError | AnotherInstance):
            return False  # Without these nothing may be done at all.
        if not isinstance(error, Exception):
            return False
        self._run.failed += 1
        unusable = isinstance(error, Denied | Misconfigured | Transient)
        self._run.destination_failed |= unusable or (isinstance(error, Failed) and error.destination)
        unforeseen = not isinstance(error, OuthaulError | OSError)
        logger.error("Collection %s failed: %s", self._number, printable(str(error)), exc_info=unforeseen)
        return True
