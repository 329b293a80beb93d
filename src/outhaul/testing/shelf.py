"""The simulated store, as whoever fetches sees it: the `Shelf` of `stages/restore.py`."""

from __future__ import annotations

from collections.abc import Iterator

from outhaul.model.errors import Damaged
from outhaul.model.returning import Listed
from outhaul.ports import Held
from outhaul.stages.restore import Described
from outhaul.testing.store import SimulatedStore


class SimulatedShelf(SimulatedStore):
    """A `SimulatedStore` with the reading half of its own port."""

    def held(self, key: str, version: str) -> Held:
        """See `stages.restore.Shelf`."""
        with self._call("head", key):
            found = self._find(key, version)
            return Held(len(found.content), found.etag, found.version)

    def read_part(self, key: str, version: str, offset: int, length: int) -> Iterator[bytes]:
        """See `stages.restore.Shelf`."""
        with self._call("read", key):
            yield self._find(key, version).content[offset : offset + length]

    def frame(self, codec: str, key: str, version: str, offset: int, length: int, limit: int) -> Iterator[bytes]:
        """See `stages.restore.Shelf`."""
        part = self.read_part(key, version, offset, length)
        return self.decoded(codec, part, limit) if codec else part

    def decoded(self, codec: str, chunks: Iterator[bytes], limit: int) -> Iterator[bytes]:
        """See `stages.restore.Shelf`. 'reversed' is the one codec here: the bytes from their end."""
        content = b"".join(chunks)
        if codec != "reversed" or len(content) > limit:
            raise Damaged("it cannot be decompressed")
        yield content[::-1]

    def digests(self, key: str, version: str) -> tuple[bytes, bool]:
        """See `stages.restore.Shelf`."""
        return self.stored_sha256(key, version) or b"", self.etag == "md5"

    def describe(self, key: str, version: str) -> Described:
        """See `stages.restore.Shelf`."""
        sha256 = self.stored_sha256(key, version) or b""
        return Described(self.held(key, version), sha256, dict(self.notes.get(key, ())))

    def listing(self, prefix: str) -> Iterator[Listed]:
        """See `stages.restore.Shelf`."""
        for key in self.list(prefix):
            found = self.objects[key][-1]
            yield Listed(key, len(found.content), found.etag, 10**18)
