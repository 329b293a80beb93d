"""Receipts made anew from what a store holds, where the ledger is lost.

True here: a receipt has the SHA-256 of its object as a store keeps it that has shown that it checks them, or as its bytes
were read; nothing is recorded without one. And none of them ever lets a source go: of the source nothing is known, so its
device, inode and change time are 0, which those of no file are (`evidence.same_generation`). Files that are still there are
carried again, found to be in the store, and go by receipts of their own.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from outhaul.engine.account import Watcher
from outhaul.engine.fetching import Fetched
from outhaul.engine.spans import Spans
from outhaul.engine.unbundling import Opened
from outhaul.model.bundle import Bundle, Member
from outhaul.model.errors import Damaged, StoreError, bare
from outhaul.model.evidence import Proof, ProofKind, Sighting
from outhaul.model.notes import as_noted
from outhaul.model.returning import Wanted
from outhaul.ports import Clock, Held, Ledger
from outhaul.stages.record import record
from outhaul.stages.restore import Shelf, fetch_and_compare

KINDS = {"recorded": ProofKind.CHECKSUM, "recorded-read": ProofKind.READ_BACK}
"""Key of `RETURNS` to the kind of proof that it stands for."""
_RECEIPTS_PER_TRANSACTION = 512
_BUNDLE_DIGITS = re.compile(r"(?:.*/)?bundle-([0-9a-f]{16})\.tar.*", re.DOTALL)


class _Object(NamedTuple):
    """What was found out of an object."""

    held: Held
    sha256: bytes
    was_read: bool
    notes: Mapping[str, str]


class Rebuilder:
    """Finds out digests of batches of files. Each call may be on another thread.

    Args:
        suffixes: Codec to what it adds to a name.
        clock: To tell how quickly the store answers.
        stopped: Asked between objects.
        read_all: Believe no digest of the store: read all bytes.
    """

    def __init__(
        self, suffixes: Mapping[str, str], clock: Clock, stopped: Callable[[], bool], *, read_all: bool
    ) -> None:
        self._suffixes = suffixes
        self._clock = clock
        self._stopped = stopped
        self._read_all = read_all
        self._bundles: dict[str, _Object] = {}

    def __call__(self, batch: Sequence[Wanted], weighs: int, shelf: Shelf | None) -> Fetched:
        """See `engine.restoring.Hands.work`."""
        assert shelf is not None, "there is no dry run"
        fetched = Fetched(batch, weighs, [], [], 0)
        times: list[int] = []
        spans = Spans(shelf, batch)
        for one in batch:
            if self._stopped():
                break
            started = self._clock.monotonic_ns()
            try:
                fetched.done.append(self._member(one, spans) if one.within else self._alone(one, shelf))
            except (StoreError, Damaged) as error:
                fetched.setbacks.append((one, bare(error)))
            times.append(self._clock.monotonic_ns() - started)
        return fetched._replace(answer_ns=min(times, default=0))

    def _member(self, one: Wanted, shelf: Shelf) -> tuple[Wanted, str]:
        found = self._bundles.get(one.key)
        if found is None:
            found = self._bundles[one.key] = self._looked_at(one.key, shelf)
        digits = _BUNDLE_DIGITS.fullmatch(one.key)
        if one.stored_sha256 not in (b"", found.sha256) or (digits and digits[1] != found.sha256[:8].hex()):
            raise Damaged("the object that it is in is not the one that outhaul sent")
        if found.was_read:
            fetch_and_compare(one, shelf)
        held = found.held
        one = one._replace(stored_size=held.length, stored_sha256=found.sha256, etag=held.etag, version=held.version)
        return one, _outcome(found)

    def _alone(self, one: Wanted, shelf: Shelf) -> tuple[Wanted, str]:
        found = self._looked_at(one.key, shelf)
        held = found.held
        one = one._replace(etag=held.etag, version=held.version, size=held.length)
        whole = as_noted(one, found.notes, self._suffixes)
        if whole is not None and (not found.was_read or _decodes(whole, shelf)):
            return whole._replace(stored_sha256=found.sha256), _outcome(found)
        return one._replace(sha256=found.sha256), _outcome(found)

    def _looked_at(self, key: str, shelf: Shelf) -> _Object:
        held, sha256, notes = shelf.describe(key, "")
        if sha256 and not self._read_all:
            return _Object(held, sha256, False, notes)
        digest, length = hashlib.sha256(), 0
        for chunk in shelf.read(key, held.version):
            digest.update(chunk)
            length += len(chunk)
        if length != held.length:
            raise Damaged(f"it has {length:,} bytes, and the store says {held.length:,}")
        return _Object(held, digest.digest(), True, notes)


class Recording:
    """A `Watcher` that writes down what is told as recorded, and passes everything on. Used from one thread.

    Args:
        place: Of the ledger.
        ledger: Where to.
        watcher: Who else is told.
        wall_ns: What time it is.
    """

    def __init__(self, place: int, ledger: Ledger, watcher: Watcher, wall_ns: Callable[[], int]) -> None:
        self._place = place
        self._ledger = ledger
        self._wall_ns = wall_ns
        self._proofs: list[Proof] = []
        self._opened: dict[str, Opened] = {}
        self._numbers: dict[str, int] = {}
        self._digests: dict[str, tuple[int, bytes]] = {}
        self.expect, self.progress, self.notice = watcher.expect, watcher.progress, watcher.notice
        self._returned = watcher.returned

    def opened(self, opened: Opened) -> None:
        """Its files will be told."""
        self._opened[opened.key] = opened

    def returned(self, wanted: Wanted, outcome: str, detail: str) -> None:
        """See `engine.account.Watcher`."""
        if outcome in KINDS:
            self._proofs.append(_proof(wanted, KINDS[outcome], self._wall_ns()))
            if wanted.within is not None:
                self._digests[wanted.key] = wanted.stored_size, wanted.stored_sha256
            if len(self._proofs) >= _RECEIPTS_PER_TRANSACTION:
                self.flush()
        self._returned(wanted, outcome, detail)

    def flush(self) -> None:
        """Write down what has been told. What an earlier attempt has written is not written again."""
        proofs, self._proofs = self._proofs, []
        new = [self._numbered(proof) for proof in self._unknown(proofs)]
        if new:
            record(self._place, new, self._ledger)

    def _unknown(self, proofs: list[Proof]) -> Iterator[Proof]:
        for directory, group in groupby(proofs, lambda proof: proof.sighting.directory):
            some = list(group)
            known = self._ledger.receipts(self._place, directory, [proof.sighting.name for proof in some])
            for proof in some:
                receipt = known.get(proof.sighting.name)
                if receipt is None or (receipt.key, receipt.sha256) != (proof.key, proof.sha256):
                    yield proof

    def _numbered(self, proof: Proof) -> Proof:
        if proof.within is None:
            return proof
        if proof.key not in self._numbers:
            index = self._opened.pop(proof.key).says
            size, sha256 = self._digests.pop(proof.key)
            members = tuple(
                Member(_sighting(one.path, one.size, one.mtime_ns), one.mode, one.sha256, one.within)
                for one in index.members
            )
            bundle = Bundle(index.kind, proof.key, size, sha256, b"", index.codec, members)
            self._numbers[proof.key] = self._ledger.begin_bundle(self._place, bundle)
        return proof._replace(within=proof.within._replace(bundle=self._numbers[proof.key]))


def _outcome(found: _Object) -> str:
    return "recorded-read" if found.was_read else "recorded"


def _decodes(whole: Wanted, shelf: Shelf) -> bool:
    try:
        fetch_and_compare(whole, shelf)
    except Damaged:
        return False
    return True


def _sighting(path: str, size: int, mtime_ns: int | None) -> Sighting:
    """Of a file of which only this is known: no file that is there is the same generation."""
    directory, _, name = path.rpartition("/")
    return Sighting(directory, name, 0, 0, size, mtime_ns or 0, 0)


def _proof(wanted: Wanted, kind: ProofKind, wall_ns: int) -> Proof:
    alone = bool(wanted.codec) and wanted.within is None
    return Proof(
        _sighting(wanted.path, wanted.size, wanted.mtime_ns),
        wanted.key,
        wanted.stored_size if alone else wanted.size,
        wanted.sha256,
        wanted.etag,
        wanted.version,
        kind,
        False,
        wall_ns,
        wanted.codec,
        wanted.stored_sha256 if alone else b"",
        wanted.mode,
        wanted.within,
    )
