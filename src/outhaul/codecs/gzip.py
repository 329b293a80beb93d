"""gzip, as one member, whose pieces are made side by side, as pigz does it.

Each piece knows the 32 KiB before it, so it loses nothing but the five bytes with which it ends on a whole byte. One
member, because some readers stop after the first without a word. The header holds neither name nor time.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from functools import cached_property
from types import ModuleType
from typing import NamedTuple

from outhaul.codecs.codec import NOT_IN_PYTHON, load
from outhaul.codecs.decoding import decode
from outhaul.codecs.formats import FORMATS
from outhaul.codecs.pieces import InMemory, cut, in_order
from outhaul.model.evidence import ByteSource

_PIECE = 512 << 10
_WINDOW = 32 << 10
_HEADER = bytes.fromhex("1f8b0800000000000003")  # Deflate, no flags, no time, no word on effort, Unix.
_RAW = -15
_MEMBER = 31


class Gzip:
    """See `codec.Codec`."""

    name = "gzip"
    suffix = FORMATS["gzip"].suffix

    def __init__(self, level: int) -> None:
        self._zlib = load("zlib", self.name, NOT_IN_PYTHON)
        self.level = level

    @cached_property
    def fingerprint(self) -> str:
        """See `Codec.fingerprint`."""
        return f"gzip level={self.level} piece={_PIECE} zlib={self._zlib.ZLIB_RUNTIME_VERSION}"

    def encode(self, source: ByteSource, length: int, cores: int = 1) -> Generator[bytes]:
        """See `Codec.encode`. About 2 MB for each core."""
        yield _HEADER
        checksum = _Checksum(self._zlib)
        yield from in_order(self._deflate, _with_history(cut(source, length, _PIECE), length, checksum), cores)
        yield checksum.trailer(length)

    def encode_bytes(self, data: bytes) -> bytes:
        """See `Codec.encode_bytes`."""
        if len(data) > _PIECE:
            return b"".join(self.encode(InMemory(data), len(data)))
        checksum = _Checksum(self._zlib)
        checksum.add(data)
        body: bytes = self._zlib.compress(data, self.level, wbits=_RAW)
        return _HEADER + body + checksum.trailer(len(data))

    def decode(self, chunks: Iterable[bytes], limit: int) -> Iterator[bytes]:
        """See `Codec.decode`."""
        return decode(self.name, chunks, limit, lambda: _Member(self._zlib), (self._zlib.error,))

    def _deflate(self, piece: _Piece) -> bytes:
        zlib = self._zlib
        history = (piece.history,) if piece.history else ()
        stream = zlib.compressobj(
            self.level, zlib.DEFLATED, _RAW, zlib.DEF_MEM_LEVEL, zlib.Z_DEFAULT_STRATEGY, *history
        )
        body: bytes = stream.compress(piece.data)
        ending: bytes = stream.flush(zlib.Z_FINISH if piece.last else zlib.Z_SYNC_FLUSH)
        return body + ending


class _Piece(NamedTuple):
    data: bytes
    history: bytes
    last: bool


class _Checksum:
    """The CRC of all pieces; it is fast, and done where they are read."""

    def __init__(self, zlib: ModuleType) -> None:
        self._zlib = zlib
        self._crc = 0

    def add(self, data: bytes) -> None:
        self._crc = self._zlib.crc32(data, self._crc)

    def trailer(self, length: int) -> bytes:
        return self._crc.to_bytes(4, "little") + (length & 0xFFFFFFFF).to_bytes(4, "little")


def _with_history(pieces: Iterator[bytes], length: int, checksum: _Checksum) -> Iterator[_Piece]:
    history, done = b"", 0
    for data in pieces:
        checksum.add(data)
        done += len(data)
        yield _Piece(data, history, done == length)
        history = data[-_WINDOW:]


class _Member:
    """`zlib.decompressobj` with the manners of the other decompressors."""

    def __init__(self, zlib: ModuleType) -> None:
        self._stream = zlib.decompressobj(_MEMBER)

    @property
    def eof(self) -> bool:
        return bool(self._stream.eof)

    @property
    def needs_input(self) -> bool:
        return not self._stream.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return bytes(self._stream.unused_data)

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return bytes(self._stream.decompress(self._stream.unconsumed_tail + data, max_length))


def make(level: int) -> Gzip:
    """The codec at this level."""
    return Gzip(level)
