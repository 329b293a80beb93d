"""What an S3 error means for us, by HTTP status and error code (AWS, "Error responses", S3 API reference).

obstore gives the code only inside its message; botocore gives it apart. Both end here, in one table. The text that a
person reads is the store's own message, on one line, with nothing that identifies credentials.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from outhaul.model.errors import (
    AlreadyThere,
    Archived,
    BeyondEnd,
    Denied,
    Misconfigured,
    NotThere,
    Refused,
    StoreError,
    Transient,
    UploadGone,
)

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>([A-Za-z0-9.]+)</Code>")
_MESSAGE = re.compile(r"<Message>([^<]{1,300})</Message>")
_CAUSE = re.compile(r"(error sending request[^\n]*|operation timed out|dns error[^\n]*|tcp connect error[^\n]*)")
_ROOT_CAUSE = re.compile(
    r"(Connection refused|Connection reset|timed out|certificate[^\n\"]{0,80}|UnknownIssuer|NotValidForName|"
    r"failed to lookup address|Name or service not known|Network is unreachable|No route to host)"
)

_BY_CODE: dict[str, tuple[type[StoreError], str]] = {
    "PreconditionFailed": (AlreadyThere, ""),
    "ConditionalRequestConflict": (AlreadyThere, ""),
    "NoSuchKey": (NotThere, ""),
    "NoSuchBucket": (Misconfigured, "make the bucket, or correct its name"),
    "InvalidBucketName": (Misconfigured, "correct the bucket's name"),
    "PermanentRedirect": (Misconfigured, "the bucket is in another region: set the region"),
    "AuthorizationHeaderMalformed": (Misconfigured, "the bucket is in another region: set the region"),
    "IllegalLocationConstraintException": (Misconfigured, "the bucket is in another region: set the region"),
    "InvalidAccessKeyId": (Misconfigured, "correct the access key"),
    "SignatureDoesNotMatch": (Misconfigured, "correct the secret key"),
    "InvalidToken": (Misconfigured, "renew the session token"),
    "ExpiredToken": (Misconfigured, "renew the credentials"),
    "TokenRefreshRequired": (Misconfigured, "renew the credentials"),
    "RequestTimeTooSkewed": (Misconfigured, "set this machine's clock"),
    "AccessDenied": (Denied, ""),  # See `_permission`.
    "AllAccessDisabled": (Denied, "the account is closed to requests"),
    "KMS.NotFoundException": (Misconfigured, "correct the KMS key"),
    "KMS.DisabledException": (Misconfigured, "enable the KMS key"),
    "KMS.KMSInvalidStateException": (Misconfigured, "the KMS key cannot be used as it is"),
    "QuotaExceeded": (Denied, "the store is full"),
    "KeyTooLongError": (Refused, ""),
    "EntityTooLarge": (Refused, ""),
    "InvalidRange": (BeyondEnd, ""),
    "InvalidObjectState": (Archived, "it is in an archive class"),
    "GlacierExpeditedRetrievalNotAvailable": (Archived, "ask with --tier standard"),
    "XAmzContentSHA256Mismatch": (Transient, "the bytes were altered on the way"),
    "BadDigest": (Transient, "the bytes were altered on the way"),
    "RequestTimeout": (Transient, ""),
    "SlowDown": (Transient, ""),
    "NoSuchUpload": (UploadGone, ""),  # Complete already, or gone: looking tells.
    "InvalidPart": (Transient, ""),  # What was told of a part did not come through.
    "InvalidPartOrder": (Transient, ""),
}
_READING = ("GET", "HEAD")
_NOTHING_TO_LIST = Misconfigured, "there is no such bucket there: correct its name, or the endpoint"
"""Where nothing has a prefix the list is empty. What is not found is the bucket itself, whatever the code says."""


def translate(error: Exception, operation: str, key: str) -> StoreError:
    """The error of an obstore call, or of the Python layer beneath it, as one of ours."""
    text = str(error)
    if status := _STATUS.search(text):
        code, message = _CODE.search(text), _MESSAGE.search(text)
        return classify(int(status[1]), code[1] if code else "", message[1] if message else "", f"{operation} {key}")
    if isinstance(error, FileNotFoundError):
        if operation == "LIST":
            return Misconfigured(f"{operation} {key}: {_NOTHING_TO_LIST[1]}")
        return NotThere(f"{operation} {key}: there is no such object")
    if type(error).__name__ == "AlreadyExistsError":
        return AlreadyThere(f"{operation} {key}: an object of this key exists")
    if isinstance(error, ValueError):
        return Refused(f"{operation} {key}: {mask(text.splitlines()[0])[:200]}")
    cause = _CAUSE.search(text)
    root = _ROOT_CAUSE.search(text)
    said = root[1] if root else cause[1] if cause else text.splitlines()[0] if text else type(error).__name__
    said = mask(said)[:200]
    if root and ("certificate" in said or said in ("UnknownIssuer", "NotValidForName")):
        return Misconfigured(
            f"{operation}: the server's TLS certificate is not trusted ({said}); ca-file (or AWS_CA_BUNDLE) names a CA"
        )
    return Transient(f"{operation}: {said}")


def unreached(endpoint: str, cause: object) -> StoreError:
    """A connection that did not come to be, or broke, as botocore tells of it: without the request, and its own words."""
    scheme, host = urlsplit(endpoint)[:2]
    where = f"{scheme}://{host.rpartition('@')[2]}" if host else "the store"
    return translate(Exception(str(cause) or type(cause).__name__), f"{where} cannot be reached", "")


_NO_LOCK = re.compile("missing Object ?Lock ?Configuration")
_NOT_DONE = (501, 505)


def classify(status: int, code: str, message: str, operation: str) -> StoreError:
    """An answer of the store as one of ours."""
    kind, advice = _BY_CODE.get(code, (_by_status(status), ""))
    asked = operation.split(" ")[0]
    if asked == "LIST" and (kind is NotThere or code == "NoSuchBucket"):
        kind, advice = _NOTHING_TO_LIST
    elif asked in _READING and code == "NoSuchBucket":  # Who reads wants what is in it, and no new one.
        advice = _NOTHING_TO_LIST[1]
    if code == "InvalidRequest" and _NO_LOCK.search(message):
        kind, advice = Misconfigured, "enable Object Lock on the bucket, or leave out lock"
    if kind is Denied and not advice and code in ("AccessDenied", ""):
        advice = _permission(asked)
    if kind is Misconfigured and not advice:
        elsewhere = "it sends us elsewhere: correct the region, or endpoint-url"  # Some redirect that is not followed.
        advice = "this store does not do that" if status in _NOT_DONE else elsewhere
    said = f"{operation}: {status} {code or 'without a code'}" + (f", {mask(message)}" if message else "")
    return kind(f"{said}; {advice}" if advice else said)


def _permission(operation: str) -> str:
    if operation == "LIST":
        return "allow s3:ListBucket on this bucket"
    if operation == "THAW":
        return "allow s3:RestoreObject on this prefix"
    if operation in _READING:
        return "allow s3:GetObject on this prefix, and s3:ListBucket on this bucket"
    return "allow s3:PutObject (and s3:GetObject for proofs by reading) on this prefix"


def _by_status(status: int) -> type[StoreError]:
    if status in _NOT_DONE:
        return Misconfigured  # It does not know what it was asked, and will not know it the next time.
    if status in (408, 425, 429) or status >= 500:
        return Transient
    if status in (401, 403):
        return Denied
    if status == 404:
        return NotThere
    if status in (409, 412):
        return AlreadyThere
    if status == 416:
        return BeyondEnd
    if 300 <= status < 400:
        return Misconfigured
    return Refused


_secrets: set[str] = set()
_SECRET_LETTERS_MIN = 8


def keep_secret(*values: str | None) -> None:
    """From now on no error repeats one of these, whatever a store says (L14)."""
    _secrets.update(value for value in values if value and len(value) >= _SECRET_LETTERS_MIN)


def mask(message: str) -> str:
    """Some stores put the access key, the token or the string to sign into their message; that belongs in no log (L14)."""
    for value in tuple(_secrets):
        message = message.replace(value, "...")
    return re.sub(r"\b(AKIA|ASIA)[A-Z0-9]{12,}", r"\1...", " ".join(message.split()))
