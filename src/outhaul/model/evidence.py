"""What is known of a file, from the first look to the receipt.

Each stage takes one of these records and returns the next; nothing skips a step, because a stage accepts only
the record of the stage before it:

    Sighting -> Settled -> Package -> Upload -> Proof -> Receipt -> Disposal

A `Receipt` is made in two places only, both of which hold a durable ledger row: `stages/record.py` and
`ledgers/rows.py` (a test reads the source and says so). `stages/dispose.py` takes nothing else. A `Tombstone` is the one
thing beside it, for `stages/shed.py`.
They are plain tuples with names, because some hundred thousand of them are made in a run.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from typing import NamedTuple, Protocol


class Sighting(NamedTuple):
    """One file as it was seen at one moment.

    Two sightings are of the same generation of a file when `identity` is equal: inode numbers are used again at
    once on ext4, so neither the inode nor the modification time alone says that it is the same file.
    """

    directory: str
    """Path of the directory, relative to the source, '/' between the parts; '' is the source itself.

    Names that are not UTF-8 carry their bytes as surrogates (PEP 383), so nothing is lost."""
    name: str
    device: int
    inode: int
    size: int
    """Bytes."""
    mtime_ns: int
    ctime_ns: int
    """Change time of the inode: no program can set it, unlike `mtime_ns`."""
    birth_ns: int = 0
    """Birth time from statx(2); 0 where the file system has none or nobody asked (a directory walk does not)."""

    @property
    def path(self) -> str:
        """The path relative to the source."""
        return f"{self.directory}/{self.name}" if self.directory else self.name


def same_generation(one: Sighting, other: Sighting) -> bool:
    """True when both are the same file with, as far as the kernel tells, the same content."""
    return one[2:7] == other[2:7] and (not one.birth_ns or not other.birth_ns or one.birth_ns == other.birth_ns)


class Settled(NamedTuple):
    """A sighting that every finish rule of its job has accepted."""

    sighting: Sighting
    observed_ns: int
    """How long outhaul itself has seen this very generation unchanged, on the boot clock."""


class ByteSource(Protocol):
    """The bytes of one open file, readable again and again from its one descriptor."""

    def pread(self, length: int, offset: int) -> bytes:
        """Exactly `length` bytes from `offset`; raises `SourceChanged` where the file ends before."""


class Package(NamedTuple):
    """What will be sent: bytes of known length and digests, and the key they go to."""

    sighting: Sighting
    """The file as the open descriptor showed it, before the first byte was read."""
    key: str
    length: int
    sha256: bytes
    """b'' of a package that has not been digested yet: of a large one the upload, its one reading, fills it in."""
    md5: bytes
    body: bytes | None
    """All that will be sent, where it is small; otherwise it is read from `source`, part by part."""
    source: ByteSource
    codec: str = ""
    """Which compression was, or will be, done; '' for none. Then the digests above are of what is sent; `length`, of a large
    package, is that of the file until it has been sent."""
    content_sha256: bytes = b""
    """Of the file itself, where that is not what is sent."""
    mode: int | None = None
    """Its permission bits; None of what is no file of a source."""
    content_length: int = -1
    """Of what was compressed, where that is not the file of the sighting: the tar of a group."""


class ProofKind(StrEnum):
    """How the store has shown that it holds the bytes."""

    ETAG = "etag"
    """The ETag it computed is the MD5 of the bytes that were sent (or, of a multipart upload, of its parts)."""
    CHECKSUM = "checksum"
    """A SHA-256 of the whole object, stored with it, came back from a HEAD."""
    READ_BACK = "read-back"
    """All bytes were read back and hashed."""
    CARRIED = "carried"
    """Another machine has had the store prove it, by one of the above, and its receipt came back on a stick."""


class Upload(NamedTuple):
    """A package that the store says it has taken, or had already. Not yet a proof of anything."""

    package: Package
    key: str
    """Where it went: the key of the package, or a second key where other bytes stood under the first."""
    etag: str
    """As the store gave it."""
    proving_etag: str
    """The ETag that a store gives which computes it from these very bytes: the MD5 of the object or, for a multipart
    upload, that of the MD5s of its parts, '-' and their number."""
    version: str
    sent: bool
    """False where an object of this key was there before, with the same length and digest."""
    composite: str = ""
    """The checksum that a store gives which keeps one for each part of a large upload; '' where it was told none."""
    shown: bool = False
    """Whether the answer of the store has shown what protects the object (see `ports.Store.lacks`)."""


class Within(NamedTuple):
    """Where a file is in an object that carries several (`model/bundle.py`)."""

    bundle: int
    """Its number in the ledger; 0 where there is none."""
    offset: int
    """Of the bytes of the object that have to be read for it."""
    length: int
    """How many of them."""
    at: int
    """Where it begins in them, once they are decompressed."""


class Proof(NamedTuple):
    """Evidence from the store that it holds the package."""

    sighting: Sighting
    key: str
    length: int
    sha256: bytes
    etag: str
    version: str
    kind: ProofKind
    sent: bool
    """False where the object was there before with the same bytes, and was adopted."""
    proved_ns: int
    """Wall clock, nanoseconds since 1970, UTC. For people; nothing is decided by it."""
    codec: str = ""
    """The compression of what is stored; '' for none."""
    stored_sha256: bytes = b""
    """SHA-256 of what is stored, where that is not the file itself; `length` is that of what is stored, `sha256` is always
    that of the file."""
    mode: int | None = None
    """Permission bits of the file; None where nobody knows, and 0 where it has none."""
    within: Within | None = None
    """Where the object carries several files; then the proof is one of the whole object, as are `length` and `stored_sha256`."""


def stored_bytes(proofs: Collection[Proof]) -> int:
    """What these take in the store: an object that carries several files counts once."""
    together = {proof.within.bundle: proof.length for proof in proofs if proof.within is not None}
    return sum(together.values()) + sum([proof.length for proof in proofs if proof.within is None])


class Receipt(NamedTuple):
    """A proof that is durable in the ledger. Only this lets `dispose` touch a source."""

    number: int
    """Row number in the ledger; receipts of one ledger are numbered upwards."""
    sighting: Sighting
    sha256: bytes
    destination: str
    """Address of the destination, as in the ledger."""
    key: str
    proved_ns: int = 0
    """Wall clock, as in its `Proof`."""


class Tombstone(NamedTuple):
    """A durable row of the ledger that says that a file is given up without having been carried, because its job says so.

    It stands beside the chain of evidence: only this lets `shed` touch a source.
    """

    number: int
    """Row number in the ledger."""
    settled: Settled


class Disposal(NamedTuple):
    """What became of the source after its receipt."""

    number: int
    """The receipt's."""
    outcome: str
    """'removed'; 'archived', and later 'expired'; 'gone' where somebody else had removed it; 'changed' where another
    generation has taken its place; 'missing' where it stayed, because the store does not hold the object any more."""
