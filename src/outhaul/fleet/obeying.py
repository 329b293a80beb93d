"""A device that may be given orders: which one holds.

True here: an order is obeyed only once its signature is right, it is for this fleet and this device, it has not expired, it is
newer than every one before, and this device lets all be done that it says; and what is obeyed is on disk first. So an older
order that somebody puts back is refused, over restarts too, and so is one that was seen to expire. One that is refused takes
the place of none. An order that is gone from the bucket holds until it expires; then all is as configured. Not done here: to
refuse an old order where the state directory was lost; until it expires, it may be played again.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable

from outhaul.fleet.memory import CONTROL, HOLDS
from outhaul.fleet.signing import library, verified
from outhaul.ledgers.small_tables import read, write
from outhaul.model.errors import Refused
from outhaul.model.fleet import ALL, Fleet, Malformed, control_key, shortened
from outhaul.model.keys import printable
from outhaul.model.orders import BYTES_MAX, VALID_MAX_NS, Order, read_order, told
from outhaul.ports.meeting import Meeting


class Obedience:
    """The orders of one device.

    Args:
        fleet: With the key of whoever gives them.
        state: The state directory.
        judge: Says why this device cannot do what an order says, or does not let it be done; '' where it can.

    Raises:
        ConfigurationError: the library that checks signatures is not installed.
    """

    def __init__(self, fleet: Fleet, state: str, judge: Callable[[Order], str] = lambda _order: "") -> None:
        library()
        self._fleet, self._state, self._path = fleet, state, os.path.join(state, CONTROL)
        self._judge, self._noting = judge, threading.Lock()
        self._sequence, self._looked_ns = 0, 0
        self._order: Order | None = None
        self.refused = ""
        """Why an order in the bucket is not obeyed; '' where none is refused."""
        self.unfit = ""
        """Why the order that holds cannot be done any more, and nothing of it is; '' where it is."""
        self._recall()

    def _recall(self) -> None:
        """What was obeyed last, by the same key: who pins another one begins anew."""
        tree = read(self._path)
        if tree is None or tree.get("key") != self._fleet.control_key:
            return
        sequence, looked = tree.get("sequence"), tree.get("looked_ns")
        if type(sequence) is int and type(looked) is int:
            self._sequence, self._looked_ns = sequence, looked
            self.refused = shortened(str(tree.get("refused", "")))
        try:
            self._order = self._read_order(str(tree.get("order", "")).encode())
        except Malformed:
            self._order = None

    def _read_order(self, payload: bytes) -> Order:
        return read_order(payload, self._fleet.destination.address, self._fleet.device)

    def holds(self) -> Order | None:
        """The order that holds now; None for none."""
        if self._order is not None and time.time_ns() >= self._order.expires_ns:
            self._order = None
        return self._order

    def is_due(self) -> bool:
        """Whether it is time to look again. A clock that was set back delays nothing."""
        return not 0 <= time.time_ns() - self._looked_ns < self._fleet.interval_ns

    def look(self, meeting: Meeting) -> Order | None:
        """Read what there is in the bucket, and obey the newest; the one that holds then.

        Raises:
            StoreError: the bucket cannot be used now; what held, holds.
            OSError: it cannot be kept, so it is not obeyed.
        """
        self.refused = ""
        found = [order for name in (ALL, self._fleet.device) if (order := self._read(meeting, name))]
        order, sequence, now = self.holds(), self._sequence, time.time_ns()
        for newest in sorted(found, key=lambda one: -one.sequence):
            if newest.sequence <= sequence:
                break
            if not now < newest.expires_ns <= now + 2 * VALID_MAX_NS:
                self.refused = f"order {newest.sequence} has expired"
                break
            if not (wrong := self._judge(newest)):
                order, sequence = newest, newest.sequence
                break
            self.refused = self.refused or f"order {newest.sequence}: {wrong}"
        self._keep(order, sequence, now)
        return order

    def _read(self, meeting: Meeting, name: str) -> Order | None:
        whom = "all" if name == ALL else "this device"
        try:
            body = meeting.read_one(control_key(self._fleet.destination.prefix, name), BYTES_MAX)
            if body is None:
                return None
            order = self._read_order(verified(body, self._fleet.control_key))
            if order.device != name:
                raise Malformed("it stands in the place of another")
        except (Malformed, Refused) as error:
            self.refused = f"the order for {whom}: {error}"
            return None
        obeyed = self._order
        if obeyed is not None and obeyed.device == name and order.sequence < obeyed.sequence:
            self.refused = f"the order for {whom}: {order.sequence} is older than {obeyed.sequence}, which is obeyed"
        return order

    def _keep(self, order: Order | None, sequence: int, now: int) -> None:
        """On disk, and then obeyed. Raises OSError."""
        kept = told(order).decode() if order is not None else ""
        tree = {"key": self._fleet.control_key, "sequence": sequence, "looked_ns": now, "order": kept}
        write(self._path, {**tree, "refused": self.refused})
        self._order, self._sequence, self._looked_ns = order, sequence, now

    def report(self) -> dict[str, object]:
        """What a status object tells of it. What is set is said in words: nothing of it can be too long, or no text."""
        order = None if self.unfit else self.holds()
        return {
            "sequence": self._sequence, "paused": bool(order and order.paused), "rate": order.rate if order else 0,
            "expires_ns": order.expires_ns if order else 0, "refused": shortened(printable(self.unfit or self.refused)),
            "set": [one.text for one in order.settings] if order else [],
        }  # fmt: skip

    def note(self) -> None:
        """Write down beside the ledger what is done now, for `status`, as far as that can be."""
        with self._noting, contextlib.suppress(OSError):
            write(os.path.join(self._state, HOLDS), self.report())
