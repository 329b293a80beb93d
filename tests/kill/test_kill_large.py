"""A large file in parts, killed again and again on its way to a real server: it goes on, and arrives whole, once."""

import hashlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from kill.moments import Moment
from kill.processes import Mover
from servers.server import Server
from servers.start import Unavailable, rclone

PARTS = 6
PART_BYTES = 8 << 20
RATE = "16MiB/s"
SECONDS = (0.3, 0.6, 0.9, 1.2, 0.8, 1.6, 0.7, 1.0)
"""From the start of a run to its kill; a whole one takes three seconds and more, most of them sending."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """One that holds its parts in memory and its objects in files."""
    try:
        with rclone(tmp_path / "objects") as server:
            yield server
    except Unavailable as reason:
        pytest.skip(str(reason))


def after(seconds: float) -> Moment:
    """So long after now."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() > end


def client_of(server: Server) -> Any:
    """botocore's, in the name of the test."""
    environ = server.environ()
    return botocore.session.Session().create_client(
        "s3",
        region_name=environ["AWS_DEFAULT_REGION"],
        endpoint_url=server.endpoint_url,
        aws_access_key_id=environ["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environ["AWS_SECRET_ACCESS_KEY"],
    )


def test_a_large_file_survives_kills_at_any_moment(server: Server, tmp_path: Path) -> None:
    """Whatever a kill leaves: the file or its whole object; at the end the object alone, and no upload half done."""
    bucket = server.make_bucket()
    objects = tmp_path / "objects" / bucket / "site-7"
    source = tmp_path / "source"
    source.mkdir()
    content = os.urandom(PARTS * PART_BYTES + 12_345)
    digest = hashlib.sha256(content).digest()
    (source / "large.bin").write_bytes(content)
    command = [
        sys.executable,
        "-m",
        "outhaul",
        "move",
        str(source),
        f"s3://{bucket}/site-7",
        "--state",
        str(tmp_path / "state"),
    ]
    mover = Mover(
        [*command, "--endpoint-url", server.endpoint_url, "--bandwidth", RATE], server.environ(), tmp_path / "output"
    )

    def whole() -> bool:
        there = objects / "large.bin"
        return there.exists() and hashlib.sha256(there.read_bytes()).digest() == digest

    killed = 0
    for seconds in SECONDS:
        outcome = mover.run_and_kill(after(seconds))
        killed += outcome.killed
        left = source / "large.bin"
        assert (left.exists() and left.read_bytes() == content) or whole(), f"lost after {killed} kills"
    outcome = mover.run()
    assert outcome.code == 0, outcome.output
    assert killed >= 3
    assert whole()
    assert [path.name for path in source.rglob("*")] == []
    assert [path.name for path in objects.iterdir() if not path.name.startswith(".outhaul-probe")] == ["large.bin"]
    client = client_of(server)
    for upload in client.list_multipart_uploads(Bucket=bucket).get("Uploads", []):  # An empty one costs nothing.
        assert client.list_parts(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"]).get("Parts", []) == []
