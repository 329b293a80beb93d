"""Which operation of the S3 API a request is, of which bucket and key."""

import re
from collections.abc import Callable
from urllib.parse import unquote

from strict import buckets, multipart, objects
from strict.documents import document
from strict.errors import S3Error
from strict.objects import Call
from strict.wire import Reply, Request

OPERATIONS: dict[str, Callable[[Call], Reply]] = {
    "PutObject": objects.put_object,
    "GetObject": objects.get_object,
    "HeadObject": objects.head_object,
    "RestoreObject": objects.restore_object,
    "ListObjectsV2": buckets.list_objects,
    "CreateMultipartUpload": multipart.create,
    "UploadPart": multipart.upload_part,
    "ListParts": multipart.list_parts,
    "CompleteMultipartUpload": multipart.complete,
    "AbortMultipartUpload": multipart.abort,
    "ListMultipartUploads": multipart.list_uploads,
    "HeadBucket": buckets.head,
    "GetBucketLocation": buckets.location,
}


def place(request: Request) -> tuple[str, str]:
    """Bucket and key, in path style or, on a host beneath localhost, in virtual-hosted style."""
    path = unquote(request.path[1:], errors="surrogateescape")
    virtual = re.fullmatch(r"(.+)\.localhost(?::\d+)?", request.headers["host"])
    if virtual:
        return virtual[1], path
    name, _, key = path.partition("/")
    return name, key


def operation_of(request: Request, key: str) -> str:
    """The name of the operation in the S3 API."""
    method = request.method
    if not key:
        names = {"PUT": "CreateBucket", "HEAD": "HeadBucket"}
        if method == "GET" and request.asked("uploads") is not None:
            return "ListMultipartUploads"
        if method == "GET" and request.asked("location") is not None:
            return "GetBucketLocation"
        if method == "GET" and request.asked("list-type") == "2":
            return "ListObjectsV2"
        return names.get(method, f"{method} of a bucket")
    if request.asked("uploadId") is not None:
        names = {"PUT": "UploadPart", "GET": "ListParts", "POST": "CompleteMultipartUpload"}
        names["DELETE"] = "AbortMultipartUpload"
    elif request.asked("uploads") is not None:
        names = {"POST": "CreateMultipartUpload"}
    elif request.asked("restore") is not None:
        names = {"POST": "RestoreObject"}
    else:
        names = {"PUT": "PutObject", "GET": "GetObject", "HEAD": "HeadObject"}
    return names.get(method, f"{method} of an object")


def refusal(error: S3Error) -> Reply:
    """The answer to a request that is refused."""
    fields = [("Code", error.code), ("Message", error.message), *error.fields.items(), ("RequestId", "0")]
    return Reply(
        error.status, {"Content-Type": "application/xml"} | error.headers, document("Error", fields, namespace=False)
    )
