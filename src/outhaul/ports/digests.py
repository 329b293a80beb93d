"""Digests of file contents that are in memory, several at once.

True here: what comes back is what `hashlib` gives for each, in order; only how long it takes may differ.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal, Protocol

Algorithm = Literal["md5", "sha256"]


class Digests(Protocol):
    """May be called from several threads. Raises nothing."""

    def sha256(self, bodies: Sequence[bytes]) -> list[bytes]:
        """SHA-256 of each (FIPS 180-4), 32 bytes."""

    def md5(self, bodies: Sequence[bytes]) -> list[bytes]:
        """MD5 of each (RFC 1321), 16 bytes: what many a store gives as the ETag of an object."""

    def gains(self, algorithm: Algorithm, count: int) -> bool:
        """Whether so many bodies of one length take less processor time together than each alone, on a thread of its own."""


class OneByOne:
    """The plain way: `hashlib`."""

    def sha256(self, bodies: Sequence[bytes]) -> list[bytes]:
        """See `Digests`."""
        return [hashlib.sha256(body).digest() for body in bodies]

    def md5(self, bodies: Sequence[bytes]) -> list[bytes]:
        """See `Digests`."""
        return [hashlib.md5(body, usedforsecurity=False).digest() for body in bodies]

    def gains(self, algorithm: Algorithm, count: int) -> bool:
        """See `Digests`."""
        return False


ONE_BY_ONE = OneByOne()
