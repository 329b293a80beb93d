"""Have the store show that it holds the bytes, by the cheapest evidence that comes from stored bytes (law L4).

In this order: an ETag that is the MD5 of the bytes sent (told to no store that has not shown that it computes it); a
SHA-256 of the whole object that a HEAD brings back; all bytes, read back and hashed. The length alone proves nothing.
A store that is out of reach shows nothing itself: another machine has had it do so, and its word is told apart (`carried`).
Where the job asks for a lock, or for encryption, that is to be shown, too: a header that was sent is no lock.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import partial

from outhaul.model.errors import Denied, NotAsAsked, NotThere, StoreError, Unproved
from outhaul.model.evidence import Proof, ProofKind, Upload
from outhaul.model.job import ProofRule
from outhaul.ports import Store, Stored
from outhaul.ports.vouching import VouchedStore

Kept = Callable[[], bytes | None]
"""What `Store.stored_sha256` has returned or raised."""


def prove(upload: Upload, rule: ProofRule, store: Store, wall_ns: int, kept: Kept | None = None) -> Proof:
    """The proof that the store holds the package.

    Args:
        upload: What was sent, or found.
        rule: 'auto' takes the first evidence there is, 'stored' the SHA-256 kept with the object or a read-back,
            'read-back' the bytes and nothing less.
        store: Where it is.
        wall_ns: The time to write into the proof.
        kept: The store's SHA-256 of it, if it was asked before (`ask_many`).

    Raises:
        Unproved: the store holds something else, or shows nothing.
        NotAsAsked: it holds these bytes, and does not show what the job asks for beside them.
        StoreError: see `ports.Store`.
    """
    if isinstance(store, VouchedStore):
        vouch = store.vouch(upload.key, upload.package.sha256, upload.package.length, rule)
        return _proof(upload._replace(etag=vouch.etag, version=vouch.version), ProofKind.CARRIED, wall_ns)
    proof = _proved(upload, rule, store, wall_ns, kept)
    if not upload.shown:
        _refuse_unprotected(upload, store)
    return proof


def ask_many(uploads: Sequence[Upload], rule: ProofRule, store: Store, at_once: int) -> list[Kept | None]:
    """Ask the store what it keeps of those whose proof needs it, up to `at_once` at the same time: one by one is slow.

    Returns:
        For each what `prove` is to be given as `kept`.
    """
    vouched = isinstance(store, VouchedStore)
    needs = [] if vouched else [index for index, upload in enumerate(uploads) if _needs_sha256(upload, rule, store)]
    objects = [(uploads[index].key, Stored(uploads[index].etag, uploads[index].version)) for index in needs]
    answers = store.stored_sha256s(objects, at_once) if needs else []
    known = dict(zip(needs, answers, strict=True))
    return [partial(_said, known[index]) if index in known else None for index in range(len(uploads))]


def _needs_sha256(upload: Upload, rule: ProofRule, store: Store) -> bool:
    by_etag = _is_shown_by_etag(upload, rule) or _is_other(upload, rule, store)
    return not (by_etag or upload.composite or rule == "read-back")


def _said(answer: bytes | StoreError | None) -> bytes | None:
    if isinstance(answer, StoreError):
        raise answer
    return answer


def _is_shown_by_etag(upload: Upload, rule: ProofRule) -> bool:
    return rule == "auto" and upload.proving_etag != "" and upload.etag == upload.proving_etag


def _is_other(upload: Upload, rule: ProofRule, store: Store) -> bool:
    told = upload.etag if upload.package.body is not None else ""
    return rule == "auto" and store.md5_etags and told != "" and told != upload.proving_etag


def _proved(upload: Upload, rule: ProofRule, store: Store, wall_ns: int, kept: Kept | None) -> Proof:
    other = _is_other(upload, rule, store)
    if other and upload.sent:
        raise Unproved("the store's MD5 of it is that of other bytes: it was altered on the way, or in the store")
    if _is_shown_by_etag(upload, rule):
        return _proof(upload, ProofKind.ETAG, wall_ns)
    try:
        # What was found there may have come in parts, and have an ETag of another kind: its bytes tell.
        if rule != "read-back" and not other and _is_kept(upload, store, kept):
            return _proof(upload, ProofKind.CHECKSUM, wall_ns)
        return _read_back(upload, store, wall_ns)
    except NotThere as error:
        raise Unproved("the store took it, and now says that there is no such object") from error
    except Denied as error:
        raise Unproved(f"its ETag is no MD5, and it may not be read back: {error}") from error


def _refuse_unprotected(upload: Upload, store: Store) -> None:
    try:
        lack = store.lacks(upload.key, upload.version)
    except NotThere as error:
        raise Unproved("the store took it, and now says that there is no such object") from error
    except Denied as error:
        raise NotAsAsked(f"it may not be looked at: {error}") from error
    if lack:
        raise NotAsAsked(lack)


def _is_kept(upload: Upload, store: Store, kept: Kept | None) -> bool:
    """Whether the checksum that the store keeps is the one of these bytes: of the whole, or of the parts it was sent in."""
    if upload.composite:
        return store.stored_composite(upload.key, upload.version) == upload.composite
    stored = kept() if kept is not None else store.stored_sha256(upload.key, upload.version)
    return stored == upload.package.sha256


def _read_back(upload: Upload, store: Store, wall_ns: int) -> Proof:
    digest, length = hashlib.sha256(), 0
    for chunk in store.read(upload.key, upload.version):
        digest.update(chunk)
        length += len(chunk)
    if digest.digest() != upload.package.sha256:
        raise Unproved(
            f"what was read back ({length} bytes) differs from what was sent ({upload.package.length} bytes)"
        )
    return _proof(upload, ProofKind.READ_BACK, wall_ns)


def _proof(upload: Upload, kind: ProofKind, wall_ns: int) -> Proof:
    package = upload.package
    return Proof(
        package.sighting,
        upload.key,
        package.length,
        package.content_sha256 if package.codec else package.sha256,
        upload.etag,
        upload.version,
        kind,
        upload.sent,
        wall_ns,
        package.codec,
        package.sha256 if package.codec else b"",
        package.mode,
    )
