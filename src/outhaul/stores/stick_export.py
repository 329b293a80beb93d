"""One visit of a stick to the device that it comes from: what it brings, what it is given, what is known of both.

Nothing is concluded about a source here. A receipt counts where it answers a pack that this device remembers (`stick_memory.py`),
names the same package, bucket and store, and is signed with the key of both machines, or a person has said that this stick
is to be trusted. What is written counts once its manifest is on the stick; before that, only as bytes.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Callable, Iterable, Set
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
        self._answered: dict[str, set[tuple[str, str]]] = {}
        self._recorded: set[tuple[str, str]] = set()
        self._looked_at: frozenset[str] = frozenset()
        self._visited: set[str] = set()
        self._unbelieved: dict[str, set[int]] = {}
        self._vouched: dict[str, tuple[str, str]] = {}
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

    def answered(self, job: str, bucket: str, key: str) -> None:
        """This job has been given the receipt of what stands under this key."""
        with self._lock:
            self._answered.setdefault(job, set()).add((bucket, key))

    def went_well(self, job: str) -> None:
        """Every receipt that this job was given is in the ledger."""
        self._recorded |= self._answered.get(job, set())

    def recorded(self, bucket: str, keys: Iterable[str]) -> None:
        """What stands under these keys has receipts in the ledger."""
        self._recorded.update([(bucket, key) for key in keys])

    @property
    def receipts(self) -> int:
        """How many receipts it has brought that are in the ledger now, and were not before."""
        offers = [offer for trip in self._here.values() for offer in trip.offers]
        return sum([self._vouched.get(one.place) in self._recorded and not self._awaits(one) for one in offers])

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
                self._vouched[offer.place] = (offer.bucket, receipt.key)
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

    def _superseded(self) -> set[tuple[str, str]]:
        """Where a file has changed since it was packed: what it is now goes to a second key."""
        offers = [known.offer for known in self._known.values()]
        first = [(one, one.key[: -len(second_key("", one.sha256))]) for one in offers]
        return {(one.bucket, key) for one, key in first if second_key(key, one.sha256) == one.key}

    def depart(self, *, whole: bool, looked_at: Iterable[str] = ()) -> None:
        """Clear away the packs that nobody waits for any more, and forget what is known of the others and needs no waiting.

        Args:
            whole: Whether nothing went wrong: what the stick has lost was looked for, and is given again.
            looked_at: The names of the jobs of which every file was looked at: a receipt of theirs that is not recorded is
                one of a file that is not there any more. Those of other jobs stay, for a later visit.

        Raises:
            Misconfigured: the stick is gone.
            LedgerError: what is left cannot be remembered.
        """
        self._looked_at = frozenset(looked_at)
        superseded = self._superseded()
        texts = [*self.stick.texts("manifest"), *self.stick.texts("receipt")]
        for pack, trip in self._here.items():
            left = tuple([offer for offer in trip.offers if not self._is_done(offer, superseded)])
            if left or not (trip.offers or whole):
                if left != trip.offers:
                    self._memory.remember(trip._replace(offers=left))
                continue
            self.stick.remove_pack(pack)
            for name in [name for of, name in texts if of == pack]:
                self.stick.remove(name)
            self._memory.forget(pack)

    def _is_done(self, offer: Offer, superseded: Set[tuple[str, str]]) -> bool:
        """Whether nobody waits for its receipt any more, since that has come, and is recorded, or its file is gone or another."""
        place = self._vouched.get(offer.place)
        if place is None or self._awaits(offer):
            return False
        return place in self._recorded or offer.job in self._looked_at or (offer.bucket, offer.key) in superseded
