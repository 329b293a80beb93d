"""A share of a source: several processes, each with another one, together carry every file once.

A file belongs to the shard that its directory belongs to, and a group to that of its own directory. Which one that is follows
from the path alone, so that it is the same on every machine and in every run, and no two processes have to agree on anything.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

SHARDS_MAX = 10_000
"""More than any array of a batch system has; a number beyond it is a slip of the pen."""


class Shard(NamedTuple):
    """One of `of` shares, counted from 1."""

    number: int = 1
    of: int = 1

    @property
    def name(self) -> str:
        """What its state and its private directory are called; '' where there is but one."""
        return "" if self.of == 1 else f"shard-{self.number}-of-{self.of}"

    @property
    def is_first(self) -> bool:
        """Whether what is to be done once, by one of them, is this one's to do."""
        return self.number == 1

    def holds(self, directory: str) -> bool:
        """Whether a directory, relative to the source, belongs to it."""
        if self.of == 1:
            return True
        digest = hashlib.sha256(directory.encode("utf-8", "surrogateescape")).digest()
        return int.from_bytes(digest[:8]) % self.of == self.number - 1


WHOLE = Shard()


def shard_of(text: str) -> Shard:
    """The shard that is written as '3/8': the third of eight.

    Raises:
        ValueError: it is none; the text says what to write.
    """
    number, slash, of = text.partition("/")
    if not (slash and number.isdecimal() and of.isdecimal() and number.isascii() and of.isascii()):
        raise ValueError(f"{text!r} is no shard; write its number and how many there are, such as 3/8")
    shard = Shard(int(number), int(of))
    if not 1 <= shard.of <= SHARDS_MAX:
        raise ValueError(f"there are 1 to {SHARDS_MAX:,} shards, not {of}")
    if not 1 <= shard.number <= shard.of:
        raise ValueError(f"there is no shard {number} of {of}; they are counted from 1 to {of}")
    return shard
