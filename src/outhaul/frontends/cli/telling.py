"""How `run` and `watch` tell a fleet of this device: on a thread of its own, which no file waits for.

Whatever goes wrong there is one line when it begins and one when it is over, and changes no exit code: who does not hear of this
device any more knows that something is wrong.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from outhaul.model.bandwidth import Bandwidth
from outhaul.model.errors import ConfigurationError
from outhaul.model.fleet import SECOND_NS, Fleet

if TYPE_CHECKING:
    from outhaul.config.native import Configured
    from outhaul.engine.passes import Outcome
    from outhaul.fleet.obeying import Obedience
    from outhaul.fleet.telling import Teller
    from outhaul.model.job import Job
    from outhaul.model.orders import Order, Setting
    from outhaul.ports.meeting import Meeting

FIRST_SECONDS = 5.0
"""So soon after its start a daemon tells that it is there."""
AGAIN_SECONDS, AGAIN_MAX_SECONDS = 30.0, 3600.0
"""How long after a failure it is tried again: twice as long each time."""
LAST_SECONDS = 20.0
"""So long the end of a run waits for what is told of it."""


class Voice:
    """What this process tells of itself. It says nothing where there is no fleet."""

    def __init__(
        self,
        state: str,
        stopped: Callable[[], bool],
        say: Callable[[str], None],
        again: Callable[[tuple[Setting, ...]], Configured],
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        """Prepare.

        Args:
            state: The state directory.
            stopped: Whether the process is asked to end.
            say: Writes a line of the log.
            again: Reads the configuration with what an order sets in it; raises ConfigurationError. From another thread, too.
            changed: Called, from another thread, when another order holds than before.
        """
        self._state, self._stopped, self._say, self._again, self._changed = state, stopped, say, again, changed
        self._obedience: Obedience | None = None
        self._order: Order | None = None
        self._refused = ""
        self._faults: dict[str, str] = {}
        self._fleet: Fleet | None = None
        self._teller: Teller | None = None
        self._meeting: Meeting | None = None
        self._thread: threading.Thread | None = None
        self._wake = threading.Event()
        self._over = False
        self._failures = 0

    def speak_to(self, fleet: Fleet | None, first_seconds: float = FIRST_SECONDS) -> None:
        """Tell this one from now on; the configuration has been read."""
        if fleet == self._fleet:
            return
        self._obedience = self._obeying(fleet) if fleet is not None and fleet.control_key else None
        self._order = self._obedience.holds() if self._obedience else None
        self._fleet, self._teller, self._meeting = fleet, None, None
        if fleet is not None and self._thread is None:
            self._thread = threading.Thread(target=self._speak, args=(first_seconds,), daemon=True)
            self._thread.start()

    def _obeying(self, fleet: Fleet) -> Obedience:
        from outhaul.fleet.obeying import Obedience

        return Obedience(fleet, self._state, self._judge)

    def obeyed(self, said: Configured) -> Configured:
        """What is configured, as the order says that holds; what it changes is told. One that cannot be done holds in nothing."""
        obedience, order = self._obedience, self._order
        if obedience is None:
            from outhaul.fleet.told_here import nobody_orders

            nobody_orders(self._state)
            return said
        obedience.unfit = ""
        if order is not None:
            try:
                said = self._done(order, said)
            except ConfigurationError as error:
                obedience.unfit = f"order {order.sequence}: {error.problems[0]}"
                self._say(f"refused: {obedience.unfit}")
        obedience.note()
        return said

    def _done(self, order: Order, said: Configured) -> Configured:
        from outhaul.config.ordered import as_ordered
        from outhaul.fleet.told_here import words

        if order.settings:
            said = self._again(order.settings)
        self._say(
            words(order.sequence, order.expires_ns, order.paused, order.rate, [one.text for one in order.settings])
        )
        if order.rate:
            said = said._replace(bandwidth=Bandwidth(order.rate))
        if order.rate or order.settings:
            if any(job.shed_below for job in said.jobs):
                self._say("disk.shed-below does not hold meanwhile: no file is given up while an order delays")
            said = as_ordered(said)
        return said._replace(jobs=[]) if order.paused else said

    def _judge(self, order: Order) -> str:
        """Why this device cannot, or does not, do what an order sets; '' where it does."""
        try:
            if order.settings:
                self._again(order.settings)
        except ConfigurationError as error:
            return error.problems[0]
        return ""

    def job(self, name: str, fault: str) -> None:
        """A pass over a job has ended; '' is well."""
        self._faults[name] = fault

    def passed(self, job: Job, outcome: Outcome) -> None:
        """The same, of a daemon: that all is well, only a look at everything can tell."""
        fault = outcome.destination_fault or outcome.source_fault
        if fault or outcome.whole:
            self.job(job.name, fault)

    def finish(self) -> None:
        """The run is over: tell of it, where that is due, and wait for it, but not for long."""
        self._over = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(LAST_SECONDS)

    def _speak(self, seconds: float) -> None:
        while not self._wake.wait(seconds) and not self._stopped():
            seconds = self._tell()
        if self._over and not self._stopped():
            self._tell()

    def _tell(self) -> float:
        """How long to wait until the next time."""
        fleet = self._fleet
        if fleet is None:
            return FIRST_SECONDS
        try:
            if self._teller is None:
                self._teller = _teller(fleet, self._state, self._where, self._stopped)
            self._listen()
            self._teller.tell(
                dict(self._faults), self._obedience.report() if self._obedience else None, ending=self._over
            )
        except Exception as error:  # Whatever it is, files go on being carried.
            if not self._failures:
                self._say(
                    f"{fleet.destination.address} was not told how this device is: {error or type(error).__name__}"
                )
            self._failures += 1
            return min(AGAIN_SECONDS * (1 << min(self._failures - 1, 10)), AGAIN_MAX_SECONDS)
        if self._failures:
            self._say(f"{fleet.destination.address} is told again how this device is")
        self._failures = 0
        return fleet.interval_ns / SECOND_NS

    def _where(self) -> Meeting:
        """The place, opened when it is first used."""
        from outhaul.wiring import open_meeting

        assert self._fleet is not None
        if self._meeting is None:
            self._meeting = open_meeting(self._fleet.destination, self._fleet.connection)
        return self._meeting

    def _listen(self) -> None:
        """Look for an order, where somebody may give one, no more than once an interval."""
        obedience = self._obedience
        if obedience is None:
            return
        try:
            order = obedience.look(self._where()) if obedience.is_due() else obedience.holds()
        except OSError as error:  # Such as a full disk, which is to be told of all the same.
            order, obedience.refused = obedience.holds(), f"an order cannot be kept: {error.strerror}"
        if obedience.refused != self._refused:
            if obedience.refused:
                self._say(f"refused: {obedience.refused}")
            obedience.note()
        self._refused = obedience.refused
        if order != self._order:
            self._order = order
            self._changed()


def _teller(fleet: Fleet, state: str, where: Callable[[], Meeting], stopped: Callable[[], bool]) -> Teller:
    from outhaul.fleet.telling import Teller
    from outhaul.frontends.cli.main import VERSION
    from outhaul.frontends.cli.show import receipt_fields

    return Teller(fleet, state, where, receipt_fields, VERSION, stopped)


@contextmanager
def voiced(
    fleet: Fleet | None,
    state: str,
    stopped: Callable[[], bool],
    say: Callable[[str], None],
    again: Callable[[tuple[Setting, ...]], Configured],
) -> Iterator[Voice]:
    """For a run: while it lasts, once an interval, and at its end."""
    voice = Voice(state, stopped, say, again)
    if fleet is not None:
        voice.speak_to(fleet, fleet.interval_ns / SECOND_NS)
    yield voice
    voice.finish()
