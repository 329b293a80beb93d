"""What the workers do with a batch: fetch, check and write each file, or audit each object.

Nothing is decided here: every fault of a file comes back beside it. A batch is files of one store, and a `Fetcher` sees
all of it: members of one bundle can share a request here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, nullcontext
from itertools import groupby
from typing import NamedTuple

from outhaul.engine.spans import Spans
from outhaul.model.errors import Damaged, LandingError, OuthaulError, StoreError, bare
from outhaul.model.returning import Wanted
from outhaul.ports import Clock
from outhaul.stages.audit import audit
from outhaul.stages.restore import LARGE_BYTES, Landing, LandingFolder, Ready, Shelf, plan, restore
from outhaul.stages.thaw import Thawed

_PIECES = 4 << 20
"""Bytes of a file that are in memory at once, at most."""
_LARGE_PIECES = 8 << 20
"""The same of one that comes in parts, without what is ahead of it."""
NEW = ("restored", "unverified")


class Fetched(NamedTuple):
    """What became of a batch. A file for which it was stopped is in neither list."""

    batch: Sequence[Wanted]
    weight: int
    done: list[tuple[Wanted, str]]
    """With a key of `RETURNS`; what is new is durable."""
    setbacks: list[tuple[Wanted, OuthaulError]]
    answer_ns: int
    """The shortest time that one took; 0 where none was fetched."""
    thawed: Sequence[tuple[Wanted, Thawed]] = ()
    """What asking for archived objects came to."""
    left: Sequence[Wanted] = ()
    """Of which nothing was found out: they are looked at one by one."""


def weight(wanted: Wanted) -> int:
    """Bytes of memory that a file takes on its way."""
    if wanted.size >= LARGE_BYTES:
        return _LARGE_PIECES
    return min(_PIECES, wanted.size) if wanted.size >= 0 else _PIECES


class Fetcher:
    """Brings batches into one directory. Each call may be on another thread."""

    def __init__(
        self,
        landing: Landing,
        clock: Clock,
        stopped: Callable[[], bool],
        *,
        overwrite: bool = False,
        by_time: bool = False,
    ) -> None:
        self._landing = landing
        self._clock = clock
        self._stopped = stopped
        self._overwrite = overwrite
        self._by_time = by_time
        self._passing: dict[Wanted, int] = {}

    def passing(self) -> int:
        """Bytes that have come of large files which are still on their way."""
        return sum(list(self._passing.values()))

    def __call__(self, batch: Sequence[Wanted], weighs: int, shelf: Shelf | None) -> Fetched:
        """Bring home each file of a batch; without a shelf, say what would become of it.

        All are fetched, then made durable together, then named, and then their directories are made durable together:
        one by one that would take most of the time.
        """
        fetched = Fetched(batch, weighs, [], [], 0)
        if shelf is None:
            self._plan_all(fetched)
            return fetched
        times: list[int] = []
        if any(one.within is not None for one in batch):
            shelf = Spans(shelf, batch)
        with ExitStack() as opened:
            folders = []
            ready: list[Ready] = []
            for directory, group in groupby(batch, _directory):
                try:
                    folder = self._landing.folder(directory, make=True)
                    assert folder is not None, "it was to be made"
                    folders.append(opened.enter_context(folder))
                except LandingError as error:  # The directory itself: whoever is in the group shares its fate.
                    fetched.setbacks.extend((one, error) for one in group)
                    continue
                for one in self._fetch_all(group, shelf, folder, fetched, times):
                    opened.enter_context(one.new)
                    ready.append(one)
            self._name_all(ready, folders, fetched)
        return fetched._replace(answer_ns=min(times, default=0))

    def _fetch_all(
        self, group: Iterable[Wanted], shelf: Shelf, folder: LandingFolder, fetched: Fetched, times: list[int]
    ) -> Iterator[Ready]:
        for one in group:
            if self._stopped():
                break
            started = self._clock.monotonic_ns()
            try:
                found = restore(
                    one, shelf, folder, overwrite=self._overwrite, by_time=self._by_time, passed=self._passed(one)
                )
            except (StoreError, LandingError, Damaged) as error:
                fetched.setbacks.append((one, bare(error)))
                continue
            finally:
                self._passing.pop(one, None)
            if isinstance(found, str):
                fetched.done.append((one, found))
                continue
            times.append(self._clock.monotonic_ns() - started)
            yield found

    def _passed(self, one: Wanted) -> Callable[[int], None]:
        if one.size < LARGE_BYTES:
            return _nothing

        def told(length: int) -> None:
            self._passing[one] = length

        return told

    def _name_all(self, ready: list[Ready], folders: list[LandingFolder], fetched: Fetched) -> None:
        named: list[Ready] = []
        try:
            self._landing.sync([one.new for one in ready])
            for one in ready:
                try:
                    one.name()
                    named.append(one)
                except LandingError as error:
                    fetched.setbacks.append((one.wanted, bare(error)))
            self._landing.sync(
                folders
            )  # Also of what was there already: whoever put it there may have died before this.
        except LandingError as error:  # Of none of them is it certain that it would outlive a power cut.
            tried = {one.wanted for one in ready} - {wanted for wanted, _ in fetched.setbacks}
            fetched.setbacks.extend((wanted, error) for wanted in tried)
            return
        fetched.done.extend((one.wanted, one.outcome) for one in named)

    def _plan_all(self, fetched: Fetched) -> None:
        for directory, group in groupby(fetched.batch, _directory):
            for one in group:
                try:
                    with self._landing.folder(directory, make=False) or nullcontext() as folder:
                        fetched.done.append((one, plan(one, folder)))
                except LandingError as error:
                    fetched.setbacks.append((one, bare(error)))


class Auditor:
    """Looks at batches of objects, and writes nothing. Each call may be on another thread."""

    def __init__(self, clock: Clock, stopped: Callable[[], bool], *, read_back: bool = False) -> None:
        self._clock = clock
        self._stopped = stopped
        self._read_back = read_back

    def __call__(self, batch: Sequence[Wanted], weighs: int, shelf: Shelf | None) -> Fetched:
        """Hold each object against its receipt."""
        assert shelf is not None, "an audit has no dry run"
        fetched = Fetched(batch, weighs, [], [], 0)
        times: list[int] = []
        for one in batch:
            if self._stopped():
                break
            started = self._clock.monotonic_ns()
            try:
                fetched.done.append((one, audit(one, shelf, read_back=self._read_back)))
            except StoreError as error:
                fetched.setbacks.append((one, bare(error)))
            times.append(self._clock.monotonic_ns() - started)
        return fetched._replace(answer_ns=min(times, default=0))


def _nothing(_: int) -> None:
    """Of a small file nobody wants to know how much of it has come."""


def _directory(wanted: Wanted) -> str:
    return wanted.path.rpartition("/")[0]
