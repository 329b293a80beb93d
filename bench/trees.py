"""The files that are moved: a tree as a logger writes it, the same bytes each time it is made.

True here: the shape is location/YYYY/MM/DD/HH/mm-topic.dat with a hundred files a directory; every file has
other contents than every other; `plan` knows the MD5 of each file, so that what arrived can be checked
without the files.
Not done here: where trees are made, and what is done with them.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

TOPICS = ("current", "flow", "level", "power", "voltage")
LOCATIONS = ("harbour", "north-weir", "powerhouse", "south-weir")
MINUTES = tuple(range(0, 60, 3))
A_DIRECTORY = len(TOPICS) * len(MINUTES)


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """One file: its path below the root, and the MD5 of its contents in hexadecimal."""

    path: str
    md5: str


@lru_cache(maxsize=4)
def plan(count: int, size: int) -> tuple[PlannedFile, ...]:
    """Return the first `count` files of the tree, each of `size` bytes, in the order they are made."""
    return tuple(
        PlannedFile(_path(number), hashlib.md5(_contents(number, size)).hexdigest()) for number in range(count)
    )


def make(root: Path, count: int, size: int) -> None:
    """Write the first `count` files of the tree below `root`, which must not exist."""
    root.mkdir(parents=True)
    for start in range(0, count, A_DIRECTORY):
        directory = root / Path(_path(start)).parent
        directory.mkdir(parents=True)
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for number in range(start, min(start + A_DIRECTORY, count)):
                _write(descriptor, _path(number).rpartition("/")[2], _contents(number, size))
        finally:
            os.close(descriptor)


def problems(root: Path, count: int, size: int) -> list[str]:
    """Return what differs between the files below `root` and the first `count` files of the tree."""
    found = files_in(root)
    return [f"{found} files are there, not {count}"] if found != count else differences(root, plan(count, size))


def differences(root: Path, files: Iterable[PlannedFile]) -> list[str]:
    """Return which of these files are not below `root`, or not with these bytes."""
    wrong = [file.path for file in files if _md5(root / file.path) != file.md5]
    return [f"{len(wrong)} files are not what they were, for example {wrong[0]}"] if wrong else []


def files_in(root: Path) -> int:
    """Return how many files of any kind (all but directories) are below `root`; 0 when it is gone."""
    return sum(len(names) for _, _, names in os.walk(root))


def _md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest() if path.is_file() else ""


def _path(number: int) -> str:
    hour, place = divmod(number, A_DIRECTORY)
    hour, location = divmod(hour, len(LOCATIONS))
    day, hour = divmod(hour, 24)
    month, day = divmod(day, 28)
    year, month = divmod(month, 12)
    minute, topic = divmod(place, len(TOPICS))
    when = f"{2024 + year}/{month + 1:02}/{day + 1:02}/{hour:02}"
    return f"{LOCATIONS[location]}/{when}/{MINUTES[minute]:02}-{TOPICS[topic]}.dat"


@lru_cache(maxsize=4)
def _lines(size: int) -> bytes:
    """Return enough bytes of plausible measurements to cut the contents of a file of `size` bytes from."""
    lines = (
        f"{n * 0.25:.2f};{(n * 7919) % 4001 / 100:.2f};{(n * 104729) % 9973 / 10:.1f}\n" for n in range(1 + size // 6)
    )
    return "".join(lines).encode()[: size + 64].ljust(size + 64, b"\n")


def _contents(number: int, size: int) -> bytes:
    head = f"# record {number:012d}\n".encode()[:size]
    shift = number % 64
    return head + _lines(size)[shift : shift + size - len(head)]


def _write(directory: int, name: str, contents: bytes) -> None:
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=directory)
    try:
        os.write(descriptor, contents)
    finally:
        os.close(descriptor)
