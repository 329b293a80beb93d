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
from kill.shards import Shards
from servers.start import Unavailable, rclone

ROUNDS = int(os.environ.get("OUTHAUL_SHARD_ROUNDS", "4"))
SEED = int(os.environ.get("OUTHAUL_SEED") or secrets.randbelow(2**31))
SHARDS = 4

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120 + ROUNDS * 30)]


def test_shards_that_are_killed_lose_nothing_and_send_nothing_twice(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Four at once, each with SIGKILL in the middle; then three others, whose numbers nobody had, end what was begun."""
    try:
        with rclone(tmp_path / "objects") as server, server.client() as client:
            bucket, source = server.make_bucket(), tmp_path / "source"
            command = [sys.executable, "-m", "outhaul", "move", str(source), f"s3://{bucket}/site", "-q"]
            command += ["--endpoint-url", server.endpoint_url, "--state", str(tmp_path / "state")]
            rng, environ = random.Random(SEED), {**os.environ, **server.environ()}
            shards = Shards(source, command, environ, tmp_path / "output", rng)
            kills = 0
            for _ in range(ROUNDS):
                shards.fill()
                kills += _killed(shards.start_slowly(SHARDS), rng)
                stored = {
                    listed.key.removeprefix("site/"): client.get(bucket, listed.key)
                    for listed in client.list(bucket, "site/")
                    if not listed.key.startswith("site/.outhaul")
                }
                here = {path.read_bytes() for path in files(source)}
                lost = [n for n, content in shards.written.items() if stored.get(n) != content and content not in here]
                assert lost == [], f"seed {SEED}"
            assert shards.run(SHARDS - 1) == [0] * (SHARDS - 1), f"seed {SEED}"
            assert list(files(source)) == []
            keys = {item.key.removeprefix("site/") for item in client.list(bucket, "site/")}
            assert set(shards.written) == {key for key in keys if not key.startswith(".outhaul")}, f"seed {SEED}"
            assert {name: client.get(bucket, f"site/{name}") for name in shards.written} == shards.written
            record_property("figure", f"shards killed: {kills}; {len(shards.written)} files whole, none twice")
            assert kills > ROUNDS
    except Unavailable as reason:
        pytest.skip(str(reason))


def _killed(processes: list["subprocess.Popen[bytes]"], rng: random.Random) -> int:
    for process in processes:
        time.sleep(rng.uniform(0, 0.15))
        process.send_signal(signal.SIGKILL)
    return sum(process.wait() == -signal.SIGKILL for process in processes)
