"""What the server does for multipart uploads (AWS, "Uploading and copying objects using multipart upload")."""

import hashlib
import uuid

from strict import checksums, sealed
from strict.documents import document, parts_of
from strict.errors import S3Error
from strict.objects import (
    Call,
    check_condition,
    check_integrity,
    check_key,
    etag_of,
    store,
    tampered,
    upload_headers,
    written_headers,
)
from strict.state import Part, StoredObject, Upload
from strict.wire import Reply

_XML = {"Content-Type": "application/xml"}
_PARTS_MAX = 10_000


def create(call: Call) -> Reply:
    """CreateMultipartUpload."""
    check_key(call.key)
    algorithm = call.request.headers.get("x-amz-checksum-algorithm", "").lower()
    if algorithm and algorithm not in checksums.ALGORITHMS:
        raise S3Error("InvalidRequest", "Checksum algorithm provided is unsupported.")
    sealed.check_lock(call.request.headers, locked=call.bucket.locked)
    upload = Upload(
        uuid.uuid4().hex, call.key, algorithm, upload_headers(call.request, call.behaviour.forgets_of_parts)
    )
    call.bucket.uploads[upload.number] = upload
    fields = [("Bucket", call.bucket.name), ("Key", call.key), ("UploadId", upload.number)]
    return Reply(200, _XML, document("InitiateMultipartUploadResult", fields))


def upload_part(call: Call) -> Reply:
    """UploadPart."""
    upload = _upload(call)
    number = call.request.asked("partNumber") or ""
    if not number.isdecimal() or not 1 <= int(number) <= _PARTS_MAX:
        raise S3Error("InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive")
    sealed.check_key(call.request.headers, upload.headers)
    check_integrity(call)
    given = checksums.given(call.request.headers)
    if upload.algorithm and (given is None or given[0] != upload.algorithm):
        raise S3Error("InvalidRequest", f"Checksum Type mismatch occurred, expected checksum Type: {upload.algorithm}")
    kept, told = tampered(call.request.body, call.fault)
    part = Part(int(number), kept, etag_of(told, call, upload.headers), dict([given]) if given else {})
    upload.parts[part.number] = part
    return Reply(200, {"ETag": f'"{part.etag}"'} if part.etag else {})


def list_parts(call: Call) -> Reply:
    """ListParts."""
    upload = _upload(call)
    page = min(1000, int(call.request.asked("max-parts") or 1000))
    after = int(call.request.asked("part-number-marker") or 0)
    parts = [upload.parts[number] for number in sorted(upload.parts) if number > after]
    shown = parts[:page]
    fields: list[tuple[str, str | int | list[tuple[str, str | int]]]] = [
        ("Bucket", call.bucket.name), ("Key", call.key), ("UploadId", upload.number), ("MaxParts", page),
        ("PartNumberMarker", after), ("NextPartNumberMarker", shown[-1].number if shown else 0),
        ("IsTruncated", "true" if len(parts) > page else "false"),
    ]  # fmt: skip
    for part in shown:
        entry: list[tuple[str, str | int]] = [("PartNumber", part.number), ("ETag", f'"{part.etag}"')]
        if call.behaviour.checksums != "ignored":
            entry += [(f"Checksum{name.upper()}", value) for name, value in part.checksums.items()]
        fields.append(("Part", [*entry, ("Size", len(part.body)), ("LastModified", "2026-01-01T00:00:00.000Z")]))
    return Reply(200, _XML, document("ListPartsResult", fields))


def complete(call: Call) -> Reply:
    """CompleteMultipartUpload."""
    number = call.request.asked("uploadId") or ""
    if call.behaviour.completes_again and (before := call.bucket.completed.get(number)):
        return _completed(call, before)
    upload = _upload(call)
    parts = _named_parts(call, upload)
    check_condition(call, call.request.headers)
    body = b"".join(part.body for part in parts)
    kept, told = tampered(body, call.fault)
    digest = hashlib.md5(b"".join(bytes.fromhex(part.etag) for part in parts if part.etag)).hexdigest()
    if told is kept and kept is not body:
        digest = checksums.md5(told).hex()
    new = StoredObject(
        call.key,
        kept,
        "" if call.behaviour.etag == "none" else f"{digest}-{len(parts)}",
        _composite(upload.algorithm, parts),
        "COMPOSITE",
        upload.headers,
        uuid.uuid4().hex if call.bucket.versioned else "",
    )
    store(call, new)
    del call.bucket.uploads[number]
    call.bucket.completed[number] = new
    return _completed(call, new)


def _completed(call: Call, made: StoredObject) -> Reply:
    headers = {
        name: value for name, value in written_headers(made).items() if name != "ETag" and "customer" not in name
    }
    fields = [("Bucket", call.bucket.name), ("Key", call.key), ("ETag", f'"{made.etag}"')]
    return Reply(200, _XML | headers, document("CompleteMultipartUploadResult", fields))


def _named_parts(call: Call, upload: Upload) -> list[Part]:
    """The parts that the request names, each as it was named, in order, large enough."""
    named = parts_of(call.request.body)
    numbers = [number for number, _, _ in named]
    if numbers != sorted(set(numbers)):
        raise S3Error("InvalidPartOrder", "The list of parts was not in ascending order.")
    parts = []
    for number, etag, sums in named:
        part = upload.parts.get(number)
        if part is None or part.etag != etag or any(part.checksums.get(name) != sums[name] for name in sums):
            raise S3Error("InvalidPart", "One or more of the specified parts could not be found.")
        parts.append(part)
    if any(len(part.body) < call.behaviour.part_bytes_min for part in parts[:-1]):
        raise S3Error("EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size")
    return parts


def _composite(algorithm: str, parts: list[Part]) -> dict[str, str]:
    if not algorithm:
        return {}
    values = b"".join(checksums.decoded(part.checksums[algorithm]) for part in parts)
    return {algorithm: f"{checksums.encoded(checksums.ALGORITHMS[algorithm](values))}-{len(parts)}"}


def abort(call: Call) -> Reply:
    """AbortMultipartUpload."""
    del call.bucket.uploads[_upload(call).number]
    return Reply(204)


def list_uploads(call: Call) -> Reply:
    """ListMultipartUploads, on one page."""
    prefix = call.request.asked("prefix") or ""
    fields: list[tuple[str, str | list[tuple[str, str]]]] = [("Bucket", call.bucket.name), ("IsTruncated", "false")]
    for upload in sorted(call.bucket.uploads.values(), key=lambda upload: (upload.key, upload.number)):
        if upload.key.startswith(prefix):
            fields.append(("Upload", [("Key", upload.key), ("UploadId", upload.number)]))
    return Reply(200, _XML, document("ListMultipartUploadsResult", fields))


def _upload(call: Call) -> Upload:
    upload = call.bucket.uploads.get(call.request.asked("uploadId") or "")
    if upload is None or upload.key != call.key:
        raise S3Error("NoSuchUpload", "The specified upload does not exist. It may have been aborted or completed.")
    return upload
