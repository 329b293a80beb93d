"""A machine as Kingfisher Archive finds it: collections in PostgreSQL, crawls and logs of Scrapy on disk, a bucket."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import tarfile
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import lz4.frame

from outhaul.config.profiles.kingfisher import Settings, read
from outhaul.frontends.older.kingfisher_archive import LogMonitor
from outhaul.kingfisher.archiving import Run
from outhaul.kingfisher.memory import Memory
from outhaul.kingfisher.months import Months
from outhaul.kingfisher.moving import Mover
from outhaul.kingfisher.selection import collections
from outhaul.wiring import open_copying
from servers.client import Client
from servers.postgres import Postgres
from servers.server import Server

SEPTEMBER = datetime(2020, 9, 2, 5, 24, 53)
OCTOBER = datetime(2020, 10, 3, 1, 2, 3)
_TIME = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (?=\[)", re.MULTILINE)
_SCHEMA = (
    "CREATE TABLE collection (id integer PRIMARY KEY, source_id text NOT NULL, data_version timestamp NOT NULL, "
    "sample boolean NOT NULL DEFAULT false, store_end_at timestamp, transform_type text NOT NULL DEFAULT '', "
    "deleted_at timestamp)"
)


class Ran(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


class World:
    """That machine; everything is beneath one directory, which is the home of its user."""

    def __init__(self, home: Path, server: Server, database: Postgres, logs: Mapping[str, Path]) -> None:
        self.home = home
        self.server = server
        self.bucket = server.make_bucket()
        self.postgres = database
        self.database = database.make_database()
        self._logs = logs
        self.data, self.logs = home / "scrapyd/data", home / "scrapyd/logs"
        self.state = home / "state"
        self.config = home / ".config/ocdskingfisher-archive/config.ini"
        self.memory = home / "archive.sqlite"
        for directory in (self.data, self.logs, self.config.parent):
            directory.mkdir(parents=True)
        self.configure()
        self.environ = {name: value for name, value in server.environ().items() if not name.startswith("PG")}
        self.environ |= {"HOME": str(home), "AWS_ENDPOINT_URL": server.endpoint_url}
        with database.connect(self.database) as connection:
            connection.execute(_SCHEMA)

    def configure(self, **more: str) -> None:
        """Write config.ini as in the README; `more` are lines of [DIRECTORIES], or of [SENTRY] for DSN."""
        password = self.postgres.password.replace("%", "%%")
        lines = [
            "[DBHOST]", "HOSTNAME = 127.0.0.1", f"PORT = {self.postgres.port}", f"USERNAME = {self.postgres.user}",
            f"PASSWORD = {password}", f"DBNAME = {self.database}", "[S3]", f"BUCKETNAME = {self.bucket}", "[DIRECTORIES]",
            f"DATA = {self.data}", f"LOGS = {self.logs}",
            *(f"{key} = {value}" for key, value in more.items() if key != "DSN"),
            "[DBARCHIVE]", "FILEPATH = ~/archive.sqlite", "[SENTRY]", f"DSN = {more.get('DSN', '')}",
        ]  # fmt: skip
        self.config.write_text("\n".join(lines) + "\n")

    # --- what there is ------------------------------------------------------------------------------------------

    def collection(
        self,
        number: int,
        files: Mapping[str, bytes] | None = None,
        *,
        at: datetime = SEPTEMBER,
        source: str = "scotland",
        log: str | None = "finished",
    ) -> Path:
        """A crawl that Kingfisher Process has stored: its row, its data directory, its log. Gives the data directory."""
        with self.postgres.connect(self.database) as connection:
            connection.execute(
                "INSERT INTO collection (id, source_id, data_version, store_end_at) VALUES (%s, %s, %s, now())",
                (number, source, at),
            )
        directory = self.data / source / f"{at:%Y%m%d_%H%M%S}"
        for name, content in (files if files is not None else {"0/file.json": b"{}" * 500}).items():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (directory / name).write_bytes(content)
        if log:
            self.write_log(log, at, source, str(number))
        return directory

    def write_log(self, log: str, at: datetime, source: str, name: str) -> Path:
        """A log of Scrapy as it would have been written then."""
        path = self.logs / source / f"{name}.log"
        path.parent.mkdir(exist_ok=True)
        path.write_text(_TIME.sub(f"{at:%Y-%m-%d %H:%M:%S} ", self._logs[log].read_text()))
        return path

    # --- the program --------------------------------------------------------------------------------------------

    def __call__(self, *arguments: str, **more: str) -> Ran:
        """Run `kingfisher-archive archive ARGUMENTS` as a process."""
        return self.command("archive", "--state", str(self.state), *arguments, **more)

    def command(self, *arguments: str, **more: str) -> Ran:
        """Run `kingfisher-archive ARGUMENTS`."""
        done = subprocess.run(
            [sys.executable, "-m", "outhaul.frontends.older.kingfisher_archive", *arguments],
            capture_output=True, text=True, cwd=self.home, env={**self.environ, **more}, timeout=120, check=False,
        )  # fmt: skip
        return Ran(done.returncode, done.stdout, done.stderr)

    def outhaul(self, *arguments: str) -> int:
        """Run `outhaul ARGUMENTS`; its exit code."""
        return subprocess.run([sys.executable, "-m", "outhaul", *arguments], env=self.environ, check=False).returncode

    def settings(self) -> Settings:
        """What is configured."""
        return read(str(self.config))._replace(memory=str(self.memory))

    def run(self, step: Callable[[str], None] = lambda _: None) -> Run:
        """The same in this process, whose environment must be this world's."""
        settings = self.settings()
        mover = Mover(self.bucket, str(self.state), LogMonitor(), lambda: False)
        self.state.mkdir(exist_ok=True)
        with Memory(settings.memory) as memory:
            running = Run(settings, memory, Months(open_copying(self.bucket)), mover, step=step)
            running.archive(collections(settings.database))
        return running

    # --- what came of it ----------------------------------------------------------------------------------------

    def client(self) -> Client:
        """To the bucket, sharing no code with outhaul."""
        return Client(self.server.endpoint_url, self.server.access_key, self.server.secret_key, self.server.region)

    def objects(self) -> dict[str, bytes]:
        """All objects but those of a probe, and manifests."""
        with self.client() as client:
            keys = [listed.key for listed in client.list(self.bucket)]
            return {
                key: client.get(self.bucket, key) for key in keys if ".outhaul" not in key and "manifest" not in key
            }

    def put(self, key: str, body: bytes) -> None:
        """An object of somebody else."""
        with self.client() as client:
            client.put(self.bucket, key, body)

    def metadata(self, key: str = "scotland/2020/09/metadata.json") -> dict[str, Any]:
        """What metadata says."""
        found = json.loads(self.objects()[key])
        assert isinstance(found, dict)
        return found

    def decisions(self) -> dict[int, tuple[str, str, bool]]:
        """State and reason of each collection that is decided, and whether its files are still to be let go."""
        import sqlite3

        with sqlite3.connect(self.memory) as database:
            rows = database.execute(
                "SELECT collection_id, state, reason, pending != '' FROM collections LEFT JOIN outhaul_decisions "
                "USING (collection_id)"
            ).fetchall()
        database.close()
        return {number: (state, reason, bool(pending)) for number, state, reason, pending in rows}


def files_of(archive: bytes) -> dict[str, bytes]:
    """The files in a data.tar.lz4, by their paths there."""
    with tarfile.open(fileobj=io.BytesIO(lz4.frame.decompress(archive))) as tar:
        members = [(member.name, tar.extractfile(member)) for member in tar.getmembers()]
        return {name: file.read() for name, file in members if file is not None}


def complete_pairs(objects: Mapping[str, bytes]) -> list[str]:
    """Metadata that has data beside it."""
    return [
        key
        for key in objects
        if "/metadata" in key and key.replace("metadata", "data").replace(".json", ".tar.lz4") in objects
    ]
