"""Make one object of the files of a group, and write last what makes it count: its manifest.

The group becomes a tar, made while it is sent: nothing of it is on disk, and no more than a part in memory. Each file is
opened and checked as if it went alone, when its turn comes, and all are looked at once more before the object comes to be.
Where the job compresses, the tar is cut between files, and each piece is a stream of its own, so that one file comes back by
reading little more than itself.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Generator, Iterable, Sequence
from itertools import accumulate
from typing import NamedTuple

from outhaul.model.bundle import Bundle, Member, is_too_long
from outhaul.model.errors import KeyTooLong, SourceChanged, SourceError
from outhaul.model.evidence import ByteSource, Package, Settled, Sighting, Within, same_generation
from outhaul.model.job import Job
from outhaul.model.keys import KEY_BYTES_MAX, object_key, placed
from outhaul.model.tar import END, header, padding
from outhaul.ports import Codec, Compression, Tree
from outhaul.stages.package import check_decodes, md5_of, refuse_unfinished

_PIECE_MIN = 1 << 20
"""Bytes of tar that are compressed together at least, so that small files help each other."""
_SAMPLE_MAX = 1 << 20
_READ = 1 << 20


class Group(NamedTuple):
    """The files of a directory that travel, and go, together."""

    directory: str
    sighting: Sighting
    """Of all of them: it differs where any of them does."""
    members: tuple[Settled, ...]
    """By path."""


def group_sighting(directory: str, sightings: Iterable[Sighting]) -> Sighting:
    """One sighting for all files of a group, to know it again: the inode is a digest of all that they are."""
    ordered = sorted(sighting._replace(birth_ns=0) for sighting in sightings)
    digest = hashlib.sha256(repr(ordered).encode()).digest()
    parent, _, name = directory.rpartition("/")
    return Sighting(
        parent,
        name,
        ordered[0].device,
        int.from_bytes(digest[:7], "big"),
        sum([sighting.size for sighting in ordered]),
        max([sighting.mtime_ns for sighting in ordered]),
        max([sighting.ctime_ns for sighting in ordered]),
    )


class GroupTar:
    """The tar of a group, as a `ByteSource` that is read from front to back, as often as needed."""

    def __init__(self, tree: Tree, members: Sequence[Settled]) -> None:
        self._tree = tree
        self._members = members
        heads = [len(_header(settled.sighting, 0)) for settled in members]
        sizes = [
            head + settled.sighting.size + len(padding(settled.sighting.size))
            for head, settled in zip(heads, members, strict=True)
        ]
        ends = list(accumulate(sizes))
        self.starts = [end - size for end, size in zip(ends, sizes, strict=True)]
        """Where the header of each file begins."""
        self.data_at = [start + head for start, head in zip(self.starts, heads, strict=True)]
        self.length = ends[-1] + len(END)
        self.told: list[tuple[int, bytes]] = []
        """Permission bits and SHA-256 of each file, once all has been read."""
        self.at = ""
        """Path of the file that is being read."""
        self._chunks: Generator[bytes] = self._stream()
        self._left = b""

    def pread(self, length: int, offset: int) -> bytes:
        """See `ByteSource`; in order only, and from the beginning again."""
        if offset == 0:
            self._chunks.close()
            self._chunks, self._left = self._stream(), b""
        pieces, have = [self._left], len(self._left)
        while have < length and (chunk := next(self._chunks, None)) is not None:
            pieces.append(chunk)
            have += len(chunk)
        data = b"".join(pieces)
        self._left = data[length:]
        return data[:length]

    def close(self) -> None:
        """Let go of the file that is open."""
        self._chunks.close()

    def unchanged(self) -> bool:
        """Whether every file is still the one that was settled."""
        try:
            for settled in self._members:
                self.at = settled.sighting.path
                with (
                    self._tree.folder(settled.sighting.directory) as folder,
                    folder.open(settled.sighting.name) as file,
                ):
                    if not same_generation(file.sighting, settled.sighting):
                        return False
        except SourceError:
            return False
        return True

    def _stream(self) -> Generator[bytes]:
        told: list[tuple[int, bytes]] = []
        for settled in self._members:
            self.at = settled.sighting.path
            with self._tree.folder(settled.sighting.directory) as folder, folder.open(settled.sighting.name) as file:
                refuse_unfinished(settled, file)
                yield _header(settled.sighting, file.mode)
                digest, size = hashlib.sha256(), settled.sighting.size
                for offset in range(0, size, _READ):
                    data = file.pread(min(_READ, size - offset), offset)
                    digest.update(data)
                    yield data
                if not file.unchanged():
                    raise SourceChanged("it changed while it was read")
            told.append((file.mode, digest.digest()))
            yield padding(size)
        self.told = told
        yield END


class Pieces:
    """A codec that makes one stream of each piece of a tar; see `ports.Codec`."""

    def __init__(self, codec: Codec, cuts: Sequence[int]) -> None:
        self._codec = codec
        self._cuts = cuts
        self.name, self.suffix, self.level, self.decode = codec.name, codec.suffix, codec.level, codec.decode
        self.pieces: list[tuple[int, int, int]] = []
        """Where each begins in the tar, where in the object, and how long it is there, once all is encoded."""

    @property
    def fingerprint(self) -> str:
        """See `ports.Codec`; where it is cut follows from the files."""
        return self._codec.fingerprint

    def encode(self, source: ByteSource, length: int, cores: int = 1) -> Generator[bytes]:
        """See `ports.Codec`."""
        self.pieces, at = [], 0
        for start, end in zip(self._cuts, [*self._cuts[1:], length], strict=True):
            size = 0
            for chunk in self._codec.encode(_From(source, start), end - start, cores):
                size += len(chunk)
                yield chunk
            self.pieces.append((start, at, size))
            at += size

    def encode_bytes(self, data: bytes) -> bytes:
        """See `ports.Codec`."""
        return b"".join(self.encode(_From(_InMemory(data), 0), len(data)))


def package_group(
    job: Job, group: Group, tar: GroupTar, small_max: int, compression: Compression | None
) -> tuple[Package, Pieces | None]:
    """The package of a group, and what compresses it.

    Raises:
        SourceError: as `package.package`, of the file `tar.at`.
        KeyTooLong: its key would be too long.
    """
    sample = tar.pread(min(_SAMPLE_MAX, tar.length), 0) if compression else b""
    codec = compression.codec_for(_InMemory(sample), len(sample)) if compression else None
    pieces = Pieces(codec, _cuts(tar)) if codec else None
    plain_key = object_key(job.destination.prefix, placed(job.key, group.directory))
    key = f"{plain_key}.tar{pieces.suffix if pieces else ''}"
    if is_too_long(key):
        raise KeyTooLong(f"the key of its group is longer than a store takes ({KEY_BYTES_MAX} bytes)")
    name = pieces.name if pieces else ""
    if tar.length > small_max:
        return Package(group.sighting, key, tar.length, b"", b"", None, tar, name), pieces
    plain = tar.pread(tar.length, 0)
    digest = hashlib.sha256(plain).digest()
    if pieces is None:
        return Package(group.sighting, key, len(plain), digest, md5_of(plain), plain, tar), None
    body = pieces.encode_bytes(plain)
    check_decodes(pieces, body, plain)
    stored = hashlib.sha256(body).digest()
    return Package(
        group.sighting, key, len(body), stored, md5_of(body), body, tar, name, digest, None, len(plain)
    ), pieces


def bundle_of(group: Group, tar: GroupTar, pieces: Pieces | None, key: str, sent: Package) -> Bundle:
    """What has been sent, under this key."""
    members = [
        Member(settled.sighting, mode, digest, _within(start, settled.sighting.size, pieces))
        for settled, (mode, digest), start in zip(group.members, tar.told, tar.data_at, strict=True)
    ]
    return Bundle("group", key, sent.length, sent.sha256, b"", sent.codec, tuple(members))


def _within(start: int, size: int, pieces: Pieces | None) -> Within:
    if pieces is None:
        return Within(0, start, size, 0)
    begins, offset, length = pieces.pieces[bisect_right(pieces.pieces, start, key=_begins) - 1]
    return Within(0, offset, length, start - begins)


def _begins(piece: tuple[int, int, int]) -> int:
    return piece[0]


def _cuts(tar: GroupTar) -> list[int]:
    cuts = [0]
    for start in tar.starts:
        if start - cuts[-1] >= _PIECE_MIN:
            cuts.append(start)
    return cuts


def _header(sighting: Sighting, mode: int) -> bytes:
    return header(sighting.path, sighting.size, sighting.mtime_ns, mode)


class _From(NamedTuple):
    """A `ByteSource` from somewhere in another on."""

    source: ByteSource
    start: int

    def pread(self, length: int, offset: int) -> bytes:
        """See `ByteSource`."""
        return self.source.pread(length, self.start + offset)


class _InMemory(NamedTuple):
    """A `ByteSource`."""

    data: bytes

    def pread(self, length: int, offset: int) -> bytes:
        """These bytes."""
        return self.data[offset : offset + length]
