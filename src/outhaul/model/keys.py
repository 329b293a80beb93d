"""File names to object keys, and back.

A file name on Linux is any byte string without '/' and NUL; a key is UTF-8 text of at most 1,024 bytes
(AWS, "Naming Amazon S3 objects"). The escaping is the percent-encoding of RFC 3986, section 2.1, applied to as little as
possible: '%' itself, control characters (C0, DEL, C1), bytes that are not UTF-8, and U+FFFE and U+FFFF,
which XML 1.0 (section 2.2) cannot say, so that no listing would show them. It is injective, so two names
never meet in one key, and `path_of` takes it back exactly.
"""

from __future__ import annotations

import re

KEY_BYTES_MAX = 1024
_PLAIN = re.compile(r"[^%\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]*").fullmatch
_TO_ESCAPE = re.compile(r"[%\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_PLACE = re.compile(r"\{(path|name)\}")
_ESCAPED = re.compile(rb"%([0-9A-F]{2})")


def escape(path: str) -> str:
    """The key part for a path whose undecodable bytes are surrogates (PEP 383)."""
    return path if _PLAIN(path) else _TO_ESCAPE.sub(_percent, path)


def _percent(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8", "surrogateescape"))


def path_of(key: str) -> str:
    """The path that `escape` made `key` from.

    Raises:
        ValueError: `key` is none that `escape` makes.
    """
    path = _ESCAPED.sub(lambda found: bytes([int(found[1], 16)]), key.encode()).decode("utf-8", "surrogateescape")
    if escape(path) != key:
        raise ValueError(f"{key!r} is not an escaped path")
    return path


def object_key(prefix: str, path: str) -> str:
    """The key of a file: the prefix of the destination, and its escaped path beneath it."""
    return f"{prefix}/{escape(path)}" if prefix else escape(path)


def placed(template: str, path: str) -> str:
    """The path that a file has where it goes: its own, or what a job's `key` makes of it.

    Args:
        template: With `{path}` and `{name}` for the path beneath the source and its last part; '' is `{path}`.
        path: Beneath the source.
    """
    if not template:
        return path
    parts = {"path": path, "name": path.rpartition("/")[2]}
    return _PLACE.sub(lambda found: parts[found[1]], template)


def second_key(key: str, sha256: bytes) -> str:
    """Where a file goes when other bytes stand under its key: the key, '~', and 16 hexadecimal digits of its SHA-256.

    The content is in the name, so two machines that meet here too bring the same bytes, or differ.
    """
    return f"{key}~{sha256[:8].hex()}"


def is_key_of(key: str, first: str) -> bool:
    """Whether `key` is `first`, or the second key of some content under it."""
    return key == first or (key.startswith(f"{first}~") and len(key) == len(first) + 17)


def printable(text: str) -> str:
    """`text` for a terminal or a log line: one line, nothing that a terminal or reader would interpret (L13).

    Control characters, line and paragraph separators, and the marks that change writing direction are written as
    escapes, surrogates as the bytes they stand for.
    """
    return text if text.isascii() and text.isprintable() else "".join(map(_visible, text))


_DIRECTION = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")


def _visible(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if character.isprintable() and character not in _DIRECTION:
        return character
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
