"""Bundles and kills: no file is lost, and no bundle is in the store that the ledger does not know after the next runs.

OUTHAUL_KILLS says how many kills there are in all (default 200, of which this test takes a part).
"""

import io
import os
import random
import secrets
import shlex
import sqlite3
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from kill.moments import Moment, after, after_removal_began
from kill.places import files
from kill.processes import Mover
from servers.client import Client
from servers.start import Unavailable, rclone

KILLS = max(5, int(os.environ.get("OUTHAUL_KILLS", "200")) // 5)
SEED = int(os.environ.get("OUTHAUL_SEED") or secrets.randbelow(2**31))
COMMAND = shlex.split(os.environ.get("OUTHAUL_COMMAND", "")) or [sys.executable, "-m", "outhaul"]
FILES_A_RUN = 250
INDEX = ".index.json"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120 + KILLS * 10)]


class Journey:
    """A source that is filled again and again, a bucket, and every content that was ever written."""

    def __init__(self, root: Path, client: Client, bucket: str, rng: random.Random) -> None:
        self.root, self.client, self.bucket, self.rng = root, client, bucket, rng
        self.source, self.state = root / "source", root / "state"
        self.written: dict[str, bytes] = {}
        self._tars: dict[str, dict[str, bytes]] = {}

    def fill(self) -> None:
        """More files, all of them with names and contents of their own."""
        for number in range(len(self.written), len(self.written) + FILES_A_RUN):
            name = f"d{number % 5}/{number}.csv"
            self.written[name] = b"%d:" % number + self.rng.randbytes(self.rng.choice((0, 200, 2500)))
            path = self.source / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.written[name])

    def stored(self) -> dict[str, bytes]:
        """What is in the bucket, in bundles and alone, by path. A tar that is no whole one fails."""
        found: dict[str, bytes] = {}
        for listed in list(self.client.list(self.bucket, "site/")):
            name = listed.key.removeprefix("site/")
            if name.endswith(".tar"):
                if name not in self._tars:
                    self._tars[name] = _members(self.client.get(self.bucket, listed.key))
                found |= self._tars[name]
            elif not name.startswith(".outhaul") and not name.endswith(INDEX):
                found[name] = self.client.get(self.bucket, listed.key)
        return found

    def lost(self) -> list[str]:
        """Contents that are neither in the bucket, nor in the source, nor put aside."""
        here = {path.read_bytes() for place in (self.source, self.state) for path in files(place)}
        stored = self.stored()
        return [name for name, content in self.written.items() if stored.get(name) != content and content not in here]

    def unknown(self) -> set[str]:
        """Bundles in the bucket of which the ledger has no receipt, or that have no index beside them."""
        keys = {listed.key for listed in self.client.list(self.bucket, "site/")}
        with closing(sqlite3.connect(self.state / "ledger.sqlite")) as ledger:
            known = {key for (key,) in ledger.execute("SELECT DISTINCT key FROM receipt WHERE bundle IS NOT NULL")}
        return {key for key in keys if key.endswith(".tar") and (key not in known or key + INDEX not in keys)}

    def moment(self, seconds: float) -> Moment:
        """When a run is killed: at any time, or once it has begun to remove."""
        if self.rng.random() < 0.5:
            return after(self.rng.uniform(0.1, 1.0) * seconds)
        there = self.rng.sample(sorted(files(self.source)), 20)
        return after_removal_began(there, self.rng.uniform(0, 0.02))


def _members(tar: bytes) -> dict[str, bytes]:
    found = {}
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        for member in archive:
            file = archive.extractfile(member)
            assert file is not None
            found[member.name] = file.read()
    return found


def test_no_kill_loses_a_file_of_a_bundle(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    """Each content is in a bundle, at its source or aside after every kill; in the end all is carried, and known."""
    try:
        with rclone(tmp_path / "objects") as server, server.client() as client:
            bucket = server.make_bucket()
            journey = Journey(tmp_path, client, bucket, random.Random(SEED))
            command = [
                *COMMAND, "move", str(journey.source), f"s3://{bucket}/site", "--bundle", "64KiB", "--state",
                str(journey.state), "-q", "--endpoint-url", server.endpoint_url,
            ]  # fmt: skip
            mover = Mover(command, {**os.environ, **server.environ()}, tmp_path / "output")
            record_property("figure", _play(journey, mover))
            back = tmp_path / "back"
            restore = [*COMMAND, "restore", f"s3://{bucket}/site", "--to", str(back), "--state", str(tmp_path / "none")]
            subprocess.run(
                [*restore, "-q", "--endpoint-url", server.endpoint_url], env=mover.environ, check=True, timeout=60
            )
            assert {str(path.relative_to(back)): path.read_bytes() for path in files(back)} == journey.written
    except Unavailable as reason:
        pytest.skip(str(reason))


def _play(journey: Journey, mover: Mover) -> str:
    journey.fill()
    started = time.monotonic()
    assert mover.run().code == 0
    seconds = time.monotonic() - started
    kills = 0
    for number in range(KILLS):
        journey.fill()
        kills += mover.run_and_kill(journey.moment(seconds)).killed
        assert journey.lost() == [], f"seed {SEED}, kill {number}"
        if number % 4 == 3:
            _complete(journey, mover)
    _complete(journey, mover)
    assert {name: content for name, content in journey.stored().items() if name in journey.written} == journey.written
    assert kills > KILLS // 2
    return f"moves with bundles killed: {kills}; {len(journey.written)} files whole, no bundle unknown"


def _complete(journey: Journey, mover: Mover) -> None:
    for _ in range(2):
        last = mover.run()
        assert last.code == 0, last.output
    assert list(files(journey.source)) == []
    assert journey.lost() == []
    assert journey.unknown() == set(), f"seed {SEED}"
