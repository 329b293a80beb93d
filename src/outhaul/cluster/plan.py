"""What a worker is given at once: directories, until their files are many or large. Pure; nothing is looked at here."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from outhaul.model.job import Job
from outhaul.model.shard import WHOLE, Shard

FILES_MAX = 5000
BYTES_MAX = 4 << 30


class Counted(NamedTuple):
    """A directory, or a group with all beneath it, and what is in it."""

    directory: str
    files: int
    size: int
    """Bytes of the files."""


class Batch(NamedTuple):
    """What one worker carries in one pass."""

    directories: tuple[str, ...]
    share: Shard = WHOLE
    """Which of their files, by name: a directory with too many files for one batch is in several."""
    files: int = 0
    """About how many."""
    size: int = 0
    """About how many bytes."""

    @property
    def name(self) -> str:
        """What it is held by: no two workers have the same batch at a time."""
        told = "\0".join([*self.directories, *map(str, self.share)])
        return hashlib.sha256(told.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def batches(counted: Sequence[Counted], *, files_max: int = FILES_MAX, bytes_max: int = BYTES_MAX) -> Iterator[Batch]:
    """All of these directories that have files, each in one batch, or in several by the names of its files."""
    some: list[str] = []
    files = size = 0
    for one in counted:
        if not one.files:
            continue
        parts = max(_parts(one.files, files_max), min(-(-one.size // bytes_max), one.files))
        if parts > 1:
            share = one.files // parts, one.size // parts
            yield from (Batch((one.directory,), Shard(n, parts), *share) for n in range(1, parts + 1))
            continue
        if some and (files + one.files > files_max or size + one.size > bytes_max):
            yield Batch(tuple(some), WHOLE, files, size)
            some, files, size = [], 0, 0
        some.append(one.directory)
        files, size = files + one.files, size + one.size
    if some:
        yield Batch(tuple(some), WHOLE, files, size)


def _parts(files: int, files_max: int) -> int:
    """In how many shares files are, so that the largest share most certainly has no more than so many.

    A hash of the name says whose a file is, so how many a share has is as good as Poisson's: five times the root of its mean is
    passed by one share in some millions.
    """
    if files <= files_max:
        return 1
    return -(-files // max(1, files_max - 5 * (math.isqrt(files_max) + 1)))


def unsuited(job: Job, *, shared: bool = False) -> str:
    """What a job wants that needs one process to see the whole source; '' where it wants no such thing.

    Args:
        job: Which.
        shared: Whether the workers share a database: then their driver does not know what was sent until now.
    """
    wants = {
        "group.companions": job.companions,
        "max-bytes": job.bytes_max,
        "max-bytes-per-day": shared and job.bytes_a_day,
        "max-bytes-per-month": shared and job.bytes_a_month,
        "disk.shed-below": job.shed_below,
        "empty-directories": job.empty_ns,
        "after.keep": job.archive_keep_ns,
        "via": job.via,
    }
    return next((name for name, value in wants.items() if value), "")
