"""What must hold of every `Codec`.

Not shown here: that other programs read what it writes, which depends on what is installed (`tests/codecs/test_tools.py`), and
how fast and how small it is (`bench/codecs.py`).
"""

from __future__ import annotations

import functools
import random
import threading
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outhaul.codecs import FORMATS, Codec, Undecodable, open_codec
from outhaul.model.errors import ConfigurationError, SourceChanged

TEXT = b"".join(b"%d;sensor-%02d;%.3f\n" % (1700000000 + n, n % 7, 20 + n % 13 / 7) for n in range(40))
"""A small file whose every byte and bit the tests can afford to damage."""


@functools.cache
def content(kind: str, length: int) -> bytes:
    """Bytes that compress well, not at all, or to next to nothing."""
    if kind == "random":
        return random.Random(length).randbytes(length)
    if kind == "zeros":
        return bytes(length)
    return (TEXT * (length // len(TEXT) + 1))[:length]


class Shrinking:
    """A source that is shorter than it was said to be."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def pread(self, length: int, offset: int) -> bytes:
        """See `model.evidence.ByteSource`."""
        if offset + length > len(self._data):
            raise SourceChanged("it became shorter while it was read")
        return self._data[offset : offset + length]


def parts(data: bytes, size: int) -> Iterator[bytes]:
    """`data` in chunks of `size`."""
    return (data[at : at + size] for at in range(0, len(data), size))


def encoded(codec: Codec, data: bytes, cores: int = 1) -> bytes:
    """Everything that `encode` gives."""
    return b"".join(codec.encode(Shrinking(data), len(data), cores))


def decoded(codec: Codec, chunks: Iterable[bytes], limit: int = 1 << 30) -> bytes:
    """Everything that `decode` gives."""
    return b"".join(codec.decode(chunks, limit))


class CodecContract:
    """Held by each adapter in a subclass that says which it is."""

    name = ""
    block = 1 << 20
    """How much of the input it treats as one, at its lowest level."""
    in_streams = False
    """Whether it writes streams that follow each other, so that a cut between two of them goes unseen."""
    checked = True
    """Whether it notices damage at all."""

    @pytest.fixture
    def codec(self) -> Codec:
        """The codec at its default level."""
        return open_codec(self.name)

    @pytest.fixture
    def quick(self) -> Codec:
        """The codec at its lowest level."""
        return open_codec(self.name, FORMATS[self.name].lowest)

    @pytest.fixture
    def stored(self, codec: Codec) -> bytes:
        """The small file, as it is stored."""
        return codec.encode_bytes(TEXT)

    def test_it_says_what_it_is(self, codec: Codec) -> None:
        """Name, suffix and level are those of the table; the fingerprint is steady and tells levels apart."""
        format_ = FORMATS[self.name]
        assert (codec.name, codec.suffix, codec.level) == (self.name, format_.suffix, format_.default)
        levels = range(format_.lowest, format_.highest + 1)
        fingerprints = [open_codec(self.name, level).fingerprint for level in levels]
        assert fingerprints == [open_codec(self.name, level).fingerprint for level in levels]
        assert len(set(fingerprints)) == len(levels)

    def test_levels_out_of_range_are_refused(self) -> None:
        """One line says what is allowed."""
        for level in (FORMATS[self.name].lowest - 1, FORMATS[self.name].highest + 1):
            with pytest.raises(ConfigurationError, match="level"):
                open_codec(self.name, level)

    def test_every_level(self) -> None:
        """Every level that is offered works."""
        for level in range(FORMATS[self.name].lowest, FORMATS[self.name].highest + 1):
            codec = open_codec(self.name, level)
            assert decoded(codec, [codec.encode_bytes(TEXT)], len(TEXT)) == TEXT

    @pytest.mark.parametrize("kind", ["text", "random", "zeros"])
    @pytest.mark.parametrize("size", ["0", "1", "small", "block-1", "block", "block+1", "blocks"])
    def test_round_trip(self, quick: Codec, kind: str, size: str) -> None:
        """What goes in comes out; and what is stored depends neither on the cores nor on the call nor on the day."""
        block = self.block
        sizes = {"0": 0, "1": 1, "small": 4096, "block-1": block - 1, "block": block, "block+1": block + 1}
        data = content(kind, sizes.get(size, 2 * block + 17))
        stored = encoded(quick, data)
        assert stored == encoded(quick, data, cores=3) == quick.encode_bytes(data)
        assert kind == "random" or stored == encoded(quick, data, cores=2)
        assert decoded(quick, parts(stored, 65537), len(data)) == data

    def test_stored_bytes_in_any_chunks(self, codec: Codec, stored: bytes) -> None:
        """How the stored bytes come makes no difference, empty chunks included."""
        for size in (1, 2, 7, 64, len(stored)):
            assert decoded(codec, parts(stored, size), len(TEXT)) == TEXT
        assert decoded(codec, [b"", stored[:5], b"", stored[5:], b""], len(TEXT)) == TEXT

    def test_streams_that_follow_each_other(self, codec: Codec, stored: bytes) -> None:
        """All of them are read, also when one begins in the middle of a chunk, or is empty."""
        data = TEXT * 300
        many = stored * 300 + codec.encode_bytes(b"") + stored
        for size in (61, len(many)):
            assert decoded(codec, parts(many, size), len(data) + len(TEXT)) == data + TEXT

    def test_every_truncation_is_noticed(self, codec: Codec, stored: bytes) -> None:
        """Wherever a stream is cut, it does not pass for whole."""
        for length in range(len(stored) if self.checked else 0):
            with pytest.raises(Undecodable):
                decoded(codec, [stored[:length]])

    def test_a_cut_between_blocks(self, quick: Codec) -> None:
        """What has several blocks and is cut somewhere is damaged, or comes out shorter, where that is documented."""
        data = content("text", self.block) * 3
        stored = encoded(quick, data)
        first = encoded(quick, data[: self.block])
        for length in range(1, len(stored), max(1, len(stored) // 50)):
            if self.in_streams and length % len(first) == 0:
                assert decoded(quick, [stored[:length]]) == data[: length // len(first) * self.block]
            elif self.checked:
                with pytest.raises(Undecodable):
                    decoded(quick, parts(stored[:length], 65536))
        if self.in_streams:
            assert stored.startswith(first)
            assert decoded(quick, [first]) == data[: self.block]

    def test_every_flipped_bit_is_noticed_or_harmless(self, codec: Codec, stored: bytes) -> None:
        """No single flipped bit gives other bytes without an error."""
        for bit in range(len(stored) * 8 if self.checked else 0):
            damaged = bytearray(stored)
            damaged[bit // 8] ^= 1 << bit % 8
            try:
                assert decoded(codec, [bytes(damaged)], len(TEXT)) == TEXT, f"bit {bit}"
            except Undecodable:
                continue

    def test_what_follows_is_noticed(self, codec: Codec, stored: bytes) -> None:
        """Anything behind the end that is no stream is damage, be it a single byte."""
        for garbage in (
            b"\0",
            b"x",
            b"\0" * 3,
            b"B",
            b"\x1f",
            b"\x1f\x8b\x08",
            b"(\xb5/",
            b"\xfd7z",
            b"\x04",
            TEXT,
            stored[:-1],
        ):
            for chunks in ([stored + garbage], [stored, garbage]):
                if self.checked:
                    with pytest.raises(Undecodable):
                        decoded(codec, chunks)

    def test_what_never_was_compressed(self, codec: Codec) -> None:
        """Text, zeros and noise are no stored bytes."""
        for data in (TEXT, bytes(1000), content("random", 1000)):
            if self.checked:
                with pytest.raises(Undecodable) as error:
                    decoded(codec, [data])
                assert "\n" not in str(error.value)

    def test_a_limit_holds(self, codec: Codec, stored: bytes) -> None:
        """As many bytes as are allowed come out, and not one more."""
        assert decoded(codec, [stored], len(TEXT)) == TEXT
        for limit in (0, 1, len(TEXT) - 1):
            with pytest.raises(Undecodable, match=f"the {limit} bytes it may hold"):
                decoded(codec, [stored], limit)
        assert decoded(codec, [codec.encode_bytes(b"")], 0) == b""

    def test_a_bomb_is_stopped(self, quick: Codec) -> None:
        """What would fill the memory stops at the limit; until then it comes in small chunks."""
        bomb = encoded(quick, bytes(30 << 20))
        sizes = []
        with pytest.raises(Undecodable, match="may hold"):
            for chunk in quick.decode([bomb], 1 << 20):
                sizes.append(len(chunk))
        assert sum(sizes) <= 1 << 20
        if self.checked:
            assert max(len(chunk) for chunk in quick.decode([bomb], 30 << 20)) <= 1 << 20

    @pytest.mark.parametrize("cores", [1, 2])
    def test_a_source_that_shrinks(self, quick: Codec, cores: int) -> None:
        """What the source raises comes out of the encoder, and no thread stays."""
        before = threading.active_count()
        with pytest.raises(SourceChanged, match="shorter"):
            list(quick.encode(Shrinking(bytes(2 * self.block + 5)), 4 * self.block, cores))
        assert threading.active_count() == before

    def test_a_failing_reader_is_no_damage(self, codec: Codec, stored: bytes) -> None:
        """An error of whoever delivers the stored bytes is handed on as it is."""

        def chunks() -> Iterator[bytes]:
            yield stored[:20]
            raise OSError("the disk failed")

        with pytest.raises(OSError, match="the disk failed"):
            decoded(codec, chunks())

    def test_work_that_is_given_up(self, quick: Codec) -> None:
        """Closing an encoder in the middle ends its threads."""
        before = threading.active_count()
        length = 6 * self.block
        stream = quick.encode(Shrinking(content("text", length)), length, 2)
        next(stream)
        stream.close()
        assert threading.active_count() == before

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.differing_executors])
    @given(data=st.binary(max_size=3000), times=st.integers(0, 40), size=st.integers(1, 5000))
    def test_any_bytes(self, data: bytes, times: int, size: int) -> None:
        """Whatever it is, it comes back."""
        codec = open_codec(self.name, FORMATS[self.name].lowest)
        original = data * times
        stored = codec.encode_bytes(original)
        assert stored == encoded(codec, original)
        assert decoded(codec, parts(stored, size), len(original)) == original

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.differing_executors])
    @given(data=st.binary(max_size=300), at=st.integers(0, 10**6), instead=st.binary(max_size=8))
    def test_any_damage(self, data: bytes, at: int, instead: bytes) -> None:
        """Other bytes in place of some: the one error, or the same content."""
        codec = open_codec(self.name, FORMATS[self.name].lowest)
        stored = codec.encode_bytes(data)
        at %= len(stored) + 1
        damaged = stored[:at] + instead + stored[at + len(instead) :]
        try:
            assert decoded(codec, [damaged], len(data)) == data or not self.checked
        except Undecodable:
            assert damaged != stored
