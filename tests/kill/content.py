"""What the bytes of each logger file must be: a pure function of the run's seed and the file's number.

A file is written in steps. `steps` gives its size after each of them and `content` its first bytes up to a
size, so the file after a step begins with the file after the step before. The first line names seed and
number: no two files are equal, and any bytes found anywhere tell which file they claim to be.
"""

import random
import re

_FIRST_LINE = re.compile(rb"# logger seed=(\d+) file=(\d+)\n")
_STEPS = 8


def first_line(seed: int, number: int) -> bytes:
    """The line that every file starts with."""
    return b"# logger seed=%d file=%d\n" % (seed, number)


def claimed(data: bytes) -> tuple[int, int] | None:
    """The seed and the number that bytes claim in their first line; None where there is no such line."""
    found = _FIRST_LINE.match(data)
    return (int(found[1]), int(found[2])) if found else None


def steps(seed: int, number: int) -> tuple[int, ...]:
    """The sizes of the file in bytes after each of its steps, in rising order.

    Most files are small, some have hundreds of kilobytes, and three in a thousand are larger than the 8 MiB
    from which many uploaders send a file in parts.
    """
    rng = random.Random(f"sizes {seed}/{number}")
    kind = rng.random()
    largest = 3_000 if kind < 0.94 else 120_000
    first = rng.randint(0, largest) if kind < 0.997 else rng.randint(8_500_000, 10_000_000)
    sizes = [len(first_line(seed, number)) + first]
    for _ in range(_STEPS - 1):
        sizes.append(sizes[-1] + rng.randint(1, largest))
    return tuple(sizes)


def content(seed: int, number: int, size: int) -> bytes:
    """The first `size` bytes of the file."""
    rng = random.Random(f"rows {seed}/{number}")
    parts = [first_line(seed, number)]
    length = len(parts[0])
    while length < size:
        parts.append(_minute(len(parts), rng))
        length += len(parts[-1])
    return b"".join(parts)[:size]


def _minute(minute: int, rng: random.Random) -> bytes:
    """One minute of a logger: eight readings, far into a long file eight bursts of raw samples."""
    values = rng.randbytes(96 if minute < 200 else 24_000).hex()
    width = len(values) // 8
    rows = (values[at : at + width] for at in range(0, len(values), width))
    return "".join(f"{minute:04}:{second:02},{row}\n" for second, row in enumerate(rows)).encode()
