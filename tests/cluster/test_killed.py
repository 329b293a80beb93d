"""Workers are killed in the middle of batches, and PostgreSQL with them: every file is in the bucket once, none is lost."""

import hashlib
import os
import random
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from kill.places import files
from servers.client import Client
from servers.postgres import Cluster, durable_postgres
from servers.start import Unavailable, rclone

SEED = int(os.environ.get("OUTHAUL_SEED") or secrets.randbelow(2**31))
FILES = 6000
KILLS = 6

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


class Lab:
    """A tree, a bucket, a database, and the command."""

    def __init__(self, home: Path, client: Client, bucket: str, endpoint: str, cluster: Cluster) -> None:
        self.home, self.client, self.bucket, self.cluster = home, client, bucket, cluster
        self.database = cluster.server.make_database()
        self.rng, self.written = random.Random(SEED), dict[str, bytes]()
        for number in range(FILES):
            name = "big/" if number % 3 == 0 else f"d{number % 41}/e{number % 7}/"
            self.write(f"{name}{number}.csv", b"%d:" % number + self.rng.randbytes(self.rng.choice((0, 200, 2500))))
        self.command = [sys.executable, "-m", "outhaul", "move", str(home / "source"), f"s3://{bucket}/site"]
        self.command += ["--endpoint-url", endpoint, "--state", str(home / "state"), "--on", "local:3"]
        self.command += ["--ledger", cluster.server.address(self.database)]

    def write(self, name: str, content: bytes) -> None:
        """A file of the tree."""
        path = self.home / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        self.written[name] = content

    def stored(self) -> dict[str, bytes]:
        """What is in the bucket."""
        keys = [item.key for item in self.client.list(self.bucket, "site/")]
        names = {key: key.removeprefix("site/") for key in keys if not key.startswith("site/.outhaul")}
        return {name: self.client.get(self.bucket, key) for key, name in names.items()}

    def lost(self) -> list[str]:
        """What is neither there nor here."""
        here, stored = {path.read_bytes() for path in files(self.home / "source")}, self.stored()
        return [name for name, content in self.written.items() if stored.get(name) != content and content not in here]

    def recorded(self) -> dict[str, bytes]:
        """Path to digest, as receipts say; two of one file say the same, and lead to one key."""
        with self.cluster.server.connect(self.database) as connection:
            rows = connection.execute(
                "SELECT DISTINCT d.path, r.name, r.sha256, r.key FROM outhaul.receipt r "
                "JOIN outhaul.directory d ON d.id = r.directory"
            ).fetchall()
        found = {f"{_text(path)}/{_text(name)}": bytes(sha256) for path, name, sha256, _ in rows}  # type: ignore[call-overload]
        assert len(rows) == len(found)
        return found

    def check(self) -> None:
        """Every file is in the bucket, under one key, with a receipt; none is left."""
        assert list(files(self.home / "source")) == [], f"seed {SEED}"
        assert self.stored() == self.written, f"seed {SEED}"
        assert self.recorded() == {name: hashlib.sha256(content).digest() for name, content in self.written.items()}


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """With real servers."""
    try:
        with rclone(tmp_path / "objects") as server, server.client() as client, durable_postgres() as cluster:
            monkeypatch.setenv("PGPASSWORD", cluster.server.password)
            for name, value in server.environ().items():
                monkeypatch.setenv(name, value)
            yield Lab(tmp_path, client, server.make_bucket(), server.endpoint_url, cluster)
    except Unavailable as reason:
        pytest.skip(str(reason))


def test_workers_that_are_killed_lose_nothing(lab: Lab, record_property: Callable[[str, object], None]) -> None:
    """Others take up what they had; the run itself goes on to its end."""
    kills = 0
    with _started(lab) as process:
        _until_some_are_there(lab, process)
        while process.poll() is None and kills < KILLS:
            if workers := _workers(process.pid):
                os.kill(lab.rng.choice(workers), signal.SIGKILL)
                kills += 1
            time.sleep(lab.rng.uniform(0.3, 0.8))
        code = process.wait(120)
    assert code == 0, (lab.home / "output").read_text()[-2000:]
    lab.check()
    assert kills >= 3
    record_property("figure", f"workers of Dask killed: {kills}; {FILES} files whole, none twice")


def test_a_database_that_is_restarted_loses_nothing(lab: Lab) -> None:
    """Workers begin anew once it is back, and the run goes on to its end."""
    with _started(lab) as process:
        _until_some_are_there(lab, process)
        lab.cluster.kill()
        time.sleep(1)
        lab.cluster.start()
        code = process.wait(150)
    output = (lab.home / "output").read_text()
    assert code == 0, output[-2000:]
    assert "Traceback" not in output
    assert lab.cluster.server.password not in output
    lab.check()


def test_a_driver_that_is_killed_loses_nothing(lab: Lab) -> None:
    """The next run takes up what was left."""
    with _started(lab) as process:
        _until_some_are_there(lab, process)
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    assert lab.lost() == []
    with _started(lab) as process:
        assert process.wait(120) == 0, (lab.home / "output").read_text()[-2000:]
    lab.check()


def _started(lab: Lab) -> "subprocess.Popen[bytes]":
    with (lab.home / "output").open("ab") as output:
        return subprocess.Popen(lab.command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)


def _until_some_are_there(lab: Lab, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        if sum(1 for _ in files(lab.home / "source")) < FILES - 300:
            return
        time.sleep(0.05)
    raise AssertionError((lab.home / "output").read_text()[-2000:])


def _workers(driver: int) -> list[int]:
    """The processes of Dask's workers: those that this one has started, and that carry."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError, IndexError, ValueError):
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == driver and b"spawn_main" in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return found


def _text(name: Any) -> str:
    return bytes(name).decode()
