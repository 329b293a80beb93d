"""A world and its whole history, of one seed: job, disk, store, files, producers, faults, clocks, one machine or two.

Everything is drawn from one generator in one order, so a seed is a history. What no tool can promise is left out where it
would be blamed on the tool: a store that computes the right ETag and loses the bytes (unless all is read back), a writer
that nobody can see, two machines on one prefix of a store that replaces (decision 0004).
"""

import os
import random
from typing import NamedTuple

from outhaul.model.job import Destination, Job
from outhaul.testing.files import ARCHIVE
from outhaul.testing.power import Outcome
from simulation.machine import LEDGER, Ended, Machine
from simulation.world import Home, World, new_store

SECOND_NS = 10**9
CALLS = 90
"""About so many calls has a run: faults are planned beneath it, the first calls more often."""


class Count(NamedTuple):
    """What was played."""

    seeds: int = 0
    processes: int = 0
    effects: int = 0
    crashes: int = 0
    faults: int = 0

    def plus(self, other: "Count") -> "Count":
        """Both."""
        return Count(*(one + two for one, two in zip(self, other, strict=True)))


def play(home: Home, seed: int) -> Count:
    """The history of a seed.

    Raises:
        Broken: see `World.check`.
    """
    return History(home, seed).play()


class History:
    """One seed."""

    def __init__(self, home: Home, seed: int) -> None:
        self.home = home
        self.chance = random.Random(seed)
        self.world = World(new_store())
        self.copies: dict[str, str] = {}
        self._store()
        two = self.chance.random() < 0.3
        for name in ("m", "n") if two else ("m",):
            self._machine(name, two)

    def play(self) -> Count:
        """All of it."""
        for machine in self.world.machines:
            for _ in range(self.chance.randint(1, 4)):
                machine.producer.do(machine.producer.make)
        for _ in range(self.chance.randint(1, 4)):
            self._pass()
        self.world.over()
        return Count(
            1,
            self.world.processes,
            sum(len(machine.steps.calls) for machine in self.world.machines),
            self.world.crashes,
            sum(len(machine.steps.happened) for machine in self.world.machines),
        )

    # --- what there is --------------------------------------------------------------------------------------------------

    def _store(self) -> None:
        chance, store = self.chance, self.world.store
        store.etag = "md5" if chance.random() < 0.6 else "opaque"
        store.keeps_sha256 = chance.random() < 0.3
        store.versions = chance.random() < 0.2
        store.create_only = chance.random() < 0.8
        store.many_at_once = chance.random() < 0.3
        store.locks = self._apart().random() < 0.2

    def _machine(self, name: str, two: bool) -> None:
        chance, world = self.chance, self.world
        prefix = "site" if world.store.create_only or not two else f"site-{name}"
        if chance.random() < 0.1 and not two:
            prefix = ""
        job = Job(
            "simulation",
            "/source",
            Destination(f"s3://bucket/{prefix}", "s3", "bucket", prefix),
            quiet_ns=chance.choice((0, 0, 5, 30, 200)) * SECOND_NS,
            after="delete" if chance.random() < 0.85 else "keep",
            proof=chance.choice(("auto", "auto", "stored", "read-back")),
        )
        machine = Machine(name, self.home.state(), job, world.store, chance)
        files, machine.producer.may_hold = machine.files, True
        if chance.random() < 0.15:
            files.knows_writers = machine.producer.may_hold = False
            machine.quiet_ns = max(job.quiet_ns, 60 * SECOND_NS)
        files.knows_birth = chance.random() < 0.8
        if chance.random() < 0.15:
            job = machine.job = job._replace(compress="bzip2", compress_level=1)
        if job.after == "delete" and chance.random() < 0.2:
            machine.job = job._replace(
                after="archive",
                archive=ARCHIVE,
                archive_keep_ns=chance.choice((0, 60, 200)) * SECOND_NS,
                empty_ns=chance.choice((0, 60)) * SECOND_NS,
            )
        apart = self._apart()
        if apart.random() < 0.25:
            wait_ns = apart.choice((0, 0, 40)) * SECOND_NS
            machine.job = machine.job._replace(bundle_bytes=4000, bundle_file_max=100, bundle_wait_ns=wait_ns)
        if apart.random() < 0.15:
            machine.job = machine.job._replace(groups=(apart.choice(("sub", "other", "deep")),))
        if machine.job.archive and apart.random() < 0.3:
            machine.job = machine.job._replace(compress="bzip2", compress_level=1, archive_form="stored")
        if machine.job.after == "keep" and apart.random() < 0.5:
            machine.job = machine.job._replace(delete_after_ns=apart.choice((1, 100)) * SECOND_NS)
        if machine.job.after == "delete" and apart.random() < 0.2:
            files.capacity, shed_below = 5000, 5000 - apart.choice((0, 50, 150))
            machine.job = machine.job._replace(keep_free=5000, shed_below=shed_below)
            machine.weather = apart
        files.coarse = chance.random() < 0.3
        files.reuses_numbers = chance.random() < 0.5
        files.entries_per_listing = chance.choice((1, 2, 1024))
        machine.clock.tick_ns = chance.choice((0, 0, 1000, 20_000_000))
        machine.seed = chance.choice((None, chance.randrange(1 << 30)))
        machine.network.swallows = job.proof == "read-back"
        world.machines.append(machine)

    def _apart(self) -> random.Random:
        """What it gives draws nothing from the history of this seed."""
        apart = random.Random()
        apart.setstate(self.chance.getstate())
        return apart

    # --- what happens ---------------------------------------------------------------------------------------------------

    def _pass(self) -> None:
        """One process on each machine, one after the other, or one in the middle of the other's."""
        chance, machines = self.chance, self.world.machines[:]
        chance.shuffle(machines)
        for machine in machines:
            self._between(machine)
        nested: set[str] = set()
        for machine in machines:
            self._plan(machine)
        if len(machines) == 2 and chance.random() < 0.5:
            outer, inner = machines
            nested.add(inner.name)
            for _ in range(chance.randint(1, 2)):
                outer.steps.at(self._call(outer), lambda: self._meet(inner))
        for machine in machines:
            if machine.name not in nested:
                self._ended(machine, self.world.run(machine))

    def _meet(self, inner: Machine) -> None:
        if not inner.running:
            self._ended(inner, self.world.run(inner, nested=True))

    def _ended(self, machine: Machine, ended: Ended) -> None:
        """After an interrupted run nothing is asked to stop any more."""
        machine.stop_at = None

    def _call(self, machine: Machine) -> int:
        """The number of some call of the run to come."""
        return len(machine.steps.calls) + int(CALLS * self.chance.random() ** 1.5)

    def _plan(self, machine: Machine) -> None:
        chance = self.chance
        for _ in range(chance.choice((0, 0, 1, 1, 2, 3))):
            machine.steps.plan[self._call(machine)] = chance.randrange(1 << 20)
        for _ in range(chance.choice((0, 1, 2, 4))):
            machine.steps.at(self._call(machine), machine.producer.act)
        if chance.random() < 0.1:
            machine.steps.at(self._call(machine), lambda: self._jump(machine))
        machine.stop_at = chance.randrange(40) if chance.random() < 0.05 else None
        machine.is_away = machine.job.shed_below > 0 and machine.weather.random() < 0.5
        machine.cut_outcome = chance.choice(self._cuts(machine))

    def _cuts(self, machine: Machine) -> tuple[Outcome, ...]:
        """Other bytes under the old times, as a cut may leave them, are told by their digest, which a copy does not take."""
        return ("kept", "lost") if machine.job.after == "keep" else ("kept", "lost", "random", "random")

    def _jump(self, machine: Machine) -> None:
        seconds = self.chance.choice((-3600, -2, 10, 86_400 * 365))
        machine.jump(seconds)

    def _between(self, machine: Machine) -> None:
        """Between two processes."""
        chance = self.chance
        self.world.store.forgets_locks = self.world.store.locks and self._apart().random() < 0.3
        for _ in range(chance.choice((0, 1, 2, 3))):
            machine.producer.act()
        if chance.random() < 0.85:
            machine.clock.advance(chance.choice((1, 1, 10, 40, 100)))
            if chance.random() < 0.3:
                machine.files.unsynced.all_synced()
                machine.log("the kernel has written everything")
        kind = chance.random()
        if kind < 0.05:
            self._jump(machine)
        elif kind < 0.10:
            machine.reboot()
        elif kind < 0.13:
            machine.cut_outcome = chance.choice(self._cuts(machine))
            machine.cut()
        elif kind < 0.18:
            self._ledger(machine)
        elif kind < 0.22:
            self._permissions(machine)

    def _ledger(self, machine: Machine) -> None:
        """It is copied, and later the copy brought back; or lost; or another machine's."""
        if not os.path.exists(f"{machine.state}/{LEDGER}"):
            return
        others = [other.state for other in self.world.machines if other is not machine]
        kind = self.chance.random()
        if kind < 0.4:
            self.copies[machine.name] = machine.copy_ledger()
        elif kind < 0.6:
            machine.lose_ledger()
        elif kind < 0.8 and others and os.path.exists(f"{others[0]}/{LEDGER}"):
            machine.lose_ledger(f"{others[0]}/{LEDGER}")
        elif self.copies.get(machine.name):
            machine.lose_ledger(self.copies[machine.name])

    def _permissions(self, machine: Machine) -> None:
        entries = [inode for _, inode in machine.files.entries()]
        if entries:
            inode = self.chance.choice(entries)
            inode.readable = self.chance.random() < 0.5
            inode.changeable = inode.readable or self.chance.random() < 0.5
            machine.log("permissions change")
        machine.files.missing = self.chance.random() < 0.1


