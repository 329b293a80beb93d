"""Being asked to end, by Ctrl-C or a service manager: what is on its way is brought to an end, and nothing new is begun."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import NoReturn

_stopped = False
_only_shows = False
_says_so = True


def stopped() -> bool:
    """Whether somebody has asked the command to end."""
    return _stopped


def end_at_the_first() -> None:
    """This command only shows something, and brings nothing to an end: the first Ctrl-C ends it."""
    global _only_shows
    _only_shows = True


def end_without_a_word() -> None:
    """This command waits, and has nothing on its way: asked to end it does so, and needs no line that says it."""
    global _says_so
    _says_so = False


def hear(program: str) -> None:
    """Note from now on when the process is asked to end; a second time ends it at once. Its line begins with `program`."""

    def stop(number: int, _frame: object) -> None:
        global _stopped
        if _stopped or (number == signal.SIGINT and _only_shows):
            _end_at_once()
        _stopped = True
        if number == signal.SIGINT and _says_so:  # A person waits; a service manager knows what it has asked for.
            _say(f"{program}: stopping: what is on its way is brought to an end; Ctrl-C again stops at once")

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # nohup(1) wants to go on.
            signal.signal(number, stop)


def _say(text: str) -> None:
    """One line, whatever was being written when the signal came."""
    with contextlib.suppress(OSError):
        try:
            print(text, file=sys.stderr, flush=True)
        except RuntimeError:  # In the middle of a line of its own, which Python does not let another one into.
            os.write(2, f"\n{text}\n".encode())


def _end_at_once() -> NoReturn:
    """As a kill would, which loses nothing; a terminal has its cursor back, which a bar has hidden."""
    with contextlib.suppress(OSError):
        if os.isatty(2):
            os.write(2, b"\x1b[?25h\n")
    os._exit(130)
