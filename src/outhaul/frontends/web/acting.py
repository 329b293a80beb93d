"""What the page can have done: a look at a file, by a `watch`, and a file brought back. Neither removes anything.

A file comes back by the ordinary restore: checked, through no link, over nothing, out of no archive class, and only
beneath the directory that was named at the start. One is brought back at a time, in a thread of its own; so many may
wait for it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import NamedTuple

from outhaul import app, bringing
from outhaul.engine.account import Account
from outhaul.host import asked
from outhaul.ledgers.queries import ReceiptRow
from outhaul.model.errors import OuthaulError
from outhaul.model.job import Connection
from outhaul.model.ledger_address import is_ledger_address
from outhaul.model.returning import ON_A_PAGE, RETURNS, Wanted

RESTORES_MAX, KEPT = 16, 20


class Restored(NamedTuple):
    """One file that somebody has asked to be brought back."""

    number: int
    receipt: int
    path: str
    size: int
    asked_ns: int
    text: str
    """What became of it."""
    advice: str = ""
    over: bool = False
    well: bool = False


class Acting:
    """Does it."""

    def __init__(self, state: str, restore_to: str, connection: Connection) -> None:
        self.restore_to = restore_to
        self._state = state
        self._connection = connection
        self._lock = threading.Lock()
        self._known: dict[int, Restored] = {}
        self._queue: deque[tuple[int, ReceiptRow]] = deque()
        self._busy = self._over = False
        self._asked: dict[tuple[str, str], int] = {}

    @property
    def can_ask(self) -> bool:
        """Whether there is a state directory here, in which a watch hears what is asked; a database alone has none."""
        return not is_ledger_address(self._state)

    def retry(self, source: str, path: str) -> None:
        """Ask a watch to look at a file now. Raises OuthaulError where that cannot be written down."""
        at_ns = asked.ask(self._state, source, path.rpartition("/")[0]).at_ns
        with self._lock:
            if len(self._asked) >= asked.ASKED_MAX:
                self._asked.pop(next(iter(self._asked)))
            self._asked[source, path] = at_ns

    def asked(self, source: str, path: str) -> tuple[int, int]:
        """When that was asked, and when a watch took it up; 0 where neither was."""
        at_ns = self._asked.get((source, path), 0)
        upto, taken_ns = asked.taken(self._state) if at_ns else (0, 0)
        return at_ns, taken_ns if at_ns and upto >= at_ns else 0

    def restores(self) -> list[Restored]:
        """The latest first."""
        with self._lock:
            return list(reversed(self._known.values()))

    def restore(self, row: ReceiptRow) -> bool:
        """Bring back the file of this receipt; whether there is room for one more."""
        with self._lock:
            if len(self._queue) >= RESTORES_MAX:
                return False
            number = max(self._known, default=0) + 1
            self._known[number] = Restored(number, row.number, row.path, row.size, time.time_ns(), "waits for its turn")
            while len(self._known) > KEPT:
                del self._known[min(self._known)]
            self._queue.append((number, row))
            if not self._busy:
                self._busy = True
                threading.Thread(target=self._work, name="restore", daemon=True).start()
            return True

    def close(self) -> None:
        """Begin nothing more, and let what is under way end before it is whole: it has no name yet."""
        self._over = True

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._queue or self._over:
                    self._busy = False
                    return
                number, row = self._queue.popleft()
            self._bring(number, row)

    def _bring(self, number: int, row: ReceiptRow) -> None:
        watching = _Watching(self, number)
        whole = f"{row.source.rstrip('/')}/{row.path}"
        selection = app.Selection(row.job, (whole,), row.key, sha256=row.sha256.hex(), until_ns=row.recorded_ns)
        try:
            bringing.restore(
                selection, self._state, self._connection, bringing.Manner(self.restore_to), watching, lambda: self._over
            )
            if watching.outcome:
                found = RETURNS[watching.outcome]
                text = found.meaning + (f": {watching.detail}" if watching.detail else "")
                self._tell(number, text, ON_A_PAGE.get(watching.outcome, found.advice), over=True, well=found.well)
            else:
                self._tell(number, "the ledger does not know it any more", over=True)
        except bringing.InSource as error:  # Of a job that has come since. Its own words name options of `restore`.
            self._tell(number, error.why, over=True)
        except OuthaulError as error:
            self._tell(number, str(error), over=True)

    def _tell(self, number: int, text: str, advice: str = "", *, over: bool = False, well: bool = False) -> None:
        with self._lock:
            if number in self._known:
                self._known[number] = self._known[number]._replace(text=text, advice=advice, over=over, well=well)


class _Watching:
    """See `engine.account.Watcher`."""

    def __init__(self, acting: Acting, number: int) -> None:
        self._acting = acting
        self._number = number
        self.outcome = self.detail = ""

    def expect(self, files: int, size: int) -> None:
        """It is one file."""

    def returned(self, wanted: Wanted, outcome: str, detail: str) -> None:
        """What became of it."""
        self.outcome, self.detail = outcome, detail

    def progress(self, account: Account) -> None:
        """So far."""
        self._acting._tell(self._number, f"under way, {account.bytes_under_way:,} bytes so far")

    def notice(self, text: str) -> None:
        """Why it may take longer."""
        self._acting._tell(self._number, text)
