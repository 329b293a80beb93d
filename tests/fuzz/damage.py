"""Ways to damage a file: bytes turned, ends cut off, pages zeroed, filled with noise, or exchanged."""

import random
from collections.abc import Callable

PAGE = 4096


def flip(data: bytearray, rng: random.Random) -> None:
    """Some bits of some bytes."""
    for _ in range(rng.choice((1, 1, 1, 4, 16))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def flip_used(data: bytearray, rng: random.Random) -> None:
    """A byte that is not zero: one that says something."""
    used = [at for at, byte in enumerate(data) if byte]
    for _ in range(rng.choice((1, 2, 8))):
        data[rng.choice(used)] = rng.randrange(256)


def truncate(data: bytearray, rng: random.Random) -> None:
    """The end is missing, at a page or anywhere."""
    at = rng.randrange(len(data))
    del data[at - at % PAGE if rng.random() < 0.3 else at :]


def zero(data: bytearray, rng: random.Random) -> None:
    """A page, or some bytes, are zeros."""
    start = rng.randrange(len(data))
    length = rng.choice((1, 16, PAGE))
    start -= start % PAGE if length == PAGE else 0
    data[start : start + length] = bytes(min(length, len(data) - start))


def noise(data: bytearray, rng: random.Random) -> None:
    """Some bytes are noise."""
    start = rng.randrange(len(data))
    length = min(rng.choice((4, 100, PAGE)), len(data) - start)
    data[start : start + length] = rng.randbytes(length)


def exchange(data: bytearray, rng: random.Random) -> None:
    """Two pages are in each other's place."""
    one, other = (rng.randrange(max(1, len(data) // PAGE)) * PAGE for _ in range(2))
    data[one : one + PAGE], data[other : other + PAGE] = data[other : other + PAGE], data[one : one + PAGE]


WAYS: tuple[Callable[[bytearray, random.Random], None], ...] = (
    flip, flip_used, flip_used, truncate, zero, noise, exchange,
)  # fmt: skip
