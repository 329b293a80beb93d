"""What docs/restoring.md says is tried: the commands that need no outhaul, and the table of outcomes."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from outhaul.model.keys import escape
from outhaul.model.returning import RETURNS
from servers.server import Server

TEXT = (Path(__file__).parents[2] / "docs" / "restoring.md").read_text(encoding="utf-8")
RECIPES: list[str] = re.findall(r"^```sh\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def recipe(word: str) -> str:
    """The commands of the page that have this word."""
    (found,) = [text for text in RECIPES if word in text]
    return found


@pytest.mark.parametrize("name", ["rclone_server", pytest.param("moto_server", marks=pytest.mark.slow)])
def test_curl_alone_brings_an_object_back(request: pytest.FixtureRequest, tmp_path: Path, name: str) -> None:
    """curl and sha256sum, word for word as on the page, against a real server."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed here")
    server = request.getfixturevalue(name)
    assert isinstance(server, Server)
    bucket, content = server.make_bucket(), b"reading\n" * 100
    with server.client() as client:
        client.put(bucket, "site-7/2026/reading.csv", content)
    environment = {**server.environ(), "BUCKET": bucket, "ENDPOINT": server.endpoint_url}
    line = ["sh", "-eu", "-c", recipe("--output reading.csv")]
    done = subprocess.run(line, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.split()[0]) == (0, hashlib.sha256(content).hexdigest()), done.stderr
    assert (tmp_path / "reading.csv").read_bytes() == content


@pytest.fixture
def bundle(rclone_server: Server, tmp_path: Path) -> Iterator[dict[str, str]]:
    """A compressed bundle in a real store, and the environment of whoever asks for it."""
    source = tmp_path / "source" / "2026"
    source.mkdir(parents=True)
    for number in range(20):
        (source / f"{number}.csv").write_bytes(b"%d;%d\n" % (number, number * 7) * 900)
    bucket = rclone_server.make_bucket()
    environment = {**os.environ, **rclone_server.environ(), "BUCKET": bucket, "ENDPOINT": rclone_server.endpoint_url}
    there = ["--endpoint-url", rclone_server.endpoint_url, "--state", str(tmp_path / "state")]
    move = [sys.executable, "-m", "outhaul", "move", str(tmp_path / "source"), f"s3://{bucket}/site"]
    subprocess.run([*move, "--bundle", "1MiB", "--compress", "zstd", *there], env=environment, check=True)
    with rclone_server.client() as client:
        (key,) = [found.key for found in client.list(bucket) if found.key.endswith(".tar.zst")]
    yield {**environment, "BUNDLE": key}


@pytest.mark.parametrize("word", ["tar --zstd", "--range"])
def test_a_bundle_opens_without_outhaul(bundle: dict[str, str], tmp_path: Path, word: str) -> None:
    """All of it, or one file by its own bytes: curl, tar, zstd, grep and sed, word for word as on the page."""
    if not all(map(shutil.which, ("curl", "tar", "zstd"))):
        pytest.skip("curl, tar or zstd is not installed here")
    (tmp_path / "back").mkdir()
    line = ["sh", "-eu", "-c", recipe(word)]
    done = subprocess.run(line, cwd=tmp_path / "back", env=bundle, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    found = {
        path.name: path.read_bytes() for path in (tmp_path / "back").rglob("*.csv") if not path.name.startswith(".")
    }
    expected = {f"{number}.csv": b"%d;%d\n" % (number, number * 7) * 900 for number in range(20)}
    assert found == (expected if word == "tar --zstd" else {"7.csv": expected["7.csv"]})


def test_a_key_is_a_name_again_without_outhaul() -> None:
    """The one line of Python on the page takes back what `escape` does."""
    for path in ("site-7/100%.csv", "odd\nname", "raw\udcff", "é"):
        line = recipe("unquote_to_bytes").replace("site-7/100%25.csv", escape(path))
        done = subprocess.run(["sh", "-c", line], capture_output=True, timeout=60, check=True)
        assert done.stdout == path.encode("utf-8", "surrogateescape")


def test_every_outcome_is_in_the_table() -> None:
    """Each event that a program may meet is there, with the exit code that it makes."""
    rows = {row[0]: row[1] for row in re.findall(r"^\| `([a-z-]+)` \|.*\| (\d+) \|$", TEXT, re.MULTILINE)}
    codes = {name: "0" if told.well else "1" for name, told in RETURNS.items()}
    assert rows == {**codes, "store": "4", "interrupted": "130"}
