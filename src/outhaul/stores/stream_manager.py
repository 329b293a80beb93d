"""S3, with the Stream Manager of AWS IoT Greengrass sending what is small or large to it.

True here: the Stream Manager sends files of our own (`stream_manager_spool.py`), which hold what was read and digested. Its
'Success' is a reason to look into the store, and nothing more: what is proved is proved by the store itself, as with any
other way there. No word from it is found out about in the same way.

It replaces whatever stands under a key. So each key is looked at before (law L2); between that look and its own request,
another writer of the same key may lose its object (docs/decisions/0017-greengrass.md).

What it cannot take goes directly: a key that its SDK refuses, and anything while there is no room for a copy.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from outhaul.model.errors import AlreadyThere, Interrupted, NotThere, StoreError, Transient, bare
from outhaul.model.notes import Notes
from outhaul.ports import Abilities, Answered, Begun, Held, Moment, NewObject, Outgoing, Sent, Store, Stored
from outhaul.ports.sending import Share
from outhaul.stores.stream_manager_exports import PART_FROM_BYTES, Exports, Outcome, takes
from outhaul.stores.stream_manager_spool import NoRoom, Spool, Spooled
from outhaul.stores.throttled import wait_for

_PIECE = 1 << 20
_PAUSE_SECONDS = 1.0


class Patience(NamedTuple):
    """For how long word of a task is waited for."""

    seconds: float = 300.0
    """Without any word of it or of those that were asked for with it."""
    bytes_a_second: int = 16 << 10
    """So much longer for so many bytes."""
    look_seconds: float = 30.0
    """After so long without word the store is asked whether it has it: a status may be lost."""


PATIENCE = Patience()


class _Task(NamedTuple):
    """One file that is on its way."""

    key: str
    spooled: Spooled
    replace: bool


class StreamManagerStore:
    """The same bucket as `direct`. Keys are whole keys.

    Args:
        direct: Reads, proves, and sends what the Stream Manager cannot.
        bucket: Its name.
        stream: Name of streams that nobody else uses.
        spool: Directory of files that nobody else touches.
        moment: The clocks.
        over: Whether the run was asked to end.
        share: What there is of a limit of bytes a second: each file waits for leave before it is handed over.
    """

    many_at_once = True
    small_max = PART_FROM_BYTES

    def __init__(
        self,
        direct: Store,
        bucket: str,
        stream: str,
        spool: str,
        moment: Callable[[], Moment],
        over: Callable[[], bool] = lambda: False,
        share: Share | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._direct, self._bucket, self._share = direct, bucket, share
        self._exports = Exports(stream)
        self._spool_at, self._moment, self._over, self._patience = spool, moment, over, patience or PATIENCE
        self._spool_: Spool | None = None
        self._lock = threading.Lock()
        self._claimed: set[str] = set()

    def close(self) -> None:
        """See `ports.Store`."""
        self._exports.close()
        self._direct.close()

    # --- small objects ------------------------------------------------------------------------------------------

    def put(self, key: str, body: bytes, *, replace: bool = False, notes: Notes = ()) -> Stored:
        """See `ports.Store`."""
        new = NewObject(key, body, hashlib.sha256(body).digest(), notes=notes)
        outcome = self._together([new], replace)[0].outcome
        if isinstance(outcome, StoreError):
            raise outcome
        return outcome

    def put_many(self, objects: Sequence[NewObject], at_once: int) -> list[Answered]:
        """See `ports.Store`. The Stream Manager works off its tasks one after the other."""
        answers: list[Answered] = []
        for start in range(0, len(objects), max(1, at_once)):
            answers += self._together(objects[start : start + max(1, at_once)], False)
        return answers

    def _together(self, objects: Sequence[NewObject], replace: bool) -> list[Answered]:
        started, claims = time.monotonic_ns(), contextlib.ExitStack()
        outcomes: dict[int, Stored | StoreError] = {}
        tasks: dict[int, _Task] = {}
        with claims:
            for index, new in enumerate(objects):
                try:
                    claims.enter_context(self._claim(new.key))
                    found = self._begin(new, replace)
                    if isinstance(found, _Task):
                        tasks[index] = found
                    else:
                        outcomes[index] = found
                except StoreError as error:
                    outcomes[index] = bare(error)
            ended = self._await(list(tasks.values()))
            outcomes.update((index, ended[task.spooled.url]) for index, task in tasks.items())
        took_ns = time.monotonic_ns() - started
        return [
            Answered(outcomes[index], took_ns if isinstance(outcomes[index], Stored) else 0)
            for index in range(len(objects))
        ]

    def _begin(self, new: NewObject, replace: bool) -> _Task | Stored:
        """Hand one over; or send it directly, where that is how it goes."""
        if takes(new.key):
            self._refuse(new.key, new.sha256, replace)
            try:
                spooled = self._spool().write(new.key, self._paced([new.body]))
            except NoRoom:
                pass
            else:
                return self._submit(_Task(new.key, spooled, replace), new.notes)
        else:
            self._refuse_doubtful(new.key, new.sha256)
        return self._direct.put(new.key, new.body, replace=replace, notes=new.notes)

    def _submit(self, task: _Task, notes: Notes = ()) -> _Task:
        try:
            self._exports.open()
            self._exports.submit(task.spooled.url, self._bucket, task.key, notes)
        except BaseException:
            self._give_up(task)
            raise
        return task

    # --- large objects ------------------------------------------------------------------------------------------

    def begin_large(self, key: str, length: int, *, replace: bool = False) -> Begun | None:
        """See `ports.Store`. What the Stream Manager is to send is not begun: it goes from a file, by one task."""
        if not self._is_for_it(key, length):
            self._refuse_doubtful(key, None)
            return self._direct.begin_large(key, length, replace=replace)
        self._refuse(key, None, replace)
        return None

    def put_large(
        self,
        key: str,
        length: int,
        source: Outgoing,
        *,
        seal: Callable[[], None],
        begun: Begun | None = None,
        replace: bool = False,
    ) -> Sent:
        """See `ports.Store`. The ETag of what comes in parts proves nothing of itself."""
        if begun is not None or not self._is_for_it(key, length):
            self._refuse_doubtful(key, None)
            return self._direct.put_large(key, length, source, seal=seal, begun=begun, replace=replace)
        with self._claim(key):
            self._refuse(key, None, replace)
            try:
                spooled = self._spool().write(key, self._paced(_chunks(source)))
            except NoRoom:
                raise Transient(
                    "the state directory is full: there is no room for what the Stream Manager sends"
                ) from None
            task = _Task(key, spooled, replace)
            try:
                seal()
            except BaseException:
                self._spool().over(spooled.name)
                raise
            outcome = self._await([self._submit(task)])[spooled.url]
        if isinstance(outcome, StoreError):
            raise outcome
        return Sent(outcome)

    def _is_for_it(self, key: str, length: int) -> bool:
        return takes(key) and self._spool().has_room(length)

    # --- what is under way --------------------------------------------------------------------------------------

    def _await(self, tasks: Sequence[_Task]) -> dict[str, Stored | StoreError]:
        """What became of each of these, by its URL. One that nothing is heard of is looked for, and then given up."""
        waiting = {task.spooled.url: task for task in tasks}
        outcomes: dict[str, Stored | StoreError] = {}
        limit = self._patience.seconds + sum(task.spooled.length for task in tasks) / self._patience.bytes_a_second
        heard = looked = time.monotonic()
        while waiting:
            ended, alive = self._listen(waiting)
            for url, outcome in ended.items():
                outcomes[url] = self._concluded(waiting.pop(url), outcome)
            now = time.monotonic()
            heard = now if alive else heard
            if self._over() or now - heard > limit:
                outcomes |= {url: self._last_look(task) for url, task in waiting.items()}
                break
            if now - max(heard, looked) > self._patience.look_seconds:
                looked = now
                self._exports.look_anew()
                for url, task in list(waiting.items()):
                    if found := self._found(task):
                        outcomes[url] = found
                        self._give_up(waiting.pop(url))
        return outcomes

    def _listen(self, waiting: dict[str, _Task]) -> tuple[dict[str, Outcome], bool]:
        try:
            return self._exports.listen(waiting)
        except Transient:  # It may be starting anew; what it has on disk goes on then.
            time.sleep(_PAUSE_SECONDS)
            return {}, False

    def _concluded(self, task: _Task, outcome: Outcome) -> Stored | StoreError:
        """The Stream Manager is done with it: what the store has of it."""
        self._exports.forget(task.spooled.url)
        try:
            self._spool().over(task.spooled.name)
            if not outcome.success:
                return Transient(f"PUT {task.key}: the Stream Manager could not send it: {outcome.text[:300]}")
            return _stored(self.head(task.key))
        except NotThere:
            return Transient(
                f"PUT {task.key}: the Stream Manager says that it sent it, and the store has no such object"
            )
        except StoreError as error:
            return error

    def _last_look(self, task: _Task) -> Stored | StoreError:
        """Nobody waits for it any longer."""
        found = None if self._over() else self._found(task)
        self._give_up(task)
        if found:
            return found
        if self._over():
            return Interrupted("it waited for the Stream Manager")
        strange = f" ({self._exports.strange} messages could not be read)" if self._exports.strange else ""
        return Transient(f"PUT {task.key}: the Stream Manager says nothing of it{strange}")

    def _found(self, task: _Task) -> Stored | None:
        """What the store has of it; None where that cannot be told from what was there before."""
        with contextlib.suppress(StoreError):
            held = self.head(task.key)
            if not task.replace and held.length == task.spooled.length:
                return _stored(held)
        return None

    def _give_up(self, task: _Task) -> None:
        self._exports.forget(task.spooled.url)
        with contextlib.suppress(Transient, NoRoom):  # Then the next process withdraws it.
            self._spool().withdraw(task.spooled.name)

    # --- keys -----------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _claim(self, key: str) -> Iterator[None]:
        """Of two in this process for one key, the second finds it taken."""
        with self._lock:
            if key in self._claimed:
                raise AlreadyThere(f"PUT {key}: another file goes to this key")
            self._claimed.add(key)
        try:
            yield
        finally:
            with self._lock:
                self._claimed.discard(key)

    def _refuse(self, key: str, sha256: bytes | None, replace: bool) -> None:
        self._refuse_doubtful(key, sha256)
        if not replace:
            with contextlib.suppress(NotThere):
                self.head(key)
                raise AlreadyThere(f"PUT {key}: an object of this key exists")

    def _refuse_doubtful(self, key: str, sha256: bytes | None) -> None:
        if self._spool().doubtful(key, sha256):
            raise Transient(f"PUT {key}: the Stream Manager may still be sending other bytes to this key")

    def _spool(self) -> Spool:
        """Opened when something is sent: whoever only looks withdraws nothing from a run."""
        with self._lock:
            if self._spool_ is None:
                self._spool_ = Spool(self._spool_at, self._moment)
            return self._spool_

    def _paced(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            if self._share is not None:
                wait_for(self._share, len(chunk))
            yield chunk

    # --- as the store itself does -------------------------------------------------------------------------------

    @property
    def md5_etags(self) -> bool:
        """See `ports.Store`."""
        return self._direct.md5_etags

    @property
    def wants_md5(self) -> bool:
        """See `ports.Store`."""
        return self._direct.wants_md5

    def probe(self) -> Abilities:
        """See `ports.Store`: of the bucket itself. The Stream Manager has to be there too."""
        self._exports.open()
        return self._direct.probe()

    def adopt(self, abilities: Abilities) -> None:
        """See `ports.Store`."""
        self._direct.adopt(abilities)

    def head(self, key: str) -> Held:
        """See `ports.Store`."""
        return self._direct.head(key)

    def stored_sha256(self, key: str, version: str) -> bytes | None:
        """See `ports.Store`."""
        return self._direct.stored_sha256(key, version)

    def stored_sha256s(self, objects: Sequence[tuple[str, Stored]], at_once: int) -> list[bytes | StoreError | None]:
        """See `ports.Store`."""
        return self._direct.stored_sha256s(objects, at_once)

    def stored_composite(self, key: str, version: str) -> str:
        """See `ports.Store`."""
        return self._direct.stored_composite(key, version)

    def lacks(self, key: str, version: str) -> str:
        """See `ports.Store`."""
        return self._direct.lacks(key, version)

    def read(self, key: str, version: str = "") -> Iterator[bytes]:
        """See `ports.Store`."""
        return self._direct.read(key, version)

    def wall_ns(self) -> int | None:
        """See `ports.Store`."""
        return self._direct.wall_ns()

    def abandon(self, begun: Begun) -> None:
        """See `ports.Store`."""
        self._direct.abandon(begun)

    def list(self, prefix: str) -> Iterator[str]:
        """See `ports.Store`."""
        return self._direct.list(prefix)


def _chunks(source: Outgoing) -> Iterator[bytes]:
    while chunk := source.read(_PIECE):
        yield chunk


def _stored(held: Held) -> Stored:
    """As a store answers to a write. An ETag of parts is not told: one that is no MD5 would count against the bytes."""
    return Stored("" if "-" in held.etag else held.etag, held.version)
