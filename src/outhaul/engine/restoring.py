"""Bring many files back, or look at many: in batches, by many workers, each accounted for under one key of `RETURNS`.

This thread takes what is wanted from a stream, hands it out, and decides what follows from each fault. A file is tried again
where that may help: no answer, or bytes that do not fit (they may have been altered on the way). A store that cannot be
used is given up, and its files say so. Running it again goes on: what is there already is compared, not fetched.

What a worker does with a batch is in `fetching.py`; other copies of a file are in `copies.py`, and what has to be asked for
beforehand in `thawing.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple

from outhaul.engine.account import Account, Watcher, outcome_of
from outhaul.engine.copies import OF_THE_COPY, Copies
from outhaul.engine.fetching import NEW, Fetched, weight
from outhaul.engine.listing import BATCH as LIST_BATCH
from outhaul.engine.listing import can_be_listed
from outhaul.engine.pace import Pace
from outhaul.engine.retry import ATTEMPTS_IN_A_RUN, FAILURES_MAX, pause_ns
from outhaul.engine.thawing import BATCH as THAW_BATCH
from outhaul.engine.thawing import Frost, Patience
from outhaul.model.errors import Damaged, Denied, Misconfigured, NoRoom, OuthaulError, StoreError, Taken, Transient
from outhaul.model.returning import Copy, Wanted
from outhaul.ports import Clock, Workers
from outhaul.stages.restore import Shelf
from outhaul.stages.thaw import Thawed

BYTES_IN_FLIGHT_MAX = 64 << 20
"""Memory for what is being fetched; see `fetching.weight`."""
_BATCH_BYTES_MAX = 4 << 20
_MEMBERS_MAX = 1024
"""Files of bundles in a batch: they share requests."""
_AGAIN_MAX = 256
"""Files that wait to be tried again, before those that have not been tried at all."""
_PROGRESS_NS = 100 * 10**6
_DRAIN_SECONDS = 10
_NAP_SECONDS = 1.0
_SECOND_NS = 10**9


Work = Callable[[Sequence[Wanted], int, Shelf | None], Fetched]


class Hands(NamedTuple):
    """What a restore, or an audit, works with."""

    open_shelf: Callable[[int], Shelf]
    """The store of that number. Called when the first of its files is to be fetched."""
    work: Work
    """What is done with a batch and its weight. There is no shelf in a dry run."""
    workers: Workers
    clock: Clock
    watcher: Watcher
    stopped: Callable[[], bool]
    folds_case: bool = False
    """Whether paths that differ only by case are one path where they are written."""
    copies: Callable[[Wanted], Iterable[Copy]] = lambda _: ()
    """Where else the same bytes are."""
    lister: Work | None = None
    """Where there is one, it looks at many first; what it leaves is looked at by `work`."""
    passing: Callable[[], int] = lambda: 0
    """Bytes that have come of files which are still on their way."""
    patience: Patience | None = None
    """How archived objects are asked for; None leaves them."""


class Restoring:
    """One restore, or one audit.

    Args:
        hands: What it works with.
        limit: How many files to fetch at most; 0 is all.
        dry_run: Open no store.
    """

    def __init__(self, hands: Hands, *, limit: int = 0, dry_run: bool = False) -> None:
        self.account = Account()
        self._hands = hands
        self._limit = limit
        self._dry_run = dry_run
        self._pace = Pace(hands.workers.cores)
        self._shelves: dict[int, Shelf | None] = {}
        self._batch: list[Wanted] = []
        self._batch_bytes = 0
        self._to_list: list[Wanted] = []
        self._again: list[Wanted] = []
        self._attempts: dict[Wanted, int] = {}
        self._copies = Copies(hands.copies)
        self._frost = Frost(hands.patience)
        self._folded: set[str] = set()
        self._tasks = self._under_way = self._bytes_in_flight = 0
        self._landed = self._failures = self._told_ns = 0
        self._full = ""

    def run(self, wanted: Iterable[Wanted]) -> Account:
        """Bring all of it back, or say why not.

        Raises:
            StoreError, LedgerError: where what is wanted is read from; what came before is safe.
        """
        for one in wanted:
            if self._hands.stopped() or self._limit_reached():
                break
            self.account.seen += 1
            if outcome := self._known_beforehand(one):
                self._put(one, *outcome)
            else:
                self._take_up(one)
            self._ask_for_frozen(THAW_BATCH)
            if len(self._again) >= _AGAIN_MAX:
                self._take_up_again()
            self._tell()
        self._drain()
        self.account.bytes_under_way = 0
        self._hands.watcher.progress(self.account)
        return self.account

    # --- hand out ---------------------------------------------------------------------------------------------

    def _known_beforehand(self, wanted: Wanted) -> tuple[str, str] | None:
        if wanted.refused:
            return wanted.refused, wanted.detail
        if self._full:
            return "not-written", self._full
        if self._hands.folds_case:
            folded = wanted.path.casefold()
            if folded in self._folded:
                return "collides", "names that differ only by case are one name here"
            self._folded.add(folded)
        return None

    def _take_up(self, wanted: Wanted) -> None:
        """Look at it among many, where that can be; else one by one."""
        if self._hands.lister is None or not can_be_listed(wanted):
            self._add(wanted)
            return
        if self._to_list and self._to_list[0].place != wanted.place:
            self._send_to_list()
        self._to_list.append(wanted)
        if len(self._to_list) >= LIST_BATCH:
            self._send_to_list()

    def _send_to_list(self) -> None:
        batch, self._to_list = self._to_list, []
        if batch:
            assert self._hands.lister is not None
            self._hand_out(batch, self._hands.lister, 0)

    def _add(self, wanted: Wanted) -> None:
        if self._batch and self._batch[0].place != wanted.place:
            self._send()
        self._batch.append(wanted)
        self._batch_bytes += weight(wanted)
        room = len(self._batch) + self._under_way + self._landed
        if (
            len(self._batch) >= (self._pace.batch if wanted.within is None else _MEMBERS_MAX)
            or self._batch_bytes >= _BATCH_BYTES_MAX
            or (self._limit and room >= self._limit)
        ):
            self._send()

    def _send(self) -> None:
        batch, self._batch, self._batch_bytes = self._batch, [], 0
        if batch:
            self._hand_out(batch, self._hands.work, sum(map(weight, batch)))

    def _ask_for_frozen(self, least: int = 1) -> None:
        for batch in self._frost.batches(least):
            self._hand_out(batch, self._frost.thawer, 0)

    def _hand_out(self, batch: list[Wanted], work: Work, weighs: int) -> None:
        shelf = None if self._dry_run else self._shelf(batch[0].place)
        if shelf is None and not self._dry_run:
            for wanted in batch:
                self._fail(wanted, "store", self.account.faults[wanted.place])
            return
        while not self._hands.stopped() and (
            self._tasks >= 2 * self._pace.threads
            or (self._bytes_in_flight and self._bytes_in_flight + weighs > BYTES_IN_FLIGHT_MAX)
        ):
            self._collect()
        self._tasks += 1
        self._under_way += len(batch)
        self._bytes_in_flight += weighs
        self._hands.workers.widen(min(self._tasks, self._pace.threads))
        self._hands.workers.submit(partial(work, batch, weighs, shelf))

    def _shelf(self, place: int) -> Shelf | None:
        """The store of a file; None where it cannot be used."""
        if place not in self._shelves:
            try:
                self._shelves[place] = self._hands.open_shelf(place)
            except StoreError as error:
                self._give_up(place, str(error))
        return self._shelves[place] if place not in self.account.faults else None

    def _give_up(self, place: int, why: str) -> None:
        self._shelves[place] = None
        if place not in self.account.faults:
            self.account.faults[place] = why
            self._hands.watcher.notice(f"the store cannot be used: {why}")

    def _limit_reached(self) -> bool:
        limit = self._limit
        while limit and self._tasks and self._landed + self._under_way >= limit and not self._hands.stopped():
            self._collect()
        self.account.stopped_at_limit = bool(limit) and self._landed >= limit
        return self.account.stopped_at_limit

    # --- what comes back --------------------------------------------------------------------------------------

    def _collect(self) -> None:
        for result in self._hands.workers.finished(0.05 if self._tasks else 0):
            if isinstance(result, BaseException):
                raise result
            self._take(result)
        self._tell()

    def _take(self, fetched: Fetched) -> None:
        self._tasks -= 1
        self._under_way -= len(fetched.batch)
        self._bytes_in_flight -= fetched.weight
        for wanted, outcome in fetched.done:
            if outcome in NEW:
                self._landed += 1
                self.account.bytes_restored += max(0, wanted.size)
                self._failures = 0
            self._put(wanted, outcome, self._copies.story(wanted) if outcome in NEW else "")
        for wanted, thawed in fetched.thawed:
            self._take_thawed(wanted, thawed)
        self._again.extend(fetched.left)
        if fetched.answer_ns:
            largest = max(max(0, wanted.size) for wanted in fetched.batch)
            cost_ns = self._pace.cost(self._landed, self._hands.clock.cpu_ns())
            self._pace.learn(fetched.answer_ns, largest, cost_ns)
        for wanted, error in fetched.setbacks:
            self._set_back(wanted, error)
        if any(isinstance(error, Transient) for _, error in fetched.setbacks) and not (fetched.done or fetched.thawed):
            self._pause(fetched.batch[0].place, str(fetched.setbacks[-1][1]))

    def _set_back(self, wanted: Wanted, error: OuthaulError) -> None:
        if isinstance(error, Misconfigured):
            self._give_up(wanted.place, str(error))
        attempts = self._attempts.pop(wanted, 0) + 1
        most = ATTEMPTS_IN_A_RUN if isinstance(error, Transient) else 2 if isinstance(error, Damaged | Taken) else 1
        if attempts < most and wanted.place not in self.account.faults and not self._hands.stopped():
            self._attempts[wanted] = attempts
            self._again.append(wanted)
            return
        self._fail(wanted, outcome_of(error), _damage(wanted, error) if isinstance(error, Damaged) else str(error))
        if isinstance(error, NoRoom) and not self._full:
            self._full = str(error)
        if isinstance(error, Denied) and not self._landed:  # A single one may be missing rather than forbidden.
            self._failures += 1
            if self._failures >= FAILURES_MAX:
                self._give_up(wanted.place, str(error))

    def _fail(self, wanted: Wanted, outcome: str, detail: str) -> None:
        """Try another copy; where there is none, ask for an archived one; else this is what became of the file."""
        if outcome == "archived" and self._frost.knows(wanted):
            self._frost.add(wanted)
            return
        found = self._copies.instead(wanted, outcome, detail) if outcome in OF_THE_COPY else None
        if isinstance(found, Wanted):
            self._again.append(found)
        elif found is not None and found.archived is not None and self._frost.asks:
            self._frost.add(found.archived)
        elif found is not None:
            self._put(found.wanted, found.outcome, found.detail)
        else:
            self._put(wanted, outcome, detail)

    def _take_thawed(self, wanted: Wanted, thawed: Thawed) -> None:
        if not self._frost.waits(wanted, thawed, self._hands.clock.monotonic_ns()):
            self._put(wanted, thawed.outcome, thawed.detail)
        elif self._frost.first_told(wanted):
            self._hands.watcher.returned(wanted, thawed.outcome, thawed.detail)

    def _pause(self, place: int, why: str) -> None:
        self._failures += 1
        if self._failures >= FAILURES_MAX:
            self._give_up(place, why)
            return
        clock = self._hands.clock
        clock.sleep(pause_ns(self._failures, clock.monotonic_ns()) / _SECOND_NS)

    def _put(self, wanted: Wanted, outcome: str, detail: str = "") -> None:
        self.account.put(outcome, wanted.size)
        self._hands.watcher.returned(wanted, outcome, detail)

    def _tell(self) -> None:
        now = self._hands.clock.monotonic_ns()
        if now - self._told_ns > _PROGRESS_NS:
            self._told_ns = now
            self.account.bytes_under_way = self._hands.passing()
            self._hands.watcher.progress(self.account)

    # --- to the end -------------------------------------------------------------------------------------------

    def _take_up_again(self) -> None:
        again, self._again = self._again, []
        for wanted in again:
            self._add(wanted)

    def _await_frozen(self) -> None:
        """Look again at what was asked for, when its time has come; sleep where there is nothing else to do."""
        clock = self._hands.clock
        self._again.extend(self._frost.due(clock.monotonic_ns()))
        if not (self._tasks or self._again or self._batch or self._hands.stopped()):
            clock.sleep(min(_NAP_SECONDS, self._frost.pause_ns(clock.monotonic_ns()) / _SECOND_NS))

    def _drain(self) -> None:
        """Bring home everything that is under way; when stopped, for a bounded time only."""
        clock, deadline = self._hands.clock, 0
        while True:
            if self._hands.stopped():
                deadline = deadline or clock.monotonic_ns() + _DRAIN_SECONDS * _SECOND_NS
                if clock.monotonic_ns() > deadline:
                    break
            else:
                self._send_to_list()
                self._take_up_again()
                self._send()
                self._ask_for_frozen()
            if not self._tasks and (self._hands.stopped() or not (self._again or self._batch or not self._frost.empty)):
                break
            self._collect()
            self._await_frozen()
        for outcome in self._frost.given_up():
            self.account.put(outcome)
        left = self.account.seen - sum(self.account.by_outcome.values())
        assert left == 0 or self._hands.stopped(), f"{left} files unaccounted for"
        if left:
            self.account.by_outcome["interrupted"] = self.account.by_outcome.get("interrupted", 0) + left


def _damage(wanted: Wanted, error: Damaged) -> str:
    """What differs, and of which object: that of a file may be any other, and a store has said nothing that names it."""
    return f"{'' if wanted.within is None else 'in '}{wanted.key}: {error}"
