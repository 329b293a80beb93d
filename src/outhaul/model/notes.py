"""What outhaul notes beside a compressed object, so that the file comes back from the bucket alone; and which paths are taken.

The notes are user-defined metadata. Whoever reads them believes nothing that they do not bear out: what is decompressed must
have the noted length and digest. Nothing is read or written here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from outhaul.model.returning import Wanted

Notes = tuple[tuple[str, str], ...]
"""Names, without the prefix that a store gives them, and values; all of it printable ASCII."""
CODEC, SHA256, SIZE, MTIME = "outhaul-codec", "outhaul-sha256", "outhaul-size", "outhaul-mtime"
MTIME_NS_MAX = (1 << 63) - 1
"""Beyond, either way, outhaul notes no modification time."""
_SECOND = re.compile(r"(.+?)(~[0-9a-f]{16})?", re.DOTALL)
_NUMBER = re.compile(r"-?[0-9]{1,19}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


def notes_of(codec: str, sha256: bytes, size: int, mtime_ns: int) -> Notes:
    """The notes of a compressed object; digest, length and time are those of the file before."""
    return (CODEC, codec), (SHA256, sha256.hex()), (SIZE, str(size)), (MTIME, str(mtime_ns))


def original_path(path: str, suffix: str) -> str:
    """The path of the file that was compressed to `path`; '' where its name does not say so. A second key stays one."""
    found = _SECOND.fullmatch(path)
    if not found or not suffix or not found[1].endswith(suffix):
        return ""
    name = found[1].removesuffix(suffix)
    return name + (found[2] or "") if name.rpartition("/")[2] else ""


def codec_of(path: str, suffixes: Mapping[str, str]) -> str:
    """The codec that a name tells of; '' for none.

    Args:
        path: Or a key.
        suffixes: Codec to what it adds to a name.
    """
    return next((codec for codec, suffix in suffixes.items() if original_path(path, suffix)), "")


def as_noted(wanted: Wanted, notes: Mapping[str, str], suffixes: Mapping[str, str]) -> Wanted | None:
    """The file that was compressed to an object; None where the notes do not say so, or do not fit its name."""
    codec, digest, size, mtime = (notes.get(name, "") for name in (CODEC, SHA256, SIZE, MTIME))
    path = original_path(wanted.path, suffixes.get(codec, ""))
    if not path or not _DIGEST.fullmatch(digest) or not _NUMBER.fullmatch(size) or not _NUMBER.fullmatch(mtime):
        return None
    if int(size) < 0 or abs(int(mtime)) > MTIME_NS_MAX:
        return None
    return wanted._replace(
        path=path,
        codec=codec,
        sha256=bytes.fromhex(digest),
        size=int(size),
        mtime_ns=int(mtime),
        stored_size=wanted.size,
    )


def by_name(wanted: Wanted, codec: str, suffix: str) -> Wanted:
    """The same where only its name tells: of the file nothing is known but that."""
    path = original_path(wanted.path, suffix)
    return wanted._replace(path=path, codec=codec, size=-1, etag="", stored_size=wanted.size)


class Claims:
    """Which paths have been given to a file, so that none is given to two. May be asked by several threads.

    About 100 bytes of memory a path, however long it is: what is kept is a number of 64 bits. That two paths have one is less
    likely than one in a hundred thousand among ten million; the second would be told as one that collides.
    """

    def __init__(self) -> None:
        self._taken: dict[int, int | bytes] = {}
        self.folds_case = False
        """Whether paths that differ only by case are one."""

    def claim(self, path: str, sha256: bytes = b"") -> Literal["new", "same", "other"]:
        """Take a path for a file, whose digest may be known: 'same' where a file of these very bytes has it already."""
        number = hash(path.casefold() if self.folds_case else path)
        mine: int | bytes = sha256[:12] or number
        found = self._taken.setdefault(number, mine)  # One step for the interpreter: no other thread comes in between.
        if found is mine:
            return "new"
        return "same" if sha256 and found == mine else "other"
