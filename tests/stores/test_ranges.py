"""A large object in parts: in order, of one object only, with one more try for a part, and a bound on what is ahead."""

from __future__ import annotations

import threading

import pytest

from outhaul.model.errors import AlreadyThere, BeyondEnd, NotThere, StoreError, Transient
from outhaul.stores.s3_ranges import AHEAD_MAX, PART_BYTES, GetRange, Ranges


class Object:
    """An object of numbered parts; `faults` are raised once each, by part."""

    def __init__(self, length: int) -> None:
        self.content = b"".join(b"%09d\n" % number for number in range(length // 10 + 1))[:length]
        self.faults: dict[int, StoreError] = {}
        self.short: set[int] = set()
        self.asked: list[int] = []
        self.most = self._now = 0
        self._lock = threading.Lock()

    def get(self, key: str, version: str, start: int, end: int, etag: str) -> tuple[bytes, int, str]:
        """See `GetRange`."""
        assert etag == ('"e"' if start else "")
        with self._lock:
            self.asked.append(start // PART_BYTES)
            self._now += 1
            self.most = max(self.most, self._now)
            fault = self.faults.pop(start // PART_BYTES, None)
        try:
            if fault is not None:
                raise fault
            cut = start // PART_BYTES in self.short
            return self.content[start : end - cut], len(self.content), '"e"'
        finally:
            with self._lock:
                self._now -= 1


@pytest.mark.parametrize("length", [0, 1, PART_BYTES, PART_BYTES + 1, 9 * PART_BYTES + 5])
def test_in_order(length: int) -> None:
    """Each part is asked for once; what comes is the object."""
    held = Object(length)
    assert b"".join(Ranges(held.get).read("k", "")) == held.content
    assert sorted(held.asked) == list(range(max(1, -(-length // PART_BYTES))))
    assert held.most <= AHEAD_MAX + 1


def test_a_part_that_breaks_off() -> None:
    """It alone is asked for again, once; then the fault is the reader's."""
    held = Object(6 * PART_BYTES)
    held.faults = {3: Transient("cut")}
    assert b"".join(Ranges(held.get).read("k", "")) == held.content
    assert sorted(held.asked) == [0, 1, 2, 3, 3, 4, 5]
    held.short = {4}
    with pytest.raises(Transient):
        list(Ranges(held.get).read("k", ""))


def test_an_object_that_is_written_over_meanwhile() -> None:
    """Its parts are never mixed: the condition fails, for the second time too, and the file is tried again as a whole."""
    held = Object(6 * PART_BYTES)
    replaced = AlreadyThere("412")

    def get(key: str, version: str, start: int, end: int, etag: str) -> tuple[bytes, int, str]:
        if start == 2 * PART_BYTES:
            raise replaced
        return held.get(key, version, start, end, etag)

    with pytest.raises(Transient, match="written over"):
        list(Ranges(get).read("k", ""))


@pytest.mark.slow
def test_a_reader_that_leaves() -> None:
    """What was ahead is given back, so that the next reader is as fast."""
    held = Object(20 * PART_BYTES)
    ranges = Ranges(held.get)
    for _ in range(3 * AHEAD_MAX):
        reading = ranges.read("k", "")
        next(reading)
        reading.close()
    held.faults = {1: NotThere("gone")}
    with pytest.raises(NotThere):
        list(ranges.read("k", ""))
    many = [ranges.read("k", "") for _ in range(5)]
    assert {b"".join(parts) for parts in many} == {held.content}


def test_an_object_that_has_lost_its_bytes() -> None:
    """Of an empty object no range can be had (RFC 9110, section 15.5.17): it is no byte, and nothing that a store refuses."""
    held = Object(PART_BYTES)
    held.faults = {0: BeyondEnd("416")}
    assert list(Ranges(held.get).read("k", "")) == []


def test_an_object_that_becomes_shorter() -> None:
    """While it is read: it was written over, and is read anew by whoever tries again."""
    held = Object(3 * PART_BYTES)
    with pytest.raises(Transient, match="written over"):
        list(Ranges(_that_shrinks(held)).read("k", ""))


def _that_shrinks(held: Object) -> GetRange:
    whole = held.get

    def get(key: str, version: str, start: int, end: int, etag: str) -> tuple[bytes, int, str]:
        if start >= 2 * PART_BYTES:
            raise BeyondEnd("416")
        return whole(key, version, start, end, etag)

    return get
