"""A store that is out of reach: what it holds is known by the word of another machine, which has had it proved."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

from outhaul.model.job import ProofRule


class Vouch(NamedTuple):
    """What the other machine was told by the store."""

    etag: str
    version: str


class VouchedStore(ABC):
    """A `Store` that can prove nothing itself: `prove` asks for the word of whoever could."""

    @abstractmethod
    def vouch(self, key: str, sha256: bytes, length: int, rule: ProofRule) -> Vouch:
        """The word that the store holds these bytes under this key, by evidence that `rule` allows.

        Raises:
            OnItsWay: there is none yet.
            Unproved: there is, and it rests on less than `rule` asks for.
        """
