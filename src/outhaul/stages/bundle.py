"""Make one object of many small files, and have the store show that it holds it.

Each file is opened and checked as if it went alone. They become a tar; where the job compresses, some files at a time are
one stream of the codec, so that the whole still opens with `tar` and the codec's own program, and one file comes back by
reading little more than itself. The last member is the index; the same text is an object of its own beside the bundle. The
bundle is proved as a whole, and each file in it then has a proof that says where it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from outhaul.model.bundle import INDEX_SUFFIX, Bundle, Member, beside, bundle_key, index_text, inside_name
from outhaul.model.errors import NotThere, SourceChanged
from outhaul.model.evidence import Package, Proof, Settled, Sighting, Within
from outhaul.model.job import Job
from outhaul.model.keys import second_key
from outhaul.model.tar import END, header, padding
from outhaul.ports import ONE_BY_ONE, Codec, Compression, Digests, OpenFile, Store
from outhaul.stages.package import check_decodes, md5_of, refuse_unfinished
from outhaul.stages.prove import prove
from outhaul.stages.upload import upload, whole_at

_FRAME_MAX = 48 << 10
"""Bytes of tar that are compressed together, unless one file alone is larger: so much more than a file is read for it."""
_SAMPLE_MAX = 1 << 20


class Content(NamedTuple):
    """One file that has been read for a bundle."""

    sighting: Sighting
    mode: int
    sha256: bytes
    """b'' until `pack` has digested it, together with the others."""
    data: bytes


class Packed(NamedTuple):
    """A bundle with its bytes."""

    bundle: Bundle
    body: bytes
    index_body: bytes


def content(settled: Settled, file: OpenFile) -> Content:
    """Read a settled file that has just been opened.

    Raises:
        SourceError: as `package.package`.
    """
    refuse_unfinished(settled, file)
    data = file.pread(file.sighting.size, 0)
    if not file.unchanged():
        raise SourceChanged("it changed while it was read")
    return Content(file.sighting, file.mode, b"", data)


def pack(
    prefix: str, contents: Sequence[Content], compression: Compression | None, digests: Digests = ONE_BY_ONE
) -> Packed:
    """The bundle of these files. The same files always make the same bundle.

    Args:
        prefix: Of the destination.
        contents: At least one.
        compression: What the job wants compressed; it is decided for the bundle as a whole.
        digests: What digests the contents.

    Raises:
        Unproved: it cannot be compressed so that it can be decompressed again.
    """
    contents = _digested(sorted(contents, key=_path), digests)
    sample = _sample(contents)
    codec = compression.codec_for(sample, len(sample.data)) if compression else None
    packed = _packed(prefix, contents, codec)
    if codec and compression and compression.plain_if_larger:
        plain = _packed(prefix, contents, None)
        return packed if len(packed.body) < len(plain.body) else plain
    return packed


def send(packed: Packed, job: Job, store: Store, wall_ns: int) -> Proof:
    """Send a bundle, and then its index, and have both proved.

    Returns:
        The proof of the bundle: see `proofs_of_members`.

    Raises:
        StoreError: as `upload.upload` and `prove.prove`.
    """
    bundle = packed.bundle
    by_bytes = job.proof == "read-back"
    sent = upload(_package(bundle.key, packed.body, bundle), job.on_conflict, store, by_bytes=by_bytes)
    proof = prove(sent, job.proof, store, wall_ns)
    send_text(proof.key + INDEX_SUFFIX, packed.index_body, job, store, wall_ns)
    return proof


def look_for(bundle: Bundle, job: Job, store: Store, wall_ns: int) -> Proof | None:
    """The proof of a bundle that an earlier process was about to send; None where the store does not have it whole.

    Raises:
        StoreError: what the store has is unknown.
    """
    for key in (bundle.key, second_key(bundle.key, bundle.sha256)):
        try:
            found = whole_at(_package(key, None, bundle), key, store, by_bytes=job.proof == "read-back")
        except NotThere:
            continue
        if found is not None:
            proof = prove(found, job.proof, store, wall_ns)
            send_text(*beside(bundle, key), job, store, wall_ns)
            return proof
    return None


def send_text(key: str, text: bytes, job: Job, store: Store, wall_ns: int) -> None:
    """Send an index or a manifest, and have it proved. Where a file of the job has its key, it goes to a second one.

    Raises:
        StoreError: as `send`.
    """
    as_bundle = Bundle("bundle", key, len(text), hashlib.sha256(text).digest(), md5_of(text), "", ())
    sent = upload(_package(key, text, as_bundle), "keep-both", store, by_bytes=job.proof == "read-back")
    prove(sent, job.proof, store, wall_ns)


def proofs_of_members(bundle: Bundle, number: int, proof: Proof) -> list[Proof]:
    """What the proof of a bundle, which has this number in the ledger, says of each file in it."""
    _, key, _, _, etag, version, kind, sent, proved_ns, *_ = proof
    length, codec, stored = bundle.length, bundle.codec, bundle.sha256
    return [  # In one go rather than by `_replace`: there are thousands of them.
        Proof(
            member.sighting, key, length, member.sha256, etag, version, kind, sent, proved_ns, codec, stored,
            member.mode, Within(number, *member.within[1:]),
        )
        for member in bundle.members
    ]  # fmt: skip


def _digested(contents: Sequence[Content], digests: Digests) -> list[Content]:
    each = digests.sha256([one.data for one in contents])
    return [
        Content(sighting, mode, sha256, data) for (sighting, mode, _, data), sha256 in zip(contents, each, strict=True)
    ]


def _packed(prefix: str, contents: Sequence[Content], codec: Codec | None) -> Packed:
    pieces, members = _compressed(contents, codec) if codec else _plain(contents)
    name, suffix = (codec.name, codec.suffix) if codec else ("", "")
    index = index_text("bundle", name, members)
    newest = max([one.sighting.mtime_ns for one in contents])
    last = [header(inside_name(index), len(index), newest, 0o644), index, padding(len(index)), END]
    whole = b"".join(pieces + ([_encoded(last, codec)] if codec else last))
    digest = hashlib.sha256(whole).digest()
    key = bundle_key(prefix, [one.sighting.path for one in contents], digest, suffix)
    return Packed(Bundle("bundle", key, len(whole), digest, md5_of(whole), name, tuple(members)), whole, index)


def _plain(contents: Sequence[Content]) -> tuple[list[bytes], list[Member]]:
    """The pieces of a tar, up to its index. To have a file back, no more than its own bytes have to be read."""
    pieces, starts = _tar(contents)
    return pieces, [
        Member(sighting, mode, sha256, Within(0, start, len(data), 0))
        for (sighting, mode, sha256, data), start in zip(contents, starts, strict=True)
    ]


def _compressed(contents: Sequence[Content], codec: Codec) -> tuple[list[bytes], list[Member]]:
    """The same in streams of a codec, each of some files, which are read together."""
    streams, members, at = list[bytes](), list[Member](), 0
    for frame in _frames(contents):
        pieces, starts = _tar(frame)
        streams.append(_encoded(pieces, codec))
        length = len(streams[-1])
        for one, start in zip(frame, starts, strict=True):
            members.append(Member(one.sighting, one.mode, one.sha256, Within(0, at, length, start)))
        at += length
    return streams, members


def _tar(contents: Sequence[Content]) -> tuple[list[bytes], list[int]]:
    """Some members, and where the bytes of each begin."""
    pieces, starts, at = list[bytes](), list[int](), 0
    for sighting, mode, _, data in contents:
        head, rest = header(sighting.path, len(data), sighting.mtime_ns, mode), padding(len(data))
        pieces += (head, data, rest)
        starts.append(at + len(head))
        at += len(head) + len(data) + len(rest)
    return pieces, starts


def _encoded(pieces: list[bytes], codec: Codec) -> bytes:
    plain = b"".join(pieces)
    stored = codec.encode_bytes(plain)
    check_decodes(codec, stored, plain)
    return stored


def _frames(contents: Sequence[Content]) -> Iterator[list[Content]]:
    frame: list[Content] = []
    size = 0
    for one in contents:
        if frame and size + len(one.data) > _FRAME_MAX:
            yield frame
            frame, size = [], 0
        frame.append(one)
        size += len(one.data) + 512
    yield frame


def _package(key: str, body: bytes | None, of: Bundle) -> Package:
    """A bundle as something to send; it is no file, and its sighting says nothing."""
    nothing = Sighting("", key, 0, 0, of.length, 0, 0)
    return Package(nothing, key, of.length, of.sha256, of.md5, body, _InMemory(b""))


class _InMemory(NamedTuple):
    """A `ByteSource`."""

    data: bytes

    def pread(self, length: int, offset: int) -> bytes:
        """These bytes."""
        return self.data[offset : offset + length]


def _sample(contents: Sequence[Content]) -> _InMemory:
    """The first of the files: whether they are worth compressing is decided by these."""
    data, size = list[bytes](), 0
    for one in contents:
        data.append(one.data)
        size += len(one.data)
        if size > _SAMPLE_MAX:
            break
    return _InMemory(b"".join(data))


def _path(one: Content) -> str:
    return one.sighting.path
