"""Choosing a codec: what is imported when, what a missing library says, and what `auto` decides."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import subprocess
import sys
import zipfile

import pytest

from outhaul.codecs import FORMATS, CodecMissing, checked_level, open_codec
from outhaul.codecs.pieces import InMemory
from outhaul.codecs.trial import worth_compressing
from outhaul.model.errors import ConfigurationError, SourceChanged
from outhaul.testing.contracts.codec import TEXT, Shrinking

LIBRARIES = {"bzip2": "bz2", "gzip": "zlib", "zstd": "backports.zstd", "xz": "lzma", "lz4": "lz4.frame"}
if sys.version_info >= (3, 14):
    LIBRARIES["zstd"] = "compression.zstd"
NOISE = random.Random(4).randbytes(200_000)


def test_nothing_is_imported_before_it_is_used() -> None:
    """Asking what there is costs no library and no threads."""
    libraries = [*LIBRARIES.values(), "lz4", "backports", "concurrent.futures"]
    code = f"import sys, outhaul.codecs; print([name for name in {libraries!r} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_missing_library(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line says which compression, and what to install."""
    monkeypatch.setitem(sys.modules, LIBRARIES[name], None)
    with pytest.raises(CodecMissing) as error:
        open_codec(name)
    said = str(error.value)
    assert "\n" not in said and repr(name) in said and "install" in said
    assert isinstance(error.value, ConfigurationError) and error.value.problems == (said,)


def test_an_unknown_codec() -> None:
    """The line says what there is."""
    with pytest.raises(ConfigurationError, match="'brotli'; there are none, bzip2, gzip, zstd, xz, lz4"):
        open_codec("brotli")


def test_levels() -> None:
    """A level is checked without its library."""
    assert [checked_level(name) for name in FORMATS] == [0, 9, 6, 3, 6, 1]
    assert checked_level("zstd", 19) == 19
    with pytest.raises(ConfigurationError, match="the level of zstd is 1 to 19, not 20"):
        checked_level("zstd", 20)
    with pytest.raises(ConfigurationError, match="'none' has no levels"):
        checked_level("none", 1)


def worth(data: bytes) -> bool:
    """`worth_compressing` of bytes."""
    return worth_compressing(InMemory(data), len(data))


def test_text_is_worth_it() -> None:
    """Short or long; but not when it is so short that a header eats what is saved."""
    assert worth(TEXT) and worth(TEXT * 1000) and worth(bytes(1 << 20))
    assert not worth(b"") and not worth(TEXT[:50])


def test_noise_is_not() -> None:
    """Whatever it is called."""
    assert not worth(NOISE) and not worth(NOISE[:4096])


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "none"])
def test_our_own_formats_are_not(name: str) -> None:
    """Even where they would shrink a little more."""
    codec = open_codec(name)
    assert not worth(codec.encode_bytes(TEXT * 20)) and not worth(codec.encode_bytes(bytes(10 << 20)))


@pytest.mark.parametrize("head", [
    b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a", b"RIFF\x10\0\0\0WEBP", b"\0\0\0\x18ftypmp42", b"OggS\0", b"fLaC",
    b"\x1a\x45\xdf\xa3", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07\x01", b"ID3\x03",
])  # fmt: skip
def test_pictures_and_films_are_not(head: bytes) -> None:
    """They are compressed by nature, whatever their headers would save."""
    assert not worth(head + bytes(5000))


def test_formats_that_may_be_compressed_are_tried() -> None:
    """A zip of stored members is worth it, one of deflated members is not; so with a sound without compression."""
    for method, expected in ((zipfile.ZIP_STORED, True), (zipfile.ZIP_DEFLATED, False)):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", method) as archive:
            archive.writestr("noise.txt", NOISE.hex())
        assert worth(file.getvalue()) is expected
    assert worth(b"RIFF\x10\0\0\0WAVE" + bytes(5000))


def test_words_that_only_look_like_a_format() -> None:
    """A text may begin with the letters of one."""
    assert worth(b"BZh" + TEXT) and worth(b"BZh9" + TEXT) and worth(b"ID3 " + TEXT) and worth(b"RIFF" + TEXT)


def test_the_middle_and_the_end_count() -> None:
    """A header of text before noise does not decide, nor does noise before text."""
    assert not worth(TEXT[:500] + NOISE)
    assert worth(NOISE[: 33 << 10] + TEXT * 1000)


def test_a_large_file_is_looked_at_in_many_places() -> None:
    """That its beginning, middle and end would become smaller says nothing of the rest."""
    length = 17 << 20
    noise = bytearray(random.Random(7).randbytes(length))
    for at in (0, (length - (32 << 10)) // 2, length - (32 << 10)):
        noise[at : at + (32 << 10)] = bytes(32 << 10)
    assert not worth(bytes(noise))
    assert worth(bytes(noise[: length // 2]) + TEXT * (length // 2 // len(TEXT)))


def test_streams_of_other_tools() -> None:
    """As Python's own modules write them."""
    assert not any(worth(compress(TEXT * 50)) for compress in (bz2.compress, gzip.compress, lzma.compress))


def test_a_source_that_shrinks() -> None:
    """It says so."""
    with pytest.raises(SourceChanged):
        worth_compressing(Shrinking(TEXT), 10 * len(TEXT))
