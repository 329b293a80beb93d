"""Every call through a port, numbered: the places where a simulated world may be made to break.

A run over simulated ports makes the same calls in the same order each time, so "crash before call 17" means something.
A crash is a `BaseException`, so that nothing in the product takes it for a fault of a file; after it every further call
crashes too, as nothing is done by a process that has ended. What this does not show: bytes that were written and not
yet on disk when the power went, and two faults at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, NamedTuple


class Crash(BaseException):
    """The process ended here."""


class Call(NamedTuple):
    """One call through a port."""

    name: str
    """Port and method: 'store.put'."""
    about: str
    """What it is about: a key, a path."""


class Steps:
    """The calls of one run, in order, and what is to happen at which of them."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.crash_at: int | None = None
        """Number of the call, from 0, at which the process ends."""
        self.crash_when: Literal["before", "after"] = "before"
        """Whether the effect of that call takes place."""
        self.hooks: list[tuple[str, str, Callable[[], None]]] = []
        """Once each: at the first call of this name about this ('' for any), just before it, do this."""
        self._at: dict[int, Callable[[], None]] = {}
        self._ended = False

    @contextmanager
    def step(self, name: str, about: str = "") -> Iterator[None]:
        """One call; its effect is the body of the `with`."""
        if self._ended:
            raise Crash(name)
        number = len(self.calls)
        self.calls.append(Call(name, about))
        if number in self._at:
            self._at.pop(number)()
        for hook in [hook for hook in self.hooks if hook[0] == name and hook[1] in ("", about)]:
            self.hooks.remove(hook)
            hook[2]()
        if number == self.crash_at and self.crash_when == "before":
            self._end(name)
        yield
        if number == self.crash_at:
            self._end(name)

    def before(self, name: str, do: Callable[[], None], about: str = "") -> None:
        """Just before the first call of this name, do this: somebody else's hand in between."""
        self.hooks.append((name, about, do))

    def at(self, number: int, do: Callable[[], None]) -> None:
        """Just before the call of this number, do this."""
        self._at[number] = do

    def names(self) -> list[str]:
        """The calls by name, in order."""
        return [call.name for call in self.calls]

    def _end(self, name: str) -> None:
        self._ended = True
        raise Crash(name)
