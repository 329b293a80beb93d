"""The tar format, as far as outhaul writes it: the headers of regular files, and the end.

POSIX.1-1988 "ustar" headers (pax(1), "ustar Interchange Format") wherever a file fits into one; else a pax header before it,
made by the standard library: for a name of more than 100 bytes or of other than ASCII characters, a large file, a time before
1970. Owner and group are left out, and times are whole seconds, so that the same files always become the same bytes; what
a header cannot say stands in the index beside the members (`index.py`). Nothing is read or written here.
"""

from __future__ import annotations

BLOCK = 512
END = bytes(2 * BLOCK)
"""Two empty blocks end a tar."""
_NAME_MAX = 100
_OCTAL_MAX = 8**11
_PERMISSIONS = 0o777
_EMPTY_SUM = sum(b"0000000\x000000000\x00" + b" " * 8 + b"0" + b"ustar\x0000")
"""What the fields that are always the same add to the checksum."""


def header(path: str, size: int, mtime_ns: int, mode: int) -> bytes:
    """What stands before the bytes of a regular file.

    Args:
        path: Relative, with surrogates for bytes that are not UTF-8 (PEP 383).
        size: Bytes.
        mtime_ns: Since 1970; rounded down to a second.
        mode: Permission bits; those that make a program privileged are left out.
    """
    seconds = mtime_ns // 10**9
    if not path.isascii() or len(path) > _NAME_MAX or not 0 <= seconds < _OCTAL_MAX or size >= _OCTAL_MAX:
        return _pax(path, size, seconds, mode)
    name = path.encode()
    varying = b"%07o\x00%011o\x00%011o\x00" % (mode & _PERMISSIONS, size, seconds)
    checksum = _EMPTY_SUM + sum(name) + sum(varying)
    return b"%b%b%b0000000\x000000000\x00%b%06o\x00 0%bustar\x0000%b" % (
        name,
        bytes(_NAME_MAX - len(name)),
        varying[:8],
        varying[8:],
        checksum,
        bytes(100),
        bytes(BLOCK - 265),
    )


def read_header(block: bytes) -> tuple[str, int] | None:
    """Name and size that a block says as the header of a regular file; None where it is no header."""
    import tarfile

    try:
        told = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return None
    return told.name, told.size


def padding(size: int) -> bytes:
    """What follows the bytes of a file: each begins at a block."""
    return bytes(-size % BLOCK)


def _pax(path: str, size: int, seconds: int, mode: int) -> bytes:
    import tarfile

    info = tarfile.TarInfo(path)
    info.size, info.mtime, info.mode = size, seconds, mode & _PERMISSIONS
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
