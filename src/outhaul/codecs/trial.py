"""`auto`: is compression worth it for these bytes? Asked of the bytes, not of the name.

First what their beginning says: formats that are always compressed are left alone. Formats that may or may not be, such as
zip, PDF or Parquet, and everything else are tried: samples from the beginning to the end, quickly compressed. A small file is
compressed whole afterwards, and left as it is where that makes it larger; of a large one, which is compressed as it is sent, the
samples decide. There are so many of these that it would take a file made for it to be misjudged; it then is larger by three bytes
for each 128 KiB (RFC 8878, 3.1.1.2: a block that cannot be compressed is stored as it is).
The answer depends on nothing but the bytes, so it is the same after an interruption.
"""

from __future__ import annotations

import re

from outhaul.codecs.codec import NOT_IN_PYTHON, load
from outhaul.model.evidence import ByteSource

_LEAST = 128
"""Shorter than this, what a format adds eats what it saves."""
_SAMPLE = 32 << 10
_LARGE = 16 << 20
"""What is larger is compressed as it is sent (`stores.s3.SMALL_MAX`)."""
_OF_LARGE, _SAMPLES_OF_LARGE = 4 << 10, 256
_WORTH = 0.9
"""A tenth has to be saved: every reader will have to undo it."""

_COMPRESSED = re.compile(
    rb"""\x1f\x8b\x08                            # gzip
    | BZh[1-9](?:1AY&SY|\x17rE8P\x90)            # bzip2
    | \x28\xb5\x2f\xfd                           # zstd
    | \xfd7zXZ\x00 | LZIP\x01                    # xz, lzip
    | \x04\x22\x4d\x18                           # lz4
    | 7z\xbc\xaf\x27\x1c | Rar!\x1a\x07          # 7z, rar
    | \x89PNG\r\n\x1a\n | \xff\xd8\xff | GIF8[79]a
    | RIFF....WEBP
    | ....ftyp                                   # mp4, mov, heic, avif
    | \x1a\x45\xdf\xa3                           # matroska, webm
    | OggS\x00 | fLaC | ID3[\x02-\x04]
    """,
    re.VERBOSE | re.DOTALL,
)
_HEAD = 16


def worth_compressing(source: ByteSource, length: int) -> bool:
    """Whether any compression will make the first `length` bytes of `source` at least a tenth smaller.

    Raises:
        SourceChanged: the source ended early.
    """
    if length < _LEAST or _COMPRESSED.match(source.pread(_HEAD, 0)):
        return False
    zlib = load("zlib", "auto", NOT_IN_PYTHON)
    sample = _sample(source, length)
    return len(zlib.compress(sample, 1)) <= _WORTH * len(sample)


def _sample(source: ByteSource, length: int) -> bytes:
    if length <= 3 * _SAMPLE:
        return source.pread(length, 0)
    size, samples = (_OF_LARGE, _SAMPLES_OF_LARGE) if length > _LARGE else (_SAMPLE, 3)
    return b"".join(source.pread(size, (length - size) * each // (samples - 1)) for each in range(samples))
