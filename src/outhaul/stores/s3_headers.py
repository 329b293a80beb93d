"""What the settings of a job and of its connection add to each request, as HTTP headers.

One place for all three clients: the fast lane signs them into its PUTs, botocore is given them before it signs. obstore cannot
sign headers of ours (S3 refuses an `x-amz-` header that is not signed), so a store that has any does without it.
After AWS, S3 API reference: PutObject, CreateMultipartUpload, UploadPart, GetObject, "Common request headers".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import mimetypes
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from outhaul.model.errors import Misconfigured
from outhaul.model.job import Connection, manner_of
from outhaul.model.notes import Notes
from outhaul.model.object_settings import NO_SETTINGS, Lock, ObjectSettings
from outhaul.stores.s3_errors import keep_secret
from outhaul.stores.s3_shown import lacking, protects, telling

_HERE = Connection()
_WITH_CUSTOMER_KEY = ("GetObject", "HeadObject", "UploadPart", "CompleteMultipartUpload", "ListParts")
_KEY_BYTES = 32
_KEY_FILE_BYTES_MAX = 1024
_METADATA_BYTES_MAX = 2048  # AWS, "Working with object metadata": keys and values together.
# The type of what is compressed is that of its form: nobody is told to decompress it (RFC 9110, "Content-Encoding").
_COMPRESSED = {
    "gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz",
    "compress": "application/octet-stream", "br": "application/octet-stream",
}  # fmt: skip
_MORE_TYPES = {".zst": "application/zstd", ".lz4": "application/x-lz4", ".bz2": "application/x-bzip2"}


class RequestHeaders:
    """The headers of one store. All names are in small letters; all values stand as they are sent."""

    def __init__(self, settings: ObjectSettings = NO_SETTINGS, connection: Connection = _HERE) -> None:
        """Put together once what does not change.

        Raises:
            Misconfigured: the file of the SSE-C key does not do.
        """
        self._settings = settings
        key = _customer_key(connection.sse_c_key_file) if connection.sse_c_key_file else b""
        self.has_customer_key = bool(key)
        self._always = _always(connection)
        self._with_key = self._always | (_customer_headers(key) if key else {})
        self._object = self._with_key | _object_headers(settings)
        self.telling = telling(settings, customer_key=bool(key))
        """See `s3_shown.telling`."""
        self.protect = protects(settings, customer_key=bool(key))
        """Whether they ask for what has to be shown."""
        self._types = mimetypes.MimeTypes()  # What Python knows, the same on every machine.
        self.probe_suffix = _probe_suffix(manner_of(connection, settings), key)
        """What a probe's own objects have in their names: those of other settings are other objects."""
        told = repr((settings, manner_of(connection, settings)))
        self.mark = hashlib.sha256(told.encode()).hexdigest()[:16] if self else ""
        """Of all settings, for what was begun under them; '' where there are none."""

    def __bool__(self) -> bool:
        return bool(self._object) or self._settings != NO_SETTINGS

    def creating(self, now: int) -> dict[str, str]:
        """Those of a request that makes an object, but for its type.

        Args:
            now: The time, in seconds since 1970: a retention counts from it.
        """
        if not self._settings.lock.mode:
            return self._object
        until = now + -(-self._settings.lock.keep_ns // 10**9)
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(until))
        return {**self._object, "x-amz-object-lock-retain-until-date": stamp}

    def putting(self, now: int) -> dict[str, str]:
        """As `creating`, of a request that has the bytes too, and their SHA-256.

        Under a lock its algorithm is named, as AWS's own clients do: some stores look for that, and not for the checksum.
        """
        locked = self._settings.lock != Lock()
        return self.creating(now) | ({"x-amz-sdk-checksum-algorithm": "SHA256"} if locked else {})

    def of(self, operation: str, now: int) -> dict[str, str]:
        """Those of an operation of the S3 API."""
        if operation == "PutObject":
            return self.putting(now)
        if operation == "CreateMultipartUpload":
            return self.creating(now)
        return self._with_key if operation in _WITH_CUSTOMER_KEY else self._always

    def lacking(self, answer: Mapping[str, Any]) -> str:
        """See `s3_shown.lacking`."""
        return lacking(self._settings, answer, customer_key=self.has_customer_key)

    def fitting(self, notes: Notes) -> Notes:
        """These notes, or none where there is no room for them beside the metadata of the job."""
        size = sum(len(name.encode()) + len(text.encode()) for name, text in (*self._settings.metadata, *notes))
        return notes if size <= _METADATA_BYTES_MAX else ()

    def noting(self, notes: Notes) -> dict[str, str]:
        """The headers of notes."""
        return {f"x-amz-meta-{name}": text for name, text in self.fitting(notes)}

    @property
    def typed(self) -> bool:
        """Whether objects are told a type."""
        return bool(self._settings.content_type)

    def content_type(self, key: str) -> str:
        """The type of an object; '' for none, which leaves it to the store."""
        if self._settings.content_type != "auto":
            return self._settings.content_type
        name = key.rpartition("/")[2]
        if found := _MORE_TYPES.get(f".{name.rpartition('.')[2].lower()}"):
            return found
        kind, encoding = self._types.guess_type(f"file:///{quote(name)}")
        return _COMPRESSED.get(encoding, "application/octet-stream") if encoding else kind or ""


