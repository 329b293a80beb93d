"""What a carrier does with a stick: every package is checked, sent and proved; its receipt is on the stick before its bytes go.

Nothing on the stick is believed but what its digests bear out, and nothing of it says where to: that is the carrier's to say. An
object that is there already is compared, as everywhere. Whatever ends this, the packages that have no receipt are still there.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import NamedTuple

from outhaul.engine.retry import ATTEMPTS_IN_A_RUN, pause_ns
from outhaul.model.errors import (
    AlreadyThere,
    Denied,
    LedgerError,
    Misconfigured,
    OuthaulError,
    Refused,
    StoreError,
    Transient,
    Unproved,
    UploadGone,
)
from outhaul.model.evidence import Package, Proof, Sighting, Upload
from outhaul.model.job import ConflictRule
from outhaul.model.notes import CODEC, MTIME, SHA256, SIZE
from outhaul.model.stick import Carried, Offer
from outhaul.ports import Begun, Clock, Store
from outhaul.ports.stick import CarriedStick, CarrierMemory
from outhaul.stages.prove import prove
from outhaul.stages.upload import begin, upload, upload_small

AT_ONCE = 64
_BATCH_BYTES = 16 << 20
_OF_ALL = (Transient, Denied, Misconfigured)
"""What says that no other package would fare better."""


class Carrier(NamedTuple):
    """What a carrier works with."""

    clock: Clock
    store_of: Callable[[Offer], Store]
    """Raises `Refused` for one that may not go: its text says why. Raises other `StoreError`s where the store cannot be used."""
    rule: ConflictRule
    same_store: bool
    """A person says that this is the store that the devices mean, whatever its address."""
    endpoint: str
    stopped: Callable[[], bool]
    memory: CarrierMemory


class Carriage(NamedTuple):
    """What became of a package."""

    offer: Offer
    proof: Proof | None
    """None where it stays on the stick."""
    why: str = ""
    fault: bool = False
    """Whether nothing more can be sent."""


def carry_stick(stick: CarriedStick, carrier: Carrier) -> Iterator[Carriage]:
    """Every package that has no receipt, as its turn comes; ends early where the store cannot be used.

    Raises:
        Misconfigured: the stick is gone, or full.
    """
    first = {offer.after for offered in stick.offered() for offer in offered.offers} - {""}
    for follows in (False, True) if first else (False,):
        if not (yield from _carry_some(stick, carrier, first, follows=follows)):
            return


def _carry_some(
    stick: CarriedStick, carrier: Carrier, first: set[str], *, follows: bool
) -> Generator[Carriage, None, bool]:
    """Those that wait for none, or those that wait for one of `first`; whether the others may go."""
    for offered in stick.offered():
        left = len(offered.offers)
        for batch in _batches([offer for offer in offered.offers if bool(offer.after) == follows]):
            if carrier.stopped():
                return False
            done = _carry_batch(batch, stick, carrier, first)
            proved = [_receipt(one.offer, one.proof, carrier) for one in done if one.proof is not None]
            # Also where there is none: the device looks after what somebody has had in his hands, and left there.
            if proved or not all(one.fault for one in done):
                stick.receipts(offered.pack, proved)
            left -= len(proved)
            yield from done
            if any(one.fault for one in done):
                return False
        if not left and offered.all_else:
            stick.let_go(offered.pack)
    return True


def _batches(offers: Sequence[Offer]) -> Iterator[list[Offer]]:
    """Of small ones some, of large ones each."""
    batch: list[Offer] = []
    for offer in offers:
        if batch and (len(batch) >= 2 * AT_ONCE or sum([one.length for one in batch]) + offer.length > _BATCH_BYTES):
            yield batch
            batch = []
        batch.append(offer)
    if batch:
        yield batch


def _carry_batch(batch: Sequence[Offer], stick: CarriedStick, carrier: Carrier, first: set[str]) -> list[Carriage]:
    done: list[Carriage] = []
    alike: dict[tuple[int, str, bool], tuple[Store, list[tuple[Offer, Package]]]] = {}
    for offer in batch:
        is_first = offer.place in first
        try:
            _refuse_early(offer, stick)
            store = carrier.store_of(offer)
            package = _package(offer, stick, store.small_max)
        except StoreError as error:
            done.append(_stays(offer, error))
            continue
        if isinstance(package.source, _Packed) and package.body is None:
            done.append(_carry_large(offer, package, package.source, store, _strict(carrier, is_first)))
        else:
            alike.setdefault((id(store), offer.rule, is_first), (store, []))[1].append((offer, package))
    for (_, _, is_first), (store, some) in alike.items():
        done += _carry_small(some, store, _strict(carrier, is_first))
    return done


def _strict(carrier: Carrier, is_first: bool) -> Carrier:
    """What others follow goes to the key that they expect it to have, or stays."""
    return carrier._replace(rule="hold") if is_first else carrier


def _refuse_early(offer: Offer, stick: CarriedStick) -> None:
    """A manifest makes its group count, and goes when a receipt on the stick says that the group is there."""
    if offer.after and ((found := stick.receipt(offer.after)) is None or found.key != found.asked):
        raise Refused("makes a group count that is not in the store yet")


def _carry_small(
    some: Sequence[tuple[Offer, Package]], store: Store, carrier: Carrier, attempt: int = 1
) -> list[Carriage]:
    done: list[Carriage] = []
    again: list[tuple[Offer, Package]] = []
    by_bytes = some[0][0].rule == "read-back"
    sent = upload_small([package for _, package in some], carrier.rule, store, AT_ONCE, by_bytes=by_bytes)
    for (offer, package), (outcome, _) in zip(some, sent, strict=True):
        found = _proved(offer, outcome, store, carrier)
        if isinstance(found, Transient) and _may_try_again(attempt, carrier):
            again.append((offer, package))
        else:
            done.append(Carriage(offer, found) if isinstance(found, Proof) else _stays(offer, found))
    if again:
        _pause(attempt, carrier)
        done += _carry_small(again, store, carrier, attempt + 1)
    return done


def _proved(offer: Offer, outcome: Upload | StoreError, store: Store, carrier: Carrier) -> Proof | StoreError:
    if isinstance(outcome, StoreError):
        return outcome
    try:
        return prove(outcome, offer.rule, store, carrier.clock.wall_ns())
    except StoreError as error:
        return error


def _carry_large(
    offer: Offer, package: Package, source: _Packed, store: Store, carrier: Carrier, attempt: int = 1
) -> Carriage:
    try:
        sent = _sent(offer, package, source, store, carrier)
        if sent.package.sha256 != offer.sha256:
            raise Unproved("the stick gives other bytes than its manifest says")
        proof = prove(sent, offer.rule, store, carrier.clock.wall_ns())
        _forget(offer, carrier)
        return Carriage(offer, proof)
    except OuthaulError as error:
        if not isinstance(error, Transient) or not _may_try_again(attempt, carrier):
            return _stays(offer, error)
    _pause(attempt, carrier)
    return _carry_large(offer, package, source, store, carrier, attempt + 1)


def _sent(offer: Offer, package: Package, source: _Packed, store: Store, carrier: Carrier) -> Upload:
    """Send it, from where an earlier carrier, or an earlier attempt, has ended; what is begun is written down first.

    Raises:
        UploadGone: what was begun is of no use; it is begun anew.
        LedgerError: what is begun cannot be written down; this package stays, and others go.
        SourceError, StoreError: as `upload.upload`.
    """
    by_bytes = offer.rule == "read-back"
    begun = carrier.memory.of(offer)
    if begun is None:
        started = begin(package, carrier.rule, store, by_bytes=by_bytes)
        if isinstance(started, Upload):
            return started
        if started is not None:
            _remember(offer, started, store, carrier)
        begun = started
    try:
        return upload(package, carrier.rule, store, by_bytes=by_bytes, begun=begun, unchanged=source.is_whole)
    except (AlreadyThere, UploadGone) as error:
        # Something has its key now, perhaps by our own request: looking at it tells.
        if begun is not None:
            with contextlib.suppress(StoreError):
                store.abandon(begun)
            carrier.memory.ended(offer)
        raise UploadGone(str(error)) from None


def _forget(offer: Offer, carrier: Carrier) -> None:
    """It was a hint, and takes no proof away where it cannot be removed; it is tried twice, or it stays for thirty days."""
    for _ in range(2):
        with contextlib.suppress(LedgerError):
            carrier.memory.ended(offer)
            return


def _remember(offer: Offer, begun: Begun, store: Store, carrier: Carrier) -> None:
    try:
        carrier.memory.began(offer, begun, carrier.clock.wall_ns())
    except LedgerError:
        with contextlib.suppress(StoreError):
            store.abandon(begun)
        raise


def _may_try_again(attempt: int, carrier: Carrier) -> bool:
    return attempt < ATTEMPTS_IN_A_RUN and not carrier.stopped()


def _pause(attempt: int, carrier: Carrier) -> None:
    carrier.clock.sleep(pause_ns(attempt, carrier.clock.monotonic_ns()) / 10**9)


def _stays(offer: Offer, error: OuthaulError) -> Carriage:
    return Carriage(offer, None, str(error), isinstance(error, _OF_ALL))


def _package(offer: Offer, stick: CarriedStick, small_max: int) -> Package:
    """A package of the stick, checked.

    Raises:
        Refused: its bytes are not those of its manifest.
    """
    body = b"".join(stick.chunks(offer)) if offer.length <= small_max else None
    digest = hashlib.sha256(body or b"")
    for chunk in stick.chunks(offer) if body is None else ():
        digest.update(chunk)
    if digest.digest() != offer.sha256:
        raise Refused("its bytes on the stick are not those that its device has packed; export it again")
    codec, content, size, mtime_ns = _noted(offer)
    seen = Sighting("", offer.key, 0, 0, size, mtime_ns, 0)
    md5 = hashlib.md5(body, usedforsecurity=False).digest() if body is not None else b""
    return Package(seen, offer.key, offer.length, offer.sha256, md5, body, _Packed(offer, stick), codec, content)


def _noted(offer: Offer) -> tuple[str, bytes, int, int]:
    """Codec, digest, length and time of the file that was compressed; nothing, where it was not."""
    if not offer.notes:
        return "", b"", 0, 0
    notes = dict(offer.notes)
    try:
        return notes[CODEC], bytes.fromhex(notes[SHA256]), int(notes[SIZE]), int(notes[MTIME])
    except (KeyError, ValueError):
        raise Refused("its manifest notes what nobody can note; export it again") from None


class _Packed:
    """A large package, read from its beginning to its end and digested as it goes; a `ByteSource`."""

    def __init__(self, offer: Offer, stick: CarriedStick) -> None:
        self._offer, self._stick = offer, stick
        self._begin()

    def _begin(self) -> None:
        self._chunks, self._ready, self._at = self._stick.chunks(self._offer), b"", 0
        self._sha256 = hashlib.sha256()

    def pread(self, length: int, offset: int) -> bytes:
        """See `ByteSource`; in order only, or from the beginning again."""
        if not offset:
            self._begin()
        assert offset == self._at, "it is read out of order"
        while len(self._ready) < length:
            chunk = next(self._chunks, b"")
            if not chunk:
                raise Refused("it ends before its end: the stick was damaged")
            self._ready += chunk
        data, self._ready = self._ready[:length], self._ready[length:]
        self._at += length
        self._sha256.update(data)
        return data

    def is_whole(self) -> bool:
        """Whether what was read is what its device has packed: no object comes to be of anything else."""
        return self._sha256.digest() == self._offer.sha256


def _receipt(offer: Offer, proof: Proof, carrier: Carrier) -> Carried:
    return Carried(
        offer.pack, offer.number, offer.bucket, offer.key, proof.key, carrier.endpoint, carrier.same_store, offer.length,
        offer.sha256, proof.etag, proof.version, str(proof.kind), proof.proved_ns,
    )  # fmt: skip
