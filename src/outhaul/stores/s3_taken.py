"""Which keys of a bucket are taken, or about to be: for stores that replace what they were asked to create.

Such a key is looked at before it is written (docs/decisions/0004-create-only.md). What is found out is shared by all jobs of a
process that write to a bucket, and a key is held while something is on its way to it: two files, of one job or of two, may have
the same key, and each would find it free.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator
from weakref import WeakValueDictionary

from outhaul.model.errors import AlreadyThere, KeyBusy

KEPT_KEYS_MAX, KEPT_FOLDERS_MAX = 100_000, 1000
"""Of all folders together; a key takes about 130 bytes."""


class TakenKeys:
    """Those of one bucket. May be used from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.folders: dict[str, set[str] | None] = {}
        """Keys of the folders that were listed; None for one that has too many, whose keys are asked for one by one."""
        self._under_way: set[str] = set()

    def take(self, key: str, keys_in: Callable[[str], set[str] | None], is_there: Callable[[str], bool]) -> None:
        """Hold a key that is free, until `let_go`.

        Args:
            key: Whole.
            keys_in: All keys of a folder; None where they are too many.
            is_there: Whether there is an object of a key.

        Raises:
            AlreadyThere: it is not free.
            KeyBusy: something is on its way to it.
            StoreError: of the last two arguments; then it is not held.
        """
        folder = key.rpartition("/")[0]
        with self._lock:
            self._refuse_busy(key)
            if folder not in self.folders:
                self._make_room()
                self.folders[folder] = keys_in(folder)
            known = self.folders[folder]
            if known is not None and key in known:
                raise AlreadyThere(f"PUT {key}: an object of this key exists")
            self._under_way.add(key)
        if known is None:
            try:
                if is_there(key):
                    raise AlreadyThere(f"PUT {key}: an object of this key exists")
            except BaseException:
                with self._lock:
                    self._under_way.discard(key)
                raise

    def let_go(self, keys: Iterable[str]) -> None:
        """What was on its way there has arrived, or may have."""
        with self._lock:
            for key in keys:
                self._under_way.discard(key)
                folder = key.rpartition("/")[0]
                if (known := self.folders.get(folder)) is not None:
                    known.add(key)
                    if len(known) > KEPT_KEYS_MAX:
                        self.folders[folder] = None

    @contextlib.contextmanager
    def alone(self, key: str) -> Iterator[None]:
        """Hold a key that was looked at in another way. Raises `KeyBusy`."""
        with self._lock:
            self._refuse_busy(key)
            self._under_way.add(key)
        try:
            yield
        finally:
            self.let_go([key])

    def refuse_busy(self, key: str) -> None:
        """Raises `KeyBusy` where something is on its way to it."""
        with self._lock:
            self._refuse_busy(key)

    def forget(self, key: str) -> None:
        """Whether this key is taken now is unknown (L3): its folder is listed again before the next write there."""
        with self._lock:
            self.folders.pop(key.rpartition("/")[0], None)

    def clear(self) -> None:
        """Others may have written: whatever is not on its way from here is looked at again."""
        with self._lock:
            self.folders.clear()

    def _refuse_busy(self, key: str) -> None:
        if key in self._under_way:
            raise KeyBusy(f"another file is on its way to {key}")

    def _make_room(self) -> None:
        """Folders are gone through one after the other: those that came first are not needed any more."""
        known = sum([len(keys) for keys in self.folders.values() if keys])
        while self.folders and (known > KEPT_KEYS_MAX or len(self.folders) >= KEPT_FOLDERS_MAX):
            known -= len(self.folders.pop(next(iter(self.folders))) or ())


_lock = threading.Lock()
_of: WeakValueDictionary[tuple[str, str], TakenKeys] = WeakValueDictionary()


def taken_keys(endpoint_url: str, bucket: str) -> TakenKeys:
    """Those of a bucket, the same for all who ask while somebody has them."""
    with _lock:
        return _of.setdefault((endpoint_url, bucket), TakenKeys())
