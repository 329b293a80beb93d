"""Workers without a database are killed in the middle of batches, and their driver: nothing is lost, every receipt is merged."""

import hashlib
import os
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from cluster.lab import FILES, SEED, Lab, workers
from kill.places import files
from servers.start import Unavailable, moto

KILLS = 6

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


class Alone(Lab):
    """With nothing but the bucket."""

    def recorded(self) -> dict[str, bytes]:
        """Path to digest, as the receipts of the driver say; two of one file say the same, and lead to one key."""
        with closing(sqlite3.connect(self.home / "state" / "ledger.sqlite")) as ledger:
            rows = ledger.execute(
                "SELECT DISTINCT d.path, r.name, r.sha256, r.key FROM receipt r JOIN directory d ON d.id = r.directory"
            ).fetchall()
        found = {f"{path.decode()}/{name.decode()}": bytes(sha256) for path, name, sha256, _ in rows}
        assert len(rows) == len(found)
        return found

    def check(self) -> None:
        """Every file is in the bucket, under one key, with a receipt; none is left, and nothing of the workers."""
        assert list(files(self.home / "source")) == [], f"seed {SEED}"
        assert self.stored() == self.written, f"seed {SEED}"
        assert self.recorded() == {name: hashlib.sha256(content).digest() for name, content in self.written.items()}
        assert list((self.home / "state" / "workers").glob("*/*")) == []
        assert not (self.home / "source" / ".outhaul").exists()


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Alone]:
    """With a real server, one that knows If-None-Match."""
    try:
        with moto() as server, server.client() as client:
            for name, value in server.environ().items():
                monkeypatch.setenv(name, value)
            yield Alone(tmp_path, client, server.make_bucket(), server.endpoint_url)
    except Unavailable as reason:
        pytest.skip(str(reason))


def test_workers_that_are_killed_lose_nothing(lab: Alone, record_property: Callable[[str, object], None]) -> None:
    """Others take up what they had, and ship what they had recorded; the run itself goes on to its end."""
    kills = 0
    with lab.start() as process:
        lab.wait_until_some_are_there(process)
        while process.poll() is None and kills < KILLS:
            if there := workers(process.pid):
                os.kill(lab.rng.choice(there), signal.SIGKILL)
                kills += 1
            time.sleep(lab.rng.uniform(0.3, 0.8))
        code = process.wait(150)
    assert code == 0, lab.output[-2000:]
    lab.check()
    assert kills >= 3
    record_property("figure", f"workers of Dask killed without a database: {kills}; {FILES} files whole, none twice")


def test_a_driver_that_is_killed_loses_nothing(lab: Alone) -> None:
    """The next run takes up what was left, and merges what nobody had merged; then a run alone finds nothing to do."""
    with lab.start() as process:
        lab.wait_until_some_are_there(process)
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    assert lab.lost() == []
    with lab.start() as process:
        assert process.wait(150) == 0, lab.output[-2000:]
    lab.check()
