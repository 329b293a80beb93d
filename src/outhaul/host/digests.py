"""Digests of several bodies at once, in the vector unit of the processor, where that is faster.

MD5 and SHA-256 of one body are one long chain of steps, each of which waits for the one before; chains of several bodies go side
by side (`digests.c`, multi-buffer hashing). What is built from that file is optional: without a compiler there is none,
and `hashlib` does everything.

True here: before the first use what was built digests bodies of every length around a block, and is not used when one digest
differs from that of `hashlib`; how much faster it is, is measured at the same time. Where a processor has
instructions for SHA-256, `hashlib` is faster, and does it.
Not done here: one large body, which has a single chain.
"""

from __future__ import annotations

import ctypes
import math
import os
import threading
import time
from collections.abc import Callable, Sequence

from outhaul.ports.digests import ONE_BY_ONE, Algorithm

LIBRARY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "libdigests.so")
_LANES = 8
"""What is reckoned with; a wider processor takes sixteen, and is faster still."""
_FEW = 3
_LITTLE = 256 << 10
"""Bytes of all bodies together. Digesting less takes a millisecond, and the first time it takes three to find out."""
_TRIAL_BYTES = 12 << 10
_TRIALS = 2
_LENGTHS = (*range(130), 1000, 4096, 5001)
"""A body ends in one block of padding or in two, from 56 bytes behind a block on."""

_NAMES: tuple[Algorithm, ...] = ("md5", "sha256")
_Each = Callable[[Sequence[bytes]], list[bytes]]


class SideBySide:
    """See `ports.digests.Digests`."""

    def __init__(self, path: str = LIBRARY) -> None:
        """`path` is what was built from digests.c; it need not be there, and is looked for when there is much to digest."""
        self._path = path
        self._lock = threading.Lock()
        self._costs: dict[Algorithm, float] | None = None

    def sha256(self, bodies: Sequence[bytes]) -> list[bytes]:
        """See `Digests`."""
        return self._digested("sha256", bodies)

    def md5(self, bodies: Sequence[bytes]) -> list[bytes]:
        """See `Digests`."""
        return self._digested("md5", bodies)

    def gains(self, algorithm: Algorithm, count: int) -> bool:
        """See `Digests`."""
        return len(worth_it([1] * count, self.costs()[algorithm])) == count

    def _digested(self, name: Algorithm, bodies: Sequence[bytes]) -> list[bytes]:
        alone: _Each = getattr(ONE_BY_ONE, name)
        lengths = list(map(len, bodies))
        if len(bodies) < _FEW or sum(lengths) < _LITTLE:
            return alone(bodies)
        together = worth_it(lengths, self.costs()[name])
        if len(together) < _FEW:
            return alone(bodies)
        each: _Each = getattr(self._built, name)
        found = dict(zip(together, each([bodies[index] for index in together]), strict=True))
        return [found[index] if index in found else alone((body,))[0] for index, body in enumerate(bodies)]

    def costs(self) -> dict[Algorithm, float]:
        """How many times as long as `hashlib` one lane takes for a byte: with eight lanes, less than eight is a gain.

        Infinite where what was built is not there, or is wrong.
        """
        with self._lock:
            if self._costs is None:
                try:
                    self._built = Built(self._path)
                    self._costs = {
                        name: _cost(getattr(self._built, name), getattr(ONE_BY_ONE, name)) for name in _NAMES
                    }
                except (OSError, AttributeError):
                    self._costs = dict.fromkeys(_NAMES, math.inf)
            return self._costs


class Built:
    """What was built from digests.c; it digests always side by side, be that faster or not.

    Raises:
        OSError, AttributeError: `path` is no such thing.
    """

    def __init__(self, path: str) -> None:
        library = ctypes.CDLL(path)
        self._md5, self._sha256 = library.outhaul_md5, library.outhaul_sha256
        for function in (self._md5, self._sha256):
            function.restype = None

    def sha256(self, bodies: Sequence[bytes]) -> list[bytes]:
        """SHA-256 of each."""
        return _called(self._sha256, bodies, 32)

    def md5(self, bodies: Sequence[bytes]) -> list[bytes]:
        """MD5 of each."""
        return _called(self._md5, bodies, 16)


def worth_it(lengths: Sequence[int], cost: float) -> list[int]:
    """Which bodies to digest side by side, the longest first: the others take less time alone.

    Args:
        lengths: In bytes.
        cost: Of a lane (`SideBySide.costs`).
    """
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    total = sum(lengths)
    while order and (not total or max(lengths[order[-1]], total / _LANES) * cost >= total):
        total -= lengths[order.pop()]
    return order[::-1]


def _called(function: Callable[..., object], bodies: Sequence[bytes], size: int) -> list[bytes]:
    """Other threads go on meanwhile; the bodies are not copied."""
    count = len(bodies)
    out = ctypes.create_string_buffer(count * size)
    data, lengths = (ctypes.c_char_p * count)(*bodies), (ctypes.c_size_t * count)(*map(len, bodies))
    function(data, lengths, ctypes.c_size_t(count), out)
    found = out.raw
    return [found[at : at + size] for at in range(0, count * size, size)]


def _cost(each: _Each, alone: _Each) -> float:
    pattern = bytes(range(251)) * (max(_LENGTHS) // 251 + 1)
    bodies = [pattern[length % 7 : length % 7 + length] for length in _LENGTHS]
    if each(bodies) != alone(bodies):
        return math.inf
    same = [bytes([lane]) * _TRIAL_BYTES for lane in range(_LANES)]
    return _LANES * _shortest(each, same) / max(1, _shortest(alone, same))


def _shortest(each: _Each, bodies: Sequence[bytes]) -> int:
    """Nanoseconds."""
    times = []
    for _ in range(_TRIALS):
        begun = time.perf_counter_ns()
        each(bodies)
        times.append(time.perf_counter_ns() - begun)
    return min(times)
