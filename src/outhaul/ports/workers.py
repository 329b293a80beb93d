"""Hands that work while one thread decides."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol


class Workers(Protocol):
    """Hands that open, hash, send and remove, while one thread decides."""

    cores: int
    """Processors that this process may use."""

    def widen(self, threads: int) -> None:
        """Let up to `threads` tasks run at once. It never narrows."""

    def in_turn(self) -> AbstractContextManager[object]:
        """For short work on local files: only few workers at a time are let in.

        Such work is a string of system calls of a microsecond each. Python lets go of its interpreter lock around each of
        them, and with several threads at it most of the time goes into handing that lock about (measured: half).
        """

    def submit(self, task: Callable[[], Any]) -> None:
        """Run `task` on some thread. What it returns, or raises, comes out of `finished`."""

    def finished(self, timeout_seconds: float) -> list[Any]:
        """Results that are ready; where there are none, wait for one, but no longer than the timeout."""
