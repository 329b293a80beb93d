"""A ledger that shards share, and the server that holds it: both are killed, and no file is lost or sent twice.

OUTHAUL_SHARD_ROUNDS says how often (default 4).
"""

import hashlib
import os
import random
import secrets
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kill.places import files
from kill.shards import Shards
from servers.postgres import Cluster, durable_postgres
from servers.start import Unavailable, rclone

ROUNDS = int(os.environ.get("OUTHAUL_SHARD_ROUNDS", "4"))
SEED = int(os.environ.get("OUTHAUL_SEED") or secrets.randbelow(2**31))
SHARDS = 2

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120 + ROUNDS * 30)]


def test_a_ledger_whose_server_is_killed_loses_nothing(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """A run ends with one line when the server goes, and the next ones go on; each file has a receipt of its bytes."""
    try:
        with rclone(tmp_path / "objects") as server, server.client() as client, durable_postgres() as cluster:
            bucket, database = server.make_bucket(), cluster.server.make_database()
            source = tmp_path / "source"
            environ = {**os.environ, **server.environ(), "PGPASSWORD": cluster.server.password}
            command = [sys.executable, "-m", "outhaul", "move", str(source), f"s3://{bucket}/site", "-q"]
            command += ["--endpoint-url", server.endpoint_url, "--state", str(tmp_path / "state")]
            command += ["--ledger", cluster.server.address(database)]
            rng = random.Random(SEED)
            shards = Shards(source, command, environ, tmp_path / "output", rng)
            ends: list[int] = []
            for number in range(ROUNDS):
                shards.fill()
                processes = shards.start_slowly(SHARDS)
                time.sleep(rng.uniform(0, 0.4))
                if number % 2:
                    for process in processes:
                        process.send_signal(signal.SIGKILL)
                else:
                    cluster.kill()
                ends += [process.wait(60) for process in processes]
                if not number % 2:
                    cluster.start()
                stored = {
                    listed.key.removeprefix("site/"): client.get(bucket, listed.key)
                    for listed in client.list(bucket, "site/")
                }
                here = {path.read_bytes() for path in files(source)}
                lost = [n for n, content in shards.written.items() if stored.get(n) != content and content not in here]
                assert lost == [], f"seed {SEED}"
            shards.run(SHARDS)
            assert shards.run(SHARDS) == [0, 0], shards.said()[-2000:]  # It finishes what was undone in the first.
            assert list(files(source)) == []
            keys = {item.key.removeprefix("site/") for item in client.list(bucket, "site/")}
            assert set(shards.written) == {key for key in keys if not key.startswith(".outhaul")}, f"seed {SEED}"
            assert _digests(shards.written) == _recorded(cluster, database), f"seed {SEED}"
            assert "Traceback" not in shards.said()
            assert cluster.server.password not in shards.said()
            record_property(
                "figure", f"PostgreSQL and shards killed {ROUNDS} times: {len(shards.written)} files whole, none twice"
            )
            assert 1 in ends
            assert -signal.SIGKILL in ends
    except Unavailable as reason:
        pytest.skip(str(reason))


def _digests(written: dict[str, bytes]) -> dict[str, bytes]:
    return {name: hashlib.sha256(content).digest() for name, content in written.items()}


def _recorded(cluster: Cluster, database: str) -> dict[str, bytes]:
    """What the receipts say; two of one file say the same."""
    with cluster.server.connect(database) as connection:
        rows = connection.execute(
            "SELECT DISTINCT d.path, r.name, r.sha256 FROM outhaul.receipt r JOIN outhaul.directory d ON d.id = r.directory"
        ).fetchall()
    found = {f"{bytes(path).decode()}/{bytes(name).decode()}": bytes(sha256) for path, name, sha256 in rows}  # type: ignore[call-overload]
    assert len(rows) == len(found)
    return found
