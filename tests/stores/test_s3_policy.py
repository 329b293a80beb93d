"""The least policy: which places its actions are limited to, and how they are put together."""

from __future__ import annotations

from typing import Any

import pytest

from outhaul.model.job import Connection, Destination, Job
from outhaul.model.object_settings import NO_SETTINGS, ObjectSettings
from outhaul.stores.s3_policy import characters, policy

CARRYING = [
    "s3:AbortMultipartUpload", "s3:GetObject", "s3:GetObjectVersion", "s3:ListMultipartUploadParts", "s3:PutObject",
]  # fmt: skip


def job(address: str = "bucket/site", objects: ObjectSettings = NO_SETTINGS, **connection: Any) -> Job:
    """A job to this place."""
    bucket, _, prefix = address.partition("/")
    destination = Destination(f"s3://{address}", "s3", bucket, prefix)
    return Job("a", "/data", destination, Connection(**connection), objects=objects)


def encrypted(key: str, **connection: Any) -> dict[str, Any]:
    """The statement of the KMS key of a job."""
    settings = ObjectSettings(encryption="aws:kms", kms_key=key)
    (found,) = [each for each in policy([job(objects=settings, **connection)])["Statement"] if each["Sid"] == "Keys"]
    assert found["Action"] == ["kms:Decrypt", "kms:GenerateDataKey"]
    return dict(found)


def resources(*jobs: Job, region: str = "") -> list[list[str]]:
    """Of each statement."""
    return [each["Resource"] for each in policy(jobs, region=region)["Statement"]]


def test_one_job_is_one_statement() -> None:
    """Limited to its prefix."""
    statement = {"Sid": "Objects", "Effect": "Allow", "Action": CARRYING, "Resource": ["arn:aws:s3:::bucket/site/*"]}
    assert policy([job()]) == {"Version": "2012-10-17", "Statement": [statement]}
    assert resources(job("bucket")) == [["arn:aws:s3:::bucket/*"]]


def test_several_jobs_share_what_is_the_same() -> None:
    """What lies within another place is not named again; what only some need is a statement of its own."""
    tagged = ObjectSettings(tags=(("a", "b"),))
    found = policy([job("x/a"), job("x/a/b"), job("x/ab"), job("y", tagged)])["Statement"]
    assert [each["Sid"] for each in found] == ["Objects", "Objects2"]
    assert found[0]["Resource"] == ["arn:aws:s3:::x/a/*", "arn:aws:s3:::x/ab/*", "arn:aws:s3:::y/*"]
    assert (found[1]["Action"], found[1]["Resource"]) == (["s3:PutObjectTagging"], ["arn:aws:s3:::y/*"])


def test_a_prefix_is_data() -> None:
    """What IAM would take for a pattern or a variable stands for itself."""
    assert resources(job("x/a*b?/${aws:username}")) == [["arn:aws:s3:::x/a${*}b${?}/${$}{aws:username}/*"]]


@pytest.mark.parametrize(
    ("region", "partition"), [("eu-north-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
)
def test_the_partition_follows_from_the_region(region: str, partition: str) -> None:
    """That of the job, or the one of the environment."""
    expected = [[f"arn:{partition}:s3:::bucket/site/*"]]
    assert resources(job(region=region)) == expected
    assert resources(job(region="auto"), region=region) == resources(job(), region=region) == expected


@pytest.mark.parametrize(
    ("endpoint", "lists"),
    [("", False), ("https://bucket.vpce-1a2b-c.s3.eu-north-1.vpce.amazonaws.com", False), ("http://minio:9000", True),
     ("https://amazonaws.com.example.org", True)],
)  # fmt: skip
def test_who_may_ignore_conditions_is_looked_at(endpoint: str, lists: bool) -> None:
    """To list a bucket is allowed for stores other than AWS; and to all who look back."""
    found = resources(job(endpoint_url=endpoint))
    assert (["arn:aws:s3:::bucket"] in found) == lists
    back = policy([job(endpoint_url=endpoint)], "restore")["Statement"]
    assert [each["Action"] for each in back] == [["s3:GetObject", "s3:GetObjectVersion"], ["s3:ListBucket"]]


def test_keys() -> None:
    """By ARN, id and alias, in ARNs and alone; what is not known of one stands as `*`."""
    number, region = "1234abcd-12ab-34cd-56ef-1234567890ab", "eu-north-1"
    arn = f"arn:aws:kms:{region}:111122223333:key/{number}"
    assert encrypted(arn)["Resource"] == [arn]
    assert encrypted(number)["Resource"] == [f"arn:aws:kms:*:*:key/{number}"]
    assert encrypted(number, region="cn-north-1")["Resource"] == [f"arn:aws-cn:kms:cn-north-1:*:key/{number}"]
    named = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": ["alias/site/7"]}}
    for alias, front in (("alias/site/7", "*:*"), (f"arn:aws:kms:{region}:1:alias/site/7", f"{region}:1")):
        found = encrypted(alias)
        assert (found["Resource"], found["Condition"]) == ([f"arn:aws:kms:{front}:key/*"], named)


def test_the_key_of_the_account_needs_nothing() -> None:
    """Its own policy lets everybody use it who may use S3."""
    assert len(resources(job(objects=ObjectSettings(encryption="aws:kms")))) == 1


def test_blanks_are_not_counted() -> None:
    """As IAM does."""
    assert characters({"a": ["b c", 1]}) == len('{"a":["bc",1]}')
