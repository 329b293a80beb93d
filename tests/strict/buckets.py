"""What the server does for buckets: where they are, and what is in them."""

import base64
from urllib.parse import quote

from strict.documents import document
from strict.errors import S3Error
from strict.objects import Call
from strict.state import StoredObject
from strict.wire import Reply

_XML = {"Content-Type": "application/xml"}


def head(call: Call) -> Reply:
    """HeadBucket."""
    return Reply(200, {"x-amz-bucket-region": call.bucket.region})


def location(call: Call) -> Reply:
    """GetBucketLocation; us-east-1 is said by saying nothing."""
    region = "" if call.bucket.region == "us-east-1" else call.bucket.region
    text = f'<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{region}</LocationConstraint>'
    return Reply(200, _XML, text.encode())


def list_objects(call: Call) -> Reply:
    """ListObjectsV2."""
    request = call.request
    prefix, delimiter = request.asked("prefix") or "", request.asked("delimiter") or ""
    page = min(1000, int(request.asked("max-keys") or 1000))
    token, start = request.asked("continuation-token"), request.asked("start-after") or ""
    if token is not None:
        try:
            start = base64.b64decode(token, validate=True).decode()
        except ValueError:
            raise S3Error("InvalidArgument", "The continuation token provided is incorrect") from None
    as_url = request.asked("encoding-type") == "url"
    listed: list[tuple[str, StoredObject | None]] = []  # None with a common prefix.
    for key in sorted(call.bucket.objects):
        found = call.bucket.objects[key]
        if not key.startswith(prefix) or key in call.bucket.hidden:
            continue
        at = key.find(delimiter, len(prefix)) if delimiter else -1
        name, entry = (key, found) if at < 0 else (key[: at + len(delimiter)], None)
        if name > start and (not listed or listed[-1][0] != name):
            listed.append((name, entry))
    shown, more = listed[:page], len(listed) > page

    def written(name: str) -> str:
        return quote(name, safe="/-_.~") if as_url else name

    fields: list[tuple[str, str | int | list[tuple[str, str | int]]]] = [
        ("Name", call.bucket.name), ("Prefix", written(prefix)), ("MaxKeys", page), ("KeyCount", len(shown)),
        ("IsTruncated", "true" if more else "false"),
    ]  # fmt: skip
    if as_url:
        fields.append(("EncodingType", "url"))
    if more:
        fields.append(("NextContinuationToken", base64.b64encode(shown[-1][0].encode()).decode()))
    for name, item in shown:
        if item is None:
            fields.append(("CommonPrefixes", [("Prefix", written(name))]))
        else:
            modified = "2026-01-01T00:00:00.000Z"
            etag = f'"{item.etag}"'
            size = len(item.body)
            entry_fields: list[tuple[str, str | int]] = [("Key", written(name)), ("LastModified", modified)]
            entry_fields += [("ETag", etag), ("Size", size), ("StorageClass", "STANDARD")]
            fields.append(("Contents", entry_fields))
    return Reply(200, _XML, document("ListBucketResult", fields))
