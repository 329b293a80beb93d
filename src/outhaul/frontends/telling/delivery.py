"""Tell hooks, on a thread of its own: a command by its standard input, an address by a POST.

No file waits for it. What is not told in time is given up: a command is killed with its process group. A command is run without a
shell, and without the environment of this process but for a few harmless variables: no credentials reach it (law L14).
"""

from __future__ import annotations

import contextlib
import os
import queue
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from outhaul.config.telling import Hook
from outhaul.frontends.telling.posting import host_of, post
from outhaul.model.keys import printable

SECONDS = 30.0
"""How long a hook may take."""
WAITING_MAX = 100
"""How many may wait to be told."""
LEFT_MAX = 4
"""Answers that have begun, and take longer than their time."""
_PASSED_ON = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SAID_BYTES = 4096


class Word(NamedTuple):
    """What is to be told to a hook."""

    hook: Hook
    event: str
    body: bytes
    """A JSON document; less than a pipe holds, so that writing it never blocks."""
    variables: Mapping[str, str]
    """For the environment of a command."""


class Delivery:
    """A thread that tells hooks, one after the other, as soon as there is something to tell."""

    def __init__(self, notice: Callable[[str], None], seconds: float = SECONDS) -> None:
        """Prepare.

        Args:
            notice: Told of a hook that fails, when that changes.
            seconds: How long a hook may take.
        """
        self._notice = notice
        self._seconds = seconds
        self._words: queue.Queue[Word | None] = queue.Queue(WAITING_MAX)
        self._thread: threading.Thread | None = None
        self._failing: dict[Hook, bool] = {}
        self._given_up = threading.Event()
        self._lost = False
        self._left: list[threading.Thread] = []

    def tell(self, word: Word) -> None:
        """Have it told. Returns at once; where too many wait, this one is lost."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="hooks", daemon=True)
            self._thread.start()
        try:
            self._words.put_nowait(word)
            self._lost = False
        except queue.Full:
            if not self._lost:
                self._notice(f"hooks do not keep up: what they are to be told of {word.event} is lost")
            self._lost = True

    def close(self, seconds: float) -> None:
        """Wait for so long until all is told; what is not told by then is given up."""
        if self._thread is None:
            return
        with contextlib.suppress(queue.Full):
            self._words.put(None, timeout=seconds)
        self._thread.join(seconds)
        if self._thread.is_alive():
            self._given_up.set()
            self._thread.join(1.0)
            self._notice("hooks were still at work, and were not waited for")

    def _work(self) -> None:
        while (word := self._words.get()) is not None and not self._given_up.is_set():
            tell = self._run if word.hook.command else self._post
            fault = tell(word)
            if fault and not self._failing.get(word.hook):
                who = word.hook.command[0] if word.hook.command else host_of(word.hook.url)
                self._notice(f"hook {word.event}: {printable(who)}: {printable(fault)}")
            self._failing[word.hook] = bool(fault)

    def _post(self, word: Word) -> str:
        """Why it did not go through. One that answers a byte at a time is left behind when its time is over."""
        self._left = [thread for thread in self._left if thread.is_alive()]
        if len(self._left) >= LEFT_MAX:
            return "earlier answers have not come to their end"
        answers: list[str] = []
        headers = {"Content-Type": "application/json"}
        there = threading.Thread(
            target=lambda: answers.append(post(word.hook.url, word.body, headers, redirected=False)), daemon=True
        )
        there.start()
        deadline = time.monotonic() + self._seconds
        while there.is_alive() and time.monotonic() < deadline and not self._given_up.is_set():
            there.join(0.1)
        if not answers:
            self._left.append(there)
        return answers[0] if answers else f"no answer within {self._seconds:.0f} s"

    def _run(self, word: Word) -> str:
        """Why it failed; '' where it ended with code 0."""
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        try:
            process = subprocess.Popen(
                word.hook.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                cwd="/",
                env={"PATH": _PATH, **environment, **word.variables},
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            return getattr(error, "strerror", "") or str(error)
        with process:
            assert process.stdin is not None
            with contextlib.suppress(OSError):  # It need not read it.
                process.stdin.write(word.body)
            with contextlib.suppress(OSError):
                process.stdin.close()
            process.stdin = None
            said, in_time = self._hear(process)
            if not in_time:
                with contextlib.suppress(OSError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                return f"not done within {self._seconds:.0f} s, and killed"
        last = said.decode("utf-8", "replace").strip().rpartition("\n")[2][:200]
        return f"exit code {process.returncode}{': ' if last else ''}{last}" if process.returncode else ""

    def _hear(self, process: subprocess.Popen[bytes]) -> tuple[bytes, bool]:
        """The end of what it says on standard error, and whether it ended in time. What it has left running is not waited for."""
        assert process.stderr is not None
        said, deadline, there = b"", time.monotonic() + self._seconds, process.stderr.fileno()
        open_, ended = True, False
        while not ended:
            if time.monotonic() >= deadline or self._given_up.is_set():
                return said, False
            ended = process.poll() is not None
            while open_ and select.select([there], [], [], 0 if ended else 0.05)[0]:
                piece = os.read(there, _SAID_BYTES)
                open_ = bool(piece)
                said = (said + piece)[-_SAID_BYTES:]
                if time.monotonic() >= deadline:
                    break
            if not open_ and not ended:
                time.sleep(0.02)
        return said, True
