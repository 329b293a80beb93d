"""Files whose objects are in an archive class: asked for in batches, and looked at again when their time has come.

The engine's own thread keeps the list; workers ask. Without waiting, what was asked for is told and left to the next run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from outhaul.engine.fetching import Fetched
from outhaul.model.errors import StoreError, bare
from outhaul.model.returning import Wanted
from outhaul.model.thawing import Wish
from outhaul.stages.restore import Shelf
from outhaul.stages.thaw import Thawed, thaw

BATCH = 32
"""Objects that one worker asks for at a time."""


class Thawer:
    """Asks for batches of objects. Each call may be on another thread."""

    def __init__(self, wish: Wish, stopped: Callable[[], bool]) -> None:
        self._wish = wish
        self._stopped = stopped

    def __call__(self, batch: Sequence[Wanted], weighs: int, shelf: Shelf | None) -> Fetched:
        """Ask for each that nobody has asked for."""
        assert shelf is not None, "a dry run reads nothing, and finds nothing archived"
        thawed: list[tuple[Wanted, Thawed]] = []
        fetched = Fetched(batch, weighs, [], [], 0, thawed)
        for one in batch:
            if self._stopped():
                break
            try:
                thawed.append((one, thaw(one, shelf, self._wish)))
            except StoreError as error:
                fetched.setbacks.append((one, bare(error)))
        return fetched


class Patience(NamedTuple):
    """How archived objects are dealt with."""

    thawer: Thawer
    wait: bool = False
    """Go on looking until all are there."""
    look_seconds: float = 0
    """How often; 0 is as their class and tier suggest."""


class Frost:
    """What is archived: to be asked for, or asked for and waited for."""

    def __init__(self, patience: Patience | None) -> None:
        self._patience = patience
        self._to_ask: list[Wanted] = []
        self._waiting: dict[Wanted, tuple[int, str]] = {}
        self._told: set[Wanted] = set()

    @property
    def asks(self) -> bool:
        """Whether anything is asked for at all."""
        return self._patience is not None

    @property
    def thawer(self) -> Thawer:
        """What asks."""
        assert self._patience is not None
        return self._patience.thawer

    @property
    def empty(self) -> bool:
        """Whether nothing is left to ask or to wait for."""
        return not self._to_ask and not self._waiting

    def add(self, wanted: Wanted) -> None:
        """It is archived."""
        self._to_ask.append(wanted)

    def batches(self, least: int = 1) -> Iterator[list[Wanted]]:
        """What is to be asked for, files of one place at a time; none while it is fewer than `least`."""
        while len(self._to_ask) >= least:
            place = self._to_ask[0].place
            batch = [one for one in self._to_ask[:BATCH] if one.place == place]
            chosen = set(batch)
            self._to_ask = [one for one in self._to_ask if one not in chosen]
            yield batch

    def waits(self, wanted: Wanted, thawed: Thawed, now_ns: int) -> bool:
        """Keep it until it is looked at again; False where it is not waited for."""
        if self._patience is None or not self._patience.wait or thawed.outcome == "archived":
            return False
        seconds = self._patience.look_seconds or thawed.look_seconds
        self._waiting[wanted] = now_ns + int(seconds * 10**9), thawed.outcome
        return True

    def knows(self, wanted: Wanted) -> bool:
        """Whether it has been waited for before."""
        return wanted in self._told

    def first_told(self, wanted: Wanted) -> bool:
        """Whether this is the first that is said of it."""
        new = wanted not in self._told
        self._told.add(wanted)
        return new

    def due(self, now_ns: int) -> list[Wanted]:
        """What is to be looked at now."""
        found = [wanted for wanted, (due_ns, _) in self._waiting.items() if due_ns <= now_ns]
        for wanted in found:
            del self._waiting[wanted]
        return found

    def pause_ns(self, now_ns: int) -> int:
        """How long until the next of them is due; 0 where there is none."""
        return max(0, min((due_ns for due_ns, _ in self._waiting.values()), default=now_ns) - now_ns)

    def given_up(self) -> list[str]:
        """Where each stood that was still waited for when it was stopped: keys of `RETURNS`."""
        return [outcome for _, outcome in self._waiting.values()]
