"""Whatever a store answers: its adapter raises errors of its own kind, and a run removes nothing.

OUTHAUL_REPLIES is the number of calls (300), OUTHAUL_SEED repeats them.
"""

import os
import random
import secrets
import signal
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from fuzz.raw_server import raw_server
from fuzz.replies import answer
from fuzz.test_secrets import KEY_ID, SECRET
from outhaul.model.errors import StoreError
from outhaul.model.job import Connection, Destination
from outhaul.ports import Abilities, NewObject
from outhaul.stores.s3 import S3Store
from servers.server import Server

CALLS = int(os.environ.get("OUTHAUL_REPLIES", "300"))
SEED = int(os.environ.get("OUTHAUL_SEED") or secrets.randbelow(2**31))
_RUNS = 6
_RUN_SECONDS = 4.0
_BODY = b"one"

pytestmark = pytest.mark.slow


def test_every_reply_is_an_error_of_ours_or_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Random and mutated replies to each call: no exception but a StoreError, and no bytes that were never stored."""
    for name, value in Server("raw", "", KEY_ID, SECRET).environ().items():
        monkeypatch.setenv(name, value)
    rng = random.Random(SEED)
    outcomes: Counter[str] = Counter()
    found = []
    with raw_server(lambda _: answer(rng)) as server:
        store = _store(server.url)
        for number in range(CALLS):
            store.adopt(Abilities(create_only=rng.random() < 0.5, readable=True))
            name = rng.choice(sorted(_CALLS))
            began = time.monotonic()
            try:
                _CALLS[name](store)
                outcomes["answered"] += 1
            except StoreError as error:
                outcomes[type(error).__name__] += 1
            except Exception:
                found.append(f"call {number}, {name}: {traceback.format_exc()}")
            if time.monotonic() - began > 20:
                found.append(f"call {number}, {name}: took {time.monotonic() - began:.0f} s")
    print(f"OUTHAUL_SEED={SEED}: {CALLS} calls: {dict(outcomes)}")
    expected: list[str] = []
    assert expected == found[:5], f"OUTHAUL_SEED={SEED}: {len(found)} of {CALLS}"


def test_no_reply_removes_a_file(tmp_path: Path) -> None:
    """Whole runs against such stores: whatever they say, the sources stay, and nobody sees a traceback."""
    rng = random.Random(SEED)
    environ = Server("raw", "", KEY_ID, SECRET).environ()
    with raw_server(lambda _: answer(rng)) as server:
        runs = []
        for number in range(_RUNS):
            source = tmp_path / f"source{number}"
            source.mkdir()
            for name in ("one.dat", "two.dat"):
                (source / name).write_bytes(_BODY)
            command = [sys.executable, "-m", "outhaul", "move", str(source), f"s3://bucket-{number}/a"]
            options = ["--endpoint-url", server.url, "--state", str(tmp_path / f"state{number}")]
            runs.append((source, subprocess.Popen([*command, *options], env=environ, stderr=subprocess.PIPE)))
        late = time.monotonic() + _RUN_SECONDS
        for source, process in runs:
            try:
                process.wait(max(0.0, late - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGTERM)
            try:
                errors = process.communicate(timeout=20)[1]
            finally:
                process.kill()
            # It had told everything and was about to end: then a signal ends it at once.
            told = process.returncode == -signal.SIGTERM and b"2 waiting" in errors
            assert told or process.returncode in (1, 4, 130), errors
            assert b"Traceback" not in errors, f"OUTHAUL_SEED={SEED}: {errors.decode()}"
            assert sorted(os.listdir(source)) == ["one.dat", "two.dat"], f"OUTHAUL_SEED={SEED}: {errors.decode()}"


def _store(url: str) -> S3Store:
    return S3Store(Destination("s3://bucket/a", "s3", bucket="bucket", prefix="a"), Connection(endpoint_url=url))


def _put(store: S3Store) -> None:
    for answered in store.put_many([NewObject(f"a/{number}", _BODY, b"\0" * 32) for number in range(3)], 2):
        if isinstance(answered.outcome, StoreError):
            raise answered.outcome


_CALLS: dict[str, Callable[[S3Store], object]] = {
    "probe": S3Store.probe,
    "put": lambda store: store.put("a/one", _BODY),
    "put_many": _put,
    "head": lambda store: store.head("a/one"),
    "read": lambda store: b"".join(store.read("a/one")),
    "stored_sha256": lambda store: store.stored_sha256("a/one", ""),
    "list": lambda store: list(store.list("a/")),
}
