"""Send packages, without ever replacing an object unless the job says so (law L2).

Safe to repeat: the same package goes to the same key. Where something stands under the key already, it is compared; the
same bytes are as good as sent. What is done about other bytes is the job's to say: they stay, and the package goes to a
second key that has its digest in the name; or the file is held; or it takes their place. What the store answers proves
nothing yet: `stages/prove.py` does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

from outhaul.model.errors import (
    AlreadyThere,
    Conflict,
    Denied,
    NoCopy,
    NotThere,
    OuthaulError,
    SourceChanged,
    SourceError,
    StoreError,
    Transient,
    Unproved,
    UploadGone,
    bare,
)
from outhaul.model.evidence import ByteSource, Package, Upload
from outhaul.model.job import ConflictRule
from outhaul.model.keys import second_key
from outhaul.model.notes import Notes, notes_of
from outhaul.ports import Begun, Codec, Held, NewObject, Store, Stored

_CHUNK = 1 << 20
_GROWTH_SHIFT = 6
"""A compressed file is reckoned to be larger by a 64th at most."""
_CORES = 2
"""At one file: its parts are sent beside it, and other files too."""
_Made_co = TypeVar("_Made_co", covariant=True)


def upload_small(
    packages: Sequence[Package], rule: ConflictRule, store: Store, at_once: int, *, by_bytes: bool = False
) -> list[tuple[Upload | StoreError, int]]:
    """Send packages that have their bytes in memory, up to `at_once` of them at the same time.

    Returns:
        For each what `upload` would have returned or raised, and the nanoseconds from sending to the answer (0 where
        there was none).
    """
    new = [
        NewObject(package.key, package.body or b"", package.sha256, package.md5, _notes(package))
        for package in packages
    ]
    uploads: list[tuple[Upload | StoreError, int]] = []
    for package, (outcome, took_ns) in zip(packages, store.put_many(new, at_once), strict=True):
        if isinstance(outcome, Stored):
            sent = Upload(
                package, package.key, outcome.etag, package.md5.hex(), outcome.version, True, "", outcome.shown
            )
            uploads.append((sent, took_ns))
        elif isinstance(outcome, AlreadyThere):
            uploads.append((_caught(package, rule, store, by_bytes), 0))
        else:
            uploads.append((outcome, took_ns))
    return uploads


def begin(
    package: Package, rule: ConflictRule, store: Store, *, by_bytes: bool = False, codec: Codec | None = None
) -> Upload | Begun | None:
    """Begin to send a large package, so that it can go on in another process.

    Returns:
        What was begun; an upload where the store has the package already; None where the store begins nothing.

    Raises:
        As `upload`.
    """
    return _at_its_key(package, rule, store, by_bytes, _Begin(package, store), codec)


def upload(
    package: Package,
    rule: ConflictRule,
    store: Store,
    *,
    by_bytes: bool = False,
    begun: Begun | None = None,
    unchanged: Callable[[], bool] = lambda: True,
    codec: Codec | None = None,
) -> Upload:
    """Send a package to its key, or find it there, or do what the rule says with what is there instead.

    Args:
        package: What.
        rule: What is done where other bytes stand under its key.
        store: Where to.
        by_bytes: Believe no digest of the store.
        begun: What `begin` returned, in this process or an earlier one. The rule may have been another then: this one holds.
        unchanged: Whether the file is still the one that was packaged: asked before a large object comes to be.
        codec: What compresses a large package as it is sent; a small one is compressed already.

    Raises:
        Conflict: other bytes stand there, and nothing may be done about it.
        SourceChanged: the file is not the same any more. No object has come to be.
        UploadGone: what was begun may not go on, by what the rule says now, or cannot.
        StoreError: see `ports.Store`.
    """
    send = _Send(package, store, unchanged, codec)
    if begun is not None:
        if rule != "keep-both" and begun.key != package.key:
            raise UploadGone("it was begun under a second key, which on-conflict does not allow any more")
        return send(begun.key, begun=begun, replace=rule == "replace")
    return _at_its_key(package, rule, store, by_bytes, send, codec)


def _notes(package: Package) -> Notes:
    """What is kept beside a small compressed object, so that the file comes back without a ledger.

    Of a large one the digest is not known yet when its upload begins, and half of the notes would be none.
    """
    if not package.codec:
        return ()
    size = package.sighting.size if package.content_length < 0 else package.content_length
    return notes_of(package.codec, package.content_sha256, size, package.sighting.mtime_ns)


class _Create(Protocol[_Made_co]):
    """Creates something under a key; raises `AlreadyThere`."""

    def __call__(self, key: str, *, replace: bool = False) -> _Made_co: ...


def _at_its_key(
    package: Package, rule: ConflictRule, store: Store, by_bytes: bool, create: _Create[_Made_co], codec: Codec | None
) -> Upload | _Made_co:
    try:
        return create(package.key)
    except AlreadyThere:
        return _settle_conflict(_digested(package, codec), rule, store, by_bytes, create)


def _caught(package: Package, rule: ConflictRule, store: Store, by_bytes: bool) -> Upload | StoreError:
    try:
        return _settle_conflict(package, rule, store, by_bytes, _Send(package, store, lambda: True))
    except StoreError as error:
        return bare(error)


def _settle_conflict(
    package: Package, rule: ConflictRule, store: Store, by_bytes: bool, create: _Create[_Made_co]
) -> Upload | _Made_co:
    """Its key is taken: by the same bytes, or else the rule says what to do. `by_bytes`: believe no digest of the store."""
    if found := _same(package, package.key, store, by_bytes):
        return found
    if rule == "hold":
        raise Conflict(f"other bytes stand under {package.key}")
    if rule == "replace":
        return create(package.key, replace=True)
    key = second_key(package.key, package.sha256)
    try:
        return create(key)
    except AlreadyThere:
        if found := _same(package, key, store, by_bytes):
            return found
    raise Conflict(f"{package.key!r} and its second key hold other bytes")


class _Begin:
    def __init__(self, package: Package, store: Store) -> None:
        # What no codec makes smaller it makes larger, bzip2 by half a per cent; parts are counted, and there is a most of them.
        self._length = package.length + (package.length >> _GROWTH_SHIFT if package.codec else 0)
        self._store = store

    def __call__(self, key: str, *, replace: bool = False) -> Begun | None:
        return self._store.begin_large(key, self._length, replace=replace)


class _Send:
    def __init__(
        self, package: Package, store: Store, unchanged: Callable[[], bool], codec: Codec | None = None
    ) -> None:
        self._package = package
        self._store = store
        self._unchanged = unchanged
        self._codec = codec

    def __call__(self, key: str, *, begun: Begun | None = None, replace: bool = False) -> Upload:
        package, store = self._package, self._store
        if package.body is not None:
            stored = store.put(key, package.body, replace=replace, notes=_notes(package))
            return Upload(package, key, stored.etag, package.md5.hex(), stored.version, True, "", stored.shown)
        outgoing = _outgoing(package, self._codec)

        def seal() -> None:
            if not outgoing.at_end or not self._unchanged():
                raise SourceChanged("it changed while it was sent")

        try:
            sent = store.put_large(key, package.length, outgoing, seal=seal, begun=begun, replace=replace)
        finally:
            outgoing.close()
        package = outgoing.of(package)
        stored = sent.stored
        return Upload(package, key, stored.etag, sent.proving_etag, stored.version, True, sent.composite, stored.shown)


class _Digested:
    """A file that is read from its beginning to its end, and digested as it goes: this is the reading that is proved."""

    def __init__(self, source: ByteSource, length: int) -> None:
        self._source = source
        self._length = length
        self._sha256 = hashlib.sha256()
        self.at = 0

    def pread(self, length: int, offset: int) -> bytes:
        """See `ByteSource`; in order only."""
        assert offset == self.at, "it is read out of order"
        data = self._source.pread(length, offset)
        self._sha256.update(data)
        self.at += len(data)
        return data

    @property
    def at_end(self) -> bool:
        """Whether all of it was read."""
        return self.at == self._length

    def digest(self) -> bytes:
        """SHA-256 of what was read in order."""
        return self._sha256.digest()


class _AsItIs:
    """A file on its way out; see `ports.Outgoing`."""

    def __init__(self, package: Package) -> None:
        self._file = _Digested(package.source, package.length)
        self._length = package.length

    def read(self, length: int) -> bytes:
        """The next bytes of the file."""
        length = min(length, self._length - self._file.at)
        return self._file.pread(length, self._file.at) if length else b""

    @property
    def at_end(self) -> bool:
        """Whether all of it was read."""
        return self._file.at_end

    def of(self, package: Package) -> Package:
        """The package as it was sent."""
        return package._replace(sha256=self._file.digest())

    def close(self) -> None:
        """Nothing has to be given back."""


class _Encoded:
    """The same, compressed on its way; nothing of it is ever on disk.

    It is decompressed again at once, and must give the file: a codec, or the memory it works in, may be faulty.
    """

    def __init__(self, package: Package, codec: Codec) -> None:
        self._codec = codec.name
        self._file = _Digested(package.source, package.length)
        self._chunks = codec.encode(self._file, package.length, _CORES)
        self._decoded = codec.decode(self._tapped(), package.length)
        self._decoded_sha256 = hashlib.sha256()
        self._ready: list[bytes] = []
        self._ready_bytes = 0
        self._sha256 = hashlib.sha256()
        self._sent = 0

    def read(self, length: int) -> bytes:
        """The next bytes of what the codec makes of the file.

        Raises:
            Unproved: what it makes does not give the file again.
        """
        while self._ready_bytes < length and (plain := self._next_decoded()) is not None:
            self._decoded_sha256.update(plain)
        data = b"".join(self._ready)
        data, left = data[:length], data[length:]
        self._ready, self._ready_bytes = [left], len(left)
        self._sha256.update(data)
        self._sent += len(data)
        return data

    def _tapped(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self._ready.append(chunk)
            self._ready_bytes += len(chunk)
            yield chunk

    def _next_decoded(self) -> bytes | None:
        """None at the end."""
        try:
            plain = next(self._decoded, None)
        except (SourceError, StoreError):
            raise
        except OuthaulError as error:
            raise Unproved(f"what {self._codec} makes of it does not give it again: {error}") from error
        if plain is None and self._decoded_sha256.digest() != self._file.digest():
            raise Unproved(f"what {self._codec} makes of it does not give it again")
        return plain

    @property
    def at_end(self) -> bool:
        """Whether all of it was read."""
        return self._file.at_end and not self._ready_bytes

    def of(self, package: Package) -> Package:
        """The package as it was sent."""
        return package._replace(sha256=self._sha256.digest(), length=self._sent, content_sha256=self._file.digest())

    def close(self) -> None:
        """End the work of the codec."""
        self._chunks.close()


def _outgoing(package: Package, codec: Codec | None) -> _AsItIs | _Encoded:
    return _AsItIs(package) if codec is None else _Encoded(package, codec)


def _digested(package: Package, codec: Codec | None) -> Package:
    """The package with its digests: a large one is read, and compressed, for them."""
    if package.sha256:
        return package
    outgoing = _outgoing(package, codec)
    while outgoing.read(_CHUNK):
        pass
    return outgoing.of(package)


def whole_at(package: Package, key: str, store: Store, *, by_bytes: bool = False) -> Upload | None:
    """The object under `key` as an upload of this package, whose digests are known; None where it holds other bytes.

    Raises:
        NotThere: there is none.
        NoCopy: it is the very file that is to be carried, by way of a link or a mount.
        StoreError: see `ports.Store`.
    """
    held = store.head(key)
    if held.file != (0, 0) and held.file == (package.sighting.device, package.sighting.inode):
        raise NoCopy(f"{key} is another name of it")
    if held.length != package.length or not _equal(package, key, held, store, by_bytes):
        return None
    return Upload(package, key, held.etag, package.md5.hex(), held.version, False)


def _same(package: Package, key: str, store: Store, by_bytes: bool) -> Upload | None:
    """As `whole_at`, where the store has just said that the key is taken."""
    try:
        return whole_at(package, key, store, by_bytes=by_bytes)
    except NotThere as error:
        raise Transient("an object was there, and then was not") from error
    except Denied as error:
        raise Unproved(f"an object of its key is there, and may not be looked at: {error}") from error


def _equal(package: Package, key: str, held: Held, store: Store, by_bytes: bool) -> bool:
    if package.md5 and held.etag == package.md5.hex() and not by_bytes:
        return True
    if not by_bytes and (stored := store.stored_sha256(key, held.version)) is not None:
        return stored == package.sha256
    digest = hashlib.sha256()
    for chunk in store.read(key, held.version):
        digest.update(chunk)
    return digest.digest() == package.sha256
