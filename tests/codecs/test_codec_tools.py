"""The ordinary programs open what outhaul writes, and outhaul reads what they write."""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys

import pytest

from outhaul.codecs import FORMATS, Codec, Undecodable, open_codec
from outhaul.testing.contracts.codec import TEXT, content, decoded, encoded, parts

pytestmark = pytest.mark.slow

PROGRAMS = ("bzip2", "gzip", "zstd", "xz", "lz4")
ZSTD = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
LIBRARIES = {"gzip": "zlib", "zstd": ZSTD, "xz": "lzma", "lz4": "lz4.frame"}
SIZES = (0, 1, len(TEXT), 99_901, (4 << 20) + 70_001)
VARIANTS: dict[str, tuple[tuple[str, ...], ...]] = {
    "bzip2": (("-1",), ("-9",)),
    "gzip": (("-1",), ("-9",), ("--rsyncable",)),
    "zstd": (("-1",), ("-19",), ("--no-check",), ("--long=27",), ("-T2", "-B1MiB")),
    "xz": (("-0",), ("-6",), ("-T2", "--block-size=64KiB"), ("--check=none",), ("--check=sha256",)),
    "lz4": (("-1",), ("-9",), ("-B4", "-BD"), ("-B5", "-BX"), ("--no-frame-crc",), ("--content-size",)),
}
"""Options of each program that change what its files are made of."""


def run(data: bytes, program: str, *options: str) -> bytes:
    """What a program makes of its standard input."""
    if not shutil.which(program):
        pytest.skip(f"the program {program} is not installed")
    return subprocess.run([program, *options], input=data, capture_output=True, check=True).stdout


def quick(name: str) -> Codec:
    """The codec at its lowest level."""
    return open_codec(name, FORMATS[name].lowest)


@pytest.mark.parametrize("kind", ["text", "random", "zeros"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_the_program_reads_ours(name: str, kind: str) -> None:
    """Of every size; also one file behind another."""
    codec = quick(name)
    for size in SIZES:
        data = content(kind, size)
        stored = encoded(codec, data, cores=2)
        assert run(stored, name, "-dc") == data
        assert run(stored + codec.encode_bytes(TEXT), name, "-dc") == data + TEXT
        run(stored, name, "-t")


@pytest.mark.parametrize("name", PROGRAMS)
def test_ours_reads_the_programs(name: str) -> None:
    """Of every size and variant; also one file behind another, and not when it is cut."""
    codec = quick(name)
    for options in VARIANTS[name]:
        for size in SIZES:
            data = content("text", size)
            stored = run(data, name, "-c", *options)
            assert decoded(codec, parts(stored, 65536), size) == data
            assert decoded(codec, [stored + stored], 2 * size) == data * 2
            with pytest.raises(Undecodable):
                decoded(codec, [stored[: len(stored) * 2 // 3]])


def test_a_name_and_a_time_in_gzip(tmp_path: object) -> None:
    """`gzip FILE` writes both into the header; they are passed over. Ours has neither."""
    path = f"{tmp_path}/table.csv"
    with open(path, "wb") as file:
        file.write(TEXT)
    stored = run(b"", "gzip", "-c", path)
    assert b"table.csv" in stored
    assert decoded(open_codec("gzip"), [stored], len(TEXT)) == TEXT
    assert open_codec("gzip").encode_bytes(TEXT)[3:8] == bytes(5)


@pytest.mark.parametrize("name", ["zstd", "lz4"])
def test_frames_to_be_skipped(name: str) -> None:
    """Both formats have frames that hold nothing of the file (seek tables, for one); they are skipped."""
    skippable = bytes.fromhex("502a4d18") + (9).to_bytes(4, "little") + b"something"
    codec = open_codec(name)
    stored = codec.encode_bytes(TEXT)
    for size in (1, 1000):
        assert decoded(codec, parts(skippable + stored + skippable, size), len(TEXT)) == TEXT


@pytest.mark.parametrize("name", ["gzip", "zstd", "xz", "lz4"])
def test_one_stream(name: str) -> None:
    """Where the format allows, even a long file is one stream: a reader that stops after one has read it all."""
    codec = quick(name)
    data = content("text", 9 << 20)
    stored = encoded(codec, data, cores=2)
    library = importlib.import_module(LIBRARIES[name])
    stream = {
        "gzip": lambda: library.decompressobj(31),
        "zstd": lambda: library.ZstdDecompressor(),
        "xz": lambda: library.LZMADecompressor(library.FORMAT_XZ),
        "lz4": lambda: library.LZ4FrameDecompressor(),
    }[name]()
    assert stream.decompress(stored) == data
    assert stream.eof and not stream.unused_data
