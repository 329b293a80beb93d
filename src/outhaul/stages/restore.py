"""Bring one file back, and check it on the way.

What comes from the store is written to a file without a name and digested as it goes. It gets its name when the digest
is the one of its receipt, and it is on disk, and not otherwise. Without a receipt the store's own digests stand in: the MD5
that an ETag is, the digits at the end of a second key, a stored SHA-256; where there is none, that is said. A file that is
there already is compared, and left alone unless it may be written over. Nothing is retried here.

`_content` gives the bytes of the file, whatever the object holds: the file, a compressed one, or a bundle of many.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import NamedTuple, Protocol

from outhaul.model.errors import Damaged, Denied
from outhaul.model.returning import Listed, Wanted, second_key_digits
from outhaul.ports import Held
from outhaul.stages.thaw import Freezer

LARGE_BYTES = 16 << 20
"""From here on an object is read by `Shelf.read_large`, and how much of it has come is told."""

_ANY = 1 << 62
"""No limit: whoever takes the bytes stops by itself."""


class Described(NamedTuple):
    """What a store says of an object."""

    held: Held
    sha256: bytes
    """Of the whole object, as it is kept with it; b'' where none is."""
    notes: Mapping[str, str]
    """User-defined metadata; names in small letters."""


class Shelf(Freezer, Protocol):
    """A store, as whoever fetches sees it. It may be used from several threads; it raises `StoreError`s, as `Store` does."""

    def held(self, key: str, version: str) -> Held:
        """What is held under a key, without its bytes. Raises `NotThere`."""

    def read(self, key: str, version: str = "") -> Iterator[bytes]:
        """The bytes of an object. Raises `NotThere`, and `Archived` where they cannot be had at once."""

    def read_part(self, key: str, version: str, offset: int, length: int) -> Iterator[bytes]:
        """So many bytes of an object, from an offset on; fewer where it ends before. Raises as `read`."""

    def frame(self, codec: str, key: str, version: str, offset: int, length: int, limit: int) -> Iterator[bytes]:
        """The same, decompressed where there is a codec, up to a limit; more than is taken need not be read."""

    def read_large(self, key: str, version: str = "") -> Iterator[bytes]:
        """The same of a large object, which may take several requests at once."""

    def decoded(self, codec: str, chunks: Iterator[bytes], limit: int) -> Iterator[bytes]:
        """The original of compressed bytes, no more than `limit` of it. Raises `Damaged` where they are none."""

    def digests(self, key: str, version: str) -> tuple[bytes, bool]:
        """The SHA-256 of the whole object that is kept with it, b'' for none; and whether its ETag may be its MD5."""

    def describe(self, key: str, version: str) -> Described:
        """All that is told of an object without its bytes, by one request. Raises `NotThere`."""

    def listing(self, prefix: str, after: str = "") -> Iterator[Listed]:
        """All objects beneath a prefix, which ends at a '/' of their keys; '' is all. Those up to `after` may be left out."""


class Existing(Protocol):
    """A regular file that is there already, held by one descriptor. Used as a context manager."""

    size: int
    mtime_ns: int

    def __enter__(self) -> Existing: ...
    def __exit__(self, *exception: object) -> None: ...

    def chunks(self) -> Iterator[bytes]:
        """All its bytes."""


class Written(Protocol):
    """A new file or a directory, as far as it has to be made durable."""

    @property
    def descriptor(self) -> int:
        """The number by which the system knows it."""


class NewFile(Written, Protocol):
    """A file that nobody can see yet. Used as a context manager: without `name` nothing of it is left."""

    def __enter__(self) -> NewFile: ...
    def __exit__(self, *exception: object) -> None: ...

    def write(self, data: bytes) -> None:
        """Add bytes. Raises `NotWritten`."""

    def name(self, name: str, mtime_ns: int | None, *, replace: bool) -> None:
        """Make it visible under `name`, at once and whole. It has been made durable before (`Landing.sync`).

        Without a time, that of writing stays.

        Raises:
            Taken: something has that name, and is not to be replaced.
            InTheWay: what has it is no regular file.
        """


class LandingFolder(Written, Protocol):
    """One directory beneath the place that files are restored to. Used as a context manager."""

    def __enter__(self) -> LandingFolder: ...
    def __exit__(self, *exception: object) -> None: ...

    def existing(self, name: str) -> Existing | None:
        """What has this name. Raises `InTheWay` where it is no regular file."""

    def create(self, mode: int | None = None) -> NewFile:
        """A new file without a name, which is to have these permission bits; None is the usual ones.

        Never more than `rwx` of owner, group and others: what makes a file privileged is not given back.
        """


class Landing(Protocol):
    """The directory that files are restored to, held by descriptor: nothing is ever written outside it."""

    @property
    def folds_case(self) -> bool:
        """Whether names that differ only by case are one name here."""

    def folder(self, directory: str, *, make: bool) -> LandingFolder | None:
        """A directory beneath, with no link on the way; None where it is missing and not to be made."""

    def sync(self, written: Sequence[Written]) -> None:
        """Make durable what has been written to these files, or the names that were given in these directories.

        Raises:
            NotWritten: of none of them is that certain.
        """


class Ready(NamedTuple):
    """A file that has been fetched and checked, and has yet to be made durable and named."""

    wanted: Wanted
    outcome: str
    """'restored' or 'unverified'."""
    new: NewFile
    replace: bool

    def name(self) -> None:
        """Let it be seen. Raises `LandingError`."""
        self.new.name(self.wanted.path.rpartition("/")[2], self.wanted.mtime_ns, replace=self.replace)


def restore(
    wanted: Wanted,
    shelf: Shelf,
    folder: LandingFolder,
    *,
    overwrite: bool,
    by_time: bool,
    passed: Callable[[int], None] = lambda _: None,
) -> str | Ready:
    """Fetch a file for its directory, or find it there.

    Args:
        wanted: Which.
        shelf: Where it is.
        folder: Where it goes.
        overwrite: Take the place of other bytes that are there.
        by_time: A file of the same length and time counts as the same without being read.
        passed: Is told of each piece how many bytes there are so far.

    Returns:
        What is to be made durable and named; or a key of `RETURNS`: 'there' or 'other-bytes'.

    Raises:
        StoreError: see `Shelf`.
        LandingError: it cannot be written.
        Damaged: what the store gives is not what was proved; nothing is left of it.
    """
    there = folder.existing(wanted.path.rpartition("/")[2])
    if there is not None:
        with there:
            if by_time and (there.size, there.mtime_ns) == (wanted.size, wanted.mtime_ns):
                return "there"
            if _same(there, wanted, shelf):
                return "there"
        if not overwrite:
            return "other-bytes"
    with ExitStack() as undo:
        new = undo.enter_context(folder.create(wanted.mode))
        digest = _Digest(wanted)
        for chunk in _content(wanted, shelf):
            digest.update(chunk)
            new.write(chunk)
            passed(digest.length)
        ready = Ready(wanted, digest.verdict(shelf), new, there is not None)
        undo.pop_all()
    return ready


def plan(wanted: Wanted, folder: LandingFolder | None) -> str:
    """What `restore` would come to, without the network: 'planned', 'there' or 'other-bytes'."""
    there = folder.existing(wanted.path.rpartition("/")[2]) if folder is not None else None
    if there is None:
        return "planned"
    with there:
        digest = _Digest(wanted._replace(size=-1))
        same = wanted.size in (-1, there.size) and digest.of(there.chunks()) and digest.fits() is not False
    return "there" if same else "other-bytes"


def fetch_and_compare(wanted: Wanted, shelf: Shelf) -> str:
    """Read a file's bytes and write none. As `restore`; what an audit asks."""
    digest = _Digest(wanted)
    digest.of(_content(wanted, shelf))
    return digest.verdict(shelf)


