"""A place where devices meet: small objects of their own beneath a reserved prefix, beside the files that jobs carry.

What is told there is no proof of anything, and nothing is let go on its ground. So the promises are fewer than those of `Store`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from outhaul.model.errors import StoreError
from outhaul.model.returning import Listed


class Meeting(Protocol):
    """All methods raise the `StoreError`s, as those of `Store` do."""

    def create(self, key: str, body: bytes) -> None:
        """An object whose key has a digest of its bytes. Nothing is read for it, and what is there already is it."""

    def replace(self, key: str, body: bytes) -> int | None:
        """An object in the place of the one before; the time of the store, in nanoseconds, where it tells one."""

    def read_one(self, key: str, bytes_max: int) -> bytes | None:
        """An object; None where there is none, or nobody may know. Raises `Refused` where it is larger."""

    def read_many(self, keys: Sequence[str]) -> Iterator[bytes | StoreError]:
        """Small objects, in their order, several at once; or why one cannot be read."""

    def listing(self, prefix: str, after: str = "") -> Iterator[Listed]:
        """What lies beneath a prefix, in the order of the keys where the store has one."""
