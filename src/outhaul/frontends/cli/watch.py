"""`watch`: the jobs of a configuration, until it is asked to end. One line for each change of state, and a sum now and then."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Sequence

from outhaul import app
from outhaul.engine.passes import Outcome
from outhaul.frontends.cli import say
from outhaul.frontends.cli.carry import configured, given_bandwidth, given_ledger, state_of
from outhaul.frontends.cli.main import stopped
from outhaul.frontends.cli.monitors import JsonMonitor, describe
from outhaul.frontends.cli.pinging import Heart
from outhaul.host.service_manager import ServiceManager
from outhaul.model.bandwidth import Bandwidth
from outhaul.model.errors import ConfigurationError
from outhaul.model.events import Tally
from outhaul.model.evidence import Disposal, Proof, Receipt, stored_bytes
from outhaul.model.job import Job
from outhaul.model.keys import printable
from outhaul.model.lifecycle import Standing, State
from outhaul.wiring import compression

SUM_SECONDS = 60.0
"""How often what was carried is summed up, while something is."""
NAMED_MAX = 1000
"""Held files that are remembered, so that each is named once."""


def watch(options: argparse.Namespace) -> int:
    """Until SIGTERM or SIGINT; SIGHUP reads the configuration anew."""
    manager = ServiceManager()
    heart = Heart()
    loading = _Loading(options, manager, heart)
    signal.signal(signal.SIGHUP, loading.ask)
    told = _JsonWatching(manager, heart) if options.json else _Watching(manager, heart, options)
    app.watch(
        loading.load,
        state=state_of(options),
        monitor=told,
        stopped=stopped,
        reload=loading.asked,
        tell=told.passed,
        notice=told.line,
        ledger=given_ledger(options) or configured(options).ledger,
    )
    manager.tell("STOPPING=1")
    told.over()
    return 0


class _Loading:
    """The configuration, read at the start, and when a signal asks for it."""

    def __init__(self, options: argparse.Namespace, manager: ServiceManager, heart: Heart) -> None:
        self._options = options
        self._manager = manager
        self._heart = heart
        self._asked = False
        self._last: tuple[list[Job], Bandwidth | None] | None = None

    def ask(self, *_: object) -> None:
        """It is to be read anew."""
        self._asked = True

    def asked(self) -> bool:
        """Whether that was asked for; and the service manager hears that we are alive."""
        self._manager.alive()
        self._heart.beat()
        return self._asked

    def load(self) -> tuple[list[Job], Bandwidth | None]:
        """Read it. One that is wrong is refused as a whole, and the last one holds; at the start there is none."""
        again, self._asked = self._last is not None, False
        if again:
            self._manager.tell(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            said = configured(self._options)
            for job in said.jobs:
                compression(job)  # A library that is missing makes it wrong, too.
            self._last = said.jobs, given_bandwidth(self._options) or said.bandwidth
            self._heart.address = said.ping
            _say("the configuration was read anew" if again else "")
        except ConfigurationError as error:
            if self._last is None:
                raise
            for problem in error.problems:
                _say(problem)
            _say("the new configuration is wrong; the one before still holds")
        self._manager.tell("READY=1")
        assert self._last is not None
        return self._last


class _HeldOnce:
    """Which held files of a job have been told: each once for a reason, and again where it is held again later."""

    def __init__(self) -> None:
        self._told: set[tuple[str, str]] = set()
        self._now: set[tuple[str, str]] = set()

    def begin(self) -> None:
        """A pass begins."""
        self._now = set()

    def is_new(self, standing: Standing) -> bool:
        """Whether this one is still to be told."""
        what = (standing.path, standing.reason)
        self._now.add(what)
        if what in self._told or len(self._told) >= NAMED_MAX:
            return False
        self._told.add(what)
        return True

    def end(self, outcome: Outcome) -> None:
        """A pass has ended; what is not held any more, only a look at everything can tell."""
        if outcome.whole:
            self._told &= self._now


class _State:
    """What was said of one job."""

    def __init__(self) -> None:
        self.fault = ""
        self.notice = ""
        self.files = self.bytes = 0
        self.since = 0.0
        self.held = _HeldOnce()


class _Watching:
    """The monitor of a watch, in plain lines on standard error."""

    def __init__(self, manager: ServiceManager, heart: Heart, options: argparse.Namespace) -> None:
        self._manager = manager
        self._heart = heart
        self._quiet, self._verbose = options.quiet, options.verbose
        self._jobs: dict[str, _State] = {}

    # --- ports.Monitor --------------------------------------------------------------------------------------------------

    def started(self, job: Job) -> None:
        """See `ports.Monitor`."""
        self._of(job).held.begin()

    def standing(self, job: Job, standing: Standing) -> None:
        """See `ports.Monitor`. A held file is named once for each reason."""
        if standing.state is State.HELD and self._of(job).held.is_new(standing):
            self.line(f"{job.name}: {describe(standing)}")

    def carried(self, job: Job, receipts: Sequence[Receipt], proofs: Sequence[Proof]) -> None:
        """See `ports.Monitor`."""
        one = self._of(job)
        one.files += len(receipts)
        one.bytes += stored_bytes(proofs)
        if self._verbose:
            for proof in proofs:
                self.line(f"carried  {proof.sighting.path} -> {proof.key} ({proof.kind.value})")

    def released(self, job: Job, disposals: Sequence[Disposal]) -> None:
        """See `ports.Monitor`."""

    def progress(self, job: Job, tally: Tally) -> None:
        """See `ports.Monitor`."""
        self._manager.alive()

    def notice(self, job: Job, text: str) -> None:
        """See `ports.Monitor`. What was said last is not said again."""
        one = self._of(job)
        if one.notice != text:
            one.notice = text
            self.line(f"{job.name}: {text}")

    def finished(self, job: Job, tally: Tally) -> None:
        """See `ports.Monitor`."""

    # --- what a pass came to --------------------------------------------------------------------------------------------

    def passed(self, job: Job, outcome: Outcome) -> None:
        """Say what has changed."""
        _tell(self._heart, job, outcome)
        one, fault = self._of(job), outcome.destination_fault or outcome.source_fault
        one.held.end(outcome)
        if bool(fault) != bool(one.fault):
            self.line(f"{job.name}: {fault}; tried again in a while" if fault else f"{job.name}: it goes on")
        one.fault = fault
        if one.files and (time.monotonic() - one.since >= SUM_SECONDS):
            self._sum(job.name, one)
        waiting = outcome.tally.of(State.WAITING)
        self._manager.tell(f"STATUS={job.name}: {say.files(waiting)} waiting")

    def over(self) -> None:
        """The end: what was not summed up yet."""
        for name, one in self._jobs.items():
            if one.files:
                self._sum(name, one)

    def line(self, text: str) -> None:
        """One line."""
        _say(text)

    def _sum(self, name: str, one: _State) -> None:
        if not self._quiet:
            self.line(f"{name}: {say.files(one.files)} carried ({say.size(one.bytes)})")
        one.files = one.bytes = 0
        one.since = time.monotonic()

    def _of(self, job: Job) -> _State:
        return self._jobs.setdefault(job.name, _State())


class _JsonWatching(JsonMonitor):
    """The same as JSON lines: each file that was carried or is held, and a summary where something was carried."""

    def __init__(self, manager: ServiceManager, heart: Heart) -> None:
        super().__init__()
        self._manager = manager
        self._heart = heart
        self._held: dict[str, _HeldOnce] = {}

    def started(self, job: Job) -> None:
        """See `ports.Monitor`."""
        super().started(job)
        self._held.setdefault(job.name, _HeldOnce()).begin()

    def standing(self, job: Job, standing: Standing) -> None:
        """See `ports.Monitor`. What waits is not told at each look, and what is held once for each reason."""
        if standing.state is State.HELD and self._held[job.name].is_new(standing):
            super().standing(job, standing)

    def progress(self, job: Job, tally: Tally) -> None:
        """See `ports.Monitor`."""
        self._manager.alive()

    def finished(self, job: Job, tally: Tally) -> None:
        """See `ports.Monitor`."""
        if tally.bytes_carried:
            super().finished(job, tally)

    def passed(self, job: Job, outcome: Outcome) -> None:
        """The events have told it."""
        if job.name in self._held:  # A source that cannot be opened ends before it is begun.
            self._held[job.name].end(outcome)
        _tell(self._heart, job, outcome)

    def over(self) -> None:
        """Nothing is left to be said."""

    def line(self, text: str) -> None:
        """Logs go to standard error."""
        _say(text)


def _tell(heart: Heart, job: Job, outcome: Outcome) -> None:
    """What is not well; that all is, only a look at everything can tell."""
    held = outcome.tally.of(State.HELD)
    fault = outcome.destination_fault or outcome.source_fault or (f"{say.files(held)} held" if held else "")
    if fault or outcome.whole:
        heart.job(job.name, fault)


def _say(text: str) -> None:
    if text:
        try:
            print(f"outhaul: {printable(text)}", file=sys.stderr, flush=True)
        except OSError:
            return
