"""Read the index inside a bundle, where the one beside it is of no use.

It is the last member of the tar, so the end of the object is asked for: one request as a rule, and one more for how a stream of
its codec begins. Where the object is compressed, the index is in streams of its own; they are looked for by that beginning,
from the end on. What is found proves itself by the digest in its name. Nothing is tried again here, and nothing written.
"""

from __future__ import annotations

from collections.abc import Iterator

from outhaul.model.bundle import INDEX_BYTES_MAX, index_in
from outhaul.model.errors import Damaged
from outhaul.model.tar import BLOCK, read_header
from outhaul.stages.restore import Shelf

_TAIL = 1 << 20
"""Bytes that are asked for first. What has no index in them, and may have one, is asked for eight times as many."""
_WIDER = 8
_MAGIC = 3
"""Bytes by which a stream of a codec is known: they are the same in all streams of one object, so they stand at its beginning."""
_STARTS_MAX = 1000
"""Places at which a stream seems to begin that are tried: the index of the largest bundle has fewer."""
_PIECE = 64 << 10
_LAST_LINE = b"\n]}\n"


def index_inside(key: str, length: int, codec: str, shelf: Shelf) -> bytes | None:
    """The text of the index that a bundle has as its last member.

    Args:
        key: Of the bundle.
        length: Of the object, as it is listed.
        codec: Its compression; '' for none.
        shelf: Where it is.

    Returns:
        None where there is none that can be read: then it is no bundle of ours, or damaged at its end.

    Raises:
        StoreError: see `Shelf`.
    """
    if length < _MAGIC:
        return None
    magic, tail = b"".join(shelf.read_part(key, "", 0, _MAGIC)) if codec else b"", b""
    while len(tail) < min(length, INDEX_BYTES_MAX):
        size = min(length, INDEX_BYTES_MAX, max(_TAIL, _WIDER * len(tail)))
        tail = b"".join(shelf.read_part(key, "", length - size, size - len(tail))) + tail
        if len(tail) != size:  # It is another object by now.
            return None
        end = _last_streams(tail, magic, codec, shelf) if codec else tail
        text = index_in(end)
        if text is not None or (end if codec else not end.rstrip(b"\0").endswith(_LAST_LINE)):
            return text
    return None


def _last_streams(tail: bytes, magic: bytes, codec: str, shelf: Shelf) -> bytes:
    """The end of an object, decompressed from the last stream on that begins with a member of a tar; b'' where there is none."""
    at = len(tail)
    for _ in range(_STARTS_MAX):
        at = tail.rfind(magic, 0, at + _MAGIC - 1)
        if at < 0:
            break
        try:
            begins = _first_block(shelf.decoded(codec, _pieces(tail, at), INDEX_BYTES_MAX))
        except Damaged:  # These bytes stand in the middle of a stream, too.
            continue
        if read_header(begins) is None:  # A text may be more than one stream.
            continue
        try:
            return b"".join(shelf.decoded(codec, _pieces(tail, at), INDEX_BYTES_MAX))
        except Damaged:
            return begins
    return b""


def _first_block(chunks: Iterator[bytes]) -> bytes:
    begins = b""
    for chunk in chunks:
        begins += chunk
        if len(begins) >= BLOCK:
            break
    return begins[:BLOCK]


def _pieces(data: bytes, start: int) -> Iterator[bytes]:
    for at in range(start, len(data), _PIECE):
        yield data[at : at + _PIECE]