def _always(connection: Connection) -> dict[str, str]:
    found = {}
    if connection.bucket_owner:
        found["x-amz-expected-bucket-owner"] = connection.bucket_owner
    if connection.requester_pays:
        found["x-amz-request-payer"] = "requester"
    return found


def _object_headers(settings: ObjectSettings) -> dict[str, str]:
    lock = settings.lock
    found = {
        "x-amz-storage-class": settings.storage_class,
        "x-amz-tagging": "&".join(f"{quote(name, safe='')}={quote(text, safe='')}" for name, text in settings.tags),
        "x-amz-server-side-encryption": settings.encryption,
        "x-amz-server-side-encryption-aws-kms-key-id": settings.kms_key,
        "x-amz-server-side-encryption-bucket-key-enabled": "true" if settings.bucket_key else "",
        "x-amz-object-lock-mode": lock.mode.upper(),
        "x-amz-object-lock-legal-hold": "ON" if lock.legal_hold else "",
    }
    found |= {f"x-amz-meta-{name}": text for name, text in settings.metadata}
    return {name: text for name, text in found.items() if text}


def _customer_headers(key: bytes) -> dict[str, str]:
    name, told = "x-amz-server-side-encryption-customer-", base64.b64encode(key).decode()
    md5 = base64.b64encode(hashlib.md5(key, usedforsecurity=False).digest()).decode()
    return {f"{name}algorithm": "AES256", f"{name}key": told, f"{name}key-md5": md5}


def _customer_key(path: str) -> bytes:
    """The 256-bit key in a file: 32 bytes, or the same in Base64 or hexadecimal digits. No message repeats any of it."""
    try:
        with open(path, "rb") as file:
            data = file.read(_KEY_FILE_BYTES_MAX)
    except OSError as error:
        raise Misconfigured(f"sse-c-key-file: {path}: {error.strerror}") from None
    key = data if len(data) == _KEY_BYTES else _decoded(data.strip())
    if len(key) != _KEY_BYTES:
        said = "holds no key: write 32 random bytes, or the same in Base64 (openssl rand -base64 32)"
        raise Misconfigured(f"sse-c-key-file: {path}: {said}")
    keep_secret(base64.b64encode(key).decode(), key.hex(), key.decode("latin-1"))
    return key


def _decoded(text: bytes) -> bytes:
    try:
        return bytes.fromhex(text.decode()) if len(text) == 2 * _KEY_BYTES else base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _probe_suffix(manner: str, key: bytes) -> str:
    """Another key of SSE-C reads none of what the last one wrote; 16 bits tell them apart, and give nothing away."""
    told = hmac.digest(key, b"outhaul probe", "sha256").hex()[:4] if key else ""
    return f"-{manner}{told}" if manner else ""
