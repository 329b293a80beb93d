"""Send packages, without ever replacing an object unless the job says so (law L2).

Safe to repeat: the same package goes to the same key. Where something stands under the key already, it is compared; the
same bytes are as good as sent. What is done about other bytes is the job's to say: they stay, and the package goes to a
second key that has its digest in the name; or the file is held; or it takes their place. What the store answers proves
nothing yet: `stages/prove.py` does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from outhaul.model.errors import (
    AlreadyThere,
    Conflict,
    Denied,
    NotThere,
    SourceChanged,
    StoreError,
    Transient,
    Unproved,
)
from outhaul.model.evidence import ByteSource, Package, Upload
from outhaul.model.job import ConflictRule
from outhaul.model.keys import second_key
from outhaul.ports import Held, NewObject, Store, Stored


def upload_small(
    packages: Sequence[Package], rule: ConflictRule, store: Store, at_once: int, *, by_bytes: bool = False
) -> list[tuple[Upload | StoreError, int]]:
    """Send packages that have their bytes in memory, up to `at_once` of them at the same time.

    Returns:
        For each what `upload` would have returned or raised, and the nanoseconds from sending to the answer (0 where
        there was none).
    """
    new = [NewObject(package.key, package.body or b"", package.sha256, package.md5) for package in packages]
    uploads: list[tuple[Upload | StoreError, int]] = []
    for package, (outcome, took_ns) in zip(packages, store.put_many(new, at_once), strict=True):
        if isinstance(outcome, Stored):
            sent = Upload(package, package.key, outcome.etag, package.md5.hex(), outcome.version, True)
            uploads.append((sent, took_ns))
        elif isinstance(outcome, AlreadyThere):
            uploads.append((_caught(package, rule, store, by_bytes), 0))
        else:
            uploads.append((outcome, took_ns))
    return uploads


def upload(package: Package, rule: ConflictRule, store: Store, *, by_bytes: bool = False) -> Upload:
    """Send a package to its key, or find it there, or do what the rule says with what is there instead.

    Raises:
        Conflict: other bytes stand there, and nothing may be done about it.
        StoreError: see `ports.Store`.
    """
    try:
        return _create(package, package.key, store)
    except AlreadyThere:
        return _settle_conflict(package, rule, store, by_bytes)


def _caught(package: Package, rule: ConflictRule, store: Store, by_bytes: bool) -> Upload | StoreError:
    try:
        return _settle_conflict(package, rule, store, by_bytes)
    except StoreError as error:
        return error


def _settle_conflict(package: Package, rule: ConflictRule, store: Store, by_bytes: bool) -> Upload:
    """Its key is taken: by the same bytes, or else the rule says what to do. `by_bytes`: believe no digest of the store."""
    if found := _same(package, package.key, store, by_bytes):
        return found
    if rule == "hold":
        raise Conflict(f"other bytes stand under {package.key}")
    if rule == "replace":
        return _create(package, package.key, store, replace=True)
    key = second_key(package.key, package.sha256)
    try:
        return _create(package, key, store)
    except AlreadyThere:
        if found := _same(package, key, store, by_bytes):
            return found
    raise Conflict(f"{package.key!r} and its second key hold other bytes")


def _create(package: Package, key: str, store: Store, *, replace: bool = False) -> Upload:
    if package.body is not None:
        stored = store.put(key, package.body, replace=replace)
        return Upload(package, key, stored.etag, package.md5.hex(), stored.version, True)
    source = _Digested(package.source)
    stored, proving_etag = store.put_large(key, package.length, source, replace=replace)
    if source.digest() != package.sha256:
        raise SourceChanged("what was sent differs from what was read before")
    return Upload(package, key, stored.etag, proving_etag, stored.version, True)


class _Digested:
    """A source that is read once more, from its beginning to its end, and digested as it goes.

    What a store proves of a large object is the second reading of the file; this ties it to the first.
    """

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self._sha256 = hashlib.sha256()
        self._at = 0

    def pread(self, length: int, offset: int) -> bytes:
        """See `ByteSource`. Out of order, nothing is digested, and the end does not match."""
        data = self._source.pread(length, offset)
        if offset == self._at:
            self._sha256.update(data)
            self._at += len(data)
        return data

    def digest(self) -> bytes:
        """SHA-256 of what was read in order."""
        return self._sha256.digest()


def _same(package: Package, key: str, store: Store, by_bytes: bool) -> Upload | None:
    """The object under `key` as an upload of this package, where it holds the same bytes."""
    try:
        held = store.head(key)
        if held.length != package.length or not _equal(package, key, held, store, by_bytes):
            return None
    except NotThere as error:
        raise Transient("an object was there, and then was not") from error
    except Denied as error:
        raise Unproved(f"an object of its key is there, and may not be looked at: {error}") from error
    return Upload(package, key, held.etag, package.md5.hex(), held.version, False)


def _equal(package: Package, key: str, held: Held, store: Store, by_bytes: bool) -> bool:
    if held.etag == package.md5.hex() and not by_bytes:
        return True
    if not by_bytes and (stored := store.stored_sha256(key, held.version)) is not None:
        return stored == package.sha256
    digest = hashlib.sha256()
    for chunk in store.read(key, held.version):
        digest.update(chunk)
    return digest.digest() == package.sha256
