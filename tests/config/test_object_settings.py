"""The `object` table and the connection keys: what they mean, what is refused, and the same as options."""

from pathlib import Path

import pytest

from config.writing import HEAD, jobs_of, lines_of
from outhaul.frontends.cli.main import build_parser
from outhaul.frontends.cli.one_off import job_of
from outhaul.model.job import Connection
from outhaul.model.object_settings import Lock, ObjectSettings

DAY_NS = 86_400 * 10**9
EVERYTHING = ObjectSettings(
    "STANDARD_IA", "auto", (("note", "a  b"), ("site", "7")), (("project", "x=y"),), "aws:kms", "alias/k", True,
    Lock("governance", 30 * DAY_NS, True),
)  # fmt: skip


def test_every_setting_reaches_the_job(tmp_path: Path) -> None:
    """In the file, and as options."""
    text = (
        'object = { storage-class = "STANDARD_IA", content-type = "auto", metadata = { site = "7", Note = "a  b" }, '
        'tags = { project = "x=y" }, encryption = "aws:kms", kms-key = "alias/k", bucket-key = true, '
        'lock = { mode = "governance", keep = "30d", legal-hold = true } }\n'
        'bucket-owner = "111122223333"\nrequester-pays = true\ndual-stack = true\nfips = true\nca-file = "ca.pem"\n'
        'proxy = "http://proxy:3128/"\n'
    )
    (job,) = jobs_of(tmp_path, HEAD + text)
    reached = Connection("", "", "", "111122223333", True, False, True, True, f"{tmp_path}/ca.pem", "http://proxy:3128")
    assert (job.objects, job.connection) == (EVERYTHING, reached)
    options = build_parser().parse_args([
        "move", str(tmp_path / "data"), "s3://bucket/prefix", "--storage-class", "STANDARD_IA", "--content-type", "auto",
        "--metadata", "site=7", "--metadata", "Note=a  b", "--tag", "project=x=y", "--encryption", "aws:kms", "--kms-key",
        "alias/k", "--bucket-key", "--lock-mode", "governance", "--lock-keep", "30d", "--legal-hold", "--bucket-owner",
        "111122223333", "--requester-pays", "--dual-stack", "--fips", "--ca-file", str(tmp_path / "ca.pem"), "--proxy",
        "http://proxy:3128/",
    ])  # fmt: skip
    given = job_of(options, "move", str(tmp_path / "state"))
    assert (given.objects, given.connection) == (job.objects, job.connection)


KMS = 'needs encryption = "aws:kms" beside it'
OWN = "is an endpoint of AWS itself; leave out this, or endpoint-url"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("object = 1", 'object: expected a table such as { storage-class = "STANDARD_IA" }, not 1'),
        ("object = { storageclass = 1 }", 'object.storageclass: unknown key; did you mean "storage-class"?'),
        ('object = { content-type = "csv" }', 'object.content-type: expected "auto" or a type such as "text/csv", not "csv"'),
        ('object = { metadata = { "a b" = "x" } }',
         "object.metadata: expected names of letters, digits, '-' and '_', not \"a b\""),
        ('object = { metadata = { x-amz-meta-a = "x" } }',
         'object.metadata: "x-amz-meta-a": S3 puts "x-amz-meta-" in front itself; write the name without it'),
        ('object = { metadata = { a = "é" } }',
         'object.metadata: expected "a" to be US-ASCII text such as "7", without a space at either end'),
        ('object = { metadata = { a = "x", A = "y" } }',
         'object.metadata: "A" stands twice: S3 tells no small and capital letters apart'),
        (f'object = {{ metadata = {{ a = "{"x" * 1024}", b = "{"x" * 1023}" }} }}',
         "object.metadata: expected at most 2048 bytes of names and values in all, not 2049"),
        (f"object = {{ tags = {{ {', '.join(f'a{n} = {chr(34)}x{chr(34)}' for n in range(11))} }} }}",
         "object.tags: expected at most 10 tags, not 11"),
        ('object = { tags = { a = "x;y" } }',
         'object.tags: expected "a" to be at most 256 characters (letters, digits, spaces and + - = . _ : / @), not "x;y"'),
        ('object = { tags = { "AWS:a" = "x" } }',
         'object.tags: "AWS:a": names that begin with "aws:" are kept for AWS; write another'),
        ('object = { encryption = "AES256", kms-key = "alias/x" }', f"object.kms-key: {KMS}"),
        ('object = { encryption = "aws:kms:dsse", bucket-key = true }', f"object.bucket-key: {KMS}"),
        ('object = { lock = { mode = "governance", keep = "1h" } }', 'object.lock.keep: expected at least "1d", not "1h"'),
        ('sse-c-key-file = "k"\nobject = { encryption = "AES256" }',
         "object.encryption: does not go with sse-c-key-file: an object is encrypted in one way; leave one out"),
        ('sse-c-key-file = "k"\nendpoint-url = "http://10.0.0.1:9000"',
         "sse-c-key-file: would send the key over plain HTTP; write an endpoint-url that begins with https://"),
        ('accelerate = true\nendpoint-url = "https://h"', f"accelerate: {OWN}"),
        ('endpoint-url = "http://h:9000/in/bucket/"',
         'endpoint-url: ends with the bucket, which s3://bucket/prefix names already; write "http://h:9000/in"'),
        ('fips = true\nendpoint-url = "https://h"', f"fips: {OWN}"),
        ("accelerate = true\nfips = true", "accelerate: has no FIPS endpoint; leave out accelerate, or fips"),
        ('proxy = "http://user:hunter2@h"', "proxy: holds credentials; leave it out, and set HTTPS_PROXY in the environment"),
        ('proof = "read-back"\nobject = { storage-class = "GLACIER" }',
         'proof: cannot be had of GLACIER, which takes hours to be read; write "auto" or "stored"'),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_one_line(tmp_path: Path, written: str, expected: str) -> None:
    """What is wrong, where, and what to write instead."""
    (line,) = lines_of(tmp_path, f"{HEAD}{written}\n")
    assert expected == line.partition('job "a": ')[2]


def test_what_a_directory_cannot_have(tmp_path: Path) -> None:
    """An object's settings are refused there, not passed over; those of a connection mean nothing, as they always did."""
    text = HEAD.replace("s3://bucket/prefix", "out") + 'bucket-owner = "111122223333"\n'
    assert lines_of(tmp_path, text) == []
    (line,) = lines_of(tmp_path, f'{text}object = {{ encryption = "AES256" }}\n')
    assert "object: says nothing of files in a directory; leave it out, or write an s3:// address" in line


def test_only_what_matters_to_an_endpoint_tells_jobs_apart(tmp_path: Path) -> None:
    """What was learnt of a destination without settings stays what it is; metadata, tags and holds change nothing of it."""
    (plain,) = jobs_of(tmp_path, HEAD)
    assert plain.manner == ""
    labelled = plain._replace(
        objects=ObjectSettings(metadata=(("a", "b"),), tags=(("a", "b"),), lock=Lock(legal_hold=True))
    )
    assert labelled.manner == ""
    manners = {
        plain._replace(objects=plain.objects._replace(encryption="aws:kms")).manner,
        plain._replace(objects=plain.objects._replace(storage_class="GLACIER")).manner,
        plain._replace(objects=plain.objects._replace(lock=EVERYTHING.lock)).manner,
        plain._replace(connection=Connection(sse_c_key_file="/k")).manner,
        plain._replace(connection=Connection(proxy="http://h")).manner,
    }
    assert len(manners | {""}) == 6
