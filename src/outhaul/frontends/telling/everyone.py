"""All who are told of a run or a watch: the monitors that speak to the user, and who else a configuration names.

They hear the same, one after the other. Whoever fails is told no more, and the log says so: the work goes on.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Protocol, Self

from outhaul.config.telling import SENTRY_VARIABLE, TRACE_VARIABLES, Telling
from outhaul.frontends.telling.log import ERROR, WARNING, Log
from outhaul.model.errors import AnotherInstance, ConfigurationError, OuthaulError
from outhaul.model.events import Tally
from outhaul.model.evidence import Disposal, Proof, Receipt
from outhaul.model.job import Job
from outhaul.model.lifecycle import Standing, State
from outhaul.ports import Monitor


class Listener(Protocol):
    """Who else is told. Calls come from the thread that decides, and must return at once."""

    def started(self, job: Job) -> None:
        """A pass over this job begins."""

    def held(self, job: Job, standing: Standing) -> None:
        """A file is held; this comes at each look at it."""

    def carried(self, job: Job, receipts: Sequence[Receipt], proofs: Sequence[Proof]) -> None:
        """See `ports.Monitor`."""

    def released(self, job: Job, disposals: Sequence[Disposal], earlier: Sequence[Receipt]) -> None:
        """See `ports.Monitor`."""

    def passed(self, job: Job, tally: Tally, fault: str, *, whole: bool) -> None:
        """The pass is over; see `LogMonitor.passed`."""

    def beat(self) -> None:
        """Some time has passed; comes at least every second from a watch."""

    def failed(self, error: Exception) -> None:
        """The whole command ends by this."""

    def over(self, seconds: float) -> None:
        """It ends, and may take so long for what is still to be told."""


class Everyone:
    """The monitor of a command, as a context: what ends it is told, too."""

    def __init__(self, monitors: Sequence[Monitor], log: Log, state: str) -> None:
        """Prepare.

        Args:
            monitors: Speak to the user.
            log: Of the command.
            state: The state directory.
        """
        self.log = log
        self._monitors = tuple(monitors)
        self._state = state
        self.patience = 4.0
        """How many seconds a listener may take at the end for what is still to be told."""
        self._telling: Telling | None = None
        self._listeners: list[Listener] = []

    def configure(self, telling: Telling) -> None:
        """Let these be told from now on.

        Raises:
            ConfigurationError: one of them cannot be had; all stays as it was.
        """
        before_log = self.log.settings
        self.log.configure(telling.log)
        if telling == self._telling:
            return
        try:
            made = _listeners(telling, self._state, self.log)
        except ConfigurationError:
            self.log.configure(before_log)
            raise
        self._telling, before = telling, self._listeners
        self._listeners = []
        for listener in before:
            listener.over(1.0)
        self._listeners = made

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Exception) and not isinstance(
            error, AnotherInstance | ConfigurationError | BrokenPipeError
        ):
            if self.log.settings.file or self.log.settings.config:  # Standard error hears it anyway.
                what = str(error) if isinstance(error, OuthaulError) else f"unforeseen: {type(error).__name__}: {error}"
                self.log.say(ERROR, what, event="failure")
            self._each(lambda one: one.failed(error))
        for monitor in self._monitors:
            if over := getattr(monitor, "over", None):
                over()
        self._each(lambda one: one.over(self.patience))

    # --- ports.Monitor --------------------------------------------------------------------------------------------------

    def started(self, job: Job) -> None:
        """See `ports.Monitor`."""
        for monitor in self._monitors:
            monitor.started(job)
        self._each(lambda one: one.started(job))

    def standing(self, job: Job, standing: Standing) -> None:
        """See `ports.Monitor`."""
        for monitor in self._monitors:
            monitor.standing(job, standing)
        if self._listeners and standing.state is State.HELD:
            self._each(lambda one: one.held(job, standing))

    def carried(self, job: Job, receipts: Sequence[Receipt], proofs: Sequence[Proof]) -> None:
        """See `ports.Monitor`."""
        for monitor in self._monitors:
            monitor.carried(job, receipts, proofs)
        self._each(lambda one: one.carried(job, receipts, proofs))

    def released(self, job: Job, disposals: Sequence[Disposal], earlier: Sequence[Receipt]) -> None:
        """See `ports.Monitor`."""
        for monitor in self._monitors:
            monitor.released(job, disposals, earlier)
        self._each(lambda one: one.released(job, disposals, earlier))

    def progress(self, job: Job, tally: Tally) -> None:
        """See `ports.Monitor`."""
        for monitor in self._monitors:
            monitor.progress(job, tally)

    def notice(self, job: Job, text: str) -> None:
        """See `ports.Monitor`."""
        for monitor in self._monitors:
            monitor.notice(job, text)

    def finished(self, job: Job, tally: Tally) -> None:
        """See `ports.Monitor`."""
        for monitor in self._monitors:
            monitor.finished(job, tally)

    # --- beside it ------------------------------------------------------------------------------------------------------

    def passed(self, job: Job, tally: Tally, fault: str, *, whole: bool) -> None:
        """A pass is over; see `LogMonitor.passed`."""
        for monitor in self._monitors:
            if passed := getattr(monitor, "passed", None):
                passed(job, tally, fault, whole=whole)
        self._each(lambda one: one.passed(job, tally, fault, whole=whole))

    def beat(self) -> None:
        """Some time has passed."""
        self._each(lambda one: one.beat())

    def _each(self, tell: Callable[[Listener], None]) -> None:
        for listener in self._listeners[:]:
            try:
                tell(listener)
            except Exception as error:  # Whatever it is: it is none of the files' business.
                self._listeners.remove(listener)
                self.log.say(WARNING, f"{type(listener).__name__} is told no more: {type(error).__name__}: {error}")


def _listeners(telling: Telling, state: str, log: Log) -> list[Listener]:
    """Nothing is loaded for what nobody asks for."""
    made: list[Listener] = []
    if telling.has_hooks:
        from outhaul.frontends.telling.hooks import HookListener

        made.append(HookListener(telling, state, log.notice))
    if telling.sentry_dsn or os.environ.get(SENTRY_VARIABLE):
        from outhaul.frontends.telling.sentry import sentry

        made += sentry(telling, log.notice)
    if any(os.environ.get(name) for name in TRACE_VARIABLES):
        from outhaul.frontends.telling.traces import traces

        made += traces(log.notice)
    return made
