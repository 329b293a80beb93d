"""AWS Signature Version 4, and a fast form of it for one kind of request: a PUT of a small object that must not exist yet.

After AWS, "Create a signed AWS API request" and "Signature Calculations for the Authorization Header: Transferring
Payload in a Single Chunk"; a test compares every byte with what botocore makes of the same request. What does not
change from one object to the next is put together once.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import time
from typing import Protocol
from urllib.parse import quote

from outhaul.model.notes import Notes

_UNRESERVED = re.compile(r"[A-Za-z0-9/_.~-]*").fullmatch


def uri_path(path: str) -> str:
    """A path as it stands in the request and in what is signed: all but RFC 3986 unreserved characters and '/' encoded."""
    return path if _UNRESERVED(path) else quote(path, safe="/-_.~")


def signed_head(
    method: str,
    host: str,
    path: str,
    headers: dict[str, str],
    sha256: str,
    region: str,
    identity: tuple[str, str, str],
    offset_seconds: int = 0,
    query: str = "",
) -> bytes:
    """Request line and headers of any request, signed; for the few that are not plain small PUTs.

    Args:
        method: Of HTTP.
        host: Of the Host header.
        path: Not yet encoded.
        headers: In small letters; each is signed.
        sha256: Of the body that is signed, in hexadecimal digits.
        region: That of the bucket.
        identity: Access key id, secret access key, session token.
        offset_seconds: What this machine's clock is behind the store's.
        query: Of the address, encoded, its parameters sorted by name, each with its "="; '' for none.
    """
    access_key, secret, token = identity
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() + offset_seconds))
    scope = f"{stamp[:8]}/{region}/s3/aws4_request"
    signed = {**headers, "host": host, "x-amz-content-sha256": sha256, "x-amz-date": stamp}
    if token:
        signed["x-amz-security-token"] = token
    names = ";".join(sorted(signed))
    lines = "".join(f"{name}:{_trimmed(signed[name])}\n" for name in sorted(signed))
    canonical = f"{method}\n{uri_path(path)}\n{query}\n{lines}\n{names}\n{sha256}"
    to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.digest(_signing_key(secret, stamp[:8], region), to_sign.encode(), "sha256").hex()
    text = "".join(f"{name}: {value}\r\n" for name, value in signed.items())
    authorization = f"AWS4-HMAC-SHA256 Credential={access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
    target = f"{uri_path(path)}?{query}" if query else uri_path(path)
    return f"{method} {target} HTTP/1.1\r\n{text}User-Agent: outhaul\r\nAuthorization: {authorization}\r\n\r\n".encode()


def _trimmed(value: str) -> str:
    """A value as it is signed: without blanks around it, and one between (AWS, "Create a canonical request", Trim())."""
    return " ".join(value.split()) if "  " in value else value


def _signing_key(secret: str, day: str, region: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (day, region, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


class More(Protocol):
    """What is told besides of objects that are created; see `s3_headers.py`."""

    @property
    def typed(self) -> bool:
        """Whether objects are told a type at all."""

    def putting(self, now: int) -> dict[str, str]:
        """Headers, all of which come behind `x-amz-date` by the alphabet."""

    def content_type(self, key: str) -> str:
        """The type of this object; '' for none."""

    def noting(self, notes: Notes) -> dict[str, str]:
        """The headers of what is noted beside an object."""


class PutSigner:
    """Makes the head of each request. Used by one thread."""

    def __init__(self, host: str, base_path: str, region: str, more: More | None = None) -> None:
        """Prepare for one bucket.

        Args:
            host: Of the Host header, with the port where it is not the scheme's own.
            base_path: In front of each key: '/bucket' for path style, '' for virtual-hosted style.
            region: That of the bucket.
            more: Headers besides; None for none.
        """
        self._more = more
        self._typed = more is not None and more.typed
        self._host = host
        self._base = base_path
        self._region = region
        self._second = 0
        self._identity = ("", "", "")
        self._scope = ""
        self._signing_key = b""
        self._before = ""
        self._headers = ("", "")
        self._signed = ("", "")  # Without a type, and with one.
        self._tail = ""

    def head(
        self,
        key: str,
        length: int,
        sha256: bytes,
        identity: tuple[str, str, str],
        offset_seconds: int = 0,
        md5: bytes = b"",
        notes: Notes = (),
    ) -> bytes:
        """Request line and headers, to the empty line.

        Args:
            key: Of the object.
            length: Of the body, in bytes.
            sha256: Of the body.
            identity: Access key id, secret access key, session token ('' for none).
            offset_seconds: What this machine's clock is behind the store's.
            md5: Of the body, for a Content-MD5 header; b'' for none.
            notes: What is to be kept beside the object.
        """
        if notes:
            return self._noted(key, length, sha256, identity, offset_seconds, md5, notes)
        now = int(time.time()) + offset_seconds
        if now != self._second or identity != self._identity:
            self._prepare(now, identity)
        path = uri_path(f"{self._base}/{key}")
        kind = self._more.content_type(key) if self._typed and self._more else ""
        has_kind, signed_kind = kind != "", f"content-type:{_trimmed(kind)}\n" if kind else ""
        checksum, digest = base64.b64encode(sha256).decode(), sha256.hex()
        canonical = (
            f"PUT\n{path}\n\n{signed_kind}host:{self._host}\nif-none-match:*\nx-amz-checksum-sha256:{checksum}\n"
            f"x-amz-content-sha256:{digest}\n{self._tail}\n{self._signed[has_kind]}\n{digest}"
        )
        to_sign = self._before + hashlib.sha256(canonical.encode()).hexdigest()
        signature = hmac.digest(self._signing_key, to_sign.encode(), "sha256").hex()
        told = f"Content-MD5: {base64.b64encode(md5).decode()}\r\n" if md5 else ""
        if kind:
            told += f"Content-Type: {kind}\r\n"
        return (
            f"PUT {path} HTTP/1.1\r\nHost: {self._host}\r\nContent-Length: {length}\r\n{told}"
            f"x-amz-checksum-sha256: {checksum}\r\nx-amz-content-sha256: {digest}\r\n{self._headers[has_kind]}{signature}\r\n\r\n"
        ).encode()

    def _noted(
        self,
        key: str,
        length: int,
        sha256: bytes,
        identity: tuple[str, str, str],
        offset: int,
        md5: bytes,
        notes: Notes,
    ) -> bytes:
        """The same where an object has something of its own to tell: what was put together once does not do."""
        headers = {"content-length": str(length), "if-none-match": "*"}
        headers["x-amz-checksum-sha256"] = base64.b64encode(sha256).decode()
        if md5:
            headers["content-md5"] = base64.b64encode(md5).decode()
        if self._more:
            headers |= self._more.putting(int(time.time()) + offset) | self._more.noting(notes)
            if kind := self._more.content_type(key) if self._typed else "":
                headers["content-type"] = kind
        else:
            headers |= {f"x-amz-meta-{name}": text for name, text in notes}
        path = f"{self._base}/{key}"
        return signed_head("PUT", self._host, path, headers, sha256.hex(), self._region, identity, offset)

    def _prepare(self, now: int, identity: tuple[str, str, str]) -> None:
        access_key, secret, token = identity
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
        scope = f"{stamp[:8]}/{self._region}/s3/aws4_request"
        if (scope, identity) != (self._scope, self._identity):
            self._signing_key = _signing_key(secret, stamp[:8], self._region)
            self._scope, self._identity = scope, identity
        self._second = now
        # All of them come behind those of each request, in the order of what is signed.
        told = {"x-amz-date": stamp, **({"x-amz-security-token": token} if token else {})}
        told.update(self._more.putting(now) if self._more else {})
        names = sorted(told)
        signed = ";".join(["host;if-none-match;x-amz-checksum-sha256;x-amz-content-sha256", *names])
        self._signed = signed, f"content-type;{signed}"
        self._tail = "".join(f"{name}:{_trimmed(told[name])}\n" for name in names)
        self._before = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n"
        lines = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        authorization = f"Authorization: AWS4-HMAC-SHA256 Credential={access_key}/{scope}, SignedHeaders="
        first, second = (
            f"If-None-Match: *\r\nUser-Agent: outhaul\r\n{lines}{authorization}{each}, Signature="
            for each in self._signed
        )
        self._headers = first, second
