"""Look again and again: each job at its own times, a part of its source when there is word of it, and the whole now and then.

A hint only hurries a look; what it says is looked at like anything else, and what it does not say is found by the next whole
pass. Between passes it is known when the first waiting file of a directory will be ready, so that it goes then. How often a
job is looked at whole follows from what that costs, where the job does not say: half a percent of a core.
Passes go on in turns, so that a job that is due begins while another is in the midst of a long one. Word of the network hurries
the next try of what could not be used; a wall clock that was set has times of the day found anew. While only large files of a
pass are under way, which may take days, another one goes on beside it with what is due; but what a whole pass begins and ends
with waits.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from functools import partial

from outhaul.engine.batches import Ports
from outhaul.engine.passes import Outcome, Scope
from outhaul.engine.retry import pause_ns
from outhaul.engine.room import Room
from outhaul.engine.side_by_side import Turns
from outhaul.model.job import Job
from outhaul.model.lifecycle import State
from outhaul.ports import Moment
from outhaul.ports.hints import Hints
from outhaul.stages.discover import Part
from outhaul.stages.settle import SECOND_NS

LEAST_NS, MOST_NS = 10 * SECOND_NS, 3600 * SECOND_NS
"""How often a source is looked at whole, where its job says nothing of it: its bounds, and what lies between them."""
LOOK_NS = 200 * 12_000
"""Nanoseconds for each entry that was seen: a look at one takes up to 12 microseconds, and half a percent of the time."""
REST_SECONDS = 0.5
"""How long it rests at most before it looks whether it is asked to end."""
SERVE_SECONDS = 0.05
"""The same while large files are under way."""
ROOM_NS = 10 * SECOND_NS
"""How often it is looked whether there is as much room as a job wants."""
SHORT_NS, SHORT_FACTOR = 30 * SECOND_NS, 20
"""A job whose disk is too full is looked at whole so long after the last look, or so many times what that took: at least."""
GATHER_NS = SECOND_NS // 10
"""How long word of a directory is gathered before it is looked at."""
PAUSE_FACTOR, PAUSES_MAX = 10, 8
"""A job whose source or destination cannot be used is left alone for so many times the pauses of a run: up to five minutes."""
JUMP_NS = 2 * SECOND_NS
"""The wall clock was set where it has moved by more against the boot clock."""
HURRY_NS = 5 * SECOND_NS
"""How often word of the network hurries a job at most: a link may come and go."""
_HINDERED = ("paused", "quiet-hours")
_NEVER = 1 << 62


class _Everything(Container[str]):
    """Every directory."""

    def __contains__(self, directory: object) -> bool:
        return True


_EVERYTHING = _Everything()


class Attention:
    """What is known of one job between its passes. All times are of the boot clock, in nanoseconds."""

    def __init__(
        self, job: Job, calendar: Callable[[Job, int], int | None], now: Moment, late: Callable[[Job], int]
    ) -> None:
        self.job = job
        self._calendar = calendar
        self._at = at = calendar(job, now.wall_ns)
        self._offset = now.wall_ns - now.boot_ns
        self._whole_at = now.boot_ns + (late(job) if at is None else at - now.wall_ns)
        self._hurried = -HURRY_NS
        self._owes = False
        self._not_before = 0
        self._due: dict[str, int] = {}
        self._known: set[str] = set()
        self._failures = 0
        self._try_in, self._try_at = "", _NEVER
        self._in_need_at = 0
        self._seen = 0
        self._owes_whole = False
        self._by_parts = not job.groups and at is None

    @property
    def next_at(self) -> int:
        """When there is something to do."""
        due = min(self._due.values(), default=_NEVER) if not self._failures else self._try_at
        return min(self._whole_at, max(self._not_before, due))

    def heard(self, directory: str, now: int) -> None:
        """There is word of a directory. A job with times of the day waits for them."""
        if self._by_parts or self.job.groups:
            self._ripens(directory, now + GATHER_NS)

    def hurry(self, now: int) -> None:
        """Word was lost: the whole source is to be looked at."""
        if self._by_parts or self.job.groups:
            self._whole_at = min(self._whole_at, max(now, self._not_before))

    def in_need(self) -> None:
        """There is less room than the job wants: it is looked at whole before long, but for a job with times of the day."""
        if (self._by_parts or self.job.groups) and not self._failures:
            self._whole_at = min(self._whole_at, self._in_need_at)

    def clock(self, now: Moment) -> None:
        """The wall clock may have been set: a time that has gone by meanwhile is now, and another one is found anew."""
        offset = now.wall_ns - now.boot_ns
        if self._at is None or abs(offset - self._offset) <= JUMP_NS:
            return
        self._offset = offset
        if now.wall_ns < self._at:
            self._at = self._calendar(self.job, now.wall_ns) or self._at
        if not self._failures:
            self._whole_at = now.boot_ns + max(0, self._at - now.wall_ns)

    def free(self, now: int) -> None:
        """Nothing hinders the job: files that waited for that go."""
        if self._owes:
            self._owes, self._whole_at = False, min(self._whole_at, now)

    def reachable(self, now: int) -> None:
        """What could not be used may be there again. Not at once: an address may still be on its way, and others come too."""
        if self._failures and now - self._hurried >= HURRY_NS:
            self._hurried = now
            soon = now + pause_ns(1, now)
            if self._try_at < _NEVER:
                self._try_at = min(self._try_at, soon)
            else:
                self._whole_at = min(self._whole_at, soon)

    def made(self, directory: str, now: int) -> None:
        """A directory has come to be: whatever was known of what lay under its name is of another."""
        if directory in self._known:
            beneath = f"{directory}/"
            self._known = {one for one in self._known if one != directory and not one.startswith(beneath)}
        self.heard(directory, now)

    def scope(self, now: Moment, *, beside: bool = False) -> Part | None:
        """What is to be looked at now; None is the whole. The files of a group may lie anywhere beneath it.

        Args:
            now: This moment.
            beside: Whether large files of an earlier look are under way: then it is always a part, if of all directories.
        """
        if now.boot_ns >= self._whole_at or not self._by_parts:
            self._due.clear()
            self._known.clear()
            self._whole_at = now.boot_ns + self._until_next(self._seen, now.wall_ns)
            self._owes_whole = beside
            return Part([""], ()) if beside else None
        if self._failures:
            self._try_at = _NEVER
            return Part([self._try_in], _EVERYTHING)
        ripe = [directory for directory, at in self._due.items() if at <= now.boot_ns]
        for directory in ripe:
            del self._due[directory]
        return Part(ripe, self._known)

    def entered(self, directory: str) -> None:
        """A directory is about to be listed."""
        self._known.add(directory)

    def passed(self, outcome: Outcome, took_ns: int, now: Moment, *, beside: bool = False) -> None:
        """Take what a pass came to, and set the next times. One beside another may have found nothing because that had it."""
        self._seen = max(self._seen, outcome.tally.seen)
        self._owes_whole = self._owes_whole or "large" in outcome.tally.by_reason
        if self._by_parts or self.job.groups:
            for directory, at in outcome.ready_at.items():
                self._ripens(directory, at)
        # Time that was spent on files that do not go is followed by as much without a look; work is not held up.
        tally = outcome.tally
        idle = tally.seen - tally.of(State.CARRIED) + tally.by_reason.get("unchanged", 0)
        self._not_before = now.boot_ns + took_ns * idle // max(1, tally.seen)
        if outcome.destination_fault or outcome.source_fault:
            self._failed(outcome, now)
        elif self._failures and not outcome.whole and not tally.of(State.CARRIED):
            if not beside:
                self._try_at, self._whole_at = _NEVER, now.boot_ns  # Nothing was left there to try it with.
        elif self._failures and not outcome.whole:
            self._failures, self._whole_at = 0, now.boot_ns
        elif outcome.whole or self._failures:
            self._failures = 0
            self._in_need_at = now.boot_ns + max(SHORT_NS, SHORT_FACTOR * took_ns)
            self._offset = now.wall_ns - now.boot_ns
            self._whole_at = now.boot_ns + self._until_next(outcome.tally.seen, now.wall_ns)
        self._owes = self._owes or any(reason in tally.by_reason for reason in _HINDERED)
        if outcome.resumes_ns > now.wall_ns or (outcome.resumes_ns and tally.bytes_carried):
            self._resume(outcome.resumes_ns, now)

    def is_alone(self, now: int) -> None:
        """No pass over it is under way any more: a whole one may follow, where others had to leave something to that."""
        if self._owes_whole and not self._failures:
            self._owes_whole = False
            self.hurry(now)

    def _failed(self, outcome: Outcome, now: Moment) -> None:
        """It is tried again with the files of one directory, so that a large backlog costs no look at all of it each time."""
        self._failures = 1 if outcome.tally.bytes_carried else self._failures + 1
        again_at = now.boot_ns + PAUSE_FACTOR * pause_ns(min(self._failures, PAUSES_MAX), now.boot_ns)
        self._try_at = _NEVER
        if outcome.tried_in is None or not self._by_parts:
            self._whole_at = again_at
            return
        self._try_in, self._try_at = outcome.tried_in, again_at
        if outcome.whole:
            self._whole_at = max(again_at, now.boot_ns + self._until_next(outcome.tally.seen, now.wall_ns))

    def _resume(self, wall_ns: int, now: Moment) -> None:
        """Files wait for another day or month. A job with times of the day waits for these."""
        if self._at is None and not self._failures:
            self._whole_at = min(self._whole_at, now.boot_ns + max(0, wall_ns - now.wall_ns))

    def _ripens(self, directory: str, at: int) -> None:
        self._due[directory] = min(self._due.get(directory, _NEVER), at)

    def _until_next(self, seen: int, wall_ns: int) -> int:
        self._at = at = self._calendar(self.job, wall_ns)
        if at is not None:
            return at - wall_ns
        return self.job.every_ns or min(max(LEAST_NS, LOOK_NS * seen), MOST_NS)


class Watch:
    """Jobs that are looked at until it is asked to end."""

    def __init__(
        self,
        jobs: Sequence[Job],
        ports: Ports,
        hints: Hints,
        calendar: Callable[[Job, int], int | None],
        tell: Callable[[Job, Outcome], None],
        late: Callable[[Job], int] = lambda _job: 0,
    ) -> None:
        """Prepare.

        Args:
            jobs: Those of a higher priority first.
            ports: The world.
            hints: Word of changes.
            calendar: When on the wall clock a job is next due after a moment; None for one without times of the day.
            tell: Is told what each pass came to.
            late: How long the first look at a job waits, in nanoseconds, where it has no times of the day.
        """
        self._ports = ports
        self._hints = hints
        self._tell = tell
        now = ports.clock.moment()
        self._jobs = [Attention(job, calendar, now, late) for job in jobs]
        self._turns = Turns(ports)
        self._left = self._turns.desk.left
        self._took: dict[int, int] = {}
        self._room_at = 0
        self._hindered = [False] * len(self._jobs)

    def run(self, until: Callable[[], bool]) -> None:
        """Go on until this says so, or the run is asked to end; what is under way then comes home. Raises LedgerError."""
        while not (until() or self._ports.stopped()):
            self._ask()
            now = self._ports.clock.moment().boot_ns
            self._look_for_room(now)
            for index, one in enumerate(self._jobs):
                if one.next_at <= now and (seat := self._free_seat(index)) is not None:
                    self._sit(seat)
            if (turn := self._turns.next()) is not None:
                self._take_turn(turn)
            elif self._left:
                self._serve()
            else:
                self._rest(now, REST_SECONDS)
        for seat in [seat for seat in self._left if not self._turns.is_fresh(seat)]:
            self._take(seat, self._turns.finish(seat))

    def _look_for_room(self, now: int) -> None:
        if now < self._room_at:
            return
        self._room_at = now + ROOM_NS
        for one in self._jobs:
            if one.job.keep_free and Room(one.job, self._ports).is_pressed:
                one.in_need()

    def _ask(self) -> None:
        """What the clock on the wall, the hour, and people have to say."""
        now = self._ports.clock.moment()
        for index, one in enumerate(self._jobs):
            one.clock(now)
            why = self._ports.permits.hindrance(one.job)
            if self._hindered[index] != (why is not None):
                self._hindered[index] = why is not None
                self._ports.monitor.notice(one.job, why.words if why else "it goes on")
            if why is None:
                one.free(now.boot_ns)

    def _free_seat(self, index: int) -> int | None:
        """Where a pass over this job may sit: in the seat of its number, or beside one that needs no turns. None is nowhere."""
        if ~index in self._left:
            return None
        if index not in self._left:
            return index
        return ~index if self._turns.rests(index) else None

    def _sit(self, seat: int) -> None:
        """A pass over one job is to begin."""
        index = _index(seat)
        one = self._jobs[index]
        earlier = self._left[index][1] if seat != index else None
        part = one.scope(self._ports.clock.moment(), beside=earlier is not None)
        self._took[seat] = 0
        self._turns.sit(seat, one.job, scope=Scope(part, partial(self._cover, index), earlier))

    def _take_turn(self, seat: int) -> None:
        """One turn; after it there may be word for another job."""
        clock = self._ports.clock
        began = clock.monotonic_ns()
        ended = self._turns.take(seat)
        self._took[seat] += clock.monotonic_ns() - began
        if ended is not None:
            self._take(seat, ended)
        else:
            self._rest(clock.moment().boot_ns, 0)

    def _cover(self, index: int, directory: str) -> None:
        """Before it is listed: what comes to be in it from now on is told of."""
        self._hints.cover(index, self._jobs[index].job.source, directory)
        self._jobs[index].entered(directory)

    def _serve(self) -> None:
        """Large files are under way: take what has come back, and hear what there is to be heard."""
        now = self._ports.clock.moment().boot_ns
        self._rest(now, SERVE_SECONDS)
        for seat, (_, round_) in list(self._left.items()):
            round_.serve()
            if not round_.is_busy:
                self._take(seat, self._turns.finish(seat))

    def _take(self, seat: int, outcome: Outcome) -> None:
        one, clock = self._jobs[_index(seat)], self._ports.clock
        now = clock.moment()
        one.passed(outcome, self._took.pop(seat, 0), now, beside=seat < 0)
        if seat not in self._left and ~seat not in self._left:
            one.is_alone(now.boot_ns)
        self._tell(one.job, outcome._replace(next_ns=now.wall_ns + max(0, one.next_at - now.boot_ns)))

    def _rest(self, now: int, seconds: float) -> None:
        free = [one.next_at for index, one in enumerate(self._jobs) if self._free_seat(index) is not None]
        next_at = min(free, default=_NEVER)
        word = self._hints.wait(max(0.0, min(seconds, (next_at - now) / SECOND_NS)))
        now = self._ports.clock.moment().boot_ns
        for index, directory in word.made:
            self._jobs[index].made(directory, now)
        for index, directory in word.written:
            self._jobs[index].heard(directory, now)
        if word.network:
            for one in self._jobs:
                one.reachable(now)
        if word.lost:
            for one in self._jobs:
                one.hurry(now)


def _index(seat: int) -> int:
    """Of the job whose pass sits there: beside the one in seat 3 is seat ~3."""
    return seat if seat >= 0 else ~seat
