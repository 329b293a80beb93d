"""A stick in the hands of a carrier; see `ports.stick`. What it says is believed as far as digests and signatures go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from outhaul.model.stick import Carried, Offer, answers, is_signed, read_offer, read_receipt, receipt_line
from outhaul.ports.stick import Offered
from outhaul.stores.stick_directory import StickDirectory


class StickInHand:
    """The packages of a stick.

    Args:
        stick: Where.
        key: With it, what is not signed is passed over, and counted in `strange`.
    """

    def __init__(self, stick: StickDirectory, key: bytes) -> None:
        self._stick, self._key = stick, key
        self._strange: dict[str, int] = {}
        self._unbelieved: dict[str, int] = {}
        self._told: dict[str, dict[int, Carried]] = {}

    @property
    def strange(self) -> int:
        """Lines that are no package, or are not signed with the key; however often they were read."""
        return sum(self._strange.values())

    @property
    def unbelieved(self) -> int:
        """Packages that went without this key: their device has it, and will not believe their receipts."""
        return sum(self._unbelieved.values())

    def is_signed(self) -> bool:
        """Whether a package that is still on it was signed by its device, with whatever key."""
        packs = self._stick.packs()
        names = [name for pack, name in self._stick.texts("manifest") if pack in packs]
        return any(is_signed(line) and read_offer(line, b"") for name in names for line in self._stick.lines(name))

    def offered(self) -> Iterator[Offered]:
        """See `ports.stick.CarriedStick`."""
        self._told.clear()
        receipts: dict[str, list[str]] = {}
        for pack, name in self._stick.texts("receipt"):
            receipts.setdefault(pack, []).append(name)
        packs = self._stick.packs()
        for pack, name in self._stick.texts("manifest"):
            if pack in packs:
                offers, strange = self._offers(pack, name)
                self._strange[name] = strange
                done = self._done(pack, receipts.get(pack, []))
                left = [one for one in offers if not (one.number in done and answers(done[one.number], one))]
                yield Offered(pack, tuple(left), not strange and bool(offers))
            elif self._key:
                offers, _ = self._offers(pack, name)
                done = self._done(pack, receipts.get(pack, []))
                self._unbelieved[name] = sum([one.number not in done for one in offers])

    def chunks(self, offer: Offer) -> Iterator[bytes]:
        """See `ports.stick.CarriedStick`."""
        return self._stick.open_pack(offer.pack).chunks(offer.offset, offer.length)

    def receipt(self, place: str) -> Carried | None:
        """See `ports.stick.CarriedStick`."""
        pack, _, number = place.rpartition(".")
        if pack not in self._told:  # Many manifests ask for packages of one pack.
            self._told[pack] = self._done(pack, [name for of, name in self._stick.texts("receipt") if of == pack])
        return self._told[pack].get(int(number))

    def receipts(self, pack: str, carried: Sequence[Carried]) -> None:
        """See `ports.stick.CarriedStick`."""
        if carried or pack not in dict(self._stick.texts("receipt")):
            self._stick.write_receipts(pack, [receipt_line(one, self._key) for one in carried])
            if pack in self._told:
                self._told[pack].update({one.number: one for one in carried})

    def let_go(self, pack: str) -> None:
        """See `ports.stick.CarriedStick`."""
        self._stick.remove_pack(pack)

    def _offers(self, pack: str, name: str) -> tuple[list[Offer], int]:
        offers: dict[int, Offer] = {}
        strange = 0
        for line in self._stick.lines(name):
            read = read_offer(line, self._key)
            if read is None or read[0].pack != pack or read[0].number in offers or (self._key and not read[1]):
                strange += 1
            else:
                offers[read[0].number] = read[0]
        return list(offers.values()), strange

    def _done(self, pack: str, names: Sequence[str]) -> dict[int, Carried]:
        """Those that have a receipt which the device will believe, as far as this carrier can tell."""
        found: dict[int, Carried] = {}
        for name in names:
            for line in self._stick.lines(name):
                read = read_receipt(line, self._key)
                if read is not None and read[0].pack == pack and (read[1] or not self._key):
                    found[read[0].number] = read[0]
        return found
