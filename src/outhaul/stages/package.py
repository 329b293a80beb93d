"""Make what will be sent.

A small file is read whole into memory, and then digested, together with others (`digested`). A large one is not read here: it
is read once, as it is sent, and that reading is what is digested and proved (`stages/upload.py`). Whatever changes in between
is noticed there, or at the removal, and is then a new sighting, never a loss.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from outhaul.model.errors import KeyTooLong, OuthaulError, SourceChanged, Unproved, WritersUnknown
from outhaul.model.evidence import Package, Settled, Sighting, same_generation
from outhaul.model.job import Job
from outhaul.model.keys import KEY_BYTES_MAX, object_key, placed
from outhaul.ports import Codec, Compression, Digests, OpenFile

UNWATCHED_QUIET_NS = 60 * 10**9
"""Where nobody can tell whether a file is open for writing: how long outhaul must itself have seen it unchanged."""


def package(
    job: Job,
    settled: Settled,
    file: OpenFile,
    small_max: int,
    compression: Compression | None = None,
) -> Package:
    """The package of a settled file that has just been opened; `digested` completes it.

    A small one is compressed here, where the job asks for that; of a large one only the codec is chosen.

    Raises:
        SourceInUse: a process has it open for writing.
        WritersUnknown: nobody can tell, and it has not been watched for long enough.
        SourceChanged: it is not the file that was settled, or it changed while it was read.
        KeyTooLong: its key would be too long.
        Unproved: it cannot be compressed so that it can be decompressed again.
    """
    sighting = file.sighting
    refuse_unfinished(settled, file)
    key = object_key(job.destination.prefix, placed(job.key, sighting.path))
    made = _read(key, sighting, file, small_max, compression)
    if len(made.key) * 4 > KEY_BYTES_MAX and len(made.key.encode()) > KEY_BYTES_MAX:
        raise KeyTooLong(f"its key has {len(made.key.encode())} bytes, and a store takes at most {KEY_BYTES_MAX}")
    if not file.unchanged():
        raise SourceChanged("it changed while it was read")
    return made


def digested(packages: Sequence[Package], digests: Digests, *, wants_md5: bool = True) -> list[Package]:
    """The same packages with the digests of what will be sent, as far as it is in memory. `wants_md5` is the store's."""
    bodies = [package.body or b"" for package in packages]
    md5s = digests.md5(bodies) if wants_md5 else [b""] * len(bodies)
    return [
        package if package.body is None else package._replace(sha256=sha256, md5=md5)
        for package, sha256, md5 in zip(packages, digests.sha256(bodies), md5s, strict=True)
    ]


def refuse_unfinished(settled: Settled, file: OpenFile) -> None:
    """Make sure that a file that has just been opened is the one that was settled, and that nobody writes to it.

    Raises:
        SourceInUse, WritersUnknown, SourceChanged: as `package`.
    """
    unwatched = not file.check_writers()  # First: that somebody writes says more than that something has changed.
    if not same_generation(file.sighting, settled.sighting):
        raise SourceChanged("it changed between the look at its directory and its opening")
    if unwatched and settled.observed_ns < UNWATCHED_QUIET_NS:
        raise WritersUnknown(
            f"outhaul has seen it unchanged for {settled.observed_ns // 10**9} s of {UNWATCHED_QUIET_NS // 10**9} s"
        )


def _read(
    key: str,
    sighting: Sighting,
    file: OpenFile,
    small_max: int,
    compression: Compression | None,
) -> Package:
    codec = compression.codec_for(file, sighting.size) if compression else None
    suffix, name = (codec.suffix, codec.name) if codec else ("", "")
    if sighting.size > small_max:
        return Package(sighting, key + suffix, sighting.size, b"", b"", None, file, name, mode=file.mode)
    content = file.pread(sighting.size, 0)
    if codec is None:
        return Package(sighting, key, len(content), b"", b"", content, file, mode=file.mode)
    body = codec.encode_bytes(content)
    if compression and compression.plain_if_larger and len(body) >= len(content):
        return Package(sighting, key, len(content), b"", b"", content, file, mode=file.mode)
    check_decodes(codec, body, content)
    sha256 = hashlib.sha256(content).digest()
    return Package(sighting, key + suffix, len(body), b"", b"", body, file, name, sha256, file.mode)


def check_decodes(codec: Codec, body: bytes, content: bytes) -> None:
    """What is compressed must give the same again: a codec, or the memory it works in, may be faulty. Raises `Unproved`."""
    try:
        same = b"".join(codec.decode((body,), len(content))) == content
    except OuthaulError:
        same = False
    if not same:
        raise Unproved(f"what {codec.name} has made of it does not give it again")


def md5_of(data: bytes) -> bytes:
    """MD5: what many a store gives as the ETag of an object. It takes three times as long as SHA-256 does in hardware."""
    return hashlib.md5(data, usedforsecurity=False).digest()
