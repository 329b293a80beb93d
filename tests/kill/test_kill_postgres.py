"""A ledger that shards share, and the server that holds it: both are killed, and no file is lost or sent twice.

OUTHAUL_SHARD_ROUNDS says how often (default 4).
"""

import hashlib
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
from servers.postgres import Cluster, durable_postgres
from servers.start import Unavailable, rclone

ROUNDS = int(os.environ.get("OUTHAUL_SHARD_ROUNDS", "4"))
SEED = int(os.environ.get("OUTHAUL_SEED") or secrets.randbelow(2**31))
SHARDS = 2
FILES_A_ROUND = 1500

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120 + ROUNDS * 30)]


def test_a_ledger_whose_server_is_killed_loses_nothing(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """A run ends with one line when the server goes, and the next ones go on; each file has a receipt of its bytes."""
    try:
        with rclone(tmp_path / "objects") as server, server.client() as client, durable_postgres() as cluster:
            bucket, database = server.make_bucket(), cluster.server.make_database()
            rng, written = random.Random(SEED), dict[str, bytes]()
            source = tmp_path / "source"
            environ = {**os.environ, **server.environ(), "PGPASSWORD": cluster.server.password}
            command = [sys.executable, "-m", "outhaul", "move", str(source), f"s3://{bucket}/site", "-q"]
            command += ["--endpoint-url", server.endpoint_url, "--state", str(tmp_path / "state")]
            command += ["--ledger", cluster.server.address(database)]
            ends: list[int] = []
            for number in range(ROUNDS):
                _fill(source, written, rng)
                processes = _start(command, environ, tmp_path / "output")
                time.sleep(rng.uniform(0.9, 1.3))
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
                assert [n for n, content in written.items() if stored.get(n) != content and content not in here] == []
            for _ in range(2):  # The second finishes what was undone in the first.
                last = [process.wait(60) for process in _start(command, environ, tmp_path / "output")]
            assert last == [0, 0], (tmp_path / "output").read_text()[-2000:]
            assert list(files(source)) == []
            keys = {item.key.removeprefix("site/") for item in client.list(bucket, "site/")}
            assert set(written) == {key for key in keys if not key.startswith(".outhaul")}, f"seed {SEED}"
            assert _digests(written) == _recorded(cluster, database), f"seed {SEED}"
            output = (tmp_path / "output").read_text()
            assert "Traceback" not in output
            assert cluster.server.password not in output
            record_property(
                "figure", f"PostgreSQL and shards killed {ROUNDS} times: {len(written)} files whole, none twice"
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


def _fill(source: Path, written: dict[str, bytes], rng: random.Random) -> None:
    for number in range(len(written), len(written) + FILES_A_ROUND):
        name = f"d{number % 37}/e{number % 3}/{number}.csv"
        written[name] = b"%d:" % number + rng.randbytes(rng.choice((0, 200, 2500)))
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(written[name])


def _start(command: list[str], environ: dict[str, str], output: Path) -> list["subprocess.Popen[bytes]"]:
    with output.open("ab") as file:
        return [
            subprocess.Popen([*command, "--shard", f"{n}/{SHARDS}"], env=environ, stdout=file, stderr=file)
            for n in range(1, SHARDS + 1)
        ]
