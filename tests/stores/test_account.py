"""The standard credential chain, each link of it as a user has it, against a server that checks signatures."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from outhaul.model.errors import Misconfigured
from outhaul.model.job import Connection
from outhaul.stores.s3_account import account
from servers.server import Server


def move(
    tmp_path: Path, server: Server, environment: dict[str, str], *options: str
) -> subprocess.CompletedProcess[str]:
    """Move one file to a new bucket as a user would, with these settings of AWS and no others."""
    source = tmp_path / "source"
    source.mkdir(exist_ok=True)
    (source / "file.csv").write_text("1,2,3\n")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    clean |= {"HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true"}
    command = [sys.executable, "-m", "outhaul", "move", str(source), f"s3://{server.make_bucket()}/p"]
    return subprocess.run(
        [*command, "--endpoint-url", server.endpoint_url, "--state", str(tmp_path / "state"), *options],
        capture_output=True, text=True, timeout=60, check=False, env=clean | environment,
    )  # fmt: skip


def aws_files(tmp_path: Path, config: str, credentials: str = "") -> None:
    """The shared files, in the home directory."""
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text(config)
    (tmp_path / ".aws" / "credentials").write_text(credentials)


def test_from_the_environment(tmp_path: Path, rclone_server: Server) -> None:
    """Two variables are enough."""
    keys = {"AWS_ACCESS_KEY_ID": rclone_server.access_key, "AWS_SECRET_ACCESS_KEY": rclone_server.secret_key}
    assert move(tmp_path, rclone_server, keys).returncode == 0


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
def test_an_endpoint_that_ends_with_the_bucket(name: str) -> None:
    """All keys would have the bucket in front, or be none. A configuration is refused as it is read; this is the environment."""
    environment = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", name: "http://me:hunter2@h:9417/my-bucket/"}
    with pytest.raises(Misconfigured, match=r"ends with the bucket.*; write h:9417$") as caught:
        account(Connection(), environment, "my-bucket")
    assert "hunter2" not in str(caught.value)
    environment[name] = "http://h:9417/my-bucket"
    with pytest.raises(Misconfigured, match=r"; write http://h:9417$"):
        account(Connection(), environment, "my-bucket")
    assert account(Connection(), environment, "bucket").endpoint_url == environment[name]


def test_a_run_at_an_endpoint_that_ends_with_the_bucket(tmp_path: Path, moto_server: Server) -> None:
    """The destination cannot be used, and nothing is written anywhere."""
    bucket = moto_server.make_bucket()
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "file.csv").write_text("1")
    there = moto_server.environ() | {"AWS_ENDPOINT_URL": f"{moto_server.endpoint_url}/{bucket}"}
    ran = subprocess.run(
        [sys.executable, "-m", "outhaul", "move", "source", f"s3://{bucket}/p", "--state", "state"],
        capture_output=True, text=True, timeout=60, check=False, env=there, cwd=tmp_path,
    )  # fmt: skip
    assert (ran.returncode, f"write {moto_server.endpoint_url}\n" in ran.stderr) == (4, True), ran.stderr
    with moto_server.client() as client:
        assert list(client.list(bucket)) == []
    assert (tmp_path / "source" / "file.csv").exists()


def test_from_the_shared_files(tmp_path: Path, rclone_server: Server) -> None:
    """The default profile, and a named one by --profile."""
    good = f"aws_access_key_id = {rclone_server.access_key}\naws_secret_access_key = {rclone_server.secret_key}\n"
    bad = "aws_access_key_id = nobody\naws_secret_access_key = nothing\n"
    aws_files(tmp_path, "[default]\nregion = us-east-1\n", f"[default]\n{bad}\n[field]\n{good}")
    refused = move(tmp_path, rclone_server, {})
    assert (refused.returncode, "correct the access key" in refused.stderr) == (4, True)
    assert move(tmp_path, rclone_server, {}, "--profile", "field").returncode == 0
    unknown = move(tmp_path, rclone_server, {}, "--profile", "nobody")
    assert (unknown.returncode, "The config profile (nobody) could not be found" in unknown.stderr) == (4, True)


def test_from_a_program(tmp_path: Path, rclone_server: Server) -> None:
    """A credential process, as the AWS documentation describes it; its keys have an end, and are fetched when needed."""
    said = {
        "Version": 1, "AccessKeyId": rclone_server.access_key, "SecretAccessKey": rclone_server.secret_key,
        "Expiration": "2099-01-01T00:00:00Z",
    }  # fmt: skip
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\necho '{json.dumps(said)}'\n")
    program.chmod(stat.S_IRWXU)
    aws_files(tmp_path, f"[default]\nregion = us-east-1\ncredential_process = {program}\n")
    assert move(tmp_path, rclone_server, {}).returncode == 0


def test_none_at_all(tmp_path: Path, rclone_server: Server) -> None:
    """One line that says what to do, exit code 4, and the file stays."""
    ran = move(tmp_path, rclone_server, {})
    assert ran.returncode == 4
    assert "no AWS credentials found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in ran.stderr
    assert (tmp_path / "source" / "file.csv").exists()


def test_the_region(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As configured, else from the environment, else from the shared files, else us-east-1."""
    aws_files(tmp_path, "[default]\nregion = eu-north-1\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    for name, value in keys.items():
        monkeypatch.setenv(name, value)
    assert account(Connection(region="ap-south-1"), keys).region == "ap-south-1"
    assert account(Connection(), keys | {"AWS_REGION": "sa-east-1"}).region == "sa-east-1"
    assert account(Connection(), keys).region == "eu-north-1"
    (tmp_path / ".aws" / "config").unlink()
    assert account(Connection(), keys).region == "us-east-1"


def test_the_endpoint(tmp_path: Path) -> None:
    """As configured, else as AWS' own variables say, the one for S3 before the general one."""
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "r", "AWS_ENDPOINT_URL": "http://all"}
    assert account(Connection(endpoint_url="http://here"), keys).endpoint_url == "http://here"
    assert account(Connection(), keys | {"AWS_ENDPOINT_URL_S3": "http://s3"}).endpoint_url == "http://s3"
    assert account(Connection(), keys).endpoint_url == "http://all"


def test_an_unknown_profile() -> None:
    """It is named."""
    with pytest.raises(Misconfigured, match="nobody"):
        account(Connection(profile="nobody"), {})
