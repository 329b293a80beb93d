"""What a job gives its objects, as real servers hold it: asked of them by botocore, after a run of the real command."""

import datetime
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import botocore.config
import botocore.session
import pytest

from servers.server import Server

_session = botocore.session.Session()
TAGS = [{"Key": "place", "Value": "Zürich"}, {"Key": "project", "Value": "a=b c"}]
OPTIONS = [
    "--storage-class", "STANDARD_IA", "--content-type", "auto", "--metadata", "site=7", "--metadata", "Note=two  blanks",
    "--tag", "place=Zürich", "--tag", "project=a=b c", "--encryption", "aws:kms", "--kms-key", "alias/site-7", "--bucket-key",
]  # fmt: skip
LOCK = ["--lock-mode", "governance", "--lock-keep", "30d", "--legal-hold"]


def asking(server: Server) -> Any:
    """A client that is none of ours."""
    return _session.create_client(
        "s3", region_name="us-east-1", endpoint_url=server.endpoint_url,
        aws_access_key_id=server.access_key, aws_secret_access_key=server.secret_key,
        config=botocore.config.Config(retries={"total_max_attempts": 1}),
    )  # fmt: skip


def locked_bucket(server: Server) -> str:
    """A bucket that has Object Lock."""
    name = f"{server.make_bucket()}-locked"
    asking(server).create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    return name


def by_hand(client: Any, bucket: str, key: str) -> None:
    """Lock an object."""
    until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=30)
    kept = {"Mode": "GOVERNANCE", "RetainUntilDate": until}
    client.put_object_retention(Bucket=bucket, Key=key, Retention=kept)
    client.put_object_legal_hold(Bucket=bucket, Key=key, LegalHold={"Status": "ON"})


def move(
    tmp_path: Path, server: Server, bucket: str, *options: str, large: bool = True, make: bool = True
) -> subprocess.CompletedProcess[str]:
    """A small file and a large one, or the small one alone, or what is left of them, by the real command."""
    (tmp_path / "source").mkdir(exist_ok=True)
    if make:
        (tmp_path / "source" / "small.csv").write_text("1,2,3\n")
    if large and make:
        (tmp_path / "source" / "large.txt").write_bytes(os.urandom((16 << 20) + 1))
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    command = [sys.executable, "-m", "outhaul", "move", str(tmp_path / "source"), f"s3://{bucket}/p"]
    return subprocess.run(
        [*command, "--endpoint-url", server.endpoint_url, "--state", str(tmp_path / "state"), *options],
        capture_output=True, text=True, timeout=60, check=False, env=clean | server.environ(),
    )  # fmt: skip


_SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("ministack", "rclone")]


@pytest.mark.parametrize("name", ["moto", *_SLOW])
def test_what_real_servers_hold(tmp_path: Path, request: pytest.FixtureRequest, name: str) -> None:
    """Class, type, metadata and encryption of both; tags and lock where the server keeps them."""
    server: Server = request.getfixturevalue(f"{name}_server")
    bucket = server.make_bucket() if name == "rclone" else locked_bucket(server)
    done = move(tmp_path, server, bucket, *OPTIONS, *([] if name == "rclone" else LOCK))
    client = asking(server)
    if name != "rclone":  # The others take no notice of the lock of what comes in parts.
        assert (done.returncode, [path.name for path in (tmp_path / "source").iterdir()]) == (1, ["large.txt"])
        assert "large.txt: the store took it, and does not show the lock" in done.stderr
        by_hand(client, bucket, "p/large.txt")
        done = move(tmp_path, server, bucket, *OPTIONS, *LOCK, make=False)
    assert (done.returncode, list((tmp_path / "source").iterdir())) == (0, []), done.stderr
    for key, kind in (("p/small.csv", "text/csv"), ("p/large.txt", "text/plain")):
        found = client.head_object(Bucket=bucket, Key=key)
        assert (found["StorageClass"], found["ContentType"], found["ServerSideEncryption"], found["SSEKMSKeyId"]) == (
            "STANDARD_IA", kind, "aws:kms", "alias/site-7",
        )  # fmt: skip
        assert {each.lower(): text for each, text in found["Metadata"].items()} == {"site": "7", "note": "two  blanks"}
        # Of a large object ministack keeps neither tags nor lock; the wire shows that they were sent (tests/strict).
        if name == "moto" or (name == "ministack" and key == "p/small.csv"):
            assert sorted(client.get_object_tagging(Bucket=bucket, Key=key)["TagSet"], key=str) == TAGS
        if name != "rclone" and key == "p/small.csv":
            until = found["ObjectLockRetainUntilDate"] - datetime.datetime.now(datetime.UTC)
            assert (found["ObjectLockMode"], found["ObjectLockLegalHoldStatus"], until.days) == ("GOVERNANCE", "ON", 29)


@pytest.mark.slow
def test_a_bucket_without_object_lock_takes_nothing(tmp_path: Path, moto_server: Server) -> None:
    """One line says what to do, and the file stays."""
    done = move(tmp_path, moto_server, moto_server.make_bucket(), *LOCK, large=False)
    assert (done.returncode, len(list((tmp_path / "source").iterdir()))) == (4, 1)
    assert "enable Object Lock on the bucket, or leave out lock" in done.stderr


@pytest.mark.slow
def test_what_is_archived_is_not_read(tmp_path: Path, moto_server: Server) -> None:
    """`check` shows that, and a run goes by what can be had without reading, where there is such."""
    bucket = moto_server.make_bucket()
    done = move(tmp_path, moto_server, bucket, "--storage-class", "DEEP_ARCHIVE", "--proof", "read-back")
    assert done.returncode == 2
    assert done.stderr == (
        'outhaul: --proof: cannot be had of DEEP_ARCHIVE, which takes hours to be read; write "auto" or "stored"\n'
    )
    done = move(tmp_path, moto_server, bucket, "--storage-class", "DEEP_ARCHIVE")
    assert done.returncode == 0, done.stderr
    assert asking(moto_server).head_object(Bucket=bucket, Key="p/small.csv")["StorageClass"] == "DEEP_ARCHIVE"
