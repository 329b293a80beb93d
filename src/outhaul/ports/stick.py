"""A stick, as whoever carries it sees it: packages to be sent, and a place for their receipts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from outhaul.model.stick import Carried, Offer
from outhaul.ports.store import Begun


class Offered(NamedTuple):
    """The packages of a pack that have no receipt yet."""

    pack: str
    offers: tuple[Offer, ...]
    """Each of which is to be sent, or is left on the stick, as the carrier decides."""
    all_else: bool
    """Whether every other package of the pack has its receipt."""


class CarriedStick(Protocol):
    """Every method raises `Misconfigured` where the stick is gone or full."""

    def offered(self) -> Iterator[Offered]:
        """The packs, one after the other."""

    def chunks(self, offer: Offer) -> Iterator[bytes]:
        """The bytes of a package, read from the device; fewer than it should have where the pack is damaged."""

    def receipt(self, place: str) -> Carried | None:
        """That of a package, named as in `Offer.after`; None where the stick has none."""

    def receipts(self, pack: str, carried: Sequence[Carried]) -> None:
        """Receipts of packages of a pack; none tells that a carrier was here. When this returns, they are on the stick."""

    def let_go(self, pack: str) -> None:
        """Remove the bytes of a pack, all of whose packages have receipts."""


class CarrierMemory(Protocol):
    """What a carrier remembers of large uploads that it has begun: hints, on its own disk, never on a stick.

    Every method raises `LedgerError` where that disk cannot be written.
    """

    def of(self, offer: Offer) -> Begun | None:
        """The upload that was begun for these bytes and this key, to go on with."""

    def began(self, offer: Offer, begun: Begun, now_ns: int) -> None:
        """One was begun, at this wall time; when this returns, that is on disk."""

    def ended(self, offer: Offer) -> None:
        """It is of no more use: its object is there, or it has been abandoned."""
