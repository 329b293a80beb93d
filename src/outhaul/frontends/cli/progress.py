"""Progress on a terminal, by rich: files, bytes, rate, time left, what waits. Then the same summary as everywhere.

How much there is to do is counted by a walk of its own, beside the run; it makes the bar and the time left, and nothing is
decided by it.
"""

from __future__ import annotations

import os
import threading

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from outhaul.frontends.cli import say
from outhaul.frontends.cli.monitors import PlainMonitor
from outhaul.frontends.telling.log import INFO
from outhaul.model.events import Tally
from outhaul.model.job import Job
from outhaul.model.keys import printable
from outhaul.model.lifecycle import State


class ProgressMonitor(PlainMonitor):
    """A bar for each job while it runs."""

    def __init__(self, *, verbose: bool = False) -> None:
        super().__init__(verbose=verbose)
        self._console = Console(stderr=True, highlight=False)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=16),
            TextColumn("{task.fields[files]}", markup=False),
            Rate(),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[waiting]}", markup=False),
            console=self._console,
            transient=True,
        )
        self._jobs: dict[str, tuple[TaskID, _Census]] = {}

    def started(self, job: Job) -> None:
        """See `ports.Monitor`."""
        super().started(job)
        task = self._progress.add_task(printable(job.name)[:16], total=None, files="", waiting="")
        self._jobs[job.name] = (task, _Census(job.source))
        self._progress.start()

    def progress(self, job: Job, tally: Tally) -> None:
        """See `ports.Monitor`."""
        task, census = self._jobs[job.name]
        done = sum(tally.by_reason.values())
        total = max(census.files, tally.seen)
        waits = tally.of(State.WAITING) + tally.of(State.HELD)
        self._progress.update(
            task,
            completed=done,
            total=total if census.complete else None,
            files=f"{done:,}/{total:,} {say.size(tally.bytes_sent)}",
            waiting=f"{waits:,} waiting" if waits else "",
        )

    def finished(self, job: Job, tally: Tally) -> None:
        """See `ports.Monitor`."""
        task, census = self._jobs.pop(job.name)
        census.stop = True
        self._progress.remove_task(task)
        if not self._jobs:
            self._progress.stop()
        super().finished(job, tally)

    def line(self, text: str, level: int = INFO) -> None:
        """Say one line, above the bar."""
        self._console.print(text, markup=False, soft_wrap=True)

    def close(self) -> None:
        """Take the bars away."""
        for _, census in self._jobs.values():
            census.stop = True
        self._progress.stop()


class Rate(ProgressColumn):
    """Files a second."""

    def render(self, task: Task) -> Text:
        """For rich."""
        return Text(f"{task.speed:,.0f}/s" if task.speed else "")


class _Census:
    """Counts the regular files beneath a directory, on a thread of its own."""

    def __init__(self, source: str) -> None:
        self.files = 0
        self.complete = False
        self.stop = False
        if source:
            threading.Thread(target=self._count, args=(source,), daemon=True).start()

    def _count(self, source: str) -> None:
        folders = [source]
        while folders and not self.stop:
            try:
                with os.scandir(folders.pop()) as entries:
                    for entry in entries:
                        if entry.is_dir(follow_symlinks=False):
                            folders.append(entry.path)
                        else:
                            self.files += 1
            except OSError:
                continue
        self.complete = True
