"""Workers that are no threads: each task runs in the thread that decides, so that a run can be replayed.

Not shown here: two tasks at the same instant. `at_submit` runs a task before `submit` returns; `seeded` keeps the tasks
and, each time results are asked for, runs some of them in an order that only the seed decides.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any


class InlineWorkers:
    """The `Workers` of the simulated machine."""

    def __init__(self, *, seed: int | None = None, cores: int = 2) -> None:
        self.cores = cores
        self.widest = 0
        """The most tasks at once that were asked for."""
        self._random = None if seed is None else random.Random(seed)
        self._tasks: list[Callable[[], Any]] = []
        self._results: list[Any] = []

    def widen(self, threads: int) -> None:
        """Taken note of."""
        self.widest = max(self.widest, threads)

    def in_turn(self) -> AbstractContextManager[object]:
        """There is never more than one at work."""
        return nullcontext()

    def submit(self, task: Callable[[], Any]) -> None:
        """Run it now, or keep it."""
        if self._random is None:
            self._run(task)
        else:
            self._tasks.append(task)

    def finished(self, timeout_seconds: float) -> list[Any]:
        """What there is; where tasks are kept, at least one of them is run."""
        if self._random is not None:
            for _ in range(self._random.randint(1, len(self._tasks)) if self._tasks else 0):
                self._run(self._tasks.pop(self._random.randrange(len(self._tasks))))
        results, self._results = self._results, []
        return results

    def _run(self, task: Callable[[], Any]) -> None:
        """An error is a result, as with threads; a crash ends the process."""
        try:
            self._results.append(task())
        except Exception as error:
            self._results.append(error)
