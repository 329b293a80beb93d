"""The worker threads of this process."""

from __future__ import annotations

import threading
import time

import pytest

from outhaul.host.threads import ThreadWorkers


def test_threads_end_with_the_run() -> None:
    """A process that makes one run after the other, for years, has no more of them than a run has; what was not begun is left."""
    before, begun, go = threading.active_count(), threading.Event(), threading.Event()
    workers = ThreadWorkers()
    workers.widen(1)
    done: list[int] = []

    def first() -> None:
        begun.set()
        go.wait(5)
        done.append(1)

    workers.submit(first)
    workers.submit(lambda: done.append(2))
    begun.wait(5)
    workers.close()
    go.set()
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.005)
    assert (threading.active_count(), done) == (before, [1])


def test_where_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that there are do all; where there is none that is a lack of memory, which is told in one line."""

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    workers = ThreadWorkers()
    workers.widen(1)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    workers.widen(4)
    workers.submit(lambda: 7)
    assert workers.finished(5) == [7]
    workers.close()
    with pytest.raises(MemoryError):
        ThreadWorkers().widen(1)
