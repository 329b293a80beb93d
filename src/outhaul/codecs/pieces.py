"""Cutting the input into pieces of one size, and working at several of them at a time.

Where a piece ends depends on nothing but the size and the length, so the result does not depend on the cores.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from outhaul.model.evidence import ByteSource

Item = TypeVar("Item")
Result = TypeVar("Result")


class InMemory:
    """Bytes in memory as a `ByteSource`."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def pread(self, length: int, offset: int) -> bytes:
        """See `model.evidence.ByteSource`."""
        return self._data[offset : offset + length]


def cut(source: ByteSource, length: int, size: int) -> Iterator[bytes]:
    """The input in pieces of `size` bytes, the last of them shorter; one empty piece where there is nothing."""
    if not length:
        yield b""
    for offset in range(0, length, size):
        yield source.pread(min(size, length - offset), offset)


def in_order(work: Callable[[Item], Result], items: Iterable[Item], cores: int) -> Iterator[Result]:
    """`map(work, items)`, on `cores` threads where that is more than one; two items more than that are under way.

    `items` is drawn in the thread of the caller. What it or `work` raises comes out of the iterator.
    """
    return map(work, items) if cores <= 1 else _on_threads(work, items, cores)


def _on_threads(work: Callable[[Item], Result], items: Iterable[Item], cores: int) -> Iterator[Result]:
    from concurrent.futures import Future, ThreadPoolExecutor

    pool = ThreadPoolExecutor(cores, thread_name_prefix="outhaul-codec")
    try:
        ahead: deque[Future[Result]] = deque()
        for item in items:
            ahead.append(pool.submit(work, item))
            del item
            if len(ahead) > cores + 1:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def sample_digest(encode: Callable[[bytes], bytes]) -> str:
    """What a library that tells no version makes of a fixed sample, in 12 hexadecimal digits."""
    sample = b"".join(b"%d;%d;%08x\n" % (n, n * n % 97, n * 2654435761 % (1 << 32)) for n in range(400))
    return hashlib.sha256(encode(sample)).hexdigest()[:12]
