"""The way back, one loop for all formats: stream after stream, never more than a chunk at a time.

A decompressor takes its input in small slices: where thousands of tiny streams follow each other, each hands the rest
of its slice on to the next, and with large slices that would take for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from outhaul.codecs.codec import Undecodable

_SLICE = 32 << 10
_CHUNK = 256 << 10


class Decompressor(Protocol):
    """What bz2, lzma, zstd and lz4 have in common. It decodes one stream or frame."""

    @property
    def eof(self) -> bool:
        """The stream has ended."""

    @property
    def needs_input(self) -> bool:
        """Nothing more comes without more input."""

    @property
    def unused_data(self) -> bytes | None:
        """What followed the end of the stream."""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Up to `max_length` bytes."""


def decode(
    name: str, chunks: Iterable[bytes], limit: int, new: Callable[[], Decompressor], errors: tuple[type[Exception], ...]
) -> Iterator[bytes]:
    """The original of `chunks`; see `Codec.decode`.

    Args:
        name: The format, for what is said of damage.
        chunks: The stored bytes.
        limit: How many bytes may come out.
        new: Makes a decompressor for one stream.
        errors: What it raises for damaged input.
    """
    state = _Decoding(name, limit, new, errors)
    for chunk in chunks:
        for start in range(0, len(chunk), _SLICE):
            yield from state.feed(chunk[start : start + _SLICE])
    state.finish()


class _Decoding:
    def __init__(
        self, name: str, limit: int, new: Callable[[], Decompressor], errors: tuple[type[Exception], ...]
    ) -> None:
        self._name = name
        self._left = limit
        self._limit = limit
        self._new = new
        self._errors = errors
        self._stream: Decompressor | None = None
        self._streams = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What can be said after these bytes too."""
        while True:
            if self._stream is None:
                if not data:
                    return
                self._stream = self._new()
                self._streams += 1
            if decoded := self._decompress(self._stream, data):
                yield decoded
            data = b""
            if self._stream.eof:
                data, self._stream = self._stream.unused_data or b"", None
            elif self._stream.needs_input:
                return

    def finish(self) -> None:
        """There is no more; an empty file is not whole either."""
        if self._stream is not None or not self._streams:
            raise Undecodable(f"the {self._name} data ends before its end")

    def _decompress(self, stream: Decompressor, data: bytes) -> bytes:
        try:
            decoded = stream.decompress(data, min(_CHUNK, self._left + 1))
        except self._errors as error:
            raise Undecodable(f"the {self._name} data is damaged: {error}") from error
        self._left -= len(decoded)
        if self._left < 0:
            raise Undecodable(f"the {self._name} data holds more than the {self._limit} bytes it may hold")
        return decoded
