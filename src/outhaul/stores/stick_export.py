"""One visit of a stick to the device that it comes from: what it brings, what it is given, what is known of both.

Nothing is concluded about a source here. A receipt counts where it answers a pack that this device remembers (`stick_memory.py`),
names the same package, bucket and store, and is signed with the key of both machines, or a person has said that this stick
is to be trusted. What is written counts once its manifest is on the stick; before that, only as bytes.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Callable, Iterable
from typing import NamedTuple

from outhaul.model.bundle import MANIFEST, MANIFEST_SUFFIX
from outhaul.model.errors import AlreadyThere, Misconfigured
from outhaul.model.keys import second_key
from outhaul.model.stick import Carried, Offer, answers, is_signed, offer_line, read_offer, read_receipt, suffices
from outhaul.stores.stick_directory import PackWriter, StickDirectory, full
from outhaul.stores.stick_memory import StickMemory, Trip, can_follow, elsewhere

PACK_BYTES = 64 << 20
PACK_FILES = 4096
_LINE_BYTES = 2048
"""About what a package takes on the stick besides its bytes: its lines in a manifest and in a receipt file."""


class Trust(NamedTuple):
    """Whose receipts are believed."""

    key: bytes = b""
    """Of both machines; b'' where there is none."""
    any_stick: bool = False
    """Whether a receipt without a signature is believed: a person says so, for this visit."""


class Known(NamedTuple):
    """A package that is on a stick, or was."""

    offer: Offer
    stick: str
    since_ns: int
    receipt: Carried | None = None


class Visit:
    """One visit. Its methods may be called from several threads at once.

    Args:
        stick: Where.
        memory: Of the packs that are away.
        trust: Whose receipts count.
        again: Whether what is on another stick goes on this one, too; and what went, and whose receipts are not believed.
        wall_ns: Tells the time.
    """

    def __init__(
        self, stick: StickDirectory, memory: StickMemory, trust: Trust, wall_ns: Callable[[], int], *, again: bool
    ) -> None:
        self.stick, self.written, self.bytes_written = stick, 0, 0
        self.refused = self.unsigned = 0
        """Receipts that are not believed, for want of a signature with the key; and those of them that have none at all."""
        self._memory, self._trust, self._wall_ns, self._again = memory, trust, wall_ns, again
        self._lock = threading.RLock()
        self._known: dict[tuple[str, str], Known] = {}
        self._foreign: set[tuple[str, str]] = set()
        self._asked: set[tuple[str, str]] = set()
        self._looked_at: frozenset[str] = frozenset()
        self._visited: set[str] = set()
        self._unbelieved: dict[str, set[int]] = {}
        self._vouched: set[tuple[str, int]] = set()
        self._writer: PackWriter | None = None
        self._open: list[Offer] = []
        there = {*stick.packs(), *[pack for kind in ("manifest", "receipt") for pack, _ in stick.texts(kind)]}
        trips = [self._recognised(trip) if trip.pack in there else trip for trip in memory.trips()]
        self._here = self._arrive([trip for trip in trips if trip.stick == stick.id])
        for trip in [] if again else elsewhere(trips, stick.id):
            self._know(trip, {})

    # --- what it brings -----------------------------------------------------------------------------------------

    def find(self, bucket: str, key: str) -> Known | None:
        """The package that is on its way to this key."""
        with self._lock:
            self._asked.add((bucket, key))
            return self._known.get((bucket, key))

    def is_foreign(self, bucket: str, key: str) -> bool:
        """Whether the carrier has met other bytes under this key."""
        return (bucket, key) in self._foreign

    @property
    def receipts(self) -> int:
        """How many receipts it has brought that are believed."""
        return len(self._vouched)

    @property
    def away(self) -> int:
        """How many packages are on their way, as far as this visit knows: of files that are not there any more, which went with
        another stick, none is."""
        waiting = [at for at, known in self._known.items() if known.receipt is None]
        return sum([at in self._asked or self._known[at].offer.job not in self._looked_at for at in waiting])

    def _recognised(self, trip: Trip) -> Trip:
        """A trip of this stick, though the stick has lost its name: what it has of it says so."""
        if trip.stick == self.stick.id:
            return trip
        found = trip._replace(stick=self.stick.id)
        self._memory.remember(found)
        return found

    def _arrive(self, trips: Iterable[Trip]) -> dict[str, Trip]:
        """What was given to this stick, with its receipts; what is not on it any more, and has none, is forgotten."""
        found: list[Trip] = []
        decided: set[str] = set()
        astray: set[str] = set()
        receipts = self._receipts()
        manifests, packs = dict(self.stick.texts("manifest")), self.stick.packs()
        for trip in trips:
            own = receipts.get(trip.pack, {})
            # A receipt that is not believed today, for want of the key, may be tomorrow, unless somebody has given up on it.
            said = {*own, *(() if self._again else self._unbelieved.get(trip.pack, ()))}
            listed = self.stick.lines(manifests[trip.pack]) if trip.pack in packs and trip.pack in manifests else []
            there = self._intact(listed, trip, said)
            found.append(trip._replace(offers=tuple([one for one in trip.offers if one.number in said | there])))
            decided |= {f"{trip.pack}.{number}" for number in said}
            astray |= {f"{trip.pack}.{number}" for number, receipt in own.items() if receipt.key != receipt.asked}
        here = {trip.pack: trip for trip in can_follow(found, astray=astray, decided=decided)}
        for trip in here.values():
            self._know(trip, receipts.get(trip.pack, {}))
        for pack in packs.keys() - manifests:  # Somebody died before it counted for anything.
            self.stick.remove_pack(pack)
        return here

    def _intact(self, listed: Iterable[bytes], trip: Trip, said: set[int]) -> set[int]:
        """The packages that can still be carried. Where a carrier was, and left some, they are read: perhaps they are damaged."""
        manifest = {read[0] for line in listed if (read := read_offer(line, b""))}
        there = [offer for offer in trip.offers if offer in manifest and offer.number not in said]
        visited = trip.pack in self._visited
        return {offer.number for offer in there if not visited or self._is_whole(offer)}

    def _is_whole(self, offer: Offer) -> bool:
        digest = hashlib.sha256()
        try:
            for chunk in self.stick.open_pack(offer.pack).chunks(offer.offset, offer.length):
                digest.update(chunk)
        except Misconfigured:  # Of a stick that is gone, more will be heard.
            return False
        return digest.digest() == offer.sha256

    def _receipts(self) -> dict[str, dict[int, Carried]]:
        found: dict[str, dict[int, Carried]] = {}
        for pack, name in self.stick.texts("receipt"):
            self._visited.add(pack)
            for line in self.stick.lines(name):
                read = read_receipt(line, self._trust.key)
                if read is not None and read[0].pack == pack:
                    if read[1] or self._trust.any_stick:
                        found.setdefault(pack, {})[read[0].number] = read[0]
                    else:
                        self.refused, self.unsigned = self.refused + 1, self.unsigned + (not is_signed(line))
                        self._unbelieved.setdefault(pack, set()).add(read[0].number)
        return found

    def _know(self, trip: Trip, receipts: dict[int, Carried]) -> None:
        for offer in trip.offers:
            said = receipts.get(offer.number)
            receipt = said if said and answers(said, offer) and suffices(said.proof, offer.rule) else None
            known, place = Known(offer, trip.stick, trip.since_ns, receipt), (offer.bucket, offer.key)
            if receipt is not None:
                self._vouched.add((trip.pack, offer.number))
                if receipt.key != offer.key:
                    self._foreign.add(place)
                    place = (offer.bucket, receipt.key)
            first = offer.key[: -len(second_key("", offer.sha256))]
            if second_key(first, offer.sha256) == offer.key:  # It was given that key because other bytes had the first.
                self._foreign.add((offer.bucket, first))
            before = self._known.get(place)
            if before is None or (receipt is not None and before.receipt is None):
                self._known[place] = known

    # --- what it is given ---------------------------------------------------------------------------------------

    def give(self, offer: Offer, chunks: Iterable[bytes], seal: Callable[[], None] = lambda: None) -> None:
        """Write a package, of which everything is said but pack, number, offset, length and digest.

        Args:
            offer: With about its length.
            chunks: Its bytes.
            seal: Called when all are written; where it raises, there is no package.

        Raises:
            AlreadyThere: one is on its way to its key, or other bytes are there.
            Misconfigured: the stick is full, or gone.
        """
        with self._lock:
            place = (offer.bucket, offer.key)
            if place in self._known or place in self._foreign:
                raise AlreadyThere(f"{offer.key}: is on its way")
            if not self.stick.has_room(offer.length + _LINE_BYTES * (len(self._open) + 1)):
                self.finish()
                raise full(self.stick.path)
            writer = self._writer = self._writer or self.stick.new_pack(secrets.token_hex(16))
            offset, length, sha256 = writer.append(chunks)
            try:
                seal()
            except BaseException:
                writer.take_back()
                raise
            made = offer._replace(
                pack=writer.pack,
                number=len(self._open),
                device=self._memory.device,
                offset=offset,
                length=length,
                sha256=sha256,
            )
            self._open.append(made)
            self._known[place] = Known(made, self.stick.id, self._wall_ns())
            if writer.length >= PACK_BYTES or len(self._open) >= PACK_FILES:
                self.finish()

    def finish(self) -> None:
        """Have all that was given count. Where that cannot be, it is as if it had not been given.

        Raises:
            Misconfigured: the stick is full, or gone.
            LedgerError: it cannot be remembered.
        """
        with self._lock:
            writer, offers = self._writer, self._open
            self._writer, self._open = None, []
            if writer is None:
                return
            if not offers:
                writer.drop()
                return
            try:
                writer.finish()
                trip = Trip(writer.pack, self.stick.id, self._wall_ns(), tuple(offers))
                self._memory.remember(trip)
                self.stick.write_manifest(writer.pack, [offer_line(offer, self._trust.key) for offer in offers])
            except BaseException:
                for offer in offers:
                    self._known.pop((offer.bucket, offer.key), None)
                raise
            self.written += len(offers)
            self.bytes_written += sum([offer.length for offer in offers])

    # --- the end ------------------------------------------------------------------------------------------------

    def _awaits(self, offer: Offer) -> bool:
        """Whether the manifest of a group, or the group of a manifest, has no receipt: one is remembered as long as the other."""
        others = {f"{offer.key}{MANIFEST_SUFFIX}", MANIFEST.sub("", offer.key)} - {offer.key}
        found = [self._known.get((offer.bucket, key)) for key in others]
        return any(known is not None and known.receipt is None for known in found)

    def depart(self, *, whole: bool, jobs: Iterable[str] = ()) -> None:
        """Clear away the packs whose receipts are all in the ledger.

        Args:
            whole: Whether every file of the device was looked at, and all is recorded: a receipt that nobody has asked for
                is one of a file that is not there any more. Else nothing is cleared away.
            jobs: The names of those whose files were looked at.

        Raises:
            Misconfigured: the stick is gone.
        """
        if not whole:
            return
        self._looked_at = frozenset(jobs)
        texts = [*self.stick.texts("manifest"), *self.stick.texts("receipt")]
        for pack, trip in self._here.items():
            if all((pack, offer.number) in self._vouched and not self._awaits(offer) for offer in trip.offers):
                self.stick.remove_pack(pack)
                for name in [name for of, name in texts if of == pack]:
                    self.stick.remove(name)
                self._memory.forget(pack)
