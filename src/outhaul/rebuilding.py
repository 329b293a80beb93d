"""A new ledger from a bucket, as `app.py` gives it to front ends. Nothing here prints.

It holds the lock of the ledger while it works. What it records lets no source go: see `engine/rebuilding.py`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from itertools import chain

from outhaul.bringing import ReturnReport
from outhaul.engine.account import Watcher
from outhaul.engine.rebuilding import Rebuilder, Recording
from outhaul.engine.restoring import Hands, Restoring
from outhaul.engine.unbundling import Unbundling
from outhaul.ledgers.history import History
from outhaul.model.errors import ConfigurationError, NotThere, StoreError
from outhaul.model.job import Destination, Job
from outhaul.model.returning import Listed
from outhaul.stages.restore import Shelf
from outhaul.wiring import Wiring, at_its_endpoint, codec_suffixes, open_shelf, open_store


def rebuild(
    job: Job,
    state: str,
    watcher: Watcher,
    stopped: Callable[[], bool] = lambda: False,
    *,
    read_back: bool = False,
) -> ReturnReport:
    """Record every object beneath a destination, and every file in its bundles, as far as their digests are known.

    Args:
        job: Source, destination and connection of the files that are there; its name is what the ledger calls it.
        state: Directory of the ledger; made where it is missing.
        watcher: Is told of every file.
        stopped: Asked often; once it is true, nothing more is begun. A second call goes on.
        read_back: Believe no digest of the store: read all bytes.

    Raises:
        ConfigurationError: the ledger has receipts of this source and destination already.
        AnotherInstance, LedgerError: it cannot be had, or written.
        StoreError: the destination cannot be listed; what was recorded before is.
        NotThere: there is nothing there; nothing was made or written.
    """
    job = at_its_endpoint(job)
    address = job.destination
    shelf = open_shelf(address, job.connection)
    listing = _something(address, shelf)
    with Wiring(state) as wired:
        with History(state) as history:
            if count := history.seen_by_runs(job.source, address.address, job.connection.endpoint_url):
                raise ConfigurationError(
                    f"the ledger in {state} has {count:,} receipts of {job.source} and {address.address} already: only a lost "
                    "one is rebuilt; --state names another directory"
                )
        recording = Recording(wired.ledger.place(job), wired.ledger, watcher, wired.clock.wall_ns)
        suffixes = codec_suffixes()
        unbundling = Unbundling(
            address.prefix, shelf, suffixes, wired.clock, watcher.notice,
            latest_first=False, opened=recording.opened,
        )  # fmt: skip
        work = Rebuilder(suffixes, wired.clock, stopped, read_all=read_back or not _keeps_sha256(job))
        hands = Hands(lambda _: shelf, work, wired.workers, wired.clock, recording, stopped)
        try:
            account = Restoring(hands).run(unbundling.wanted(listing))
        finally:
            recording.flush()
    return ReturnReport(account, [], stopped())


def _something(address: Destination, shelf: Shelf) -> Iterator[Listed]:
    """What is there, of which there is something. Looked at before all else: a mistyped address gets no ledger, and no objects
    with which a store is tried.

    Raises:
        NotThere: there is nothing.
    """
    listing = shelf.listing(f"{address.prefix}/" if address.prefix else "")
    for first in listing:
        return chain([first], listing)
    raise NotThere(f"there is nothing beneath {address.address}")


def _keeps_sha256(job: Job) -> bool:
    """Whether the SHA-256 that a store gives is evidence (law L4): found out as every run does, and false where it may not be."""
    try:
        with contextlib.closing(open_store(job)) as store:
            return store.probe().keeps_sha256
    except StoreError:
        return False
