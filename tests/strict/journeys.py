"""One journey of some files to the strict server by the real outhaul, and an account of it that shares nothing with it."""

import contextlib
import functools
import hashlib
import os
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import botocore.retries.standard
import botocore.session
import pytest

from outhaul import app
from outhaul.engine import retry
from outhaul.frontends.cli.monitors import PlainMonitor
from outhaul.model.job import ConflictRule, Connection, Destination, Job, ProofRule
from outhaul.model.object_settings import NO_SETTINGS, ObjectSettings
from outhaul.stores import http_lane, s3, s3_control, s3_obstore, s3_parts
from strict.server import StrictServer

PREFIX = "site"
FILES = {"in/a.csv": b"time,value\n1,2\n", "in/b/c d.bin": bytes(range(256)) * 40, "in/e.txt": "Zürich\n".encode()}
LARGE = {"in/large.bin": bytes(range(251)) * 900}
PART_BYTES = 65_536


@dataclass(slots=True)
class Outcome:
    """What a run came to, as a user sees it."""

    exit_code: int
    said: str
    """Everything on standard error."""


@dataclass(slots=True)
class Journey:
    """A source with files, and the server that they go to."""

    server: StrictServer
    source: Path
    state: Path
    files: dict[str, bytes]
    before: dict[str, bytes] = field(default_factory=dict)
    """What was in the bucket before, and must be there ever after."""
    proof: ProofRule = "auto"
    on_conflict: ConflictRule = "keep-both"
    bucket: str = "the-bucket"
    connection: Connection = field(default_factory=Connection)
    objects: ObjectSettings = NO_SETTINGS

    def begin(self) -> None:
        """Write the files."""
        for name, content in self.files.items():
            path = self.source / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        if self.bucket in self.server.buckets:
            self.before = self.server.buckets[self.bucket].bodies()

    def run(self, capsys: pytest.CaptureFixture[str]) -> Outcome:
        """Carry them, in this process."""
        capsys.readouterr()
        job = Job(
            name="move",
            source=str(self.source),
            destination=Destination(f"s3://{self.bucket}/{PREFIX}", "s3", self.bucket, PREFIX),
            connection=self.connection._replace(endpoint_url=self.server.endpoint_url, region=self.server.region),
            objects=self.objects,
            quiet_ns=0,
            proof=self.proof,
            on_conflict=self.on_conflict,
            one_off=True,
        )
        report = app.run([job], state=str(self.state), monitor=PlainMonitor())
        return Outcome(report.exit_code, capsys.readouterr().err)

    def run_as_process(self, *options: str, **environment: str) -> Outcome:
        """Carry them, by the command."""
        command = [sys.executable, "-m", "outhaul", "move", str(self.source), f"s3://{self.bucket}/{PREFIX}"]
        command += ["--endpoint-url", self.server.endpoint_url, "--state", str(self.state), "--proof", self.proof]
        known = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        environ = known | self.server.environ() | environment
        done = subprocess.run(
            [*command, *options], env=environ, capture_output=True, text=True, timeout=60, check=False
        )
        return Outcome(done.returncode, done.stderr)

    # --- the account ----------------------------------------------------------------------------------------------

    @property
    def left(self) -> set[str]:
        """The files that are still in the source."""
        return {str(path.relative_to(self.source)) for path in self.source.rglob("*") if path.is_file()}

    def held(self, name: str) -> bool:
        """Whether the bucket holds all bytes of a file, under its key or its second key."""
        content = self.files[name]
        second = f"{PREFIX}/{name}~{hashlib.sha256(content).hexdigest()[:16]}"
        bucket = self.server.buckets.get(self.bucket)
        return bucket is not None and content in (
            found.body for key, found in bucket.objects.items() if key in (f"{PREFIX}/{name}", second)
        )

    def check(self) -> None:
        """Nothing is lost: each file is whole in its place or in the store, and what was in the store is as it was."""
        for name, content in self.files.items():
            with contextlib.suppress(FileNotFoundError):
                assert content == (self.source / name).read_bytes(), f"{name} was changed"
                continue
            assert self.held(name), f"{name} is lost: neither in the source nor whole in the store"
        bucket = self.server.buckets.get(self.bucket)
        found = bucket.bodies() if bucket else {}
        assert self.before == {key: found.get(key) for key in self.before}

    def check_carried(self) -> None:
        """Every file is whole in the store, and gone from its source; no upload is left half done."""
        self.check()
        assert set() == self.left
        assert [name for name in self.files if not self.held(name)] == []
        assert self.server.buckets[self.bucket].uploads == {}


_session = functools.cache(botocore.session.Session)


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short pauses and time-outs, and small parts, for runs in this process."""
    monkeypatch.setattr(retry, "_PAUSE_FIRST_NS", 1_000_000)
    monkeypatch.setattr(http_lane, "SILENCE_SECONDS", 0.5)
    monkeypatch.setattr(s3_obstore, "_REQUEST_TIMEOUT", timedelta(seconds=1))
    monkeypatch.setattr(s3_obstore, "_SILENCE_TIMEOUT", timedelta(seconds=0.5))
    monkeypatch.setattr(s3_control, "SILENCE_SECONDS", 0.5)
    monkeypatch.setattr(s3_parts, "PART_BYTES", PART_BYTES)
    monkeypatch.setattr(s3.S3Store, "small_max", PART_BYTES)
    # Its session, whose service model takes half a second to read, is one for all.
    monkeypatch.setattr(botocore.session, "Session", _session)
    monkeypatch.setattr(botocore.retries.standard.ExponentialBackoff, "delay_amount", lambda *_: 0)
