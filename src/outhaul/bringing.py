"""The way back, as `app.py` gives it to front ends: restore, mirror, audit. Nothing here prints.

Each takes a `Watcher`, which is told of every file, and gives back an account in which every file stands under one key of
`model.returning.RETURNS`. The ledger is only read, so all of it works beside a run.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import NamedTuple

from outhaul.engine.account import Account, Watcher
from outhaul.engine.fetching import Auditor, Fetcher
from outhaul.engine.listing import Lister
from outhaul.engine.restoring import Hands, Restoring
from outhaul.engine.thawing import Patience, Thawer
from outhaul.engine.unbundling import Unbundling
from outhaul.engine.undoing import Undoing
from outhaul.host.landing import HostLanding
from outhaul.ledgers.history import History, Place
from outhaul.model.address import destination
from outhaul.model.errors import ConfigurationError, LedgerError, NotThere
from outhaul.model.job import Connection, Destination
from outhaul.model.notes import Claims, codec_of, original_path
from outhaul.model.returning import Copy, Listed, Wanted, wanted_objects
from outhaul.model.selection import Chooser, Selection
from outhaul.model.thawing import Wish
from outhaul.stages.restore import Shelf
from outhaul.wiring import codec_suffixes, open_landing, open_shelf, reading_hands


class ReturnReport(NamedTuple):
    """What a restore, a mirror or an audit came to."""

    account: Account
    unmatched: list[str]
    """Words of the command that no file fitted; or what else it asked for, where nothing fits that."""
    interrupted: bool

    @property
    def exit_code(self) -> int:
        """0 all is well, 1 something is not where it was asked for, 4 a store cannot be used, 130 interrupted."""
        if self.interrupted:
            return 130
        if self.account.faults and not self.account.well:
            return 4
        return 0 if self.account.well and not self.unmatched else 1


class InSource(ConfigurationError):
    """The directory lies in the source of a job, which would carry the files away again."""

    def __init__(self, to: str, place: Place) -> None:
        self.why = f"{to} lies in {place.source}, the source of job {place.job}, which would carry the files away again"
        super().__init__(f"--to {self.why}; name another directory, or add --into-source")


class Manner(NamedTuple):
    """How files are to be brought back."""

    to: str
    """Absolute path of the directory."""
    overwrite: bool = False
    dry_run: bool = False
    by_time: bool = False
    """A file of the same length and time counts as the same without being read."""
    limit: int = 0
    """How many files to fetch at most; 0 is all."""
    into_source: bool = False
    """Even where a job takes files from."""
    as_stored: bool = False
    """Of a bucket: every object as it is, bundles and compressed ones too."""
    decompress: bool = False
    """Of a bucket: where nothing is noted beside an object, believe its name."""
    thaw: Wish | None = None
    """Ask for objects that are in an archive class: it costs money. None leaves them."""
    wait: bool = False
    """Go on until they are there."""
    look_seconds: float = 0
    """How often to look then; 0 is as their class and tier suggest."""


def restore(
    selection: Selection,
    state: str,
    connection: Connection,
    manner: Manner,
    watcher: Watcher,
    stopped: Callable[[], bool] = lambda: False,
    *,
    count_first: bool = False,
) -> ReturnReport:
    """Bring back the latest receipt of each path that is meant.

    Args:
        selection: Which receipts.
        state: Directory of the ledger.
        connection: How the stores are reached, as far as the ledger does not know.
        manner: Where to, and how.
        watcher: Is told of every file.
        stopped: Asked often; once it is true, nothing more is begun.
        count_first: Tell the watcher beforehand how many files there are.

    Raises:
        ConfigurationError: no job has the name that is meant.
        LedgerError: there is no ledger, or it cannot be read.
        LandingError: the directory cannot be made or opened.
        InSource: it lies in the source of a job.
    """
    chooser = Chooser(selection.what)
    with History(state) as history:
        history.expect(selection.job)
        places = history.places()
        _keep_out_of_sources(manner, places.values())
        if count_first:
            watcher.expect(*_count(history.wanted(selection, chooser)))
        opened = _opener(places, connection)
        wanted = history.wanted(selection, chooser)
        account = _bring(wanted, opened, manner, watcher, stopped, lambda one: history.copies(one, places))
        unmatched = [] if stopped() else _unmatched(history, selection, chooser, account)
    return ReturnReport(account, unmatched, stopped())


def restore_bucket(
    address: Destination,
    words: tuple[str, ...],
    state: str,
    connection: Connection,
    manner: Manner,
    watcher: Watcher,
    stopped: Callable[[], bool] = lambda: False,
) -> ReturnReport:
    """Bring back every object beneath an address, or the one that it names, with no ledger.

    Args: see `restore`; `words` are paths and patterns beneath the address, none for all.

    Raises:
        StoreError: it cannot be listed.
        LandingError, InSource: as `restore`.
    """
    refuse_sources(manner, state)
    chooser = Chooser(words)
    shelf = open_shelf(address, connection)
    if manner.as_stored:
        found = _objects(address, shelf, partial(wanted_objects, 0, address.prefix))
        account = _bring((one for one in found if chooser("", one.path)), lambda _: shelf, manner, watcher, stopped)
    else:
        account = _bring_originals(address, chooser, shelf, manner, watcher, stopped)
    whole = not stopped() and not account.stopped_at_limit
    # Whoever follows a bucket may do so before there is anything in it.
    nothing = not (account.seen or words or manner.as_stored)
    unmatched = [address.address] if nothing else list(chooser.unmatched)
    return ReturnReport(account, unmatched if whole else [], stopped())


def audit(
    state: str,
    connection: Connection,
    watcher: Watcher,
    stopped: Callable[[], bool] = lambda: False,
    *,
    job: str = "",
    share: float = 1.0,
    count: int = 0,
    read_back: bool = False,
) -> ReturnReport:
    """Hold receipts against what the stores hold now: a share of them, or so many, chosen by chance.

    Raises:
        ConfigurationError: no job has that name.
        LedgerError: there is no ledger, or it cannot be read.
    """
    clock, workers = reading_hands()
    with History(state) as history:
        history.expect(job)
        hands = Hands(
            _opener(history.places(), connection),
            Auditor(clock, stopped, read_back=read_back),
            workers,
            clock,
            watcher,
            stopped,
            lister=Lister(stopped) if share >= 1 and not count and not read_back else None,
        )
        account = Restoring(hands).run(history.sample(job, share, count))
    return ReturnReport(account, [], stopped())


def _bring_originals(
    address: Destination,
    chooser: Chooser,
    shelf: Shelf,
    manner: Manner,
    watcher: Watcher,
    stopped: Callable[[], bool],
) -> Account:
    """The files that were carried there, as far as the bucket tells: out of bundles, and decompressed."""
    claims, suffixes = Claims(), codec_suffixes()
    unbundling = Unbundling(address.prefix, shelf, suffixes, reading_hands()[0], watcher.notice, claims=claims)

    def meant(one: Wanted) -> bool:
        original = original_path(one.path, suffixes.get(codec_of(one.path, suffixes), "")) if not one.codec else ""
        return chooser("", one.path) or (bool(original) and chooser("", original))

    def undoing(fetcher: Fetcher, landing: HostLanding) -> Undoing:
        claims.folds_case = landing.folds_case
        return Undoing(fetcher, suffixes, claims, stopped, by_names=manner.decompress)

    wanted = filter(meant, _objects(address, shelf, unbundling.wanted))
    return _bring(wanted, lambda _: shelf, manner, watcher, stopped, around=undoing)


def _bring(
    wanted: Iterable[Wanted],
    opened: Callable[[int], Shelf],
    manner: Manner,
    watcher: Watcher,
    stopped: Callable[[], bool],
    copies: Callable[[Wanted], Iterable[Copy]] = lambda _: (),
    around: Callable[[Fetcher, HostLanding], Fetcher | Undoing] = lambda fetcher, _: fetcher,
) -> Account:
    patience = None
    if manner.thaw is not None:
        patience = Patience(Thawer(manner.thaw, stopped), manner.wait, manner.look_seconds)
    clock, workers = reading_hands()
    with open_landing(manner.to, make=not manner.dry_run) as landing:
        fetcher = Fetcher(landing, clock, stopped, overwrite=manner.overwrite, by_time=manner.by_time)
        hands = Hands(
            opened, around(fetcher, landing), workers, clock, watcher, stopped, landing.folds_case,
            copies=copies, passing=fetcher.passing, patience=patience,
        )  # fmt: skip
        return Restoring(hands, limit=manner.limit, dry_run=manner.dry_run).run(wanted)


def _opener(places: dict[int, Place], connection: Connection) -> Callable[[int], Shelf]:
    """A function that opens the store of a place, once for all places that share it."""
    shelves: dict[tuple[str, str], Shelf] = {}

    def opened(number: int) -> Shelf:
        place = places[number]
        endpoint = connection.endpoint_url or place.endpoint
        if (place.destination, endpoint) not in shelves:
            target = destination(place.destination, lambda path: path)
            shelves[place.destination, endpoint] = open_shelf(target, connection._replace(endpoint_url=endpoint))
        return shelves[place.destination, endpoint]

    return opened


def _objects(
    address: Destination, shelf: Shelf, files: Callable[[Iterator[Listed]], Iterator[Wanted]]
) -> Iterator[Wanted]:
    """What is beneath an address; where there is nothing, what it names itself."""
    found = False
    try:
        for wanted in files(shelf.listing(f"{address.prefix}/" if address.prefix else "")):
            found = True
            yield wanted
    except NotThere:
        if found:
            raise
    if not found and address.prefix:
        try:
            held = shelf.held(address.prefix, "")
        except NotThere:
            raise NotThere(f"{address.address}: there is nothing beneath it, and no such object; correct it") from None
        name = address.prefix.rpartition("/")[2]
        yield Wanted(name, 0, address.prefix, held.version, held.length, b"", held.etag)


def _unmatched(history: History, selection: Selection, chooser: Chooser, account: Account) -> list[str]:
    """What nothing fitted: words; or the options beside them, where these alone leave nothing."""
    options = _asked(selection)
    if account.seen or not options:
        return list(chooser.unmatched)
    some = selection.what and any(history.wanted(selection._replace(what=()), Chooser(())))
    return list(chooser.unmatched) if some else [options]


def _asked(selection: Selection) -> str:
    """The options of `restore` that say what is meant."""
    then = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(selection.until_ns // 10**9)) if selection.until_ns else ""
    options = {"--job": selection.job, "--key": selection.key, "--prefix": selection.prefix, "--as-of": then}
    return " ".join(f"{name} {given}" for name, given in options.items() if given)


def _count(wanted: Iterator[Wanted]) -> tuple[int, int]:
    files = size = 0
    for one in wanted:
        files, size = files + 1, size + max(0, one.size)
    return files, size


def refuse_sources(manner: Manner, state: str) -> None:
    """Refuse a directory that a job takes files from, as far as a ledger tells. Raises InSource."""
    with contextlib.suppress(LedgerError), History(state) as history:  # There need not be one.
        _keep_out_of_sources(manner, history.places().values())


def _keep_out_of_sources(manner: Manner, places: Iterable[Place]) -> None:
    """Refuse a directory that a job takes files from: it would carry them away again (hazard 126)."""
    if manner.into_source:
        return
    to = os.path.realpath(manner.to)
    for place in places:
        source = os.path.realpath(place.source)
        if to == source or to.startswith(source.rstrip("/") + "/"):
            raise InSource(manner.to, place)
