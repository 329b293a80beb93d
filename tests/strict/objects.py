"""What the server does for buckets and single objects. One function for each operation of the S3 API."""

import base64
import gzip
import hashlib
import re
import uuid
from dataclasses import replace
from email.utils import formatdate
from typing import NamedTuple

from strict import checksums, sealed
from strict.errors import S3Error
from strict.faults import Fault, Kind, flipped
from strict.state import Behaviour, Bucket, StoredObject
from strict.wire import Reply, Request

KEY_BYTES_MAX = 1024


class Call(NamedTuple):
    """A request that is signed and whose bucket is there."""

    request: Request
    bucket: Bucket
    key: str
    behaviour: Behaviour
    fault: Fault | None


def put_object(call: Call) -> Reply:
    """PutObject."""
    check_key(call.key)
    check_integrity(call)
    check_condition(call, call.request.headers)
    sealed.check_lock(call.request.headers, locked=call.bucket.locked)
    body = call.request.body
    if call.behaviour.decompresses and call.request.headers.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    kept, told = tampered(body, call.fault)
    given = checksums.given(call.request.headers)
    found = StoredObject(
        call.key,
        kept,
        etag_of(told, call),
        _kept_checksums(given, told, call.behaviour),
        headers=upload_headers(call.request, call.behaviour.forgets),
        version=uuid.uuid4().hex if call.bucket.versioned else "",
    )
    store(call, found)
    return Reply(200, written_headers(found) | ({f"x-amz-checksum-{given[0]}": given[1]} if given else {}))


def store(call: Call, new: StoredObject) -> None:
    """Keep an object, as far as the fault at hand lets it be kept."""
    kind = call.fault.kind if call.fault else None
    if kind is Kind.NOT_STORED:
        return
    call.bucket.store(new)
    if call.fault and kind is Kind.DELAYED:
        call.bucket.hidden[new.key] = call.fault.requests
    if kind is Kind.OVERWRITTEN:
        other = b"somebody else's bytes"
        version = uuid.uuid4().hex if call.bucket.versioned else ""
        call.bucket.store(StoredObject(new.key, other, hashlib.md5(other).hexdigest(), version=version))


