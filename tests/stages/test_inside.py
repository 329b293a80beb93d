"""The index inside a bundle is found by the end of the object, whatever its codec, and nothing else is taken for one."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from outhaul.codecs import open_codec
from outhaul.codecs.choice import compression
from outhaul.host.system_calls import rename_exclusive
from outhaul.model.bundle import index_of, index_text
from outhaul.model.evidence import Sighting
from outhaul.model.tar import END, header, padding
from outhaul.stages import inside
from outhaul.stages.bundle import Content, Packed, pack
from outhaul.stages.inside import index_inside
from outhaul.stores.directory_reading import DirectoryShelf
from outhaul.wiring import _Decoding

CODECS = ["", "zstd", "gzip", "bzip2", "xz", "lz4"]


class World:
    """A directory of objects, with the codecs of this machine; it notes which bytes are asked for."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.shelf = _Decoding(DirectoryShelf(str(home), rename_exclusive))
        self.asked: list[tuple[int, int]] = []
        read_part = self.shelf.read_part

        def noted(key: str, version: str, offset: int, length: int) -> Iterator[bytes]:
            self.asked.append((offset, length))
            return read_part(key, version, offset, length)

        self.shelf.read_part = noted

    def find(self, body: bytes, codec: str) -> bytes | None:
        """What is found in an object of these bytes."""
        (self.home / "bundle").write_bytes(body)
        self.asked.clear()
        return index_inside("bundle", len(body), codec, self.shelf)


def packed(codec: str, files: int = 200, *, size: int = 300, mtime_ns: int = 10**18) -> Packed:
    """A bundle of files of noise."""
    noise = random.Random(files)
    contents = [
        Content(
            Sighting(f"d{n % 3}", f"é-{n}.outhaul-index-", 1, n, size, mtime_ns, 7), 0o644, b"", noise.randbytes(size)
        )
        for n in range(files)
    ]
    return pack("site", contents, compression(codec or "none", 1))


@pytest.fixture
def world(tmp_path: Path) -> World:
    """It."""
    return World(tmp_path)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("files", [1, 200])
def test_it_is_the_text_beside(world: World, codec: str, files: int) -> None:
    """Byte for byte; by one request for the end, and one for how a stream begins where there is a codec."""
    bundle = packed(codec, files)
    assert world.find(bundle.body, codec) == bundle.index_body
    assert len(world.asked) == (2 if codec else 1)


@pytest.mark.parametrize("codec", CODECS)
def test_of_a_large_bundle_only_the_end_is_read(world: World, codec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As much as the index needs; what is asked for a second time goes on before it, and no byte comes twice."""
    bundle = packed(codec, 400, size=2000)
    monkeypatch.setattr(inside, "_TAIL", 8 << 10)
    assert world.find(bundle.body, codec) == bundle.index_body
    tails = world.asked[1:] if codec else world.asked
    assert 1 < len(tails) <= 3
    assert sum(length for _, length in tails) < len(bundle.body)
    assert tails[0][0] + tails[0][1] == len(bundle.body) and tails[1][0] + tails[1][1] == tails[0][0]


def test_a_text_of_several_streams(world: World) -> None:
    """bzip2 makes a stream of each 900 kB: it is all of them."""
    bundle = packed("bzip2", 5000, size=1)
    assert len(bundle.index_body) > 900_000
    assert world.find(bundle.body, "bzip2") == bundle.index_body


def test_times_before_1970(world: World) -> None:
    """The member has a longer header then."""
    for codec in ("", "gzip"):
        bundle = packed(codec, 3, mtime_ns=-(10**18))
        assert world.find(bundle.body, codec) == bundle.index_body


def tar(members: Sequence[tuple[str, bytes]]) -> bytes:
    """One of these."""
    return b"".join(header(name, len(data), 0, 0o644) + data + padding(len(data)) for name, data in members) + END


@pytest.mark.parametrize("codec", CODECS)
def test_what_is_no_bundle_has_none(world: World, codec: str) -> None:
    """A tar of somebody's own, one whose member has another digest than its name says, a cut one, noise, nothing."""
    text = index_text("bundle", "", ())
    wrong = f".outhaul-index-{hashlib.sha256(b'other').digest()[:8].hex()}.json"
    found = compression(codec or "none", 1)
    one = found.named(codec) if found and codec else None
    for members in ([("a", b"b" * 3000)], [("a", b""), (wrong, text)], [("a", text)]):
        plain = tar(members)
        assert world.find(one.encode_bytes(plain) if one else plain, codec) is None
    body = packed(codec).body
    for damaged in (body[:-1600], body[:-3000] + b"\xff" + body[-2999:], random.Random(1).randbytes(5000), b"12", b""):
        assert world.find(damaged, codec) is None


@pytest.mark.parametrize("codec", ["", "zstd"])
def test_an_object_that_is_another_one_by_now(world: World, codec: str) -> None:
    """It is shorter than the listing has said: nothing follows from its end."""
    bundle = packed(codec)
    (world.home / "bundle").write_bytes(bundle.body)
    assert index_inside("bundle", len(bundle.body) + 512, codec, world.shelf) is None


def test_bytes_that_look_like_streams(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand of them are tried, and no more."""
    body = packed("gzip").body
    assert world.find(body + body[:3] * 5, "gzip") is None
    monkeypatch.setattr(inside, "_STARTS_MAX", 2)
    assert world.find(body[:3] * 50, "gzip") is None


def test_a_damaged_end_is_not_decompressed_from_every_stream_before_it(world: World) -> None:
    """The last stream that begins with a member decides: with the bytes behind it damaged, there is no index."""
    bundle = packed("gzip", 400, size=2000)
    calls = []
    decoded = world.shelf.decoded

    def counted(codec: str, chunks: Iterator[bytes], limit: int) -> Iterator[bytes]:
        calls.append(1)
        return decoded(codec, chunks, limit)

    world.shelf.decoded = counted  # type: ignore[method-assign]
    assert world.find(bundle.body[:-10] + bytes(10), "gzip") is None
    assert len(calls) < 10


def test_what_is_found_is_an_index() -> None:
    """Of the files that are in it."""
    bundle = packed("zstd", 7)
    assert len(index_of(bundle.index_body).members) == 7


def test_what_is_decompressed_in_small_pieces(world: World) -> None:
    """The header of a member may come in several; what ends before a header does is none."""
    decoded = world.shelf.decoded

    def small(codec: str, chunks: Iterator[bytes], limit: int) -> Iterator[bytes]:
        for chunk in decoded(codec, chunks, limit):
            yield from (chunk[at : at + 100] for at in range(0, len(chunk), 100))

    world.shelf.decoded = small  # type: ignore[method-assign]
    bundle = packed("gzip")
    assert world.find(bundle.body, "gzip") == bundle.index_body
    assert world.find(open_codec("gzip").encode_bytes(b"short"), "gzip") is None
