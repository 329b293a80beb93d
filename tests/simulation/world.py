"""One store, the machines that send to it, and the checks after every process.

`over` ends all faults: from then on within three runs on each machine everything must go, or be held for a reason (I5).
"""

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from outhaul.ledgers.sqlite import SqliteLedger
from outhaul.testing.store import SimulatedStore
from simulation import checker
from simulation.machine import LEDGER, PART_BYTES, SMALL_MAX, Ended, Machine

CLEAN_RUNS = 3
_MEMORY = "/dev/shm"


class Home:
    """A directory for ledgers, in memory where the system has such a place, and an empty ledger to begin with."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._count = itertools.count()
        SqliteLedger(f"{path}/empty", lambda: 0).close()

    def state(self) -> str:
        """A state directory of its own. The last but some are removed."""
        number = next(self._count)
        shutil.rmtree(f"{self._path}/{number - 50}", ignore_errors=True)
        state = f"{self._path}/{number}"
        os.mkdir(state)
        shutil.copy(f"{self._path}/empty/{LEDGER}", f"{state}/{LEDGER}")
        return state


@contextmanager
def home() -> Iterator[Home]:
    """While this lasts, worlds can be made."""
    place = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="outhaul-simulation-", dir=place) as path:
        yield Home(path)


def new_store() -> SimulatedStore:
    """An empty store with small sizes."""
    store = SimulatedStore()
    store.small_max, store.part_bytes = SMALL_MAX, PART_BYTES
    return store


class Broken(Exception):
    """Something that must hold does not; the text says what, one line each."""


class World:
    """The store and its machines."""

    def __init__(self, store: SimulatedStore) -> None:
        self.store = store
        self.machines: list[Machine] = []
        self.processes = 0
        self.crashes = 0
        self._objects: dict[tuple[str, str], bytes] = {}
        self._rows: list[checker.Row] = []
        """Of all machines, when they were looked at last."""

    def run(self, machine: Machine, *, nested: bool = False) -> Ended:
        """One process on this machine, and a look at everything afterwards."""
        removed, first = len(machine.files.removals), len(machine.steps.calls)
        ended = machine.run()
        self.processes += 1
        self.crashes += ended.how in ("crash", "cut")
        if ended.how == "assertion":
            self._refuse([f"UNACCOUNTED {ended.text}"])
        if ended.tally is not None:
            self._refuse(checker.account(ended.tally.seen, ended.tally.by_reason))
            self._refuse(checker.claims(ended.tally.by_reason, len(machine.files.removals) - removed))
            if (
                machine.stop_at is None
            ):  # A run that was asked to stop may know of a failed listing, and not tell of it.
                self._refuse(checker.silence(machine.failed_listings(first), machine.monitor.reasons()))
        if not nested:
            self.check()
        return ended

    def check(self) -> None:
        """Look at every byte.

        Raises:
            Broken: something is wrong.
        """
        now, self._rows = self.objects(), []
        wrong = checker.overwritten(self._objects, now)
        for machine in self.machines:
            found = machine.found()
            self._rows += found.rows
            wrong += checker.check(found, now, machine.job.destination.prefix)
            machine.given_up |= checker.buried(found)
            if self.store.locks:
                wrong += checker.unlocked(found.rows, self._locks())
            if machine.foreign:  # Its rows are another's, too.
                wrong = [line for line in wrong if not line.startswith(("WRONG TARGET", "WASTED"))]
        self._objects = now
        self._refuse(wrong)

    def objects(self) -> dict[tuple[str, str], bytes]:
        """All that the store holds."""
        return {(key, made.version): made.content for key, versions in self.store.objects.items() for made in versions}

    def _locks(self) -> dict[tuple[str, str], bool]:
        """Which of them are locked."""
        return {(key, made.version): made.locked for key, versions in self.store.objects.items() for made in versions}

    # --- the end --------------------------------------------------------------------------------------------------------

    def over(self) -> None:
        """All faults are over: three runs, and everything is gone and proved, or held."""
        self.store.lies = self.store.truncates = self.store.unreadable = self.store.forgets_locks = False
        self.store.faults.clear()
        for machine in self.machines:
            _heal(machine)
        for machine in self.machines:
            left = self.left(machine)
            # The removal of one of several hard links, or of one from the archive, makes the others new to whoever looks.
            links = max([inode.links for _, inode in machine.files.entries()], default=1)
            links += machine.job.after == "archive" and machine.producer.linked
            for _ in range(CLEAN_RUNS + 2 * (links - 1)):
                machine.clock.advance(70 + machine.job.quiet_ns / 10**9)
                self._clean_run(machine)
                left = self.left(machine)
                if (
                    not left and not self._parts_left()
                ):  # Files that stay may have an upload that is still to be gone on with.
                    break
            self._refuse(left)
        self._refuse(self._parts_left())

    def _parts_left(self) -> list[str]:
        """Parts that are paid for and that nobody will use, at the last look; where a ledger was lost, nobody knows of them."""
        if any(machine.forgotten or machine.foreign or machine.lost_ledger for machine in self.machines):
            return []
        objects = self._objects
        if self.store.locks:  # The files of the others are held.
            objects = {each: content for each, content in objects.items() if self._locks()[each]}
        return checker.unknown(objects, self._rows) + [
            f"ORPHAN {upload} of {key!r} has {len(parts)} parts"
            for upload, (key, parts) in self.store.uploads.items()
            if parts
        ]

    def _clean_run(self, machine: Machine) -> None:
        """One run without faults, in which everything is accounted for."""
        aside = len(machine.files.private)
        there = sum(inode.kind != "folder" for _, inode in machine.files.entries())
        ended = self.run(machine)
        if ended.tally is None:
            self._refuse([f"STUCK a run without faults ended with {ended.how} {ended.text}"])
        elif not aside:
            self._refuse(checker.account(ended.tally.seen, ended.tally.by_reason, there))

    def left(self, machine: Machine) -> list[str]:
        """What still has to go, or to be held for a reason."""
        files = machine.files.files()
        may_stay = {path for path in files if path.endswith(".tmp")}
        if machine.job.after == "keep":
            stored = checker.carried(self.objects())
            may_stay |= {path for path, content in files.items() if content in stored or machine.files.coarse}
        aside = [machine.files.came_from[entry] for entry in machine.files.private]
        reasons = machine.monitor.reasons()
        for path in aside:
            if reasons.get(path) == "put-aside" and not self._taken(machine, path):
                reasons[path] = "put-aside, and its place is free"
        return checker.stuck([*files, *aside], reasons, may_stay)

    def _taken(self, machine: Machine, path: str) -> bool:
        """Whether something has the place of a file, or its directory is gone."""
        folder = machine.files.find(path.rpartition("/")[0])
        return folder is None or folder.kind != "folder" or machine.files.find(path) is not None

    def _refuse(self, wrong: list[str]) -> None:
        if wrong:
            raise Broken("\n".join(wrong))


def _heal(machine: Machine) -> None:
    """No more faults on this machine, and nobody writes any more."""
    machine.log("all faults are over")
    machine.steps.plan.clear()
    machine.steps.hooks.clear()
    machine.steps._at.clear()
    machine.network.late.clear()
    machine.stop_at = None
    machine.files.missing = machine.is_away = False
    for inode in list(machine.producer.handles):
        machine.files.let_go(inode)
    machine.producer.handles.clear()
    for _, inode in [("", machine.files.root), *machine.files.entries()]:
        inode.readable = inode.changeable = True
    machine.producer.note()
