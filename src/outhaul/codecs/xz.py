"""xz, as one stream of independent blocks, as `xz -T` writes it.

Python's lzma makes streams of one block. Their blocks are taken out and put into one stream, with an index of them all at its
end, so that nothing can be cut off unseen, and a reader that stops after one stream has read everything.
The format: <https://tukaani.org/xz/xz-file-format.txt>. Padding after a stream, which it allows, is taken for damage.
"""

from __future__ import annotations

import binascii
from collections.abc import Generator, Iterable, Iterator
from functools import cached_property

from outhaul.codecs.codec import NOT_IN_PYTHON, load
from outhaul.codecs.decoding import Decompressor, decode
from outhaul.codecs.formats import FORMATS
from outhaul.codecs.pieces import InMemory, cut, in_order, sample_digest
from outhaul.model.evidence import ByteSource

_DICTIONARIES = tuple(1 << bits for bits in (18, 20, 21, 22, 22, 23, 23, 24, 25, 26))
"""Bytes, by level, as the `xz` program has them."""
_LEAST_PIECE = 4 << 20
_HEADER = 12
_FOOTER = 12
_DECODER_MEMORY = 192 << 20
"""What level 9 needs, 65 MiB, and more: nobody makes this program take gigabytes."""


class Xz:
    """See `codec.Codec`."""

    name = "xz"
    suffix = FORMATS["xz"].suffix

    def __init__(self, level: int) -> None:
        self._lzma = load("lzma", self.name, NOT_IN_PYTHON)
        self.level = level
        # Beyond level 6 it is the dictionary alone that grows, and a dictionary longer than a block is of no use.
        self._piece = max(_LEAST_PIECE, _DICTIONARIES[level] if level > 6 else 0)

    @cached_property
    def fingerprint(self) -> str:
        """See `Codec.fingerprint`. liblzma tells Python no version."""
        return f"xz level={self.level} block={self._piece} sample={sample_digest(self._compress)}"

    def encode(self, source: ByteSource, length: int, cores: int = 1) -> Generator[bytes]:
        """See `Codec.encode`. For each core about 60 MB up to level 6, then 200, 400, and 800 at level 9."""
        index = _Index()
        for stream in in_order(self._compress, cut(source, length, self._piece), cores):
            if not index.header:
                index.header = stream[:_HEADER]
                yield index.header
            yield index.take_block(stream)
        yield index.ending()

    def encode_bytes(self, data: bytes) -> bytes:
        """See `Codec.encode_bytes`."""
        if len(data) <= self._piece:
            return self._compress(data)
        return b"".join(self.encode(InMemory(data), len(data)))

    def decode(self, chunks: Iterable[bytes], limit: int) -> Iterator[bytes]:
        """See `Codec.decode`."""
        return decode(self.name, chunks, limit, self._stream, (self._lzma.LZMAError, EOFError))

    def _stream(self) -> Decompressor:
        stream: Decompressor = self._lzma.LZMADecompressor(self._lzma.FORMAT_XZ, _DECODER_MEMORY)
        return stream

    def _compress(self, data: bytes) -> bytes:
        dictionary = max(4096, min(_DICTIONARIES[self.level], len(data)))
        chain = [{"id": self._lzma.FILTER_LZMA2, "preset": self.level, "dict_size": dictionary}]
        compressed: bytes = self._lzma.compress(data, self._lzma.FORMAT_XZ, self._lzma.CHECK_CRC64, filters=chain)
        return compressed


class _Index:
    """The index and the footer of a stream, from those of the streams of one block that it is made of."""

    def __init__(self) -> None:
        self.header = b""
        self._records: list[bytes] = []

    def take_block(self, stream: bytes) -> bytes:
        """The block of a stream; its record in the index is kept."""
        backward = int.from_bytes(stream[-_FOOTER + 4 : -_FOOTER + 8], "little")
        start = len(stream) - _FOOTER - (backward + 1) * 4
        if stream[start + 1]:  # The number of records: none for empty input.
            self._records.append(_two_numbers(stream, start + 2))
        return stream[_HEADER:start]

    def ending(self) -> bytes:
        """Index and footer."""
        index = b"\0" + _number(len(self._records)) + b"".join(self._records)
        index += b"\0" * (-len(index) % 4)
        index += _crc(index)
        body = (len(index) // 4 - 1).to_bytes(4, "little") + self.header[6:8]
        return index + _crc(body) + body + b"YZ"


def _crc(data: bytes) -> bytes:
    return binascii.crc32(data).to_bytes(4, "little")


def _number(value: int) -> bytes:
    """Seven bits a byte, the least first; the highest bit says that more follow."""
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _two_numbers(data: bytes, start: int) -> bytes:
    """The two numbers from `start`, as they are encoded: the lengths of a block, without padding, and of its content."""
    end = start
    for _ in range(2):
        while data[end] & 0x80:
            end += 1
        end += 1
    return data[start:end]


def make(level: int) -> Xz:
    """The codec at this level."""
    return Xz(level)
