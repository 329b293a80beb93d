"""lz4, as one frame with its length and a checksum, made by one core.

At its ordinary level one core is faster than most disks. Levels from 3 on would gain from several, but frames put together from
independent blocks have a checksum for each block and none for the whole, and the `lz4` program (1.9.4) takes what follows
such a frame for garbage. One frame, because some readers stop after the first without a word.
Frames as lz4 made them before 2013 are not read.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from functools import cached_property

from outhaul.codecs.codec import load
from outhaul.codecs.decoding import decode
from outhaul.codecs.formats import FORMATS
from outhaul.codecs.pieces import InMemory, cut
from outhaul.model.evidence import ByteSource

_REMEDY = "pip install 'outhaul[lz4]'"
_BLOCK = 4 << 20
_READ = 1 << 20


class Lz4:
    """See `codec.Codec`."""

    name = "lz4"
    suffix = FORMATS["lz4"].suffix

    def __init__(self, level: int) -> None:
        self._frame = load("lz4.frame", self.name, _REMEDY)
        self._version = load("lz4", self.name, _REMEDY).library_version_string()
        self.level = level
        self._options = {
            "compression_level": level,
            "block_size": self._frame.BLOCKSIZE_MAX4MB,
            "content_checksum": True,
        }

    @cached_property
    def fingerprint(self) -> str:
        """See `Codec.fingerprint`."""
        return f"lz4 level={self.level} block={_BLOCK} liblz4={self._version}"

    def encode(self, source: ByteSource, length: int, cores: int = 1) -> Generator[bytes]:
        """See `Codec.encode`. About 15 MB; one core, however many there are."""
        if length <= _BLOCK:
            yield self.encode_bytes(source.pread(length, 0) if length else b"")
            return
        context = self._frame.create_compression_context()
        yield self._frame.compress_begin(context, **self._options, auto_flush=False, source_size=length)
        for piece in cut(source, length, _READ):
            if compressed := self._frame.compress_chunk(context, piece):
                yield compressed
        yield self._frame.compress_flush(context)

    def encode_bytes(self, data: bytes) -> bytes:
        """See `Codec.encode_bytes`."""
        if len(data) > _BLOCK:
            return b"".join(self.encode(InMemory(data), len(data)))
        compressed: bytes = self._frame.compress(data, **self._options, store_size=True)
        return compressed

    def decode(self, chunks: Iterable[bytes], limit: int) -> Iterator[bytes]:
        """See `Codec.decode`."""
        return decode(self.name, chunks, limit, self._frame.LZ4FrameDecompressor, (RuntimeError, ValueError, EOFError))


def make(level: int) -> Lz4:
    """The codec at this level."""
    return Lz4(level)
