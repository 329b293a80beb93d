"""The stage of one trial: a tool, the machines whose files it moves, and where they go.

True here: what a producer writes through a stage is known to it, content by content, so `look` can judge at any
time. Each trial has directories and a prefix of its own; each machine has a source and a state directory of its own,
which its later runs use again.
Not done here: what is done to the files and when (races.py).
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench.losses.faults import Fault
from bench.losses.judge import Places, Verdict, Wanted, is_own, judge, read_tree
from bench.losses.movers import Attempt, Mover, Running
from bench.losses.proxy import Proxy
from bench.losses.store import Store


@dataclass
class Machine:
    """One source directory, and what the tool keeps for itself there."""

    source: Path
    home: Path
    state: Path

    def left(self) -> bool:
        """Whether any file is still in the source, also a private one."""
        return bool(read_tree(self.source))


@dataclass
class Stage:
    """One tool in one race, once."""

    mover: Mover
    store: Store
    proxy: Proxy
    directory: Path
    prefix: str
    random: random.Random
    small_files: int
    machines: dict[str, Machine] = field(default_factory=dict)
    attempts: list[Attempt] = field(default_factory=list)
    overlong: list[Attempt] = field(default_factory=list)
    _wanted: dict[tuple[str, str], bytes] = field(default_factory=dict)
    _earlier: set[bytes] = field(default_factory=set)

    def machine(self, name: str = "site-7") -> Machine:
        """Return the machine of that name; it has no files at first."""
        if name not in self.machines:
            home = self.directory / name
            machine = Machine(home / "source", home / "home", home / "state")
            machine.source.mkdir(parents=True)
            self.machines[name] = machine
        return self.machines[name]

    def write(self, path: str, size: int, machine: str = "site-7") -> Path:
        """Make a file of `size` bytes, other than any before; from now on they must not vanish."""
        data = self.random.randbytes(size)
        target = self.machine(machine).source / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            file.write(data)
        self._wanted[(machine, path)] = data
        return target

    def append(self, path: str, size: int, descriptor: int | None = None) -> None:
        """Append to a file as a logger does, by its name or through a descriptor that it has kept open."""
        before = self._wanted[("site-7", path)]
        data = self.random.randbytes(size)
        self._earlier.add(before)
        self._wanted[("site-7", path)] = before + data
        own = os.open(self.machine().source / path, os.O_WRONLY | os.O_APPEND) if descriptor is None else descriptor
        try:
            os.write(own, data)
        finally:
            if descriptor is None:
                os.close(own)

    def rename(self, path: str, to: str) -> None:
        """Rename a file as log rotation does."""
        source = self.machine().source
        os.rename(source / path, source / to)
        self._wanted[("site-7", to)] = self._wanted.pop(("site-7", path))

    def start(self, machine: Machine, url: str) -> Running:
        """Start the tool on the machine's files."""
        return Running(self.mover.command(machine.source, url, self.prefix, machine.state), machine.home, url)

    def run(self, machine: Machine, url: str) -> Attempt:
        """Run the tool on the machine's files to its end."""
        attempt = self.finish(self.start(machine, url))
        self.attempts.append(attempt)
        return attempt

    def finish(self, running: Running) -> Attempt:
        """See a run to its end, and note it where it took too long."""
        attempt = running.finish()
        if attempt.timed_out:
            self.overlong.append(attempt)
        return attempt

    def run_into(self, fault: Fault, then: Callable[[], None]) -> bool:
        """Run the tool through the proxy; do `then` at the moment the fault has come, and let it go on.

        Returns False where the moment never came; then nothing was done.
        """
        running = self.start(self.machine(), self.proxy.url)
        try:
            with self.proxy.fault(fault):
                running.wait_until(fault.met.is_set)
                if met := fault.met.is_set():
                    then()
        except BaseException:
            running.kill()
            raise
        finally:
            self.attempts.append(self.finish(running))
        return met

    def look(self) -> Verdict:
        """Judge what is everywhere at this moment."""
        source: list[bytes] = []
        private: list[bytes] = []
        for machine in self.machines.values():
            for path, data in read_tree(machine.source).items():
                (private if is_own(path) else source).append(data)
            private += read_tree(machine.state).values()
        wanted = [Wanted(path, data) for (_, path), data in self._wanted.items()]
        return judge(wanted, self._earlier, Places(self.store.objects(self.prefix), source, private))
