"""Random file names as bytes, and what may stand on a line of output.

Nothing here knows how outhaul escapes: `unescaped` is written from docs/format.md alone.
"""

import random
import re
import unicodedata

_PIECES = (
    b"\n", b"\r", b"\t", b"\x1b[2J", b"\x1b]0;title\x07", b"\x9b31m", b"\xc2\x9b31m", b"\x7f", b"\x01", b"\x00"[:0],
    "\u202e".encode(), "\u200f".encode(), "\u2066".encode(), "\ufeff".encode(), "\u2028".encode(), "\u0085".encode(),
    b"\xff", b"\xfe\xff", b"\xc3", b"\xed\xa0\x80", b"\xf0\x9f\x98", "\U0001f600".encode(), "\ufffe".encode(),
    b"%", b"%41", b"%2F", b"~", b" ", b"'", b'"', b"\\", b"<script>", b"&amp;", b"=1+1", b"-rf", b"--help", b"$(id)",
    b"`id`", b"*", b"?", b"[a]", b"..", b".", "é".encode(), "é".encode(), b"a", b"B", b"+", b"#", b";",
)  # fmt: skip
_DIRECTION = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")


def file_name(rng: random.Random) -> bytes:
    """One name of 1 to 255 bytes that a directory may hold."""
    while True:
        kind = rng.random()
        if kind < 0.2:
            name = bytes(rng.choice([*range(1, 47), *range(48, 256)]) for _ in range(rng.choice((1, 5, 40, 255))))
        else:
            name = b"".join(rng.choice(_PIECES) for _ in range(rng.choice((1, 2, 5, 60))))[:255]
            name += b"x" * (255 - len(name)) if kind > 0.95 else b""
        if name and name not in (b".", b"..") and not name.startswith(b".outhaul"):
            return name


def bad_characters(output: bytes) -> list[str]:
    """Lines that a terminal would not take as plain text."""
    bad = []
    for line in output.decode("utf-8", "strict").split("\n"):
        if any(unicodedata.category(one) in ("Cc", "Cs", "Zl", "Zp") or one in _DIRECTION for one in line):
            bad.append(repr(line))
    return bad


def unescaped(key: str) -> bytes:
    """The path of a key: each '%' and two hexadecimal digits stand for a byte."""
    return re.sub(rb"%([0-9A-F]{2})", lambda found: bytes([int(found[1], 16)]), key.encode())
