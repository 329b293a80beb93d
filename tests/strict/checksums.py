"""The checksums of the S3 API, computed from bytes: x-amz-checksum-{crc32,crc32c,crc64nvme,sha1,sha256}, and Content-MD5.

The two CRCs that the standard library has not are made here from their polynomials, bit-reversed, a table each; the
values that the catalogue of CRCs gives for "123456789" are in the tests.
"""

import base64
import binascii
import hashlib
import zlib
from collections.abc import Callable, Mapping

from strict.errors import S3Error


def _table(polynomial: int) -> tuple[int, ...]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ polynomial if value & 1 else value >> 1
        table.append(value)
    return tuple(table)


_CRC32C = _table(0x82F63B78)
_CRC64NVME = _table(0x9A6C9329AC4BC9B5)


def _crc(table: tuple[int, ...], ones: int, data: bytes) -> int:
    value = ones
    for byte in data:
        value = table[(value ^ byte) & 0xFF] ^ (value >> 8)
    return value ^ ones


ALGORITHMS: dict[str, Callable[[bytes], bytes]] = {
    "crc32": lambda data: zlib.crc32(data).to_bytes(4, "big"),
    "crc32c": lambda data: _crc(_CRC32C, 0xFFFFFFFF, data).to_bytes(4, "big"),
    "crc64nvme": lambda data: _crc(_CRC64NVME, 0xFFFFFFFFFFFFFFFF, data).to_bytes(8, "big"),
    "sha1": lambda data: hashlib.sha1(data, usedforsecurity=False).digest(),
    "sha256": lambda data: hashlib.sha256(data).digest(),
}
LENGTHS = {"crc32": 4, "crc32c": 4, "crc64nvme": 8, "sha1": 20, "sha256": 32}


def given(headers: Mapping[str, str]) -> tuple[str, str] | None:
    """The algorithm and value of the one checksum that a request carries; None where it carries none."""
    found = [(name, headers[f"x-amz-checksum-{name}"]) for name in ALGORITHMS if f"x-amz-checksum-{name}" in headers]
    if len(found) > 1:
        raise S3Error("InvalidRequest", "Expecting a single x-amz-checksum- header. Multiple are not allowed.")
    return found[0] if found else None


def check(algorithm: str, value: str, data: bytes) -> None:
    """Refuse a checksum that is none, or not of these bytes."""
    if len(decoded(value)) != LENGTHS[algorithm]:
        raise S3Error("InvalidRequest", f"Value for x-amz-checksum-{algorithm} header is invalid.")
    if decoded(value) != ALGORITHMS[algorithm](data):
        raise S3Error("BadDigest", f"The {algorithm.upper()} you specified did not match the calculated checksum.")


def check_md5(value: str, data: bytes) -> None:
    """Refuse a Content-MD5 that is none, or not of these bytes."""
    if len(decoded(value)) != 16:
        raise S3Error("InvalidDigest", "The Content-MD5 you specified was invalid.")
    if decoded(value) != md5(data):
        raise S3Error("BadDigest", "The Content-MD5 you specified did not match what we received.")


def md5(data: bytes) -> bytes:
    """The MD5 of these bytes."""
    return hashlib.md5(data, usedforsecurity=False).digest()


def encoded(value: bytes) -> str:
    """As it stands in a header."""
    return base64.b64encode(value).decode()


def decoded(value: str) -> bytes:
    """The bytes of a base64 header; b'' where it is none."""
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return b""
