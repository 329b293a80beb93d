"""The simulated store, as whoever fetches sees it: the `Shelf` of `stages/restore.py`."""

from __future__ import annotations

from collections.abc import Iterator

from outhaul.model.errors import AlreadyThere, Archived, Damaged
from outhaul.model.returning import Listed
from outhaul.model.thawing import Frozen, Wish
from outhaul.ports import Held
from outhaul.stages.restore import Described
from outhaul.testing.store import SimulatedStore


class SimulatedShelf(SimulatedStore):
    """A `SimulatedStore` with the reading half of its own port, and a freezer."""

    def __init__(self) -> None:
        super().__init__()
        self.freezer: dict[str, str] = {}
        """Keys that are archived, and how."""
        self.asked: dict[str, int] = {}
        """Of those that were asked for: after how many looks more they are ready."""
        self.wishes: dict[str, Wish | None] = {}
        """How each was asked for."""
        self.looks = 2

    def read(self, key: str, version: str = "") -> Iterator[bytes]:
        """See `stages.restore.Shelf`."""
        if key in self.freezer:
            raise Archived(f"GET {key}: it is in an archive class")
        return super().read(key, version)

    def held(self, key: str, version: str) -> Held:
        """See `stages.restore.Shelf`."""
        with self._call("head", key):
            found = self._find(key, version)
            return Held(len(found.content), found.etag, found.version)

    def read_part(self, key: str, version: str, offset: int, length: int) -> Iterator[bytes]:
        """See `stages.restore.Shelf`."""
        with self._call("read", key):
            part = self._find(key, version).content[offset : offset + length]
        for start in range(0, len(part), self.part_bytes):
            yield part[start : start + self.part_bytes]

    def frame(self, codec: str, key: str, version: str, offset: int, length: int, limit: int) -> Iterator[bytes]:
        """See `stages.restore.Shelf`."""
        part = self.read_part(key, version, offset, length)
        return self.decoded(codec, part, limit) if codec else part

    def read_large(self, key: str, version: str = "") -> Iterator[bytes]:
        """See `stages.restore.Shelf`. As any other."""
        return self.read(key, version)

    def decoded(self, codec: str, chunks: Iterator[bytes], limit: int) -> Iterator[bytes]:
        """See `stages.restore.Shelf`. 'reversed' is the one codec here: the bytes from their end."""
        content = b"".join(chunks)
        if codec != "reversed" or len(content) > limit:
            raise Damaged("it cannot be decompressed")
        yield content[::-1]

    def frozen(self, key: str, version: str) -> Frozen:
        """See `stages.thaw.Freezer`. What was asked for is ready when it has been looked at `looks` times."""
        with self._call("frozen", key):
            self._find(key, version)
            if key in self.asked:
                self.asked[key] -= 1
                if self.asked[key] <= 0:
                    del self.freezer[key]
            return Frozen(self.freezer.get(key, ""), key in self.asked and key in self.freezer, key not in self.freezer)

    def thaw(self, key: str, version: str, wish: Wish, *, moved_back: bool) -> None:
        """See `stages.thaw.Freezer`."""
        with self._call("thaw", key):
            if key in self.asked:
                raise AlreadyThere(f"THAW {key}: asked for before")
            self.asked[key] = self.looks
            self.wishes[key] = None if moved_back else wish

    def digests(self, key: str, version: str) -> tuple[bytes, bool]:
        """See `stages.restore.Shelf`."""
        return self.stored_sha256(key, version) or b"", self.etag == "md5"

    def describe(self, key: str, version: str) -> Described:
        """See `stages.restore.Shelf`."""
        sha256 = self.stored_sha256(key, version) or b""
        return Described(self.held(key, version), sha256, dict(self.notes.get(key, ())))

    def listing(self, prefix: str, after: str = "") -> Iterator[Listed]:
        """See `stages.restore.Shelf`."""
        for key in self.list(prefix):
            if after and key <= after:
                continue
            found = self.objects[key][-1]
            yield Listed(key, len(found.content), found.etag, 10**18)
