"""Signature Version 4 in the Authorization header, as a server checks it, whole.

After AWS, "Authenticating Requests: Using the Authorization Header". Nothing here is shared with what signs.
"""

import hashlib
import hmac
import re
import time
from calendar import timegm
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote

from strict.errors import S3Error
from strict.wire import Request

SKEW_SECONDS_MAX = 15 * 60
UNSIGNED = "UNSIGNED-PAYLOAD"
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/,]+)/(\d{8})/([^/,]+)/s3/aws4_request,"
    r" ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})"
)


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody who may ask."""

    secret: str
    token: str = ""
    """The session token that must come with it; '' for a key that has none."""
    expired: bool = False
    denied: set[str] = field(default_factory=set)
    """Operations that it may not do."""
    policy: dict[str, Any] | None = None
    """An IAM policy, which says what it may do; None is everything."""


def check(
    request: Request, identities: dict[str, Identity], region: str, now: float, *, checks_payload: bool
) -> Identity:
    """Make sure that a request is signed, by somebody known, lately, for this region, just as it is.

    Returns:
        Who asks.

    Raises:
        S3Error: it is not; with the code that AWS gives.
    """
    headers = request.headers
    if "authorization" not in headers:
        raise S3Error("AccessDenied", "Access Denied")
    found = _AUTHORIZATION.fullmatch(headers["authorization"])
    if found is None:
        raise S3Error("AuthorizationHeaderMalformed", "The authorization header is malformed.")
    access_key, day, signed_region, names, signature = found.groups()
    if access_key not in identities:
        said = "The AWS Access Key Id you provided does not exist in our records."
        raise S3Error("InvalidAccessKeyId", said, fields={"AWSAccessKeyId": access_key})
    identity = identities[access_key]
    _check_token(headers.get("x-amz-security-token", ""), identity)
    if signed_region != region:
        said = f"The authorization header is malformed; the region '{signed_region}' is wrong; expecting '{region}'"
        raise S3Error("AuthorizationHeaderMalformed", said, fields={"Region": region})
    stamp = _check_time(headers.get("x-amz-date", ""), day, now)
    payload = headers.get("x-amz-content-sha256", "")
    if not payload:
        raise S3Error("InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
    if payload.startswith("STREAMING-"):
        raise S3Error("NotImplemented", "A header you provided implies functionality that is not implemented")
    _check_names(request, names)
    canonical = canonical_request(request, names, payload)
    scope = f"{day}/{signed_region}/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    if not hmac.compare_digest(signature, _sign(identity.secret, scope, text)):
        said = "The request signature we calculated does not match the signature you provided. Check your key."
        shown = {"AWSAccessKeyId": access_key, "StringToSign": text, "CanonicalRequest": canonical}
        raise S3Error("SignatureDoesNotMatch", said, fields=shown)
    if checks_payload and payload not in (UNSIGNED, hashlib.sha256(request.body).hexdigest()):
        said = "The provided 'x-amz-content-sha256' header does not match what was computed."
        raise S3Error("XAmzContentSHA256Mismatch", said)
    return identity


def canonical_request(request: Request, names: str, payload: str) -> str:
    """What is signed of a request."""
    path = quote(unquote(request.path, errors="surrogateescape"), safe="/-_.~", errors="surrogateescape")
    pairs = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in request.query)
    query = "&".join(f"{name}={value}" for name, value in pairs)
    lines = "".join(f"{name}:{' '.join(request.headers.get(name, '').split())}\n" for name in names.split(";"))
    return "\n".join((request.method, path, query, lines, names, payload))


def _check_token(token: str, identity: Identity) -> None:
    if token and identity.expired:
        raise S3Error("ExpiredToken", "The provided token has expired.")
    if token != identity.token:
        code = "InvalidToken" if token else "InvalidAccessKeyId"
        raise S3Error(code, "The provided token is malformed or otherwise invalid.")


def _check_time(stamp: str, day: str, now: float) -> str:
    if not re.fullmatch(r"\d{8}T\d{6}Z", stamp):
        raise S3Error("AccessDenied", "AWS authentication requires a valid Date or x-amz-date header")
    if stamp[:8] != day:
        raise S3Error("SignatureDoesNotMatch", "The date of the credential is not that of the request.")
    if abs(timegm(time.strptime(stamp, "%Y%m%dT%H%M%SZ")) - now) > SKEW_SECONDS_MAX:
        server_time = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
        said = "The difference between the request time and the current time is too large."
        times = {"RequestTime": stamp, "ServerTime": server_time, "MaxAllowedSkewMilliseconds": "900000"}
        raise S3Error("RequestTimeTooSkewed", said, fields=times)
    return stamp


def _check_names(request: Request, names: str) -> None:
    """The host and every x-amz header must be among what is signed, in order."""
    listed = names.split(";")
    must = {name for name in request.headers if name.startswith("x-amz-")} | {"host"}
    if missing := sorted(must - set(listed)):
        said = "There were headers present in the request which were not signed"
        raise S3Error("AccessDenied", said, fields={"HeadersNotSigned": ", ".join(missing)})
    if listed != sorted(set(listed)):
        raise S3Error("SignatureDoesNotMatch", "The signed headers are not in order.")


def _sign(secret: str, scope: str, text: str) -> str:
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()
