"""The address of a destination, as people write it: `s3://bucket/prefix`, `file:///directory`, or a path.

Nothing here looks at the machine: whoever calls says how a path becomes absolute. An address that holds credentials
is refused and not repeated (law L14).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from outhaul.model.job import Destination

# AWS, "General purpose bucket naming rules"; relatives also allow capitals and underscores.
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]")
_SHORTEST = 3
_LOOPBACK = re.compile(r"http://(?:127\.0\.0\.1|localhost|\[::1\])(?::|/|$)")
_CREDENTIALS = "holds credentials; write s3://bucket/prefix alone, and give credentials to the AWS chain or a profile"


def destination(text: str, absolute: Callable[[str], str]) -> Destination:
    """The destination that `text` names.

    Args:
        text: What the user wrote.
        absolute: Makes a path absolute and normal; it may raise ValueError.

    Raises:
        ValueError: it names none; the message says what to write instead.
    """
    if not text.strip():
        raise ValueError("is empty; write s3://bucket/prefix or a directory")
    if re.match(r"s3:", text, re.IGNORECASE):
        return _s3(text)
    if text.startswith("file:"):
        return _directory(absolute(_path_of_url(text)))
    if scheme := re.match(r"([A-Za-z][A-Za-z0-9+.-]+)://", text):
        raise ValueError(
            f"{scheme[1]!r} is no kind of store that outhaul knows; write s3://bucket/prefix or a directory"
        )
    return _directory(absolute(text))


def sends_in_the_clear(endpoint_url: str) -> bool:
    """Whether others may read what is sent there: it leaves this machine without TLS."""
    return endpoint_url.startswith("http://") and not _LOOPBACK.match(endpoint_url)


def without_bucket(endpoint_url: str, bucket: str) -> str:
    """The endpoint without a bucket that its path ends with; '' where it does not.

    A request names the bucket behind the path of the endpoint. Written there as well, it becomes the first part of every key, or
    a key that no store has.
    """
    front, slash, last = endpoint_url.rstrip("/").rpartition("/")
    return front if bucket and slash and last == bucket and not front.endswith(":/") else ""


def _s3(text: str) -> Destination:
    bucket, _, prefix = re.sub(r"^s3:/*", "", text, flags=re.IGNORECASE).partition("/")
    if "@" in bucket:
        raise ValueError(_CREDENTIALS)
    if re.match(r"//[^/]", text[3:]) and len(bucket) < _SHORTEST:
        raise ValueError(f"{text!r}: the name of a bucket has 3 to 63 characters")
    if not text[3:].startswith("//") or not _BUCKET.fullmatch(bucket):
        raise ValueError(f"{text!r} names no bucket; write s3://bucket/prefix")
    prefix = prefix.strip("/")
    if any(part in ("", ".", "..") for part in prefix.split("/")) and prefix:
        raise ValueError(f"{text!r}: a prefix has no empty, '.' or '..' parts")
    if any(ord(character) < 32 or 0xD800 <= ord(character) < 0xE000 for character in prefix):
        raise ValueError(f"{text!r}: a prefix is printable text")
    return Destination(f"s3://{bucket}/{prefix}".rstrip("/"), "s3", bucket, prefix)


def _path_of_url(text: str) -> str:
    from urllib.parse import unquote

    # RFC 8089, section 2; '?' and '#' may stand in file names and mean nothing else here.
    found = re.fullmatch(r"file:(?://(?:localhost)?)?(/.*)", text, re.DOTALL)
    if found is None or found[1].startswith("//"):
        raise ValueError("is no local directory; write file:///directory")
    return unquote(found[1], errors="surrogateescape")


def _directory(path: str) -> Destination:
    if "\0" in path:
        raise ValueError("holds a NUL character; no path can")
    # '%' alone is escaped, so that the address, read again, names the same directory.
    return Destination("file://" + path.replace("%", "%25"), "file", "", "", path)
