"""What the server does for encrypted, archived and locked objects, as AWS documents it.

Nothing is encrypted: what a client sees of it is kept. An object under SSE-KMS or SSE-C has an ETag that is no MD5; one under
SSE-C is given only to whoever shows the same key; one in an archive class is not given at all; a lock needs a bucket that has
Object Lock, and a time that is to come.
"""

from calendar import timegm
from time import strptime, time

from strict.errors import S3Error

CUSTOMER_KEY = "x-amz-server-side-encryption-customer-key"
_KEPT = ("x-amz-meta-", "x-amz-server-side-encryption", "x-amz-object-lock-")
_KEPT_WHOLE = ("content-type", "content-encoding", "x-amz-storage-class", "x-amz-tagging")
_HIDDEN = (CUSTOMER_KEY, "x-amz-tagging")


def kept(headers: dict[str, str]) -> dict[str, str]:
    """What is kept of the headers of an upload."""
    return {name: text for name, text in headers.items() if name in _KEPT_WHOLE or name.startswith(_KEPT)}


def shown(headers: dict[str, str]) -> dict[str, str]:
    """What a reader is shown of that."""
    return {name: text for name, text in headers.items() if name not in _HIDDEN}


def encryption(headers: dict[str, str]) -> dict[str, str]:
    """What the answer to a write says of it."""
    return {name: text for name, text in shown(headers).items() if name.startswith("x-amz-server-side-encryption")}


def has_md5(headers: dict[str, str]) -> bool:
    """Whether the ETag is an MD5 (AWS, "Object", ETag)."""
    kms = headers.get("x-amz-server-side-encryption", "").startswith("aws:kms")
    return not kms and CUSTOMER_KEY not in headers


def check_key(asked: dict[str, str], headers: dict[str, str]) -> None:
    """Whether a request shows the key of an object, or of an upload."""
    if asked.get(CUSTOMER_KEY) != headers.get(CUSTOMER_KEY):
        raise S3Error("InvalidRequest", "The encryption parameters are not applicable to this object.")


def check_readable(headers: dict[str, str]) -> None:
    """Whether an object is where it can be read."""
    if headers.get("x-amz-storage-class") in ("GLACIER", "DEEP_ARCHIVE") and "x-amz-restore" not in headers:
        raise S3Error("InvalidObjectState", "The operation is not valid for the object's storage class")


def check_lock(headers: dict[str, str], *, locked: bool) -> None:
    """Whether an object may be locked so."""
    if not any(name.startswith("x-amz-object-lock-") for name in headers):
        return
    if not locked:
        raise S3Error("InvalidRequest", "Bucket is missing Object Lock Configuration")
    until = headers.get("x-amz-object-lock-retain-until-date")
    if until and timegm(strptime(until, "%Y-%m-%dT%H:%M:%SZ")) <= time():
        raise S3Error("InvalidArgument", "The retain until date must be in the future!")
