"""The archive in the bucket: what is there of a source, and how a better archive of a month takes the first place.

An archive that has to make room is kept: its objects are copied by the store to second keys beside them, its metadata last;
each copy is read back and compared with the original; and only then the originals go, the metadata first. So at every
moment the bucket holds a complete archive of the month, and whatever stops this is finished by the next run, which finds the
same second keys. Nothing here decides which archive is better: `rules.py` does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

from outhaul.kingfisher.collection import DATA, METADATA, Archived, Collection
from outhaul.kingfisher.metadata import IN_THE_WAY, archived_of, pairs, second_name
from outhaul.model.errors import Conflict, NotThere
from outhaul.model.keys import escape
from outhaul.model.returning import Listed
from outhaul.ports import Held

_METADATA_MAX = 1 << 20
_PROBE = ".outhaul-probe"


class Bucket(Protocol):
    """What is asked of a bucket here; every call raises `StoreError`."""

    def listing(self, prefix: str, after: str = "") -> Iterator[Listed]:
        """All objects whose keys begin so, however many pages that takes."""

    def held(self, key: str, version: str) -> Held:
        """An object without its bytes; raises NotThere."""

    def read(self, key: str, version: str = "") -> Iterator[bytes]:
        """Its bytes."""

    def copy(self, key: str, to: str, held: Held) -> None:
        """Copy an object within the bucket."""

    def remove(self, key: str) -> None:
        """Remove one."""


class Kept(NamedTuple):
    """An object that has made room."""

    key: str
    held: Held
    second: str
    second_held: Held


class Months:
    """The archives of sources."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def of(self, source_id: str) -> list[Archived]:
        """All complete archives of a source; those that have made room for a better one are told as such."""
        prefix = f"{escape(source_id)}/"
        found = []
        for pair in pairs(prefix, self._bucket.listing(prefix)):
            text = b"" if pair.metadata.length > _METADATA_MAX else b"".join(self._bucket.read(pair.metadata.key))
            found.append(archived_of(pair, text))
        return found

    def make_room(
        self,
        collection: Collection,
        names: Sequence[str] = (),
        step: Callable[[str], None] = lambda _: None,
        kept: Callable[[Kept], None] = lambda _: None,
    ) -> list[str]:
        """Keep what is in the first place of a month under second keys, and free the first place.

        Args:
            collection: Whose month.
            names: Of the objects that are to make room; all of an archive where none is given.
            step: Told of each step before it is taken.
            kept: Told of each object that is proved to be under its second key, before it goes from its first.

        Returns:
            The keys where it is now; none where nothing was in the way.

        Raises:
            Conflict: other bytes stand under a second key, or a copy is not the same; nothing was removed.
            StoreError: as the bucket's; what was not proved to be copied was not removed.
        """
        folder = f"{collection.folder}/"
        there = {name: held for name in names or IN_THE_WAY if (held := self._look(folder + name)) is not None}
        if not there:
            return []
        mark = _mark(there[list(there)[-1]])
        seconds = {name: folder + second_name(name, mark) for name in there}
        for name, held in reversed(there.items()):
            kept(Kept(folder + name, held, seconds[name], self._keep(folder + name, seconds[name], held, step)))
        for name, held in there.items():
            if self._look(folder + name) != held:
                raise Conflict(f"{folder + name} has just changed; somebody else archives to this bucket")
            step(f"remove {folder + name}")
            self._bucket.remove(folder + name)
        return list(seconds.values())

    def stands(self, collection: Collection, length: int, etag: str, sha256: bytes) -> None:
        """Make sure that the data in the first place is what was proved, whenever that was.

        Where it has had to make room meanwhile, it is copied back.

        Raises:
            Conflict: it is not there any more, or other bytes are in its place.
        """
        first = f"{collection.folder}/{DATA}"
        held = self._look(first)
        if held is not None and held.length == length and (held.etag == etag or self._digest(first) == sha256):
            return
        if held is None and (second := self._second(collection, length, sha256)):
            self._bucket.copy(second, first, self._bucket.held(second, ""))
            if self._digest(first) == sha256:
                return
        raise Conflict(f"{first} is not what was proved any more; look at what is there")

    def _second(self, collection: Collection, length: int, sha256: bytes) -> str:
        prefix = f"{collection.folder}/{second_name(DATA, '?').partition('?')[0]}"
        for listed in self._bucket.listing(prefix):
            if listed.length == length and not listed.key.endswith(".json") and self._digest(listed.key) == sha256:
                return listed.key
        return ""

    def has_metadata(self, collection: Collection) -> bool:
        """Whether there is an archive in the first place of its month."""
        return self._look(f"{collection.folder}/{METADATA}") is not None

    def tidy(self, collection: Collection) -> None:
        """Remove what the engine has tried the bucket with, in the folder of a month. It may go at any time."""
        for listed in list(self._bucket.listing(f"{collection.folder}/{_PROBE}")):
            self._bucket.remove(listed.key)

    def _keep(self, key: str, second: str, held: Held, step: Callable[[str], None]) -> Held:
        if self._look(second) is None:
            step(f"copy {key}")
            self._bucket.copy(key, second, held)
        step(f"compare {key}")
        found = self._look(second)
        if found is None or found.length != held.length or self._digest(second) != self._digest(key):
            raise Conflict(f"{second} is not the same as {key}, which has to make room; look at both")
        return found

    def _digest(self, key: str) -> bytes:
        digest = hashlib.sha256()
        for chunk in self._bucket.read(key):
            digest.update(chunk)
        return digest.digest()

    def _look(self, key: str) -> Held | None:
        try:
            return self._bucket.held(key, "")
        except NotThere:
            return None


def _mark(held: Held) -> str:
    """16 hexadecimal digits that an object of other bytes does not have; the same at each attempt."""
    return hashlib.sha256(f"{held.etag} {held.length}".encode()).hexdigest()[:16]
