"""Open a destination, and find out what it does, before the first file goes there."""

from __future__ import annotations

from outhaul.engine.batches import Ports
from outhaul.engine.retry import ATTEMPTS_IN_A_RUN, pause_ns
from outhaul.model.errors import Transient, Unproved
from outhaul.model.job import Job
from outhaul.ports import Abilities, Clock, Store

_SECOND_NS = 10**9


def open_destination(job: Job, ports: Ports) -> Store:
    """The store of a job, working on the ground of what its endpoint has shown, now or within the last day.

    Raises:
        StoreError: it cannot be used; `Unproved` where it gives no evidence of the kind that the job asks for.
    """
    store = ports.open_store(job)
    now = ports.clock.moment()
    address = f"{job.connection.endpoint_url} {job.destination.address} {job.manner}".strip()
    abilities = ports.ledger.abilities(address, now)
    # What was not good enough yesterday may be today: somebody has given a permission.
    if abilities is None or not abilities.can_prove(job.proof):
        abilities = _probe(store, ports.clock)
        ports.ledger.learn(address, abilities, now)
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
