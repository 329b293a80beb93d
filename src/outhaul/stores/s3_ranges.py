"""A large object in parts, several of them under way at once, given in order.

One connection to S3 carries some 90 MB a second, however wide the link is (AWS, "Performance Design Patterns
for Amazon S3": one request for each 85 to 90 MB/s). Every part names the ETag of the first one, so that no
two objects are ever mixed. A part that breaks off is asked for once more, and nothing before it; beyond that nothing is
retried here. Memory is bounded by the number of parts that may be ahead, for all objects of a store together.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future
from typing import Protocol

from outhaul.model.errors import AlreadyThere, BeyondEnd, Transient

PART_BYTES = 4 << 20
"""Parts of 8 MiB gained nothing and took twice the memory (decision 0012)."""
AHEAD_MAX = 4
"""Parts under way beyond the one that each reader is at."""


class NoRanges(Exception):
    """The store does not answer a range as it should (RFC 9110, section 15.3.7); some give the part as a 200."""


class GetRange(Protocol):
    """Ask for a range of an object, of this ETag if one is given."""

    def __call__(self, key: str, version: str, start: int, end: int, etag: str) -> tuple[bytes, int, str]:
        """The bytes, the length of the whole object, and its ETag. Raises `StoreError`s, and `NoRanges`."""


class Ranges:
    """Readers of one store, which share what may be ahead."""

    def __init__(self, get: GetRange) -> None:
        self._get = get
        self._slots = threading.BoundedSemaphore(AHEAD_MAX)

    def read(self, key: str, version: str) -> Generator[bytes, None, None]:
        """All bytes of an object, in order."""
        try:
            first, length, etag = self._get(key, version, 0, PART_BYTES, "")
        except BeyondEnd:  # Of an empty object there is no range (RFC 9110, section 15.5.17).
            return
        etag = "" if etag.startswith("W/") else etag  # If-Match takes strong ones only (RFC 9110, section 13.1.1).
        pending: deque[Future[bytes]] = deque()
        at = len(first)

        def part(start: int) -> bytes:
            return self._part(key, version, start, min(length, start + PART_BYTES), etag)

        try:
            at = self._send_for(part, at, length, pending)
            yield first
            while pending or at < length:
                at = self._send_for(part, at, length, pending)
                if pending:
                    data = pending[0].result()
                    pending.popleft()
                    self._slots.release()
                else:
                    data, at = part(at), at + PART_BYTES
                yield data
        finally:
            for left in pending:
                left.add_done_callback(lambda _: self._slots.release())

    def _send_for(self, part: Callable[[int], bytes], at: int, length: int, pending: deque[Future[bytes]]) -> int:
        """As many parts as may be ahead; where the next one begins."""
        while at < length and self._slots.acquire(blocking=False):
            pending.append(_begin(part, at))
            at += PART_BYTES
        return at

    def _part(self, key: str, version: str, start: int, end: int, etag: str) -> bytes:
        with contextlib.suppress(Transient):
            return self._once(key, version, start, end, etag)
        return self._once(key, version, start, end, etag)

    def _once(self, key: str, version: str, start: int, end: int, etag: str) -> bytes:
        try:
            data, _, _ = self._get(key, version, start, end, etag)
        except (AlreadyThere, BeyondEnd) as error:
            raise Transient(f"GET {key}: it was written over while it was read") from error
        if len(data) != end - start:
            raise Transient(f"GET {key}: {len(data):,} bytes came of {end - start:,}")
        return data


def _begin(part: Callable[[int], bytes], at: int) -> Future[bytes]:
    """A part on a thread of its own, which an interrupted process does not wait for, as it would for those of a pool."""
    future: Future[bytes] = Future()

    def run() -> None:
        try:
            future.set_result(part(at))
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name="part", daemon=True).start()
    return future
