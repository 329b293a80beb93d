"""Who may do what: which IAM actions a request needs, and whether a policy allows them.

After AWS, Service Authorization Reference, "Actions, resources, and condition keys for Amazon S3", and the permissions in the
S3 API reference of each operation. Nothing here is shared with what makes policies. There are Allow statements only.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from strict.state import OWNER, Bucket
from strict.wire import Request

KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
"""Of the one KMS key that there is; whatever alias is named is its alias."""
_OF_OBJECTS = {
    "PutObject": "s3:PutObject",
    "CreateMultipartUpload": "s3:PutObject",
    "UploadPart": "s3:PutObject",
    "CompleteMultipartUpload": "s3:PutObject",
    "AbortMultipartUpload": "s3:AbortMultipartUpload",
    "ListParts": "s3:ListMultipartUploadParts",
    "RestoreObject": "s3:RestoreObject",
}
_OF_BUCKETS = {
    "HeadBucket": "s3:ListBucket",
    "ListObjectsV2": "s3:ListBucket",
    "ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "GetBucketLocation": "s3:GetBucketLocation",
    "CreateBucket": "s3:CreateBucket",
}
_HEADERS = {
    "x-amz-tagging": "s3:PutObjectTagging",
    "x-amz-object-lock-mode": "s3:PutObjectRetention",
    "x-amz-object-lock-legal-hold": "s3:PutObjectLegalHold",
    "x-amz-acl": "s3:PutObjectAcl",
}
_ENCRYPTION, _KMS_KEY = "x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id"


class Need(NamedTuple):
    """One action on one resource."""

    action: str
    resource: str
    context: dict[str, str]
    """Condition keys, and what they are for this request."""


def needs(operation: str, request: Request, bucket: Bucket | None, name: str, key: str, region: str) -> list[Need]:
    """All that a request needs; one that is known of no operation needs what nobody is allowed."""
    arn = f"arn:aws:s3:::{name}"
    if operation in _OF_BUCKETS:
        prefix = request.asked("prefix")
        return [Need(_OF_BUCKETS[operation], arn, {} if prefix is None else {"s3:prefix": prefix})]
    found = [Need(action, f"{arn}/{key}", {}) for action in _of_object(operation, request)]
    if operation in ("PutObject", "CreateMultipartUpload"):
        found += [Need(action, f"{arn}/{key}", {}) for header, action in _HEADERS.items() if header in request.headers]
    return found + list(_of_kms(operation, request, bucket, key, region))


def may_know_what_is_missing(name: str) -> Need:
    """Without this, a key that is not there is answered with 403 (AWS, "HeadObject", "GetObject"). It names no prefix."""
    return Need("s3:ListBucket", f"arn:aws:s3:::{name}", {})


def may_see(operation: str, name: str, key: str) -> dict[str, Need]:
    """Headers of an answer which not everybody sees who may read (AWS, "HeadObject", x-amz-object-lock-mode and others)."""
    if operation not in ("GetObject", "HeadObject"):
        return {}
    arn = f"arn:aws:s3:::{name}/{key}"
    retention, hold = Need("s3:GetObjectRetention", arn, {}), Need("s3:GetObjectLegalHold", arn, {})
    front = "x-amz-object-lock-"
    return {f"{front}mode": retention, f"{front}retain-until-date": retention, f"{front}legal-hold": hold}


def allows(policy: dict[str, Any], need: Need) -> bool:
    """Whether one of its statements does."""
    return any(_fits(statement, need) for statement in policy["Statement"])


def _of_object(operation: str, request: Request) -> list[str]:
    if operation in ("GetObject", "HeadObject"):
        return ["s3:GetObject" if request.asked("versionId") is None else "s3:GetObjectVersion"]
    return [_OF_OBJECTS.get(operation, f"unknown:{operation}")]


def _of_kms(operation: str, request: Request, bucket: Bucket | None, key: str, region: str) -> Iterator[Need]:
    """S3 asks KMS in the name of who asks (AWS, "Protecting data with SSE-KMS", permissions for multipart uploads)."""
    if operation in ("PutObject", "CreateMultipartUpload"):
        yield from _at_kms("kms:GenerateDataKey", request.headers, region)
    elif bucket is not None and operation == "UploadPart":
        upload = bucket.uploads.get(request.asked("uploadId") or "")
        yield from _at_kms("kms:Decrypt", upload.headers if upload else {}, region)
    elif bucket is not None and (operation == "GetObject" or "x-amz-checksum-mode" in request.headers):
        found = bucket.objects.get(key)
        yield from _at_kms("kms:Decrypt", found.headers if found else {}, region)


def _at_kms(action: str, headers: dict[str, str], region: str) -> Iterator[Need]:
    named = headers.get(_KMS_KEY, "")
    if not headers.get(_ENCRYPTION, "").startswith("aws:kms") or not named:
        return  # Of the account's own key for S3, its key policy lets everybody who may use S3 make use.
    alias = re.search(r"(?:^|:)(alias/.+)", named)
    number = KEY_ID if alias else named.rpartition("/")[2]
    yield Need(action, f"arn:aws:kms:{region}:{OWNER}:key/{number}", {"kms:ResourceAliases": alias[1]} if alias else {})


def _fits(statement: dict[str, Any], need: Need) -> bool:
    unknown = set(statement) - {"Sid", "Effect", "Action", "Resource", "Condition"}
    assert not unknown and statement["Effect"] == "Allow", statement
    return (
        need.action in statement["Action"]
        and any(_resembles(resource, need.resource) for resource in statement["Resource"])
        and all(_holds(operator, pairs, need.context) for operator, pairs in statement.get("Condition", {}).items())
    )


def _holds(operator: str, pairs: dict[str, list[str]], context: dict[str, str]) -> bool:
    """A key that the request has not makes a condition false (AWS, "IAM JSON policy elements: Condition operators")."""
    assert operator in ("StringEquals", "StringLike", "ForAnyValue:StringEquals"), operator
    like = _resembles if operator == "StringLike" else str.__eq__
    return all(
        name in context and any(like(value, context[name]) for value in values) for name, values in pairs.items()
    )


def _resembles(pattern: str, text: str) -> bool:
    """`*` and `?` stand for anything, `${*}`, `${?}` and `${$}` for the character in them."""
    pieces = re.split(r"(\$\{[*?$]\}|[*?])", pattern)
    return re.fullmatch("".join(map(_piece, pieces)), text, re.DOTALL) is not None


def _piece(piece: str) -> str:
    return {"*": ".*", "?": "."}.get(piece) or re.escape(re.sub(r"^\$\{(.)\}$", r"\1", piece))


def without(policy: dict[str, Any], action: str) -> dict[str, Any]:
    """The same policy, less one action."""
    left = [{**each, "Action": [one for one in each["Action"] if one != action]} for each in policy["Statement"]]
    return {**policy, "Statement": [each for each in left if each["Action"]]}


def actions(policy: dict[str, Any]) -> set[str]:
    """All that it allows."""
    return {action for statement in policy["Statement"] for action in statement["Action"]}
