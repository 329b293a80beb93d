"""The codec contract, held by every codec there is.

This directory is no package: one of its name would hide Python's own `codecs`.
"""

import sys

import pytest

if "outhaul.testing.contracts.codec" not in sys.modules:
    pytest.register_assert_rewrite("outhaul.testing.contracts.codec")

from outhaul.codecs import FORMATS
from outhaul.testing.contracts.codec import CodecContract


class TestPlain(CodecContract):
    name = "none"
    checked = False


class TestBzip2(CodecContract):
    name = "bzip2"
    block = 99_900
    in_streams = True


class TestGzip(CodecContract):
    name = "gzip"
    block = 512 << 10


class TestZstd(CodecContract):
    name = "zstd"
    block = 2 << 20


@pytest.mark.slow
class TestXz(CodecContract):
    name = "xz"
    block = 4 << 20


class TestLz4(CodecContract):
    name = "lz4"
    block = 4 << 20


def test_no_codec_is_left_out() -> None:
    """Each format has its class here."""
    assert {held.name for held in CodecContract.__subclasses__()} == set(FORMATS)