def tell(history: History) -> str:
    """The whole history, for people: what each machine called, and what happened in between."""
    lines = [f"store: etag {history.world.store.etag}, sha256 {history.world.store.keeps_sha256}, "
             f"versions {history.world.store.versions}, create-only {history.world.store.create_only}"]  # fmt: skip
    for machine in history.world.machines:
        files = machine.files
        lines.append(f"--- machine {machine.name}: {machine.job.after}, proof {machine.job.proof}, quiet "
                     f"{machine.job.quiet_ns // SECOND_NS} s, coarse {files.coarse}, knows writers {files.knows_writers}, "
                     f"inode numbers again {files.reuses_numbers}, birth times {files.knows_birth}")  # fmt: skip
        told = machine.told[:]
        for number, call in enumerate(machine.steps.calls):
            while told and told[0][0] <= number:
                lines.append(f"        * {told.pop(0)[1]}")
            mishap = f"   <-- {machine.steps.happened[number]}" if number in machine.steps.happened else ""
            lines.append(f"  {number:4} {call.name} {call.about!r}{mishap}")
        lines += [f"        * {text}" for _, text in told]
        lines.append(f"  left in the source: {files.files()}")
        lines.append(f"  aside: { {entry: inode.content for entry, (_, _, inode) in files.private.items()} }")
    lines.append("in the store:")
    lines += [f"  {key!r} {version} {content!r}" for (key, version), content in history.world.objects().items()]
    return "\n".join(lines)
