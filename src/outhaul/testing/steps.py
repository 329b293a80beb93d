"""Every call through a port, numbered: the places where a simulated world may be made to break.

A run over simulated ports makes the same calls in the same order each time, so "crash before call 17" means something.
A crash is a `BaseException`, so that nothing in the product takes it for a fault of a file; after it every further call
crashes too, as nothing is done by a process that has ended, until `begin` starts the next one. A power cut is a crash
after which whoever drives the world drops what was not yet on disk (`SimulatedDisk.cut`); it is not dropped here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, NamedTuple

from outhaul.model.errors import (
    Denied,
    LedgerError,
    Misconfigured,
    OuthaulError,
    Refused,
    SourceStuck,
    SourceUnreadable,
    Transient,
)


class Crash(BaseException):
    """The process ended here."""


class PowerCut(Crash):
    """The machine went dark here: what was not yet on disk may be gone."""


class Call(NamedTuple):
    """One call through a port."""

    name: str
    """Port and method: 'store.put'."""
    about: str
    """What it is about: a key, a path."""


_ENDS = ("crash before", "crash after", "cut before", "cut after")
_ERRORS = (*_ENDS, "error before", "error after")
_ANSWERS: dict[str, type[OuthaulError]] = {"denied": Denied, "misconfigured": Misconfigured, "refused": Refused}
_TWISTS = ("flip", "short", "drop", "late")
_BEFORE = (*_ENDS, "error before")
_STUCK = ("files.take_aside", "files.is_file", "files.unlink", "files.left_aside", "files.archive")
_MENU: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("files.open", "files.folder", "files.tree", "files.pread", "files.digest"), _BEFORE),
    **dict.fromkeys(("files.left_aside", "files.is_file"), _BEFORE),
    **dict.fromkeys(("files.put_back", "files.check_writers", "files.take_lease", "files.lease_holds"), (*_ENDS, "no")),
    "files.unchanged": _ENDS,
    **dict.fromkeys(("files.archive", "files.changed_ns", "files.remove_empty", "store.wall_ns"), _BEFORE),
    "store.put": (*_ERRORS, *_ANSWERS, *_TWISTS),
    "store.put_large": (*_ERRORS, *_ANSWERS, "drop", "late"),
    "store.put_part": (*_ERRORS, *_ANSWERS, "flip", "short"),
    "store.begin_large": (*_ERRORS, *_ANSWERS),
    "store.probe": (*_ERRORS, "denied", "misconfigured"),
    "store.adopt": _ENDS,
}


def mishaps(name: str) -> tuple[str, ...]:
    """All that can go wrong at a call of this name.

    'error after' is a reply that was lost: the effect took place. 'no' is an answer that the system gives where it can
    not do a thing. 'flip' and 'short' change what is sent on its way, 'drop' is an answer with nothing stored, 'late' an
    object that is not yet to be seen.
    """
    return _MENU.get(name, _ERRORS)


class Steps:
    """The calls of one run, in order, and what is to happen at which of them."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.crash_at: int | None = None
        """Number of the call, from 0, at which the process ends."""
        self.crash_when: Literal["before", "after"] = "before"
        """Whether the effect of that call takes place."""
        self.plan: dict[int, str | int] = {}
        """Number of a call to what goes wrong there: one of `mishaps`, by name or, modulo their number, by place."""
        self.happened: dict[int, str] = {}
        """What of the plan has come true."""
        self.hooks: list[tuple[str, str, Callable[[], None]]] = []
        """Once each: at the first call of this name about this ('' for any), just before it, do this."""
        self.turn: Callable[[], None] | None = None
        """Called before every call: another machine's turn, perhaps."""
        self.follows: list[int | None] = []
        """For each call the one that had ended just before it: nothing has happened in between that a world could show. None
        for the first one of a process, for one within another or after one within it, and where time has passed or somebody
        else has had a hand in it."""
        self.now: Callable[[], int] = lambda: 0
        """What time it truly is."""
        self._at: dict[int, Callable[[], None]] = {}
        self._ended = False
        self._depth = 0
        self._last: tuple[int, int] | None = None

    @contextmanager
    def step(self, name: str, about: str = "") -> Iterator[str]:
        """One call; its effect is the body of the `with`, which is given what of its own may go wrong, or ''."""
        if self._ended:
            raise Crash(name)
        if self.turn is not None:
            self._last = None
            self.turn()
        number = len(self.calls)
        if number in self._at:
            self._last = None
            self._at.pop(number)()
        for hook in [hook for hook in self.hooks if hook[0] == name and hook[1] in ("", about)]:
            self._last = None
            self.hooks.remove(hook)
            hook[2]()
        self.calls.append(Call(name, about))
        self.follows.append(self._last[0] if self._last and self._last[1] == self.now() and not self._depth else None)
        mishap = self._mishap(number, name)
        self._depth += 1
        try:
            if mishap.endswith(" before"):
                self._go_wrong(mishap, name)
            if mishap in _ANSWERS:
                raise _ANSWERS[mishap](f"simulated: {name} {about}")
            try:
                yield mishap
            except Exception:
                if mishap in _ENDS:  # Of a call that fails by itself the process has an answer as well.
                    self._end(number, mishap, name)
                raise
            if mishap.endswith(" after"):
                self._end(number, mishap, name)
        finally:
            self._depth -= 1
            self._last = (number, self.now()) if not self._depth else None

    def begin(self) -> None:
        """A new process: it is alive."""
        self._ended, self._depth, self._last = False, 0, None

    def before(self, name: str, do: Callable[[], None], about: str = "") -> None:
        """Just before the first call of this name, do this: somebody else's hand in between."""
        self.hooks.append((name, about, do))

    def at(self, number: int, do: Callable[[], None]) -> None:
        """Just before the call of this number, do this."""
        self._at[number] = do

    def names(self) -> list[str]:
        """The calls by name, in order."""
        return [call.name for call in self.calls]

    def _end(self, number: int, mishap: str, name: str) -> None:
        self.happened[number] = mishap
        self._go_wrong(mishap, name)

    def _mishap(self, number: int, name: str) -> str:
        if number == self.crash_at:
            return f"crash {self.crash_when}"
        if number not in self.plan:
            return ""
        planned, menu = self.plan.pop(number), mishaps(name)
        mishap = menu[planned % len(menu)] if isinstance(planned, int) else planned
        assert mishap in menu, f"call {number} is {name}: {mishap} cannot happen there"
        if not mishap.endswith(" after"):
            self.happened[number] = mishap
        return mishap

    def _go_wrong(self, mishap: str, name: str) -> None:
        if mishap.startswith("error"):
            raise _error(name)
        self._ended = True
        raise PowerCut(name) if mishap.startswith("cut") else Crash(name)


def _error(name: str) -> OuthaulError:
    if name.startswith("store."):
        return Transient(f"simulated: no answer to {name}")
    if name.startswith("ledger."):
        return LedgerError(f"simulated: {name} failed")
    return SourceStuck("simulated: Input/output error") if name in _STUCK else SourceUnreadable("Input/output error")
