"""`outhaul policy`: what it prints, what it says beside it; and a real run, killed and gone on with, under a real IAM."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from cli.test_restore import There
from outhaul.frontends.cli.main import main
from servers.server import Server
from servers.start import moto

Capsys = pytest.CaptureFixture[str]
JOB = '[[job]]\nname = "{name}"\nsource = "data/{name}"\nto = "{to}"\n'


def printed(tmp_path: Path, capsys: Capsys, config: str, *words: str) -> tuple[int, str, list[str]]:
    """Exit code, standard output, and the lines of standard error."""
    (tmp_path / "outhaul.toml").write_text(config)
    for name in re.findall('name = "(.+)"', config):
        (tmp_path / "data" / name).mkdir(parents=True, exist_ok=True)
    code = main(["policy", str(tmp_path / "outhaul.toml"), "--state", str(tmp_path / "state"), *words])
    captured = capsys.readouterr()
    return code, captured.out, captured.err.splitlines()


def test_a_job_that_needs_none_is_told(tmp_path: Path, capsys: Capsys) -> None:
    """On one line each; the others have theirs. Where none needs any, nothing is printed."""
    config = JOB.format(name="a", to="/mnt/x") + JOB.format(name="b", to="s3://bucket/b")
    config += JOB.format(name="c", to="s3://bucket/c") + 'via = "stream-manager"\n'
    code, out, lines = printed(tmp_path, capsys, config)
    assert (code, json.loads(out)["Statement"][0]["Resource"]) == (0, ["arn:aws:s3:::bucket/b/*"])
    assert [line.partition(":")[2].split(": ")[0] for line in lines] == [f' job "{x}" needs no policy' for x in "ac"]
    code, out, lines = printed(tmp_path, capsys, config, "--job", "a")
    assert (code, out, lines[1:]) == (2, "", ["outhaul: no job sends requests to S3, so there is no policy to print"])


def test_a_wrong_configuration_is_told_as_by_a_run(tmp_path: Path, capsys: Capsys) -> None:
    """One line for each problem, and exit code 2."""
    config = JOB.format(name="a", to="s3://bucket/b") + "sorce = 1\n"
    code, out, lines = printed(tmp_path, capsys, config)
    assert main(["run", str(tmp_path / "outhaul.toml"), "--state", str(tmp_path / "state")]) == code == 2
    assert (out, lines) == ("", capsys.readouterr().err.splitlines())
    code, _, lines = printed(tmp_path, capsys, JOB.format(name="a", to="s3://bucket/b"), "--job", "b")
    assert (code, lines) == (2, ["outhaul: --job b: there is no such job; there is a"])


def test_one_that_is_too_long_for_iam_is_told(tmp_path: Path, capsys: Capsys) -> None:
    """It is printed all the same: some stores have other limits."""
    config = "".join(JOB.format(name=f"job-{n}", to=f"s3://bucket-{n}/{'x' * 100}") for n in range(60))
    code, out, lines = printed(tmp_path, capsys, config)
    assert (code, len(json.loads(out)["Statement"][0]["Resource"]), len(lines)) == (0, 60, 1)
    assert "IAM takes 6,144 for a managed policy: make one for some jobs, with --job" in lines[0]


# --- under a real IAM ------------------------------------------------------------------------------------------------


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[There]:
    """A program and a bucket on a moto of its own, which shall check who asks."""
    with moto() as server:
        yield There(tmp_path, server)


def _ask_moto(server: Server, path: str, body: bytes) -> None:
    headers = {"Content-Type": "text/plain"}
    asked = urllib.request.Request(f"{server.endpoint_url}/moto-api/{path}", body, headers, method="POST")
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked).close()


def _become(there: There, name: str, document: dict[str, Any]) -> None:
    """From now on, the program is a user with this policy, and moto checks it."""
    environ = there.server.environ()
    _ask_moto(there.server, "reset-auth", b"1000000")
    iam = botocore.session.Session().create_client(
        "iam", region_name="us-east-1", endpoint_url=there.server.endpoint_url,
        aws_access_key_id="testing", aws_secret_access_key="testing",
    )  # fmt: skip
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="outhaul", PolicyDocument=json.dumps(document))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    _ask_moto(there.server, "reset-auth", b"0")
    keys = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    there.environment = {**there.environment, **environ, **keys, "HOME": str(there.home)}


def _killed_in_a_large_file(there: There) -> None:
    command = [sys.executable, "-m", "outhaul", "run", "outhaul.toml", "--state", str(there.state)]
    command += ["--endpoint-url", there.server.endpoint_url, "--bandwidth", "8MiB/s"]
    process = subprocess.Popen(command, cwd=there.home, env=there.environment, stderr=subprocess.DEVNULL)
    time.sleep(4)
    assert process.poll() is None, "it was done before it could be killed"
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.mark.slow
def test_a_real_journey_under_a_real_iam(guarded: There) -> None:
    """moto, which knows nothing of us, reads the policy: all goes, killed in the middle and gone on with; and comes back."""
    contents = {"a.csv": b"one", "d/b.csv": b"two" * 1000, "large.bin": os.urandom(60 << 20)}
    for name, content in contents.items():
        guarded.write(name, content)
    config = JOB.format(name="a", to=guarded.address).replace("data/a", str(guarded.source))
    (guarded.home / "outhaul.toml").write_text(config + 'settle = { quiet = "0" }\nobject = { tags = { a = "b" } }\n')
    carrying, looking_back = (
        json.loads(guarded("policy", "outhaul.toml", "--for", purpose).out) for purpose in ("run", "restore")
    )
    with guarded.server.client() as client:
        client.request("PUT", guarded.bucket, "site/a.csv", body=b"theirs")
    _become(guarded, "carrier", {**carrying, "Statement": carrying["Statement"][1:]})
    assert guarded("run", "outhaul.toml").code == 4
    _become(guarded, "carrier-in-earnest", carrying)
    _killed_in_a_large_file(guarded)
    ran = guarded("run", "outhaul.toml")
    assert (ran.code, [path for path in guarded.source.rglob("*") if path.is_file()]) == (0, []), ran.err
    assert guarded("restore", "**", "--to", str(guarded.back)).code == 0
    _become(guarded, "restorer", looking_back)
    ran = guarded("mirror", guarded.address, "--to", str(guarded.home / "mirror"))
    assert guarded("audit", "--all", "--read-back").code == 0
    assert guarded.there() == contents
    (guarded.source / "new.csv").write_bytes(b"new")
    assert guarded("run", "outhaul.toml").code != 0
