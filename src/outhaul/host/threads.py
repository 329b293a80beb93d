"""Worker threads: as many as the engine asks for, started when there is work, ended with the run.

They are daemon threads, so an interrupted process never hangs on a stalled network call; what they were doing is safe
to repeat by construction.
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections.abc import Callable
from typing import Any

_STACK_BYTES = 1 << 20


class ThreadWorkers:
    """The `Workers` of this process."""

    def __init__(self) -> None:
        self.cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self._tasks: queue.SimpleQueue[Callable[[], Any] | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._threads = 0
        self._gate = threading.Semaphore(1)

    def widen(self, threads: int) -> None:
        """Start threads until there are this many."""
        if threads <= self._threads:
            return
        before = threading.stack_size(_STACK_BYTES)
        try:
            while self._threads < threads:
                threading.Thread(target=self._work, name=f"outhaul-{self._threads}", daemon=True).start()
                self._threads += 1
        except (
            RuntimeError
        ) as error:  # There is no memory for its stack, or a limit of tasks: those that there are do all.
            if not self._threads:
                raise MemoryError(str(error)) from None
        finally:
            threading.stack_size(before)

    def in_turn(self) -> threading.Semaphore:
        """See `ports.Workers`."""
        return self._gate

    def submit(self, task: Callable[[], Any]) -> None:
        """Queue a task."""
        self._tasks.put(task)

    def finished(self, timeout_seconds: float) -> list[Any]:
        """All results that are ready, or the first that comes within the timeout."""
        results: list[Any] = []
        try:
            results.append(self._results.get(timeout_seconds > 0, timeout_seconds or None))
            while True:
                results.append(self._results.get_nowait())
        except queue.Empty:
            return results

    def close(self) -> None:
        """The run is over: what nobody has begun is left, and each thread ends with what it is doing. Nobody waits for that."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._tasks.get_nowait()
        for _ in range(self._threads):
            self._tasks.put(None)
        self._threads = 0

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            try:
                self._results.put(task())
            except BaseException as error:  # Ours to report, whatever it is: the thread that decides raises it.
                self._results.put(error)
            del task
