"""The address of a destination, as people write it: `s3://bucket/prefix`, `file:///directory`, or a path."""

from __future__ import annotations

import os
import re
from urllib.parse import unquote, urlsplit

from outhaul.model.job import Destination

# AWS, "General purpose bucket naming rules"; relatives also allow capitals and underscores.
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]")


def destination(text: str, base: str) -> Destination:
    """The destination that `text` names.

    Args:
        text: What the user wrote.
        base: Directory that a relative path begins at.

    Raises:
        ValueError: it names none; the message says what to write instead.
    """
    if not text.strip():
        raise ValueError("is empty; write s3://bucket/prefix or a directory")
    if re.match(r"s3:", text, re.IGNORECASE):
        return _s3(text)
    if text.startswith("file:"):
        parts = urlsplit(text)
        if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
            raise ValueError(f"{text!r} is no local directory; write file:///directory")
        return _directory(unquote(parts.path, errors="surrogateescape"))
    if scheme := re.match(r"([A-Za-z][A-Za-z0-9+.-]+)://", text):
        raise ValueError(
            f"{scheme[1]!r} is no kind of store that outhaul knows; write s3://bucket/prefix or a directory"
        )
    return _directory(os.path.join(base, os.path.expanduser(text)))


def _s3(text: str) -> Destination:
    bucket, _, prefix = re.sub(r"^s3:/*", "", text, flags=re.IGNORECASE).partition("/")
    if not text[3:].startswith("//") or not _BUCKET.fullmatch(bucket):
        raise ValueError(f"{text!r} names no bucket; write s3://bucket/prefix")
    prefix = prefix.strip("/")
    if any(part in ("", ".", "..") for part in prefix.split("/")) and prefix:
        raise ValueError(f"{text!r}: a prefix has no empty, '.' or '..' parts")
    if any(ord(character) < 32 or 0xD800 <= ord(character) < 0xE000 for character in prefix):
        raise ValueError(f"{text!r}: a prefix is printable text")
    return Destination(f"s3://{bucket}/{prefix}".rstrip("/"), "s3", bucket, prefix)


def _directory(path: str) -> Destination:
    path = os.path.normpath(path)
    return Destination(f"file://{path}", "file", "", "", path)
