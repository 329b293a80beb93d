"""Run the command of an older program within this process, by a clock that is ahead, so that no test waits for quiet time.

What the command itself sees is real: the server, the files, the ledger. A process of its own for each run is in `old_command`;
it takes half a second more.
"""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import pytest

from older.old_command import OldCommand, Said
from outhaul import wiring
from outhaul.frontends.cli.main import guarded
from outhaul.host.clock import SystemClock
from outhaul.ports import Moment
from servers.server import Server

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class AheadClock(SystemClock):
    """The real clock, some seconds ahead on all its faces that count for the age of a file."""

    ahead_ns = 0

    def __init__(self) -> None:
        super().__init__()
        wall_ns = self.wall_ns
        self.wall_ns = lambda: wall_ns() + self.ahead_ns

    def moment(self) -> Moment:
        """Now, as it will be."""
        boot_id, boot_ns, wall_ns = super().moment()
        return Moment(boot_id, boot_ns + self.ahead_ns, wall_ns + self.ahead_ns)


class Here(OldCommand):
    """One of the commands in this process, with its output."""

    def __init__(
        self,
        module: str,
        home: Path,
        server: Server,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        super().__init__(module, home, server, server.make_bucket())
        self.state = home / "state"
        self._patch = monkeypatch
        self._capsys = capsys
        self.be_ahead(60)

    def be_ahead(self, seconds: int) -> None:
        """Files are as much older than they are."""
        clock = type("Clock", (AheadClock,), {"ahead_ns": seconds * 10**9})
        self._patch.setattr(wiring, "SystemClock", clock)

    def __call__(self, *arguments: str, **more: str) -> Said:
        """Run it as the console script does."""
        found = import_module(f"outhaul.frontends.older.{self.module}")
        with self._patch.context() as patch, _own_logging(), _own_signals():
            patch.chdir(self.home)
            for name, value in (self.environment | more).items():
                patch.setenv(name, value)
            self._capsys.readouterr()
            code = guarded(found.PROGRAM, lambda: found.main(["--state", str(self.state), *arguments]))
        return Said(code, *self._capsys.readouterr())

    def receipts(self) -> Sequence[str]:
        """What `outhaul ls` lists: the paths that have a receipt."""
        from outhaul.app import receipts

        return [row.path for row in receipts(str(self.state))]

    def put(self, key: str, body: bytes, headers: dict[str, str] | None = None) -> None:
        """An object that is there already."""
        with self.server.client() as client:
            client.put(self.bucket, key, body, headers)


@contextmanager
def _own_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, raising = root.handlers[:], root.level, logging.raiseExceptions
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        logging.raiseExceptions = raising


@contextmanager
def _own_signals() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