def _content(wanted: Wanted, shelf: Shelf) -> Iterator[bytes]:
    """The bytes of the file, as they were before they were compressed, or put into a bundle."""
    if wanted.within is not None:
        _, offset, length, at = wanted.within
        return _cut(shelf.frame(wanted.codec, wanted.key, wanted.version, offset, length, _ANY), at, wanted.size)
    length = wanted.stored_size if wanted.codec else wanted.size
    read = shelf.read_large if length >= LARGE_BYTES else shelf.read
    stored = read(wanted.key, wanted.version)
    return shelf.decoded(wanted.codec, stored, wanted.size if wanted.size >= 0 else _ANY) if wanted.codec else stored


def _cut(chunks: Iterator[bytes], at: int, size: int) -> Iterator[bytes]:
    """So many of these bytes, from `at` on. What follows is not read."""
    passed = 0
    for chunk in chunks if size else ():
        piece = chunk[max(0, at - passed) : max(0, at + size - passed)]
        passed += len(chunk)
        if piece:
            yield piece
        if passed >= at + size:
            return


def _same(there: Existing, wanted: Wanted, shelf: Shelf) -> bool:
    """Whether these are the same bytes. Where no digest can tell, they are fetched, and compared."""
    if wanted.size not in (-1, there.size):
        return False
    mine = _Digest(wanted._replace(size=-1))
    mine.of(there.chunks())
    fits = mine.fits()
    if fits is True or (fits is False and wanted.sha256):
        return fits
    stored, md5_etag = _digests(wanted, shelf)
    if stored:
        return stored == mine.sha256()
    if fits is False and md5_etag:
        return False
    its = _Digest(wanted)
    its.of(_content(wanted, shelf))
    return its.sha256() == mine.sha256()


