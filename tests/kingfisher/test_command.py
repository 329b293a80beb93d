"""The command itself: dry run, lock, log, Sentry, exit codes, the database."""

import gzip
import http.server
import json
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kingfisher.world import OCTOBER, World
from outhaul.config.profiles.kingfisher import Database
from outhaul.kingfisher.selection import SelectionFailed, collections


def test_a_dry_run_says_and_changes_nothing(world: World) -> None:
    """The lines of the older program; no object, no file, not even the file of the decisions."""
    world.collection(1, at=OCTOBER)
    world.collection(2, log="sample")
    world.collection(3, log=None, source="wales")
    before = sorted(path for path in world.home.rglob("*") if path.is_file())
    ran = world("--dry-run")
    assert ran == (0, "Collection 1 result: Archive\nCollection 2 result: Skip\nCollection 3 result: Skip\n", "")
    assert world.objects() == {}
    after = sorted(path for path in world.home.rglob("*") if path.is_file())
    assert before == [path for path in after if world.state not in path.parents]
    with sqlite3.connect(world.memory) as database:
        database.execute("CREATE TABLE collections (collection_id INTEGER PRIMARY KEY NOT NULL, state TEXT NOT NULL)")
        database.execute("INSERT INTO collections VALUES (1, 'ARCHIVED')")
    database.close()
    content = world.memory.read_bytes()
    assert world("-n").out == "Collection 2 result: Skip\nCollection 3 result: Skip\n"
    assert content == world.memory.read_bytes()


def test_only_what_was_stored_to_its_end_is_looked_at(world: World) -> None:
    """No samples, none that is still being stored, none that was transformed, none that was deleted; by number."""
    for number in range(1, 7):
        world.collection(7 - number, source=f"s{number}", log=None)
    with world.postgres.connect(world.database) as connection:
        for number, change in enumerate(
            ["sample = true", "store_end_at = NULL", "transform_type = 'compile-releases'", "deleted_at = now()"], 1
        ):
            connection.execute(f"UPDATE collection SET {change} WHERE id = %s", (number,))
    assert world("--dry-run").out.splitlines() == ["Collection 5 result: Skip", "Collection 6 result: Skip"]


@pytest.mark.slow
def test_outhaul_knows_the_configuration(world: World) -> None:
    """`outhaul run config.ini` is the same; `outhaul translate` says in one line, with its place, why it cannot be had."""
    world.collection(1)
    assert world.outhaul("run", str(world.config), "--state", str(world.state)) == 0
    assert world.decisions() == {1: ("ARCHIVED", "first", False)}
    for option, value in (("--on", "local:2"), ("--shard", "1/2"), ("--bandwidth", "1MB/s"), ("--job", "x")):
        assert world.outhaul("run", str(world.config), "--state", str(world.state), option, value) == 2
    assert world.outhaul("translate", str(world.config)) == 2
    command = [sys.executable, "-m", "outhaul", "translate", str(world.config)]
    done = subprocess.run(command, env=world.environ, capture_output=True, text=True, check=False)
    assert (done.stdout, len(done.stderr.splitlines())) == ("", 1)
    assert done.stderr.startswith(f"outhaul: {world.config}:1: [DBHOST]: a database says which collections there are")


@pytest.mark.slow
def test_a_pgpass_goes_before_the_password(world: World) -> None:
    """As ever: what ~/.pgpass says counts, and without it the password of the configuration."""
    password = world.postgres.password
    world.postgres = type(world.postgres)("127.0.0.1", world.postgres.port, world.postgres.user, "wrong")
    world.configure()
    ran = world("--dry-run")
    assert (ran.code, ran.err.count("password authentication failed")) == (1, 1)
    assert password not in ran.err
    pgpass = world.home / ".pgpass"
    pgpass.write_text(f"127.0.0.1:{world.postgres.port}:*:{world.postgres.user}:{password}\n")
    pgpass.chmod(0o600)
    assert world("--dry-run") == (0, "", "")


@pytest.mark.slow
def test_a_database_that_is_not_there(world: World) -> None:
    """One line, and nothing is done; also where a table is not there."""
    with pytest.raises(SelectionFailed, match=r"PostgreSQL u@127\.0\.0\.1:9/d: connection"):
        collections(Database("127.0.0.1", 9, "u", "secret", "d"))
    with world.postgres.connect(world.database) as connection:
        connection.execute("DROP TABLE collection")
    ran = world()
    assert ran.code == 1
    assert "does not exist" in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.slow
