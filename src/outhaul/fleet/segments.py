"""A segment of receipts, read: lines of JSON that some device wrote, and that nobody vouches for.

True here: no more than `SEGMENT_BYTES_MAX` are ever decompressed, and a segment is of its form as a whole, or refused as a whole.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterator

from outhaul.model.columns import COLUMNS
from outhaul.model.fleet import SEGMENT_BYTES_MAX, Malformed, Segment

_INT = 1 << 63
Row = tuple[str | int | bool, ...]
"""In the order of `COLUMNS`."""


def read_segment(body: bytes, segment: Segment) -> list[Row]:
    """Its receipts.

    Raises:
        Malformed: it is no segment.
    """
    if hashlib.sha256(body).hexdigest()[: len(segment.digest)] != segment.digest:
        raise Malformed("its bytes are not those of its name")
    rows = [_row(line, number) for number, line in enumerate(_lines(body), 1)]
    numbers = [row[0] for row in rows]
    if not rows or numbers[0] != segment.first or numbers[-1] != segment.last or sorted(set(numbers)) != numbers:
        raise Malformed("its receipts are not those of its name")
    return rows


def _lines(body: bytes) -> Iterator[bytes]:
    try:
        unpacking = zlib.decompressobj(wbits=31)
        text = unpacking.decompress(body, SEGMENT_BYTES_MAX + 1)
    except zlib.error:
        raise Malformed("no gzip") from None
    if len(text) > SEGMENT_BYTES_MAX:
        raise Malformed(f"more than {SEGMENT_BYTES_MAX >> 20} MiB")
    if not unpacking.eof or not text.endswith(b"\n"):
        raise Malformed("it breaks off")
    return iter(text[:-1].split(b"\n"))


def _row(line: bytes, number: int) -> Row:
    try:
        tree = json.loads(line)
    except (ValueError, RecursionError):
        tree = None
    if not isinstance(tree, dict) or tree.keys() != COLUMNS.keys():
        raise Malformed(f"line {number} is no receipt")
    row = tuple(tree[name] for name in COLUMNS)
    if not all(_is(value, kind) for value, kind in zip(row, COLUMNS.values(), strict=True)):
        raise Malformed(f"line {number} holds what no receipt does")
    return row


def _is(value: object, kind: type) -> bool:
    if kind is int:
        return type(value) is int and -_INT <= value < _INT
    if kind is str:  # A NUL is in no path, and PostgreSQL has none; half of a character is none.
        return isinstance(value, str) and "\0" not in value and not any("\ud800" <= one <= "\udfff" for one in value)
    return isinstance(value, kind)
