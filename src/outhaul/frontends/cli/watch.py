"""`watch`: the jobs of a configuration, until it is asked to end. One line for each change of state, and a sum now and then."""

from __future__ import annotations

import argparse
import signal
import time
from functools import partial

from outhaul import app
from outhaul.engine.passes import Outcome
from outhaul.frontends.cli import say
from outhaul.frontends.cli.carry import be_nice, configured, given_bandwidth, given_telling, reconfigured, state_of
from outhaul.frontends.cli.monitors import JsonMonitor
from outhaul.frontends.cli.pinging import Heart
from outhaul.frontends.cli.sharing import given_ledger
from outhaul.frontends.cli.stopping import stopped
from outhaul.frontends.cli.telling import Voice
from outhaul.frontends.telling.everyone import Everyone
from outhaul.frontends.telling.log import ERROR, INFO, Log
from outhaul.frontends.telling.log_monitor import LogMonitor
from outhaul.frontends.telling.publishing import Publishing
from outhaul.frontends.telling.said_once import HeldOnce, Noticed
from outhaul.host.service_manager import ServiceManager
from outhaul.model.bandwidth import Bandwidth
from outhaul.model.errors import ConfigurationError
from outhaul.model.events import Tally
from outhaul.model.job import Job
from outhaul.model.lifecycle import Standing, State
from outhaul.wiring import compression


def watch(options: argparse.Namespace) -> int:
    """Until SIGTERM or SIGINT; SIGHUP reads the configuration anew."""
    manager, log = ServiceManager(), Log(quiet=options.quiet, verbose=options.verbose)
    heart = Heart(log.notice)
    told = _JsonWatching(manager) if options.json else _Watching(log, manager)
    with Everyone([told], log, state_of(options)) as everyone, Publishing(state_of(options), log.notice) as publishing:
        loading = _Loading(options, manager, heart, everyone, publishing)
        signal.signal(signal.SIGHUP, loading.ask)

        def passed(job: Job, outcome: Outcome) -> None:
            _tell(heart, job, outcome)
            everyone.passed(job, outcome.tally, outcome.destination_fault or outcome.source_fault, whole=outcome.whole)
            loading.voice.passed(job, outcome)

        app.watch(
            loading.load,
            state=state_of(options),
            monitor=everyone,
            stopped=stopped,
            reload=loading.asked,
            tell=passed,
            notice=log.notice,
            ledger=given_ledger(options) or configured(options).ledger,
        )
        manager.tell("STOPPING=1")
    return 0


class _Loading:
    """The configuration, read at the start, and when a signal asks for it."""

    def __init__(
        self,
        options: argparse.Namespace,
        manager: ServiceManager,
        heart: Heart,
        everyone: Everyone,
        publishing: Publishing,
    ) -> None:
        self._options = options
        self._manager = manager
        self._heart = heart
        self._everyone = everyone
        self._publishing = publishing
        again = partial(reconfigured, options)
        self.voice = Voice(state_of(options), stopped, everyone.log.notice, again, self.ask)
        self._asked = False
        self._last: tuple[list[Job], Bandwidth | None, str] | None = None

    def ask(self, *_: object) -> None:
        """It is to be read anew."""
        self._asked = True

    def asked(self) -> bool:
        """Whether that was asked for; and the service manager hears that we are alive."""
        self._manager.alive()
        self._heart.beat()
        self._everyone.beat()
        return self._asked

    def load(self) -> tuple[list[Job], Bandwidth | None, str]:
        """Read it. One that is wrong is refused as a whole, and the last one holds; at the start there is none."""
        again, self._asked = self._last is not None, False
        log = self._everyone.log
        if again:
            self._manager.tell(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            said = configured(self._options)
            for job in said.jobs:
                compression(job)  # A library that is missing makes it wrong, too.
            self.voice.speak_to(said.fleet)
            obeyed = self.voice.obeyed(said)
            limit = given_bandwidth(self._options) or obeyed.bandwidth
            self._everyone.configure(given_telling(self._options, said.telling))
            self._publishing.configure(said.telling.metrics)
            be_nice(self._options, said.nice)
            self._last = obeyed.jobs, limit, obeyed.time_zone
            self._heart.address = said.ping
            if again:
                log.say(INFO, "the configuration was read anew", event="reload")
        except ConfigurationError as error:
            if self._last is None:
                raise
            for problem in error.problems:
                log.say(ERROR, problem, event="reload")
            log.say(ERROR, "the new configuration is wrong; the one before still holds", event="reload")
        self._manager.tell("READY=1")
        assert self._last is not None
        return self._last


class _Watching(LogMonitor):
    """The monitor of a watch: lines of the log, and word to the service manager."""

    def __init__(self, log: Log, manager: ServiceManager) -> None:
        super().__init__(log)
        self._manager = manager

    def progress(self, job: Job, tally: Tally) -> None:
        """See `ports.Monitor`."""
        self._manager.alive()

    def passed(self, job: Job, tally: Tally, fault: str, *, whole: bool) -> None:
        """See `LogMonitor`."""
        super().passed(job, tally, fault, whole=whole)
        self._manager.tell(f"STATUS={job.name}: {say.files(tally.of(State.WAITING))} waiting")


class _JsonWatching(JsonMonitor):
    """The same as JSON lines: each file that was carried or is held, and a summary where something was carried."""

    def __init__(self, manager: ServiceManager) -> None:
        super().__init__()
        self._manager = manager
        self._held: dict[str, HeldOnce] = {}
        self._noticed: dict[str, Noticed] = {}

    def started(self, job: Job) -> None:
        """See `ports.Monitor`."""
        super().started(job)
        self._held.setdefault(job.name, HeldOnce()).begin()

    def standing(self, job: Job, standing: Standing) -> None:
        """See `ports.Monitor`. What waits is not told at each look, and what is held once for each reason."""
        if standing.state is State.HELD and self._held[job.name].is_new(standing):
            super().standing(job, standing)

    def progress(self, job: Job, tally: Tally) -> None:
        """See `ports.Monitor`."""
        self._manager.alive()

    def notice(self, job: Job, text: str) -> None:
        """See `ports.Monitor`. What was said since the job last changed is not said again."""
        if self._noticed.setdefault(job.name, Noticed()).is_new(job, text):
            super().notice(job, text)

    def finished(self, job: Job, tally: Tally) -> None:
        """See `ports.Monitor`."""
        if tally.bytes_carried:
            super().finished(job, tally)

    def passed(self, job: Job, tally: Tally, fault: str, *, whole: bool) -> None:
        """The events have told it."""
        if job.name in self._held:  # A source that cannot be opened ends before it is begun.
            self._held[job.name].end(whole=whole and not fault)
        self._noticed.setdefault(job.name, Noticed()).passed(tally, fault)


def _tell(heart: Heart, job: Job, outcome: Outcome) -> None:
    """What is not well; that all is, only a look at everything can tell."""
    held = outcome.tally.of(State.HELD)
    fault = outcome.destination_fault or outcome.source_fault or (f"{say.files(held)} held" if held else "")
    if fault or outcome.whole:
        heart.job(job.name, fault)
