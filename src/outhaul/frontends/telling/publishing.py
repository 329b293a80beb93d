"""Metrics while something runs: an endpoint, a file that is written now and then, or both.

The ledger is read by a connection of its own, in a thread of its own, and no more often than costs a twentieth of a core: whoever
asks more often gets the same counts again. No file waits for it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from outhaul.config.telling import MetricsSettings
from outhaul.model.errors import ConfigurationError, LedgerError

if TYPE_CHECKING:
    from outhaul.frontends.telling.serving import Server
    from outhaul.ledgers.queries import JobStatus

LEAST_SECONDS, TIMES = 2.0, 20
"""Counts are kept for so long, or for so many times what counting took."""


class Counted:
    """What the ledger knows, counted when somebody asks, by one thread at a time."""

    def __init__(self, state: str) -> None:
        from outhaul.ledgers.counting import Counting

        self._counting = Counting(state)
        self._lock = threading.Lock()
        self._last: list[JobStatus] = []
        self._until = 0.0

    def __call__(self) -> list[JobStatus]:
        """The counts. Raises LedgerError where there is no ledger yet, or it cannot be read."""
        with self._lock:
            began = time.monotonic()
            if began >= self._until:
                self._last = self._counting.status()
                now = time.monotonic()
                self._until = now + max(LEAST_SECONDS, TIMES * (now - began))
            return self._last


class Publishing:
    """What is published, as a context."""

    def __init__(self, state: str, notice: Callable[[str], None]) -> None:
        """Prepare.

        Args:
            state: The state directory.
            notice: Told what cannot be published.
        """
        self._state = state
        self._notice = notice
        self._settings = MetricsSettings()
        self._server: Server | None = None
        self._writer: _Writer | None = None

    def configure(self, settings: MetricsSettings) -> None:
        """Publish as these say from now on. Where it cannot listen there, that is a notice: files go all the same."""
        if settings == self._settings:
            return
        self._stop()
        self._settings = settings
        try:
            if settings.listen:
                self.listen(settings)
        except ConfigurationError as error:
            self._settings = MetricsSettings()  # When the configuration is read anew, it is tried again.
            self._notice(error.problems[0])
        if settings.file:
            self._writer = _Writer(self._state, settings, self._notice)

    def listen(self, settings: MetricsSettings) -> None:
        """Answer whoever asks. Raises ConfigurationError where it cannot listen there."""
        from outhaul.frontends.telling.serving import Server

        self._server = Server(settings, Counted(self._state))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        if self._server:
            self._server.close()
        if self._writer:
            self._writer.close()
        self._server = self._writer = None


def write_once(state: str, settings: MetricsSettings, notice: Callable[[str], None]) -> None:
    """Write the file, where there is to be one. What cannot be done is a notice."""
    if settings.file:
        from outhaul import app
        from outhaul.frontends.cli.metrics import as_text, write

        try:
            write(as_text(app.status(state)), settings.file)
        except (LedgerError, ConfigurationError) as error:
            notice(f"metrics.file: {error}")


class _Writer:
    """A thread that writes the file; and once more at the end."""

    def __init__(self, state: str, settings: MetricsSettings, notice: Callable[[str], None]) -> None:
        self._counted = Counted(state)
        self._settings = settings
        self._notice = notice
        self._failing = ""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write it for the last time, if that can be had soon."""
        self._over.set()
        self._thread.join(1.0)

    def _work(self) -> None:
        from outhaul.frontends.cli.metrics import as_text, write

        more = True
        while more:
            try:
                write(as_text(self._counted()), self._settings.file)
                self._failing = ""
            except (LedgerError, ConfigurationError) as error:
                if not self._failing:
                    self._notice(f"metrics.file: {error}")
                self._failing = str(error)
            more = not self._over.wait(self._settings.every_ns / 10**9)
