"""Progress of a restore on a terminal, by rich: files, bytes, rate, and time left where the number of files is known."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from outhaul.engine.account import Account
from outhaul.frontends.cli import say
from outhaul.frontends.cli.returning import PlainWatcher
from outhaul.model.returning import RETURNS


class BarWatcher(PlainWatcher):
    """A bar while it runs."""

    def __init__(self, verb: str, *, verbose: bool = False, advice: Mapping[str, str] | None = None) -> None:
        super().__init__(verb, verbose=verbose, advice=advice)
        self._console = Console(stderr=True, highlight=False)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=16),
            TextColumn("{task.fields[files]}", markup=False),
            TransferSpeedColumn(),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[wrong]}", markup=False),
            console=self._console,
            transient=True,
        )
        self._total = self._total_bytes = 0
        self._task = self._progress.add_task(verb, total=None, files="", wrong="")
        self._progress.start()

    def expect(self, files: int, size: int) -> None:
        """See `engine.account.Watcher`."""
        self._total, self._total_bytes = files, size

    def progress(self, account: Account) -> None:
        """See `engine.account.Watcher`."""
        done = sum(account.by_outcome.values())
        passed = account.bytes_settled + account.bytes_under_way
        of = f"/{say.size(self._total_bytes)}" if self._total_bytes else ""
        wrong = sum(count for outcome, count in account.by_outcome.items() if not RETURNS[outcome].well)
        self._progress.update(
            self._task,
            completed=passed,
            total=self._total_bytes or None,
            files=f"{done:,}{f'/{self._total:,}' if self._total else ''} {say.size(passed)}{of}",
            wrong=f"{wrong:,} not well" if wrong else "",
        )

    def finished(self, account: Account, unmatched: list[str]) -> None:
        """The account, below where the bar was."""
        self.close()
        super().finished(account, unmatched)

    def line(self, text: str) -> None:
        """Say one line, above the bar."""
        self._console.print(text, markup=False, soft_wrap=True)

    def close(self) -> None:
        """Take the bar away."""
        self._progress.stop()
