"""Files of one bundle that are asked for together share a request, and what is decompressed for one serves the next.

A shelf for one batch, around the shelf of its store. Parts of an object that lie close together are read at once, as far as
that stays small; a large part is passed through as it comes. Nothing is decided here, and nothing checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from outhaul.model.errors import StoreError
from outhaul.model.returning import Listed, Wanted
from outhaul.stages.restore import Shelf

NEAR = 64 << 10
"""Bytes between two parts that are read along with them: less than a request costs."""
SPAN_MAX = 8 << 20
"""Bytes read at once."""
_FRAME_KEPT_MAX = 4 << 20
_Object = tuple[str, str]
"""Key and version."""


class Span:
    """Neighbouring parts of one object."""

    __slots__ = ("data", "end", "error", "parts", "start")

    def __init__(self, start: int, end: int) -> None:
        self.start = start
        self.end = end
        self.parts = 1
        self.data: bytes | None = None
        self.error: StoreError | None = None


class Spans:
    """See `stages.restore.Shelf`. Used by one thread."""

    def __init__(self, shelf: Shelf, batch: Iterable[Wanted]) -> None:
        self._shelf = shelf
        self.held, self.read, self.digests, self.describe = shelf.held, shelf.read, shelf.digests, shelf.describe
        self.read_large, self.frozen, self.thaw = shelf.read_large, shelf.frozen, shelf.thaw
        self._spans = spans_of(batch)
        self._frame: tuple[str, str, int, int] = ("", "", 0, 0)
        self._decoded = b""

    def decoded(self, codec: str, chunks: Iterator[bytes], limit: int) -> Iterator[bytes]:
        """See `stages.restore.Shelf`."""
        return self._shelf.decoded(codec, chunks, limit)

    def listing(self, prefix: str, after: str = "") -> Iterator[Listed]:
        """See `stages.restore.Shelf`."""
        return self._shelf.listing(prefix, after)

    def read_part(self, key: str, version: str, offset: int, length: int) -> Iterator[bytes]:
        """See `stages.restore.Shelf`."""
        span = self._span(key, version, offset, length)
        if span is None or span.parts == 1:
            yield from self._shelf.read_part(key, version, offset, length)
            return
        if span.error is not None:  # One request for all of them is enough.
            raise span.error
        if span.data is None:
            try:
                parts = self._shelf.read_part(key, version, span.start, span.end - span.start)
                span.data = b"".join(parts)
            except StoreError as error:
                span.error = error
                raise
        yield span.data[offset - span.start : offset - span.start + length]

    def frame(self, codec: str, key: str, version: str, offset: int, length: int, limit: int) -> Iterator[bytes]:
        """See `stages.restore.Shelf`."""
        if not codec:
            yield from self.read_part(key, version, offset, length)
            return
        if self._frame != (key, version, offset, length):
            chunks, size = list[bytes](), 0
            pieces = self._shelf.decoded(codec, self.read_part(key, version, offset, length), limit)
            for chunk in pieces:
                chunks.append(chunk)
                size += len(chunk)
                if size > _FRAME_KEPT_MAX:
                    yield from chunks
                    yield from pieces
                    return
            self._frame, self._decoded = (key, version, offset, length), b"".join(chunks)
        yield self._decoded

    def _span(self, key: str, version: str, offset: int, length: int) -> Span | None:
        for span in self._spans.get((key, version), ()):
            if span.start <= offset and offset + length <= span.end:
                return span
        return None


def spans_of(batch: Iterable[Wanted]) -> dict[_Object, list[Span]]:
    """Which parts of which objects are read at once for these files."""
    parts: dict[_Object, set[tuple[int, int]]] = {}
    for wanted in batch:
        if wanted.within is not None:
            start = wanted.within.offset
            parts.setdefault((wanted.key, wanted.version), set()).add((start, start + wanted.within.length))
    return {of: _joined(sorted(some)) for of, some in parts.items()}


def _joined(parts: list[tuple[int, int]]) -> list[Span]:
    spans: list[Span] = []
    for start, end in parts:
        last = spans[-1] if spans else None
        if last is not None and start - last.end <= NEAR and end - last.start <= SPAN_MAX:
            last.end = max(last.end, end)
            last.parts += 1
        else:
            spans.append(Span(start, end))
    return spans
