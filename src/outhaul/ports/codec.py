"""Compression: what every codec promises, and who chooses one for a file."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from typing import Protocol

from outhaul.model.evidence import ByteSource


class Codec(Protocol):
    """One compression at one level. It keeps no state; all methods may be called from several threads at once.

    The same bytes always become the same stored bytes, whether they come from `encode` or `encode_bytes`, and however
    many cores work at it, as long as `fingerprint` is the same. So an upload that was interrupted can go on.
    """

    name: str
    suffix: str
    """What it adds to a name, with the dot; '' for none."""
    level: int

    @property
    def fingerprint(self) -> str:
        """What must be equal for the stored bytes to be equal: format, level, how the input is cut, and the library.

        A library that does not tell its version is known by the digest of a sample it has encoded. It is strong evidence,
        not a proof: whoever goes on with an upload still compares the parts.
        """

    def encode(self, source: ByteSource, length: int, cores: int = 1) -> Generator[bytes]:
        """The stored bytes of the first `length` bytes of `source`, in chunks of any size, in bounded memory.

        `source` is read from front to back in the thread of the caller. Closing the iterator ends the work.

        Args:
            source: Where the bytes are.
            length: How many.
            cores: How many may work at it; with 1 no thread of ours is started.

        Raises:
            SourceChanged: the source ended early; what came out until then is no file.
        """

    def encode_bytes(self, data: bytes) -> bytes:
        """The same for bytes in memory, in one call and on one core."""

    def decode(self, chunks: Iterable[bytes], limit: int) -> Iterator[bytes]:
        """The original of stored bytes, in bounded memory. Any number of streams may follow each other.

        Every byte that comes out before an error is suspect: only the end of the iterator says that it was whole. Even
        then the caller has to compare length and digest, for where streams follow each other (bzip2 is written so, and
        others may be) a cut exactly between two of them cannot be seen, nor can a damage that fits its checksum.

        Args:
            chunks: The stored bytes. What they raise passes through.
            limit: How many bytes may come out; normally the length that the original is known to have.

        Raises:
            Undecodable: the bytes are damaged, cut short, followed by something else, or hold more than `limit`.
        """


class Compression(Protocol):
    """What a job wants done to its files before they are sent."""

    def codec_for(self, source: ByteSource, length: int) -> Codec | None:
        """The codec for a file of this content; None where it is sent as it is. It may read some of it, in any order."""

    def named(self, name: str) -> Codec:
        """One that `codec_for` has chosen."""

    @property
    def plain_if_larger(self) -> bool:
        """Whether a small file that a codec makes larger is sent as it is."""
