"""Plays races with tools, and says of each trial what became of the bytes.

True here: after a race the tool runs again, undisturbed, on whatever is left in a source; so a file that was rightly kept
is seen to be carried later, and a repair that a tool makes by itself counts for it. The class of a trial is
decided by what is true after that. All waits have an end.
Not done here: tables (table.py).
"""

from __future__ import annotations

import itertools
import random
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.losses.judge import Verdict
from bench.losses.movers import Attempt, Mover
from bench.losses.proxy import Proxy
from bench.losses.races import Race
from bench.losses.stage import Stage
from bench.losses.store import Store

PREFIX = "moved/site-7"


@dataclass(frozen=True)
class Trial:
    """One race of one tool, once."""

    race: str
    tool: str
    number: int
    seed: str
    met: bool
    first: tuple[Attempt, ...]
    later: tuple[Attempt, ...]
    overlong: tuple[Attempt, ...]
    between: Verdict
    final: Verdict
    seconds: float

    @property
    def outcome(self) -> str:
        """Return the class of the trial, the worst that is true of it."""
        final = self.final
        for name, count in (("lost", final.lost), ("corrupt", final.corrupt), ("overwritten", final.overwritten)):
            if count:
                return name
        if self.overlong:
            return "stuck"
        if not self.met:
            return "not met"
        if final.kept or final.aside:
            return "kept"
        if final.damaged:
            return "damaged object left"
        return "carried later" if self.between.kept or self.between.aside else "ok"

    @property
    def carried_later(self) -> int:
        """Return how many files were first kept and then carried."""
        return max(0, self.final.carried - self.between.carried)


@dataclass(frozen=True)
class Theatre:
    """What all trials share."""

    store: Store
    proxy: Proxy
    directory: Path
    small_files: int
    seed: int

    def play(self, race: Race, mover: Mover, number: int) -> Trial:
        """Play one race with one tool, judge it, and remove what it has left."""
        seed = f"{self.seed}/{race.name}/{number}"
        directory = self.directory / f"{race.name}-{mover.name}-{number}"
        prefix = f"{race.name}-{mover.name}-{number}/{PREFIX}"
        stage = Stage(mover, self.store, self.proxy, directory, prefix, random.Random(seed), self.small_files)
        began = time.monotonic()
        try:
            met = race.play(stage)
            between = stage.look()
            first = tuple(stage.attempts)
            stage.attempts.clear()
            for machine in stage.machines.values():
                if machine.left():
                    stage.run(machine, self.proxy.url if race.by_proxy else self.store.url)
            final, later = stage.look(), tuple(stage.attempts)
        finally:
            shutil.rmtree(directory, ignore_errors=True)
            self.store.forget(prefix.partition("/")[0])
        return Trial(
            race.name,
            mover.name,
            number,
            seed,
            met,
            first,
            later,
            tuple(stage.overlong),
            between,
            final,
            time.monotonic() - began,
        )

    def play_all(self, races: Sequence[Race], movers: Sequence[Mover], runs: int) -> Iterator[Trial]:
        """Play everything; tools take turns, so that no one has a quieter machine."""
        for race, number in itertools.product(races, range(1, runs + 1)):
            for mover in movers:
                yield self.play(race, mover, number)
