"""bzip2, in streams that follow each other, as pbzip2 writes it.

A stream holds what just fills one block of bzip2, which sorts each block by itself, so next to nothing is lost, and
blocks can be made side by side. `bzip2`, Python and most libraries read all streams of a file; a few old ones stop after the
first. Each stream has a checksum, the file has none: a cut exactly between two streams leaves a whole, shorter file.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from functools import cached_property, partial

from outhaul.codecs.codec import NOT_IN_PYTHON, load
from outhaul.codecs.decoding import decode
from outhaul.codecs.formats import FORMATS
from outhaul.codecs.pieces import InMemory, cut, in_order, sample_digest
from outhaul.model.evidence import ByteSource

_SPARE = 100
"""bzip2 keeps 19 bytes of a block for itself; what goes beyond would become a tiny second block."""


class Bzip2:
    """See `codec.Codec`."""

    name = "bzip2"
    suffix = FORMATS["bzip2"].suffix

    def __init__(self, level: int) -> None:
        self._bz2 = load("bz2", self.name, NOT_IN_PYTHON)
        self.level = level
        self._piece = level * 100_000 - _SPARE
        self._compress: Callable[[bytes], bytes] = partial(self._bz2.compress, compresslevel=level)

    @cached_property
    def fingerprint(self) -> str:
        """See `Codec.fingerprint`. libbz2 tells Python no version."""
        return f"bzip2 level={self.level} stream={self._piece} sample={sample_digest(self._compress)}"

    def encode(self, source: ByteSource, length: int, cores: int = 1) -> Generator[bytes]:
        """See `Codec.encode`. Some 10 MB for each core."""
        yield from in_order(self._compress, cut(source, length, self._piece), cores)

    def encode_bytes(self, data: bytes) -> bytes:
        """See `Codec.encode_bytes`."""
        if len(data) <= self._piece:
            return self._compress(data)
        return b"".join(self.encode(InMemory(data), len(data)))

    def decode(self, chunks: Iterable[bytes], limit: int) -> Iterator[bytes]:
        """See `Codec.decode`."""
        return decode(self.name, chunks, limit, self._bz2.BZ2Decompressor, (OSError, ValueError, EOFError))


def make(level: int) -> Bzip2:
    """The codec at this level."""
    return Bzip2(level)
