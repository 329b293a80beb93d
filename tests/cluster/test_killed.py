"""Workers are killed in the middle of batches, and PostgreSQL with them: every file is in the bucket once, none is lost."""

import hashlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster.lab import FILES, SEED, Lab, workers
from kill.places import files
from servers.postgres import Cluster, durable_postgres
from servers.start import Unavailable, rclone

KILLS = 6

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


class Shared(Lab):
    """With a database that all workers share."""

    def __init__(self, home: Path, bucket: str, endpoint: str, cluster: Cluster) -> None:
        self.cluster, self.database = cluster, cluster.server.make_database()
        super().__init__(home, bucket, endpoint, ["--ledger", cluster.server.address(self.database)])

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
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shared]:
    """With real servers."""
    try:
        with rclone(tmp_path / "objects") as server, durable_postgres() as cluster:
            monkeypatch.setenv("PGPASSWORD", cluster.server.password)
            for name, value in server.environ().items():
                monkeypatch.setenv(name, value)
            yield Shared(tmp_path, server.make_bucket(), server.endpoint_url, cluster)
    except Unavailable as reason:
        pytest.skip(str(reason))


def test_workers_that_are_killed_lose_nothing(lab: Shared, record_property: Callable[[str, object], None]) -> None:
    """Others take up what they had; the run itself goes on to its end."""
    kills = 0
    with lab.start() as process:
        lab.wait_until_some_are_there(process)
        while process.poll() is None and kills < KILLS:
            if there := workers(process.pid):
                os.kill(lab.rng.choice(there), signal.SIGKILL)
                kills += 1
            time.sleep(lab.rng.uniform(0.3, 0.8))
        code = process.wait(120)
    assert code == 0, lab.output[-2000:]
    lab.check()
    assert kills >= 3
    record_property("figure", f"workers of Dask killed: {kills}; {FILES} files whole, none twice")


def test_a_database_that_is_restarted_loses_nothing(lab: Shared) -> None:
    """Workers begin anew once it is back, and the run goes on to its end."""
    with lab.start() as process:
        lab.wait_until_some_are_there(process)
        lab.cluster.kill()
        time.sleep(1)
        lab.cluster.start()
        code = process.wait(150)
    assert code == 0, lab.output[-2000:]
    assert "Traceback" not in lab.output
    assert lab.cluster.server.password not in lab.output
    lab.check()


def test_a_driver_that_is_killed_loses_nothing(lab: Shared) -> None:
    """The next run takes up what was left."""
    with lab.start() as process:
        lab.wait_until_some_are_there(process)
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    assert lab.lost() == []
    with lab.start() as process:
        assert process.wait(120) == 0, lab.output[-2000:]
    lab.check()


def _text(name: Any) -> str:
    return bytes(name).decode()
