"""A codec that makes a mistake, as in a memory that flips a bit."""

from collections.abc import Generator

from outhaul.codecs import open_codec
from outhaul.model.evidence import ByteSource
from outhaul.ports import Codec


class Faulty:
    """bzip2, with one byte of the file read as another, or one bit of what comes out flipped."""

    suffix, name, level = ".bz2", "bzip2", 9
    plain_if_larger = False

    def __init__(self, what: str) -> None:
        self._codec = open_codec("bzip2")
        self._what = what
        self.fingerprint = self._codec.fingerprint
        self.decode = self._codec.decode

    def codec_for(self, source: ByteSource, length: int) -> Codec:
        """It is its own `Compression`."""
        return self

    def named(self, name: str) -> Codec:
        """The same."""
        return self

    def encode(self, source: ByteSource, length: int, cores: int = 1) -> Generator[bytes]:
        """In one chunk."""
        yield self.encode_bytes(source.pread(length, 0))

    def encode_bytes(self, data: bytes) -> bytes:
        """With the mistake."""
        if self._what == "misread":
            return self._codec.encode_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        encoded = self._codec.encode_bytes(data)
        return encoded[:20] + bytes([encoded[20] ^ 1]) + encoded[21:]
