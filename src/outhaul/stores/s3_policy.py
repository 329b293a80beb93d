"""The least IAM policy under which jobs do all of their work. Pure: nobody is asked, and no setting of the machine is read.

Which action a request needs is AWS's to say: Service Authorization Reference, "Actions, resources, and condition keys for Amazon
S3" and "... for AWS Key Management Service"; S3 User Guide, "Required permissions for Amazon S3 API operations". What outhaul
sends is in the modules beside this one; `tests/strict/test_permissions.py` holds the two against each other.

Left out is what a run does without at no loss (docs/permissions.md): to list the bucket, where the store obeys
`If-None-Match`, and to list the uploads of others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

from outhaul.model.fleet import ALL, Fleet, control_key, receipts_prefix, status_key
from outhaul.model.job import Job
from outhaul.model.object_settings import ARCHIVE_CLASSES
from outhaul.model.shard import WHOLE

Purpose = Literal["run", "restore", "all"]
PURPOSES: tuple[Purpose, ...] = ("run", "restore", "all")
MANAGED_POLICY_MAX = 6144
"""Characters, white space not counted (AWS, "IAM and AWS STS quotas")."""

_READ = ("s3:GetObject", "s3:GetObjectVersion")
_WRITE = ("s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")
_MAY_SLEEP = (*ARCHIVE_CLASSES, "INTELLIGENT_TIERING")
_Kind = Literal["Objects", "Buckets", "Keys"]
_ANY = "\0"
"""Stands for a `*` of a resource in a key, which may have one of its own."""
_KINDS: tuple[_Kind, ...] = ("Objects", "Buckets", "Keys")
_Condition = tuple[str, str, str]
"""Operator, key and value."""


class _Place(NamedTuple):
    """To what some actions are allowed."""

    kind: _Kind
    resource: str
    condition: _Condition | None = None


def policy(
    jobs: Iterable[Job], purpose: Purpose = "run", region: str = "", fleet: Fleet | None = None
) -> dict[str, Any]:
    """The policy of an identity that does the work of these jobs.

    Args:
        jobs: Those that speak to S3 themselves, each with the endpoint that it really uses.
        purpose: 'run' is to carry files away, 'restore' to look back and to bring them back, 'all' is both.
        region: Of jobs that name none; '' where it is not known.
        fleet: Where the device tells how it is, and its name; None for nowhere.

    Returns:
        A document for IAM (AWS, "IAM JSON policy elements"); each action is limited to prefixes, buckets and keys of the jobs.
    """
    places: dict[str, set[_Place]] = {}
    for job in jobs:
        for action, place in _needs(job, purpose, region):
            places.setdefault(action, set()).add(place)
    for action, place in _telling(fleet, region) if fleet is not None and purpose != "restore" else ():
        places.setdefault(action, set()).add(place)
    return {"Version": "2012-10-17", "Statement": list(_statements(places))}


def characters(document: dict[str, Any]) -> int:
    """How many characters IAM counts of a policy."""
    import json

    return len("".join(json.dumps(document).split()))


def _needs(job: Job, purpose: Purpose, region: str) -> Iterator[tuple[str, _Place]]:
    where = region if job.connection.region in ("", "auto") else job.connection.region
    partition = _partition(where)
    bucket = f"arn:{partition}:s3:::{job.destination.bucket}"
    prefix = f"{job.destination.prefix}/" if job.destination.prefix else ""
    objects = _Place("Objects", f"{bucket}/{_literal(prefix)}*")
    carries, restores = purpose != "restore", purpose != "run"
    for action in (*_READ, *(_writing(job) if carries else ()), *(_waking(job) if restores else ())):
        yield action, objects
    # Others than AWS may ignore If-None-Match; then a key is looked at first, and only who may list is told that it is free.
    if restores or not _is_aws(job.connection.endpoint_url):
        yield "s3:ListBucket", _Place("Buckets", bucket)
    if job.objects.encryption.startswith("aws:kms") and job.objects.kms_key:
        key = _key(job.objects.kms_key, partition, where)
        yield "kms:Decrypt", key  # A large upload needs it too: S3 reads what it has encrypted of the parts.
        if carries:
            yield "kms:GenerateDataKey", key


def _telling(fleet: Fleet, region: str) -> Iterator[tuple[str, _Place]]:
    """A device writes under its own name alone, and reads only what is meant for it."""
    if fleet.destination.kind != "s3":
        return
    where = region if fleet.connection.region in ("", "auto") else fleet.connection.region
    bucket, prefix = f"arn:{_partition(where)}:s3:::{fleet.destination.bucket}", fleet.destination.prefix
    # Each of N shards has its own name, and all of them one role.
    name = fleet.device if fleet.shard == WHOLE else f"{fleet.device}.{_ANY}-of-{fleet.shard.of}"
    for key in (status_key(prefix, name), receipts_prefix(prefix, name) + _ANY):
        yield "s3:PutObject", _Place("Objects", f"{bucket}/{'*'.join(map(_literal, key.split(_ANY)))}")
    if fleet.control_key:
        for name in (fleet.device, ALL):
            yield "s3:GetObject", _Place("Objects", f"{bucket}/{_literal(control_key(prefix, name))}")


def _writing(job: Job) -> Iterator[str]:
    yield from _WRITE
    if job.objects.tags:
        yield "s3:PutObjectTagging"
    if job.objects.lock.mode:
        yield from ("s3:PutObjectRetention", "s3:GetObjectRetention")  # The latter to see that it is locked.
    if job.objects.lock.legal_hold:
        yield from ("s3:PutObjectLegalHold", "s3:GetObjectLegalHold")


def _waking(job: Job) -> Iterator[str]:
    if job.objects.storage_class in _MAY_SLEEP:
        yield "s3:RestoreObject"


def _is_aws(endpoint_url: str) -> bool:
    """Whether it is AWS that is spoken to: its endpoints of a VPC have addresses, too."""
    host = urlsplit(endpoint_url).hostname or ""
    return not endpoint_url or host.endswith((".amazonaws.com", ".amazonaws.com.cn"))


def _partition(region: str) -> str:
    """AWS, "Partitions"."""
    return "aws-cn" if region.startswith("cn-") else "aws-us-gov" if region.startswith("us-gov-") else "aws"


def _key(named: str, partition: str, region: str) -> _Place:
    """A KMS key, by its ARN, id or alias. Whose account an id is of is not known: it is that of who asks.

    An alias is no resource of these actions: the keys that have it are (AWS KMS, "Use aliases to control access to KMS keys").
    """
    front, _, name = named.rpartition(":") if named.startswith("arn:") else ("", "", named)
    front = front or f"arn:{partition}:kms:{region or '*'}:*"
    if name.startswith("alias/"):
        return _Place("Keys", f"{front}:key/*", ("ForAnyValue:StringEquals", "kms:ResourceAliases", name))
    return _Place("Keys", f"{front}:key/{name.removeprefix('key/')}")


def _literal(text: str) -> str:
    """Text that stands for itself in a resource (AWS, "IAM policy elements: Variables and tags", special characters)."""
    return "".join("${" + letter + "}" if letter in "*?$" else letter for letter in text)


def _statements(places: dict[str, set[_Place]]) -> Iterator[dict[str, Any]]:
    """One for all actions that are allowed to the same."""
    together: dict[tuple[_Kind, _Condition | None, tuple[str, ...]], list[str]] = {}
    for action, allowed in sorted(places.items()):
        for kind, condition in sorted({(place.kind, place.condition) for place in allowed}, key=repr):
            alike = {place.resource for place in allowed if (place.kind, place.condition) == (kind, condition)}
            together.setdefault((kind, condition, tuple(_outermost(alike))), []).append(action)
    numbers: dict[str, int] = {}
    for (kind, condition, resources), actions in sorted(together.items(), key=lambda found: _KINDS.index(found[0][0])):
        numbers[kind] = numbers.get(kind, 0) + 1
        yield {
            "Sid": kind if numbers[kind] == 1 else f"{kind}{numbers[kind]}",
            "Effect": "Allow",
            "Action": actions,
            "Resource": list(resources),
            **({"Condition": {condition[0]: {condition[1]: [condition[2]]}}} if condition else {}),
        }


def _outermost(resources: set[str]) -> list[str]:
    """Without those that lie within another."""
    return [one for one in sorted(resources) if not any(_holds(other, one) for other in resources - {one})]


def _holds(other: str, one: str) -> bool:
    return other.endswith("*") and one.startswith(other[:-1])