class _Digest:
    """The digests of what passes, and what they say of it."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._sha256 = hashlib.sha256()
        # An ETag of parts is no MD5 of anything that passes here.
        self._md5 = None if wanted.sha256 or len(wanted.etag) != 32 else hashlib.md5(usedforsecurity=False)
        self.length = 0

    def update(self, chunk: bytes) -> None:
        """Take in what passes. More than there should be ends it at once: it would only fill the disk (hazard 123)."""
        self._sha256.update(chunk)
        if self._md5 is not None:
            self._md5.update(chunk)
        self.length += len(chunk)
        if 0 <= self._wanted.size < self.length:
            raise Damaged(f"it is longer than {self._wanted.size:,} bytes")

    def of(self, chunks: Iterator[bytes]) -> bool:
        """Take in all of these."""
        for chunk in chunks:
            self.update(chunk)
        return True

    def sha256(self) -> bytes:
        """Of all that has passed."""
        return self._sha256.digest()

    def fits(self) -> bool | None:
        """Whether it is what was wanted, as far as that is known without asking anybody; None where it is not."""
        if self._wanted.sha256:
            return self.sha256() == self._wanted.sha256
        digits = second_key_digits(self._wanted.key)
        if digits and self.sha256()[:8].hex() == digits:
            return True
        return self._md5.hexdigest() == self._wanted.etag.lower() if self._md5 is not None else None

    def verdict(self, shelf: Shelf) -> str:
        """'restored' or 'unverified'. Raises `Damaged`."""
        wanted = self._wanted
        if 0 <= wanted.size != self.length:
            raise Damaged(f"it has {self.length:,} bytes, and should have {wanted.size:,}")
        fits = self.fits()
        if fits is None or (fits is False and not wanted.sha256):
            stored, md5_etag = _digests(wanted, shelf)
            fits = stored == self.sha256() if stored else False if fits is False and md5_etag else None
        if fits is False:
            of = "its receipt" if wanted.sha256 else "the digest that the store keeps"
            raise Damaged(f"its digest is not that of {of}")
        return "restored" if fits else "unverified"


def _digests(wanted: Wanted, shelf: Shelf) -> tuple[bytes, bool]:
    if wanted.codec:  # What the store knows is that of the compressed object.
        return b"", False
    try:
        return shelf.digests(wanted.key, wanted.version)
    except Denied:
        return b"", False
