"""One pass over one job: what an earlier one left, the walk, what is under way to its end, and what is old enough to go.

A pass goes on in turns, so that other jobs have theirs (`side_by_side.py`): one ends when its time is over, and when only large
files are left. How a file travels is in `rounds.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

from outhaul.engine.batches import Ports, Released, in_pieces, release_old
from outhaul.engine.bundling import LeftBehind, record_left_behind
from outhaul.engine.closing import close, make_room
from outhaul.engine.grouping import release_old_group
from outhaul.engine.large import Slots
from outhaul.engine.ordering import Reservoir
from outhaul.engine.recovery import recover
from outhaul.engine.room import Room
from outhaul.engine.rounds import Round
from outhaul.engine.walking import Walk
from outhaul.model.errors import Misconfigured, SourceError
from outhaul.model.events import Tally
from outhaul.model.evidence import Receipt, Settled, Sighting
from outhaul.model.job import Job
from outhaul.model.lifecycle import Standing
from outhaul.ports import Moment, Observation, Tree
from outhaul.ports.permits import Hindrance
from outhaul.stages.discover import Part
from outhaul.stages.group import Group
from outhaul.stages.settle import SECOND_NS

_ASKED_TOGETHER = 16
"""Receipts of an earlier pass that one worker asks the store about, one after the other."""


class Outcome(NamedTuple):
    """What a pass over a job came to."""

    tally: Tally
    destination_fault: str
    """Why its destination cannot be used; '' where it can, or was not needed."""
    source_fault: str = ""
    """Why its source cannot be read; '' where it can."""
    ready_at: Mapping[str, int] = MappingProxyType({})
    """Directory, and when on the boot clock, in nanoseconds, the first of its files that wait will be ready."""
    whole: bool = True
    """Whether that was the whole source."""
    resumes_ns: int = 0
    """When on the wall clock files go on that wait for another day or month; 0 where none does."""
    tried_in: str | None = None
    """A directory with a file that waits for the destination; None where there is none."""
    next_ns: int = 0
    """When on the wall clock a watch looks at the job again."""


class Scope(NamedTuple):
    """How much of a source a pass looks into, and what it is to tell afterwards."""

    part: Part | None = None
    """None is the whole."""
    entering: Callable[[str], None] = lambda _directory: None
    """Called with each directory before it is listed."""
    earlier: Pass | None = None
    """One over the same job of which only large files are under way: they are left to it, and it is given others. Then there is a
    part, as what a whole pass begins and ends with is for one at a time."""


WHOLE = Scope()
TAKES_NS = 3600 * SECOND_NS
"""For so long a pass takes large files that a later one has found: then it comes to its end, and a whole pass can follow."""


class Pass(Round):
    """One pass over one job."""

    def __init__(
        self,
        job: Job,
        ports: Ports,
        *,
        dry_run: bool = False,
        slots: Slots | None = None,
        scope: Scope = WHOLE,
    ) -> None:
        self._disk, self._asked_to_end = Room(job, ports), ports.stopped
        if job.shed_below:
            ports = ports._replace(stopped=lambda: self._asked_to_end() or self._disk.cuts_short)
        super().__init__(job, ports, dry_run=dry_run, slots=slots)
        self._part = scope.part
        self._found = Walk(job, self.place, ports, self._standings, self._uploads.seen, scope.part)
        self._found.goes_early = self._disk.takes
        self._found.left = self._left = LeftBehind()
        self._found.entering = scope.entering
        self._earlier = scope.earlier
        if scope.earlier is not None:
            self._found.elsewhere = scope.earlier.large
            self._limits = scope.earlier._limits.beside()
        self.large: set[str] = set()
        """Paths of the large files and groups that it has had under way."""
        self._takes_until = ports.clock.monotonic_ns() + TAKES_NS
        self._steps = self._pass()
        self.begun = False
        """Whether it has had a turn."""

    def run(self) -> Outcome:
        """Do it. Raises as `begin`."""
        self.begin()
        return self.finish()

    def begin(self) -> bool:
        """All but what is large.

        Returns:
            Whether large files are left, which go on while another job has its turn: see `serve` and `finish`.

        Raises:
            SourceError: the source itself cannot be read; nothing was concluded about its files.
            LedgerError: the ledger failed; nothing more was let go.
        """
        self.turn()  # Without anybody else's, it is one.
        return self.is_busy

    def turn(self) -> bool:
        """Go on until `turn_over`, or until only what is large is left.

        Returns:
            Whether there is more to do than to wait for that. Raises as `begin`.
        """
        self.begun = True
        try:
            return next(self._steps, False)
        except SourceError:  # What comes back now is taken by nobody.
            self._weigh(-self._bytes_in_flight)
            self._slots.free += self._large_under_way
            self._door.leave()
            raise

    def serve(self) -> None:
        """Take what has come back meanwhile."""
        if self.begun:
            self._collect(self._tree, 0)

    @property
    def is_busy(self) -> bool:
        """Whether large files are still under way."""
        return bool(self._tasks or self._large)

    def finish(self) -> Outcome:
        """The rest. Raises LedgerError."""
        for _ in self._steps:
            pass
        self._door.leave()
        found = self._standings
        return Outcome(
            self.tally,
            self._door.fault,
            ready_at=found.ready_at,
            whole=self._part is None,
            resumes_ns=self._limits.resumes_ns,
            tried_in=found.tried_in,
        )

    def _pass(self) -> Iterator[bool]:
        """The pass. It stands still where a turn ends: True; and once where only large files are left: False."""
        ports = self.ports
        now = ports.clock.moment()
        ports.monitor.started(self.job)
        with ports.files.tree(self.job) as self._tree:
            if not self.dry_run and self._part is None:
                self._recover(self._tree)
                self._look_for_bundles()
            yield from self._walk(self._tree, now)
            yield from self._drain(self._tree, but_large=True)
            yield False
            yield from self._drain(self._tree)
            self._account()
            if self._part is not None and not self.tally.bytes_carried:
                ports.ledger.settle()
            elif not self.dry_run:
                self._close(self._tree, now)
                self._disk.note(self.place, now)
                ports.ledger.finish_run(self.place, now.wall_ns, self.tally)
        ports.monitor.finished(self.job, self.tally)

    # --- large files that another pass has found ------------------------------------------------------------

    def _add_large(self, large: Settled | Group, tree: Tree) -> None:
        if self._earlier is not None:
            self._hand_over(large, self._earlier)
            return
        self.large.add(large.sighting.path)
        super()._add_large(large, tree)

    def _hand_over(self, large: Settled | Group, to: Pass) -> None:
        """Give it to the pass that has the large files; what that cannot take now waits until it is over."""
        files = large.members if isinstance(large, Group) else (large,)
        if not to.takes_large:
            self._refuse(files, Hindrance("large", ""))
            return
        self._limits.home([settled.sighting.size for settled in files])
        self.tally.seen -= len(files)
        past = self._standings.past
        to.take_large(large, files, {each.sighting: past.pop(each.sighting) for each in files if each.sighting in past})

    @property
    def takes_large(self) -> bool:
        """Whether it takes a large file that a later pass has found: where that can go at once, and not for ever."""
        there_is_room = self.is_busy and not self._large and self._slots.free > 0
        return there_is_room and self.ports.clock.monotonic_ns() < self._takes_until

    def take_large(
        self, large: Settled | Group, files: Sequence[Settled], past: Mapping[Sighting, Observation]
    ) -> None:
        """Have one that a later pass has found, with what was remembered of its files."""
        self.tally.seen += len(files)
        self._standings.past.update(past)
        if self._admits(files):
            self._add_large(large, self._tree)

    # --- before: what an earlier run left -------------------------------------------------------------------

    def _recover(self, tree: Tree) -> None:
        for found in recover(tree, self.ports.ledger, self.job):
            if isinstance(found, Standing):
                self.tally.seen += 1
                self._standings.stand(found)
            else:
                self._letting_go.finished(*found)

    def _look_for_bundles(self) -> None:
        """Those that an earlier process was about to send: what is unknown of them has to be known first (L3)."""
        store = self._door.store() if self.ports.ledger.bundles(self.place) else None
        if store is None:
            return
        if why := record_left_behind(self.place, self.job, store, self.ports, self._left):
            self._door.give_up(why)

    # --- find and settle ------------------------------------------------------------------------------------

    def _walk(self, tree: Tree, now: Moment) -> Iterator[bool]:
        waiting = Reservoir(self.job.order, largest_first=self._disk.is_short)
        for looked in self._found.looks(tree, now):
            for settled in looked.settled:
                if (next_ := waiting.put(settled)) is not None:
                    yield from self._carry(next_, tree)
            if looked.group is not None and self._admits(looked.group.members):
                self._add_group(looked.group, tree)
            if looked.proved and not self.dry_run:
                self._letting_go.expect(self._left.see(looked.proved))
                if self._door.is_closed:
                    yield from self._opening(tree)
                yield from self._room(tree)
                self._release_old(looked.proved, tree, looked.proved_group)
            else:
                self._release(looked.proved, tree, looked.proved_group)
            if self.turn_over():
                yield True
        for settled in waiting.rest():
            yield from self._carry(settled, tree)
        receipts, proofs = self._left.take()
        if receipts:
            self._tell_carried(receipts, proofs)

    def _release_old(self, receipts: Sequence[Receipt], tree: Tree, group: str) -> None:
        """By receipts of an earlier pass, which the store has to bear out; on a full disk they do where it cannot be asked."""
        if why := self.ports.permits.hindrance(self.job):
            for receipt in receipts:
                self._standings.set_back(receipt.sighting._replace(birth_ns=0), why.reason, why.detail)
            return
        if self._door.is_closed:
            return  # Asked to end before it was open.
        store, is_full = self._door.store(), self._disk.missing(self.job.source) > 0
        if store is None and is_full:
            self._release(receipts, tree, group)
            return
        together = len(receipts) // 2 + 1 if self.job.bundle_bytes else _ASKED_TOGETHER
        for piece in [receipts] if group else in_pieces(receipts, together):
            if store is None:
                fault = Misconfigured(self._door.fault)
                self._letting_go.take(Released([], [(receipt, fault) for receipt in piece]))
            elif group:
                self._submit(
                    partial(release_old_group, group, piece, tree, self.job, store, self.ports.workers, is_full)
                )
            else:
                self._submit(partial(release_old, piece, tree, self.job, store, self.ports.workers, is_full))

    def _carry(self, settled: Settled, tree: Tree) -> Iterator[bool]:
        if self._admits([settled]):
            if self._door.is_closed and not self.dry_run and not self.job.bundle_bytes:
                yield from self._opening(tree)
                if self._door.is_closed and self.ports.stopped():
                    return  # Else it would be opened anew, and here.
            if self._is_next(settled):
                yield from self._room(tree, settled.sighting.size)
            self._add(settled, tree)

    def _opening(self, tree: Tree) -> Iterator[bool]:
        """Have the destination opened; others have their turns meanwhile. A bundle is packed while it is."""
        if self.ports.stopped() or self.ports.permits.hindrance(self.job):
            return
        self._submit(self._door.asking())
        while self._door.is_closed and not self.ports.stopped():
            self._collect(tree)
            if self.turn_over():
                yield True

    def _admits(self, files: Sequence[Settled]) -> bool:
        """Whether these files, which go together, are not more than may go."""
        if not self._limits.any:
            return True
        why = self._limits.refusal(files, [self._standings.past.get(settled.sighting) for settled in files])
        if why is not None:
            self._let_wait(files, why)
        return why is None

    def _close(self, tree: Tree, now: Moment) -> None:
        if self._asked_to_end() or self._part is not None:
            return
        self._uploads.left_by_others(self.job.destination.bucket, now.wall_ns)
        store = self._door.store() if self._found.saw_all and self._uploads.to_abandon else None
        if store is not None and (why := self._uploads.abandon(store)):
            self.ports.monitor.notice(self.job, why)
        steady = self._found.steady
        if steady:
            closed = close(
                self.job, self.place, tree, self._found.directories, now.wall_ns, self._door.store, self.ports
            )
            self.tally.expired, self.tally.directories = closed.expired, closed.directories
            self._say(closed.fault)
        early = make_room(self.job, self.place, self._disk.missing, self.ports)
        self.tally.expired += early.expired
        self._say(early.fault)
        if self._found.saw_all:
            for shed in self._disk.shed(self.place, tree, now, lambda: steady and self._found.kept_step(now)):
                self.tally.move(shed.reason, "shed")
                self.tally.bytes_waiting -= shed.size if shed.reason else 0

    def _say(self, fault: str) -> None:
        if fault:
            self.ports.monitor.notice(self.job, fault)