def test_a_second_one_does_not_start(world: World) -> None:
    """Wherever it is started from; a dead one is in nobody's way."""
    world.collection(1)
    holding = (
        "import fcntl, os, sys; os.makedirs(sys.argv[1]); f = open(sys.argv[1] + '/kingfisher-archive.lock', 'w'); "
        "fcntl.flock(f, fcntl.LOCK_EX); print(flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holding, str(world.state)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        assert world() == (3, "Already running.\n", "")
        other.kill()
    assert world().code == 0


@pytest.mark.slow
def test_the_log_is_as_configured(world: World) -> None:
    """The sample of the README: files in the working directory, and the lines that people look for."""
    handlers = {
        name: {
            "class": "logging.handlers.RotatingFileHandler",
            "level": level,
            "formatter": "s",
            "filename": f"{name}.log",
        }
        for name, level in (("info", "INFO"), ("error", "ERROR"))
    }
    told = {
        "version": 1, "handlers": handlers,
        "formatters": {"s": {"format": "%(asctime)s - %(name)s - %(levelname)s - %(message)s"}},
        "loggers": {"ocdskingfisher": {"level": "DEBUG", "handlers": ["info", "error"], "propagate": False}},
    }  # fmt: skip
    path = world.config.parent / "logging.json"
    path.write_text(json.dumps(told))
    world.collection(1)
    assert world() == (0, "", "")
    log = (world.home / "info.log").read_text()
    assert " - ocdskingfisher.archive - INFO - Collection 1 result: Archive\n" in log
    assert "Collection 1: there is no archive yet\n" in log
    assert (world.home / "error.log").read_text() == ""
    path.write_text('{"version": 1,\n')
    ran = world()
    assert (ran.code, len(ran.err.splitlines())) == (2, 1)
    assert f"{path}:2: is no configuration of logging" in ran.err
    path.write_text('{"version": 1, "handlers": {"a": {"class": "no.such"}}}')
    assert f"{path}: is no configuration of logging: Unable to configure handler 'a'" in world().err


def _unpacked(body: bytes, encoding: str) -> bytes:
    if encoding == "br":
        import brotli

        return bytes(brotli.decompress(body))
    return gzip.decompress(body) if encoding == "gzip" else body


@contextmanager
def _sentry() -> Iterator[tuple[int, list[bytes]]]:
    """A server that takes what is reported."""
    taken: list[bytes] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            taken.append(_unpacked(body, self.headers.get("Content-Encoding", "")))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1], taken
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.slow
def test_failures_are_reported_to_sentry(world: World) -> None:
    """Where a DSN is set, what fails is told there."""
    with _sentry() as (port, taken):
        world.configure(DSN=f"http://key@127.0.0.1:{port}/1")
        with world.postgres.connect(world.database) as connection:
            connection.execute("INSERT INTO collection VALUES (1, '..', now(), false, now())")
        assert world().code == 1
    assert any(b"Collection %s failed" in body or b"Collection 1 failed" in body for body in taken)
    world.configure(DSN="no address")
    ran = world()
    assert (ran.code, len(ran.err.splitlines())) == (2, 1)
    assert "[SENTRY] DSN: is no address of Sentry" in ran.err


@pytest.mark.slow
@pytest.mark.parametrize(("module", "extra"), [("psycopg", "kingfisher"), ("sentry_sdk", "sentry")])
def test_an_extra_that_is_not_installed(world: World, module: str, extra: str, tmp_path: Path) -> None:
    """It is named in one line."""
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / f"{module}.py").write_text(f"raise ModuleNotFoundError(name={module!r})")
    if module == "sentry_sdk":
        world.configure(DSN="https://key@127.0.0.1/1")
    ran = world(PYTHONPATH=str(hidden))
    assert (ran.code, len(ran.err.splitlines())) == (2, 1)
    assert f"pip install 'outhaul[{extra}]'" in ran.err


@pytest.mark.slow
def test_exit_codes(world: World) -> None:
    """Wrong usage and configuration 2, a bucket that cannot be used 4, a file of decisions that is none 1."""
    world.collection(1)
    assert world("--no-such-option").code == 2
    assert world("--config", "/nowhere/config.ini").code == 2
    ran = world(AWS_ENDPOINT_URL="http://127.0.0.1:9")
    assert ran.code == 4, ran
    world.memory.write_bytes(b"this is no database, and long enough to be looked at as one" * 20)
    ran = world()
    assert (ran.code, len(ran.err.splitlines())) == (1, 1)
    assert "DBARCHIVE.FILEPATH" in ran.err
    assert world.objects() == {}


@pytest.mark.slow
def test_interrupted(world: World) -> None:
    """A signal ends the run; nothing is decided by it."""
    world.collection(1)
    signalling = (
        "import os, signal, sys; from outhaul.kingfisher import selection\n"
        "from outhaul.frontends.older import kingfisher_archive as k\n"
        "ask = selection.collections\n"
        "selection.collections = lambda database: (os.kill(os.getpid(), signal.SIGTERM), ask(database))[1]\n"
        "k.entry()"
    )
    done = subprocess.run(
        [sys.executable, "-c", signalling, "archive", "--state", str(world.state)], env=world.environ, check=False
    )
    assert done.returncode == 130
    assert (world.objects(), world.decisions()) == ({}, {})


def test_sizes_and_digests_are_those_of_the_shell(world: World) -> None:
    """What metadata says of size and MD5 is what `du` and `md5sum` said for the older program."""
    directory = world.collection(1, {"a": b"a" * 5000, "b/c d": b"", "b/e": b"\n"})
    os.link(directory / "a", directory / "b/hard")
    shell = 'find "$1" -type f -exec md5sum {} + | cut -d" " -f1 | sort | md5sum | cut -d" " -f1; du -sb "$1" | cut -f1'
    told = subprocess.run(
        ["sh", "-c", shell, "sh", str(directory)], capture_output=True, text=True, check=True
    ).stdout.split()
    from outhaul.kingfisher.local import measure

    measured = measure(str(directory))
    assert measured is not None
    assert told == [measured.md5, str(measured.disk_bytes)]
    assert (measured.bytes, len(measured.files)) == (10001, 4)
