"""Shards and kills: several processes on one source, each killed at any time, and every file is in the bucket once.

OUTHAUL_SHARD_ROUNDS says how often all of them are killed (default 4).
"""

import os
import random
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kill.places import files
from servers.start import Unavailable, rclone

ROUNDS = int(os.environ.get("OUTHAUL_SHARD_ROUNDS", "4"))
SEED = int(os.environ.get("OUTHAUL_SEED") or secrets.randbelow(2**31))
SHARDS = 4
FILES_A_ROUND = 1500

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120 + ROUNDS * 30)]


def test_shards_that_are_killed_lose_nothing_and_send_nothing_twice(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Four at once, each with SIGKILL in the middle; then three others, whose numbers nobody had, end what was begun."""
    try:
        with rclone(tmp_path / "objects") as server, server.client() as client:
            bucket = server.make_bucket()
            rng, written = random.Random(SEED), dict[str, bytes]()
            source, environ = tmp_path / "source", {**os.environ, **server.environ()}
            kills = 0
            for _ in range(ROUNDS):
                _fill(source, written, rng)
                kills += _killed(_start(tmp_path, bucket, server.endpoint_url, environ, SHARDS), rng)
                stored = {
                    listed.key.removeprefix("site/"): client.get(bucket, listed.key)
                    for listed in client.list(bucket, "site/")
                    if not listed.key.startswith("site/.outhaul")
                }
                here = {path.read_bytes() for path in files(source)}
                assert [n for n, content in written.items() if stored.get(n) != content and content not in here] == []
            for process in _start(tmp_path, bucket, server.endpoint_url, environ, SHARDS - 1):
                assert process.wait(60) == 0, f"seed {SEED}"
            assert list(files(source)) == []
            keys = {item.key.removeprefix("site/") for item in client.list(bucket, "site/")}
            assert set(written) == {key for key in keys if not key.startswith(".outhaul")}, f"seed {SEED}"
            assert {name: client.get(bucket, f"site/{name}") for name in written} == written
            record_property("figure", f"shards killed: {kills}; {len(written)} files whole, none twice")
            assert kills > ROUNDS
    except Unavailable as reason:
        pytest.skip(str(reason))


def _fill(source: Path, written: dict[str, bytes], rng: random.Random) -> None:
    for number in range(len(written), len(written) + FILES_A_ROUND):
        name = f"d{number % 37}/e{number % 3}/{number}.csv"
        written[name] = b"%d:" % number + rng.randbytes(rng.choice((0, 200, 2500)))
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(written[name])


def _start(
    home: Path, bucket: str, endpoint: str, environ: dict[str, str], count: int
) -> list["subprocess.Popen[bytes]"]:
    command = [sys.executable, "-m", "outhaul", "move", str(home / "source"), f"s3://{bucket}/site", "-q"]
    command += ["--endpoint-url", endpoint, "--state", str(home / "state")]
    with (home / "output").open("ab") as output:
        return [
            subprocess.Popen([*command, "--shard", f"{n}/{count}"], env=environ, stdout=output, stderr=output)
            for n in range(1, count + 1)
        ]


def _killed(processes: list["subprocess.Popen[bytes]"], rng: random.Random) -> int:
    time.sleep(0.7)
    for process in processes:
        time.sleep(rng.uniform(0, 0.25))
        process.send_signal(signal.SIGKILL)
    return sum(process.wait() == -signal.SIGKILL for process in processes)
