"""zstd, as one frame with its length and a checksum, made by the library's own threads.

The library cuts the input into jobs, each of which knows what went before it. Its frame is the same for any number of
threads, but another one without threads: so a long input takes one at least, also on one core, and a short one none.
One frame, because some readers stop after the first without a word.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterable, Iterator
from functools import cached_property

from outhaul.codecs.codec import load
from outhaul.codecs.decoding import decode
from outhaul.codecs.formats import FORMATS
from outhaul.codecs.pieces import InMemory, cut
from outhaul.model.evidence import ByteSource

_LIBRARY = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
_REMEDY = "pip install 'outhaul[zstd]'"
_IN_ONE_GO = 2 << 20
_READ = 1 << 20
_WINDOW_LOG_MAX = 27
"""128 MiB, as much as the `zstd` program takes without being told to."""


class Zstd:
    """See `codec.Codec`."""

    name = "zstd"
    suffix = FORMATS["zstd"].suffix

    def __init__(self, level: int) -> None:
        self._zstd = load(_LIBRARY, self.name, _REMEDY)
        self.level = level
        self._job = (2 << 20) if level <= 12 else (8 << 20)  # From there on the library looks back that far.
        parameter = self._zstd.CompressionParameter
        self._options = {parameter.compression_level: level, parameter.checksum_flag: 1}
        self._threads_max: int = parameter.nb_workers.bounds()[1]

    @cached_property
    def fingerprint(self) -> str:
        """See `Codec.fingerprint`."""
        jobs = f"job={self._job}" if self._threads_max else "no-jobs"
        return f"zstd level={self.level} {jobs} libzstd={self._zstd.zstd_version}"

    def encode(self, source: ByteSource, length: int, cores: int = 1) -> Generator[bytes]:
        """See `Codec.encode`. For each core about 10 MB at level 3, 50 at 12, 100 beyond. The library starts the threads."""
        if length <= _IN_ONE_GO:
            yield self.encode_bytes(source.pread(length, 0) if length else b"")
            return
        stream = self._zstd.ZstdCompressor(options=self._options | self._threads(cores))
        stream.set_pledged_input_size(length)
        try:
            for piece in cut(source, length, _READ):
                if compressed := stream.compress(piece):
                    yield compressed
            yield stream.flush()
        except self._zstd.ZstdError as error:
            if "not enough memory" in str(error):  # ZSTD_getErrorName of ZSTD_error_memory_allocation.
                raise MemoryError(f"{self.name}: {error}") from None
            raise

    def encode_bytes(self, data: bytes) -> bytes:
        """See `Codec.encode_bytes`."""
        if len(data) > _IN_ONE_GO:
            return b"".join(self.encode(InMemory(data), len(data)))
        compressed: bytes = self._zstd.compress(data, options=self._options)
        return compressed

    def decode(self, chunks: Iterable[bytes], limit: int) -> Iterator[bytes]:
        """See `Codec.decode`. Up to 128 MiB, where a file was made so."""
        options = {self._zstd.DecompressionParameter.window_log_max: _WINDOW_LOG_MAX}
        errors = (self._zstd.ZstdError, EOFError)
        return decode(self.name, chunks, limit, lambda: self._zstd.ZstdDecompressor(options=options), errors)

    def _threads(self, cores: int) -> dict[object, int]:
        if not self._threads_max:
            return {}
        parameter = self._zstd.CompressionParameter
        return {parameter.nb_workers: max(1, min(cores, self._threads_max)), parameter.job_size: self._job}


def make(level: int) -> Zstd:
    """The codec at this level."""
    return Zstd(level)