def tampered(body: bytes, fault: Fault | None) -> tuple[bytes, bytes]:
    """What is stored of a body, and the bytes of which ETag and checksums are told."""
    kept = body
    if fault and fault.kind is Kind.TRUNCATED:
        kept = body[: len(body) // 2]
    elif fault and fault.kind is Kind.FLIPPED:
        kept = flipped(body)
    return kept, kept if fault and fault.etag == "stored" else body


def _kept_checksums(given: tuple[str, str] | None, told: bytes, behaviour: Behaviour) -> dict[str, str]:
    if given is None or behaviour.checksums == "ignored":
        return {}
    algorithm, value = given
    echoed = behaviour.checksums == "echoed"
    return {algorithm: value if echoed else checksums.encoded(checksums.ALGORITHMS[algorithm](told))}


def etag_of(told: bytes, call: Call, of: dict[str, str] | None = None) -> str:
    """The ETag of these bytes, in the manner of this store; `of`: headers of what they are a part of."""
    manner, sent = call.behaviour.etag, call.request.headers.get("content-md5", "")
    if manner == "opaque" or not sealed.has_md5(call.request.headers if of is None else of):
        return hashlib.md5(b"under a key of its own " + told).hexdigest()
    if manner == "none":
        return ""
    return base64.b64decode(sent).hex() if manner == "echo" and sent else checksums.md5(told).hex()


def check_integrity(call: Call) -> None:
    """Compare Content-MD5 and x-amz-checksum with the body, where this store does."""
    headers, body = call.request.headers, call.request.body
    if "content-length" not in headers:
        raise S3Error("MissingContentLength", "You must provide the Content-Length HTTP header.")
    given = checksums.given(headers)
    if call.bucket.locked and given is None and "content-md5" not in headers:
        said = (
            "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters"
        )
        raise S3Error("InvalidRequest", said)
    if "content-md5" in headers and call.behaviour.checks_content_md5 and call.behaviour.etag != "echo":
        checksums.check_md5(headers["content-md5"], body)
    if given and call.behaviour.checksums == "checked":
        checksums.check(*given, body)


def check_condition(call: Call, headers: dict[str, str]) -> None:
    """If-None-Match and If-Match of a write."""
    if not call.behaviour.conditions:
        return
    found = call.bucket.objects.get(call.key)
    if (wanted := headers.get("if-none-match")) is not None:
        if wanted != "*":
            raise S3Error("NotImplemented", "A header you provided implies functionality that is not implemented")
        if found is not None:
            raise S3Error("PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
    if (wanted := headers.get("if-match")) is not None:
        if found is None:
            raise S3Error("NoSuchKey", "The specified key does not exist.")
        if wanted.strip('"') != found.etag:
            raise S3Error("PreconditionFailed", "At least one of the pre-conditions you specified did not hold")


def check_key(key: str) -> None:
    """A key is UTF-8 text of at most 1,024 bytes."""
    try:
        length = len(key.encode())
    except UnicodeEncodeError:
        raise S3Error("InvalidArgument", "The key is not UTF-8") from None
    if length > KEY_BYTES_MAX:
        shown = {"Size": str(length), "MaxSizeAllowed": str(KEY_BYTES_MAX)}
        raise S3Error("KeyTooLongError", "Your key is too long", fields=shown)


def upload_headers(request: Request, forgotten: tuple[str, ...]) -> dict[str, str]:
    """What is kept of the headers of an upload."""
    return {name: text for name, text in sealed.kept(request.headers).items() if not name.startswith(forgotten)}


def written_headers(found: StoredObject) -> dict[str, str]:
    """What the answer to a write says of the object."""
    headers = {"ETag": f'"{found.etag}"'} if found.etag else {}
    headers |= sealed.encryption(found.headers)
    return headers | ({"x-amz-version-id": found.version} if found.version else {})


def head_object(call: Call) -> Reply:
    """HeadObject."""
    found = _visible(call)
    sealed.check_key(call.request.headers, found.headers)
    return Reply(200, _read_headers(found, call), length=len(found.body))


def get_object(call: Call) -> Reply:
    """GetObject, of the whole or of one range."""
    found = _visible(call)
    sealed.check_key(call.request.headers, found.headers)
    sealed.check_readable(found.headers)
    headers, body = _read_headers(found, call), found.body
    wanted = call.request.headers.get("if-match")
    if wanted is not None and wanted.strip('"') != found.etag:
        raise S3Error("PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
    if call.fault and call.fault.kind is Kind.BENT:
        body = flipped(body)
    if (asked := re.fullmatch(r"bytes=(\d*)-(\d*)", call.request.headers.get("range", ""))) is None:
        return Reply(200, headers, body)
    first, last = _range(asked[1], asked[2], len(body))
    headers = {
        name: value for name, value in headers.items() if not name.startswith("x-amz-checksum-")
    }  # Of the whole.
    headers["Content-Range"] = f"bytes {first}-{last}/{len(body)}"
    return Reply(206, headers, body[first : last + 1])


def restore_object(call: Call) -> Reply:
    """RestoreObject, which is done at once."""
    found = _visible(call)
    until = formatdate(found.modified + 86_400, usegmt=True)
    readable = found.headers | {"x-amz-restore": f'ongoing-request="false", expiry-date="{until}"'}
    call.bucket.store(replace(found, headers=readable))
    return Reply(202)


def _range(first: str, last: str, length: int) -> tuple[int, int]:
    if not first and last:
        start, end = max(0, length - int(last)), length - 1
    else:
        start, end = int(first or 0), min(int(last), length - 1) if last else length - 1
    if start > end:
        raise S3Error("InvalidRange", "The requested range is not satisfiable")
    return start, end


def _visible(call: Call) -> StoredObject:
    version = call.request.asked("versionId")
    if version is not None:
        by_version = call.bucket.versions.get((call.key, version))
        if by_version is None:
            raise S3Error("NoSuchVersion", "The specified version does not exist.")
        return by_version
    found = call.bucket.objects.get(call.key)
    hidden = call.bucket.hidden.pop(call.key, 0)
    if hidden > 1:
        call.bucket.hidden[call.key] = hidden - 1
    if found is None or hidden:
        raise S3Error("NoSuchKey", "The specified key does not exist.", fields={"Key": call.key})
    return found


def _read_headers(found: StoredObject, call: Call) -> dict[str, str]:
    headers = {"Last-Modified": formatdate(found.modified, usegmt=True), "Accept-Ranges": "bytes"}
    headers |= written_headers(found) | {"Content-Type": "binary/octet-stream"} | sealed.shown(found.headers)
    if call.request.headers.get("x-amz-checksum-mode", "").upper() == "ENABLED" and found.checksums:
        headers |= {f"x-amz-checksum-{name}": value for name, value in found.checksums.items()}
        headers["x-amz-checksum-type"] = found.checksum_type
    return headers
