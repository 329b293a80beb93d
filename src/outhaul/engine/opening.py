"""Open a destination, and find out what it does, before the first file goes there."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from outhaul.engine.batches import Ports
from outhaul.engine.pace import Pace
from outhaul.engine.retry import ATTEMPTS_IN_A_RUN, pause_ns
from outhaul.model.errors import StoreError, Transient, Unproved, bare
from outhaul.model.job import Job
from outhaul.ports import Abilities, Clock, Store
from outhaul.ports.vouching import VouchedStore

_SECOND_NS = 10**9


class Opened(NamedTuple):
    """What came of opening a destination."""

    store: Store | StoreError
    abilities: Abilities | None
    """None where it proves nothing itself: then nothing is learnt of the endpoint that it stands for."""
    is_news: bool
    """Whether the endpoint has shown these abilities just now."""


class Door:
    """The destination of a pass: opened when it is first needed, and given up when it cannot be used."""

    def __init__(self, job: Job, ports: Ports, pace: Pace) -> None:
        self._job = job
        self._ports = ports
        self._pace = pace
        self._store: Store | None = None
        self.fault = ""
        """Why it cannot be used; '' where it can, or has not been needed yet."""

    @property
    def is_closed(self) -> bool:
        """Whether it is not known yet if it can be used."""
        return self._store is None and not self.fault

    def store(self) -> Store | None:
        """The destination, once it has shown what it does; None where it cannot be used."""
        if self.is_closed:
            self.take(self.asking()())
        return self._store

    def asking(self) -> Callable[[], Opened]:
        """What opens it, for a worker: an address that does not answer takes its time."""
        return partial(_opened, self._job, self._ports, _known(self._job, self._ports))

    def take(self, opened: Opened) -> None:
        """It is open, or cannot be used."""
        try:
            self._store = _proving(opened, self._job, self._ports)
            self._pace.suit(many_at_once=self._store.many_at_once)
        except StoreError as error:
            if not isinstance(opened.store, StoreError):
                opened.store.close()
            self.give_up(str(error))

    def leave(self) -> None:
        """The pass is over."""
        store, self._store = self._store, None
        if store is not None and self.fault:
            store.close()
        elif store is not None:
            self._ports.leave_store(self._job, store)

    def give_up(self, why: str) -> None:
        """It cannot be used any more in this pass. Said once."""
        if not self.fault:
            self.fault = why
            self._ports.monitor.notice(self._job, f"{self._job.destination.address} cannot be used: {why}")


def _address(job: Job) -> str:
    return f"{job.connection.endpoint_url} {job.destination.address} {job.manner}".strip()


def _known(job: Job, ports: Ports) -> Abilities | None:
    return ports.ledger.abilities(_address(job), ports.clock.moment())


def _opened(job: Job, ports: Ports, known: Abilities | None) -> Opened:
    with contextlib.ExitStack() as undone:
        try:
            store = ports.open_store(job)
            undone.callback(store.close)
            abilities = _found(store, job, ports.clock, known)
        except StoreError as error:
            return Opened(bare(error), None, False)
        undone.pop_all()
        return Opened(store, abilities, abilities is not known)


def _found(store: Store, job: Job, clock: Clock, known: Abilities | None) -> Abilities | None:
    if isinstance(store, VouchedStore):  # What it can do says nothing of the endpoint that it stands for.
        return None
    # What was not good enough yesterday may be today: somebody has given a permission.
    return known if known is not None and known.can_prove(job.proof) else _probe(store, clock)


def _proving(opened: Opened, job: Job, ports: Ports) -> Store:
    """The store, working on the ground of what its endpoint has shown, now or within the last day.

    Raises:
        StoreError: it cannot be used; `Unproved` where it gives no evidence of the kind that the job asks for.
    """
    store, abilities, is_news = opened
    if isinstance(store, StoreError):
        raise store
    if abilities is None:
        return store
    if is_news:
        ports.ledger.learn(_address(job), abilities, ports.clock.moment())
    if not abilities.can_prove(job.proof):
        said = abilities.why_unreadable or "it cannot be read back; allow s3:GetObject"
        raise Unproved(f"it gives no evidence that it holds what was sent (proof = {job.proof}): {said}")
    store.adopt(abilities)
    return store


def _probe(store: Store, clock: Clock) -> Abilities:
    for attempt in range(1, ATTEMPTS_IN_A_RUN):
        try:
            return store.probe()
        except Transient:
            clock.sleep(pause_ns(attempt, clock.monotonic_ns()) / _SECOND_NS)
    return store.probe()
