"""The files of one job that are under way: each goes as far as it can, and is accounted for. What a pass is, `passes.py` says.

This is the thread that decides. It hands batches to the workers, and as they come back records
their proofs, many in one durable transaction, and only then hands out their release. The order of the house is visible
in `_flush`: record, then release. Whatever comes after a receipt never makes a file go back (models: the `try` ends there).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from outhaul.engine.batches import Carried, Ports, Released, carry, carry_large, in_pieces, release
from outhaul.engine.bundling import Gathering, pack_bundle, send_bundle
from outhaul.engine.grouping import by_group, carry_group, finish_group, release_group
from outhaul.engine.large import LargeUploads, Slots
from outhaul.engine.letting_go import LettingGo
from outhaul.engine.limits import Limits
from outhaul.engine.opening import Door, Opened
from outhaul.engine.pace import BATCH_BYTES_MIN, Pace
from outhaul.engine.retry import ATTEMPTS_IN_A_RUN, FAILURES_MAX, pause_ns, reason_of, unanswered
from outhaul.engine.standings import Standings
from outhaul.model.bundle import Bundle
from outhaul.model.errors import (
    Denied,
    Misconfigured,
    OuthaulError,
    Transient,
)
from outhaul.model.events import Passing
from outhaul.model.evidence import Proof, Receipt, Settled, Sighting, stored_bytes
from outhaul.model.job import Job
from outhaul.model.lifecycle import Standing
from outhaul.ports import Tree
from outhaul.ports.permits import Hindrance
from outhaul.stages.bundle import Packed
from outhaul.stages.group import Group
from outhaul.stages.record import record
from outhaul.stages.settle import SECOND_NS

BYTES_IN_FLIGHT_MAX = 48 << 20
"""Memory for file contents, for all jobs together; a job of which nothing is under way has one short batch besides."""
_RECEIPTS_PER_TRANSACTION = 512
_FLUSH_NS = 50 * 10**6
_DRAIN_SECONDS = 10
_REST_SECONDS = 0.02
"""How long others wait at most where a job leaves its destination alone."""


class Round:
    """What is under way of one job."""

    def __init__(self, job: Job, ports: Ports, *, dry_run: bool = False, slots: Slots | None = None) -> None:
        self.job = job
        self.ports = ports
        self.dry_run = dry_run
        self.place = ports.ledger.place(job)
        self._standings = Standings(job, self.place, ports)
        self.tally = self._standings.tally
        self._limits = Limits(job, self.place, ports)
        self.turn_over: Callable[[], bool] = lambda: False
        """Whether another job is to have its turn: asked often."""
        self._pace = Pace(ports.workers.cores)
        self._door = Door(job, ports, self._pace)
        self._batch: list[Settled] = []
        self._batch_bytes = 0
        self._gathered = Gathering(job)
        self._again: list[Settled] = []
        self._uploads = LargeUploads(self.place, ports.ledger, partial(ports.monitor.notice, job))
        self._large: list[Settled | Group] = []
        self._large_under_way = 0
        self._slots = slots or Slots()
        self._attempts: dict[Sighting, int] = {}
        self._proofs: list[Proof] = []
        self._first_proof_ns = 0
        self._tasks = self._bytes_in_flight = self._files_carried = 0
        self._failures = self._rests_until = self._drains_until = 0
        self._unanswered = ""
        self._groups: dict[int, Group] = {}
        self._letting_go = LettingGo(job, self.place, ports, self._standings)

    # --- carry ----------------------------------------------------------------------------------------------

    def _add(self, settled: Settled, tree: Tree) -> None:
        if why := self.ports.permits.hindrance(self.job):
            self._refuse([settled], why)
            return
        if self.dry_run:
            self._standings.stand(Standing(settled.sighting.path, "planned"), settled.sighting.size)
            return
        # What was begun alone goes on alone: in a bundle its parts would stay in the store.
        if self._gathered.takes(settled) and not self._uploads.of(settled.sighting):
            self._gathered.add(settled)
            if self._gathered.is_full:
                self._send_gathered(tree)
            return
        self._add_alone(settled, tree)

    def _add_group(self, group: Group, tree: Tree) -> None:
        if self.dry_run:
            for settled in group.members:
                self._add(settled, tree)
            return
        self._add_large(group, tree)

    def _add_alone(self, settled: Settled, tree: Tree) -> None:
        store = self._door.store()
        if store is not None and settled.sighting.size > store.small_max:
            self._add_large(settled, tree)
            return
        self._batch.append(settled)
        self._batch_bytes += settled.sighting.size
        if len(self._batch) >= self._pace.batch or self._batch_bytes >= self._pace.batch_bytes:
            self._send(tree)

    def _add_large(self, large: Settled | Group, tree: Tree) -> None:
        self._large.append(large)
        self._send_large(tree)

    def _send(self, tree: Tree) -> None:
        batch, self._batch, self._batch_bytes = self._batch, [], 0
        weight = sum([settled.sighting.size for settled in batch])
        store = self._door.store() if batch else None
        if batch and self._may_go(batch, weight) and store is not None:
            self._submit(partial(carry, batch, weight, self._pace.at_once_each, self.job, tree, store, self.ports))

    def _send_gathered(self, tree: Tree) -> None:
        """Pack what is gathered into a bundle, the first while the store is opened; a file that is alone goes as it is."""
        weight, files = self._gathered.weight, self._gathered.take()
        if len(files) == 1:
            self._add_alone(files[0], tree)
        elif files and self._may_go(files, weight):
            self._submit(partial(pack_bundle, files, weight, self.job, tree, self.ports))
            self._door.store()

    def _send_rest(self, tree: Tree) -> None:
        """The walk is over: what is gathered goes now, or waits for more in the next pass where the job says so."""
        if wait_ns := self._gathered.may_wait_ns:
            now = self.ports.clock.moment()
            for settled in self._gathered.take():
                self._limits.home([settled.sighting.size])
                self._standings.wait_for_others(settled.sighting, wait_ns, now)
        self._send_gathered(tree)
        self._send(tree)

    def _refuse(self, files: Sequence[Settled], why: Hindrance) -> None:
        """Files that were admitted, and may not go now: nothing has failed."""
        self._limits.home([settled.sighting.size for settled in files])
        self._let_wait(files, why)

    def _let_wait(self, files: Sequence[Settled], why: Hindrance) -> None:
        now = self.ports.clock.moment()
        for settled in files:
            self._standings.wait(settled.sighting, self._standings.taken(settled.sighting), now, *why)

    def _may_go(self, batch: Sequence[Settled], weight: int) -> bool:
        """Whether these files may go, room having been waited for; where the store cannot be used, they are set back."""
        if why := self.ports.permits.hindrance(self.job):
            self._refuse(batch, why)
            return False
        if self._door.fault:
            self._send_back(batch)
            return False
        if self.ports.stopped():
            return False
        self._weigh(weight)
        return True

    def _send_large(self, tree: Tree) -> None:
        """Large files and groups wait for one another, and no small file waits for them."""
        while self._large and self._slots.free and not self._rests and not self.ports.stopped():
            large = self._large.pop(0)
            files = large.members if isinstance(large, Group) else [large]
            if why := self.ports.permits.hindrance(self.job):
                self._refuse(files, why)
                continue
            store, begun = self._door.store(), self._uploads.of(large.sighting)
            if store is None or self._door.fault:
                self._send_back(files)
                continue
            self._large_under_way += 1
            self._slots.free -= 1
            self.tally.under_way.append(passing := Passing())
            if isinstance(large, Group):
                self._submit(partial(carry_group, large, begun, passing, self.job, tree, store, self.ports))
            else:
                self._submit(partial(carry_large, large, begun, passing, self.job, tree, store, self.ports))

    def _is_full(self, weight: int) -> bool:
        """Whether too many tasks, or bytes of memory, are under way for one more of this weight."""
        if self._tasks >= 2 * self._pace.threads:
            return True
        there = self._slots.bytes if self._tasks or weight > BATCH_BYTES_MIN else 0
        return there > 0 and there + weight > BYTES_IN_FLIGHT_MAX

    @property
    def _rests(self) -> bool:
        """Whether the destination is left alone for a while, by all workers together; other jobs go on."""
        return self.ports.clock.monotonic_ns() < self._rests_until

    def _room(self, tree: Tree, size: int = 0) -> Iterator[bool]:
        """Wait until what is gathered, with a file of this size, has room to go; others have their turns meanwhile."""
        weight = max(self._batch_bytes, self._gathered.weight) + size
        if self.turn_over():
            yield True
        while not self.ports.stopped() and (self._rests or self._is_full(weight)):
            self._collect(tree)
            if self._rests:
                self.ports.clock.sleep(_REST_SECONDS)
            if self._rests or self.turn_over():
                yield True

    def _is_next(self, settled: Settled) -> bool:
        """Whether with this file there is enough for something to go."""
        size = settled.sighting.size
        if self._gathered.takes(settled):
            return self._gathered.weight // 2 + size >= self.job.bundle_bytes
        return len(self._batch) + 1 >= self._pace.batch or self._batch_bytes + size >= self._pace.batch_bytes

    def _send_back(self, files: Sequence[Settled]) -> None:
        """The destination cannot be used."""
        for settled in files:
            self._set_back(settled, Misconfigured(self._door.fault))

    def _weigh(self, weight: int) -> None:
        """So much more memory is in use."""
        self._bytes_in_flight += weight
        self._slots.bytes += weight

    def _submit(self, task: Callable[[], Carried | Released | Opened]) -> None:
        self._tasks += 1
        self.ports.workers.widen(min(self._tasks, self._pace.threads))
        self.ports.workers.submit(task)

    # --- what comes back ------------------------------------------------------------------------------------

    def _collect(self, tree: Tree, wait_seconds: float = 0.05) -> None:
        results = self.ports.workers.finished(wait_seconds if self._tasks or self._slots.bytes else 0)
        for result in results:
            if isinstance(result, BaseException):
                raise result
            self._tasks -= 1
            if isinstance(result, Carried):
                self._take_carried(result)
            elif isinstance(result, Opened):
                self._door.take(result)
            else:
                self._letting_go.take(result)
        if self._proofs and (
            len(self._proofs) >= _RECEIPTS_PER_TRANSACTION
            or self.ports.clock.monotonic_ns() - self._first_proof_ns > _FLUSH_NS
        ):
            self._flush(tree)
        self._send_large(tree)
        self._standings.tell()

    def _take_carried(self, carried: Carried) -> None:
        self._weigh(-carried.weight)
        if carried.passing is not None:
            self._large_under_way -= 1
            self._slots.free += 1
            self.tally.under_way.remove(carried.passing)
        if carried.begun is not None:
            large, begun = carried.begun
            self._standings.begun(large.members if isinstance(large, Group) else [large])
            self._uploads.began(large.sighting, begun)
            self._large.insert(0, large)  # Before another one is begun.
        if carried.packed is not None:
            self._send_packed(*carried.packed)
        if carried.grouped is not None:
            self._finish_group(*carried.grouped)
        if carried.proofs:
            if not self._proofs:
                self._first_proof_ns = self.ports.clock.monotonic_ns()
            self._proofs.extend(carried.proofs)
            self._files_carried += len(carried.proofs)
            self._failures = 0
            if self._attempts:
                for proof in carried.proofs:
                    self._attempts.pop(proof.sighting._replace(birth_ns=0), None)
            largest = max([proof.length for proof in carried.proofs])
            cpu_ns = self.ports.clock.cpu_ns()
            self._pace.learn(carried.answer_ns, largest, self._pace.cost(self._files_carried, cpu_ns))
        if self._again_as_a_whole(carried):
            return
        transient = any(unanswered(error) for _, error in carried.setbacks)
        for settled, error in carried.setbacks:
            if isinstance(error, Denied | Misconfigured):
                self._door.give_up(str(error))
            self._uploads.failed(settled.sighting, error)
            if isinstance(error, Transient) and carried.group is None and self._may_try_again(settled):
                self._again.append(settled)
            else:
                self._set_back(settled, error)
        if transient and not carried.proofs:
            self._pause(str(carried.setbacks[-1][1]))
        if transient:
            self._pace.ease()

    def _send_packed(self, files: list[Settled], packed: Packed) -> None:
        """A bundle is ready: it is written down, and then sent."""
        store = self._door.store()
        if store is None or self._door.fault:
            self._send_back(files)
            return
        number = self.ports.ledger.begin_bundle(self.place, packed.bundle)
        self._weigh(packed.bundle.length)
        self._submit(partial(send_bundle, number, packed, files, packed.bundle.length, self.job, store, self.ports))

    def _finish_group(self, group: Group, bundle: Bundle, proof: Proof) -> None:
        """The object of a group is proved: that is written down, and then its manifest is sent."""
        store = self._door.store()
        assert store is not None
        number = self.ports.ledger.begin_bundle(self.place, bundle)
        self._groups[number] = group
        self._uploads.recorded([group.sighting])
        self._submit(partial(finish_group, group, number, bundle, proof, self.job, store, self.ports))

    def _again_as_a_whole(self, carried: Carried) -> bool:
        """Whether a group that did not go is tried again in this pass."""
        group, error = carried.group, next((error for _, error in carried.setbacks), None)
        if group is None:
            return False
        for _, fault in carried.setbacks:
            self._uploads.failed(group.sighting, fault)
        if not isinstance(error, Transient) or not self._may_try_again(group):
            return False
        if unanswered(error):
            self._pause(str(error))
            self._pace.ease()
        self._large.append(group)
        return True

    def _may_try_again(self, settled: Settled | Group) -> bool:
        attempts = self._attempts.get(settled.sighting, 0) + 1
        self._attempts[settled.sighting] = attempts
        return attempts < ATTEMPTS_IN_A_RUN and not self._door.fault and not self.ports.stopped()

    def _pause(self, why: str) -> None:
        self._failures += 1
        if self._failures >= FAILURES_MAX:
            self._door.give_up(why)
            return
        now = self.ports.clock.monotonic_ns()
        self._rests_until = now + pause_ns(self._failures, now)

    def _flush(self, tree: Tree) -> None:
        """Record, then release. A proof that is not yet on disk releases nothing."""
        proofs, self._proofs = self._proofs, []
        if not proofs:
            return
        forgotten = [
            (proof.sighting.directory, proof.sighting.name) for proof in proofs if self._standings.taken(proof.sighting)
        ]
        if forgotten:
            self.ports.ledger.note(self.place, forgotten=forgotten)
        self._uploads.recorded([proof.sighting for proof in proofs])
        receipts = record(self.place, proofs, self.ports.ledger)
        self._limits.home([proof.sighting.size for proof in proofs], proofs)
        self._tell_carried(receipts, proofs)
        if self.job.after == "keep":
            self.tally.put("kept", len(receipts))
        else:
            for group, some in by_group(receipts, proofs, self._groups):
                self._release(some, tree, group)

    def _tell_carried(self, receipts: Sequence[Receipt], proofs: Sequence[Proof]) -> None:
        self.tally.bytes_carried += stored_bytes(proofs)
        self.tally.adopted += sum([not proof.sent for proof in proofs])
        self.ports.monitor.carried(self.job, receipts, proofs)

    def _release(self, receipts: Sequence[Receipt], tree: Tree, group: str = "") -> None:
        if self.dry_run:
            for receipt in receipts:
                self._standings.stand(Standing(receipt.sighting.path, "planned"), receipt.sighting.size)
            return
        if group:
            self._submit(partial(release_group, group, receipts, tree, self.job.after, self.ports.workers))
            return
        # What comes of a bundle is many: in small pieces it would keep the next bundle waiting for a worker.
        for piece in in_pieces(receipts, max(2 * self._pace.batch, self.job.bundle_bytes and len(receipts) // 2 + 1)):
            self._submit(partial(release, piece, tree, self.job.after, self.ports.workers))

    # --- account for it -------------------------------------------------------------------------------------

    def _set_back(self, settled: Settled, error: OuthaulError) -> None:
        reason = reason_of(error)
        self._limits.home([settled.sighting.size])
        attempts = self._attempts.pop(settled.sighting, 1)
        if unanswered(error):
            self._unanswered = str(error)
        alone = self._files_carried > 0 and not self._door.fault
        self._standings.set_back(settled.sighting, reason, str(error), attempts, alone=alone)

    # --- to the end -----------------------------------------------------------------------------------------

    def _drain(self, tree: Tree, *, but_large: bool = False) -> Iterator[bool]:
        """Bring home everything that is under way, or all but what is large; when stopped, for a bounded time only.

        Others have their turns meanwhile.
        """
        clock = self.ports.clock
        while True:
            if self.ports.stopped():
                self._drains_until = self._drains_until or clock.monotonic_ns() + _DRAIN_SECONDS * SECOND_NS
                if clock.monotonic_ns() > self._drains_until:
                    break
            elif self._again:
                again, self._again = self._again, []
                for settled in again:
                    yield from self._room(tree, settled.sighting.size)
                    self._add(settled, tree)
            yield from self._room(tree)
            if not self.ports.stopped():
                self._send_rest(tree)
            self._send_large(tree)
            self._collect(tree)
            if not self._tasks:
                self._flush(tree)
            if self.turn_over():
                yield True
            if self._tasks > (self._large_under_way if but_large else 0) or self._proofs:
                continue
            if self.ports.stopped() or not (self._again or self._batch or (self._large and not but_large)):
                break

    def _account(self) -> None:
        """Every file seen is under one reason."""
        if self._unanswered and not self._files_carried:
            self._door.give_up(self._unanswered)
        self.ports.monitor.progress(self.job, self.tally)
        left = self.tally.unaccounted
        assert left == 0 or self.ports.stopped(), f"{left} files unaccounted for"
        if left:
            self.tally.put("interrupted", left)
