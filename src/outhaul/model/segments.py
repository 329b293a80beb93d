"""Segments: what a ledger knows of some files, on its way to another ledger. Pure.

Workers without a database in common have a ledger each, and ship what is new in it to the bucket, where their driver fetches it
(decision 0032): beneath `<prefix>/.outhaul/workers/`, which no job uses. docs/format.md has the form. A receipt lets a file go,
so nobody else's word is taken for one: a segment bears a code that only those can make who have the secret of the run (RFC
2104), and is not even decompressed before that is right.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

from outhaul.model.fleet import WORKERS

TEXT_MAX = 32 << 20
"""Bytes of a segment before it is compressed; a single row may be longer."""
SEGMENT_MAX = 64 << 20
"""Bytes of one as it is stored."""
_CODE_BYTES = 32
Row = list[Any]
"""What it is, and its values: numbers, texts, bytes, None, and lists of these. See `ledgers/segments.py`."""


class Foreign(ValueError):
    """It was not written by a worker of this run."""


def segment_key(prefix: str, run: str, number: int, link: int) -> str:
    """Where a segment lies.

    Args:
        prefix: Of the destination.
        run: What the work of one driver on one job is called.
        number: What the driver gave to whoever wrote it, and to nobody else; but Dask may have had it done twice.
        link: From 0 on without a gap, so that whoever knows the number finds all, and needs no leave to list a bucket.
    """
    front = f"{prefix}/" if prefix else ""
    return f"{front}{WORKERS}{run}/{number:08d}-{link}.segment"


def packed(rows: Iterable[Row]) -> Iterator[bytes]:
    """Rows as lines of JSON, compressed: one piece, or several where they are many; none of no rows."""
    lines: list[bytes] = []
    size = 0
    for row in rows:
        line = json.dumps(row, separators=(",", ":"), default=_bytes_told).encode()
        if lines and size + len(line) > TEXT_MAX:
            yield _compressed(lines)
            lines, size = [], 0
        lines.append(line)
        size += len(line) + 1
    if lines:
        yield _compressed(lines)


def unpacked(body: bytes) -> Iterator[Row]:
    """The opposite. Only of what is ours: it is believed to be of its form."""
    for line in zlib.decompress(body, wbits=31).splitlines():
        yield json.loads(line, object_hook=_bytes_read)


def signed(secret: bytes, key: str, body: bytes) -> bytes:
    """A body with the code in front of it. It holds under this key alone."""
    return _code(secret, key, body) + body


def verified(secret: bytes, key: str, found: bytes) -> bytes:
    """The body of what lies under a key.

    Raises:
        Foreign: its code is not right.
    """
    code, body = found[:_CODE_BYTES], found[_CODE_BYTES:]
    if not hmac.compare_digest(code, _code(secret, key, body)):
        raise Foreign(f"{key} was not written by a worker of this run")
    return body


def _code(secret: bytes, key: str, body: bytes) -> bytes:
    return hmac.digest(secret, hashlib.sha256(key.encode()).digest() + body, "sha256")


def _compressed(lines: list[bytes]) -> bytes:
    packing = zlib.compressobj(6, wbits=31)
    return packing.compress(b"\n".join(lines)) + packing.flush()


def _bytes_told(value: object) -> dict[str, str]:
    assert isinstance(value, bytes)
    return {"b": base64.b64encode(value).decode()}


def _bytes_read(tree: dict[str, str]) -> bytes:
    return base64.b64decode(tree["b"])
