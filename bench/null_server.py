"""The null server: nginx with Lua that answers like S3, counts, and stores nothing.

True here: it listens on 127.0.0.1 alone, on a free port, in a directory of its own, as one process; it adds
a fixed delay to each reply when asked to; `counters` tells how many requests, objects and bytes came in,
and a sum over the keys and MD5s of the objects, which `expected_sum` makes from the files: equal sums mean
that exactly these objects arrived whole, under these keys.
Not done here: what it answers (nginx/null_store.lua), and what is measured on it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import urllib.request
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bench.processes import Background, BenchError, free_port, wait_for_port

PARTS = Path(__file__).parent / "nginx"
MODULES = ("ndk_http_module.so", "ngx_http_lua_module.so")
PACKAGES = ("nginx-light", "libnginx-mod-http-lua")


@dataclass(frozen=True)
class Counters:
    """What came in since the last reset: numbers of requests by kind, and the sum over objects."""

    requests: int
    puts: int
    bytes: int
    sum: int
    probe_requests: int
    lists: int
    heads: int
    refused: int
    most_in_flight: int
    connections: int


class NullServer:
    """One running null server."""

    kind = "null server (nginx with Lua)"

    def __init__(self, directory: Path, delay_seconds: float = 0.0, *, keeps: bool = False) -> None:
        """Start it; `keeps`: it digests nothing, its ETags are no digests, and it keeps the SHA-256 that a request tells."""
        nginx, modules = _find()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        directory.mkdir(parents=True)
        answers = (PARTS / "null_store.lua").read_text().replace("@keeps@", "true" if keeps else "false")
        (directory / "null_store.lua").write_text(answers)
        text = (PARTS / "nginx.conf.in").read_text()
        values = {
            "modules": "\n".join(f"load_module {module};" for module in modules),
            "dir": str(directory),
            "port": str(self.port),
            "delay": str(delay_seconds),
        }
        for name, value in values.items():
            text = text.replace(f"@{name}@", value)
        config = directory / "nginx.conf"
        config.write_text(text)
        command = [nginx, "-p", str(directory), "-e", str(directory / "error.log"), "-c", str(config)]
        self._process = Background(command, directory / "output.log")
        try:
            wait_for_port(self.port, self._process)
        except BenchError as error:
            self.stop()
            raise BenchError(f"{error}\n{_tail(directory / 'error.log')}") from None

    def counters(self) -> Counters:
        """What came in since the last reset."""
        with urllib.request.urlopen(f"{self.url}/-/counters", timeout=10) as answer:
            return Counters(**json.load(answer))

    def reset(self) -> None:
        """Set every counter to zero and forget the probes."""
        urllib.request.urlopen(f"{self.url}/-/reset", timeout=10).close()

    def cpu_seconds(self) -> float:
        """Return the CPU time that the server has used so far."""
        return self._process.cpu_seconds()

    def stop(self) -> None:
        """End the server, by its own process id."""
        self._process.stop()


def expected_sum(objects: Iterable[tuple[str, str]]) -> int:
    """Return the sum that the server shows once each (path in the URL, MD5 in hexadecimal) came once."""
    return sum(zlib.crc32(f"{path}\n{md5}".encode()) for path, md5 in objects) % 2**53


def available() -> bool:
    """Whether nginx and its Lua module can be found."""
    try:
        _find()
    except BenchError:
        return False
    return True


def install() -> str:
    """Install nginx with Lua where that is possible without asking; return what was done, or why not."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return f"not installed (needs root and apt-get; on Debian: apt install {' '.join(PACKAGES)})"
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *PACKAGES]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    except subprocess.TimeoutExpired:
        return "apt-get did not end within five minutes"
    return "installed with apt-get" if done.returncode == 0 else f"apt-get failed: {done.stderr.strip()[-200:]}"


def version() -> str:
    """Return what `nginx -v` says."""
    nginx, _ = _find()
    shown = subprocess.run([nginx, "-v"], capture_output=True, text=True, timeout=10, check=False)
    return shown.stderr.strip().removeprefix("nginx version: ")


def _find() -> tuple[str, list[Path]]:
    """Return the nginx program and its two modules, as `nginx -V` tells where they are."""
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/local/sbin:/usr/sbin:/sbin")
    if nginx is None:
        raise BenchError("nginx is not installed")
    told = subprocess.run([nginx, "-V"], capture_output=True, text=True, timeout=10, check=False).stderr.split()
    options = dict(word.removeprefix("--").split("=", 1) for word in told if word.startswith("--") and "=" in word)
    places = [Path(options[name]) for name in ("modules-path",) if name in options]
    if "prefix" in options:
        places.append(Path(options["prefix"]) / "modules")
    for place in places:
        if all((place / module).exists() for module in MODULES):
            return nginx, [place / module for module in MODULES]
    raise BenchError("nginx is there, but not its Lua module")


def _tail(path: Path) -> str:
    return path.read_text()[-1000:] if path.exists() else ""
