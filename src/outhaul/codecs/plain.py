"""`none`: the bytes as they are. It cannot tell damage; length and digest do."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator

from outhaul.codecs.codec import Undecodable
from outhaul.codecs.pieces import cut
from outhaul.model.evidence import ByteSource

_PIECE = 1 << 20


class Plain:
    """See `codec.Codec`."""

    name = "none"
    suffix = ""
    fingerprint = "none"

    def __init__(self, level: int) -> None:
        self.level = level

    def encode(self, source: ByteSource, length: int, cores: int = 1) -> Generator[bytes]:
        """See `Codec.encode`."""
        return (piece for piece in cut(source, length, _PIECE) if piece)

    def encode_bytes(self, data: bytes) -> bytes:
        """See `Codec.encode_bytes`."""
        return data

    def decode(self, chunks: Iterable[bytes], limit: int) -> Iterator[bytes]:
        """See `Codec.decode`."""
        left = limit
        for chunk in chunks:
            left -= len(chunk)
            if left < 0:
                raise Undecodable(f"the data holds more than the {limit} bytes it may hold")
            if chunk:
                yield chunk


def make(level: int) -> Plain:
    """The codec; it has one level."""
    return Plain(level)
