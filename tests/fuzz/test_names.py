"""Names are data (law L13): any bytes travel into a key and back, and harm no line of output.

OUTHAUL_NAMES is the number of names (1000), OUTHAUL_SEED repeats them.
"""

import base64
import json
import os
import random
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from faults.runs import Ended
from fuzz.forked import outhaul
from fuzz.names import bad_characters, file_name, unescaped
from servers.server import Server
from servers.start import SERVERS

NAMES = int(os.environ.get("OUTHAUL_NAMES", "1000"))
SEED = int(os.environ.get("OUTHAUL_SEED") or secrets.randbelow(2**31))
_IN_USE = 12

pytestmark = pytest.mark.slow


@pytest.fixture
def own_server() -> Iterator[Server]:
    """A server that no other test has filled: with thousands of objects of others this one becomes very slow."""
    with SERVERS["moto"]() as server:
        yield server


def test_any_name_travels_and_harms_no_line(tmp_path: Path, own_server: Server) -> None:
    """A thousand random names through copy, move, status, ls and why: all carried, keys reversible, lines plain."""
    rng = random.Random(SEED)
    print(f"OUTHAUL_SEED={SEED}")
    names = {file_name(rng) for _ in range(NAMES)}
    source, state = tmp_path / "source", str(tmp_path / "state")
    source.mkdir()
    for name in names:
        Path(os.fsdecode(os.path.join(os.fsencode(source), name))).write_bytes(b"of " + name)
    bucket = own_server.make_bucket()
    there = (str(source), f"s3://{bucket}/a", "--endpoint-url", own_server.endpoint_url, "--state", state)
    options = (*there, "--temporary-names")
    said: list[Ended] = []

    def say(*arguments: str) -> Ended:
        ended = outhaul(*arguments, environ=own_server.environ())
        assert ended.faults == [], f"{arguments[0]}: {ended}"
        said.append(ended)
        return ended

    with ExitStack() as stack:
        for name in sorted(names)[:_IN_USE]:
            stack.enter_context(Path(os.fsdecode(os.path.join(os.fsencode(source), name))).open("ab"))
        say("copy", *options, "-v")
        for command in (("status",), ("status", "--json"), ("status", "-v")):
            say(command[0], "--state", state, *command[1:])
    ended = say("move", *options, "--json")
    assert ended.code == 0, str(ended)
    assert os.listdir(source) == []
    rows = [json.loads(line) for line in say("ls", "--json", "--state", state).output.splitlines()]
    assert names == {base64.b64decode(row["path_base64"]) for row in rows}
    assert [
        row for row in rows if unescaped(row["key"].removeprefix("a/")) != base64.b64decode(row["path_base64"])
    ] == []
    say("ls", "--state", state)
    for name in rng.sample(sorted(names), 40):
        say("why", os.fsdecode(os.path.join(os.fsencode(source), name)), "--state", state)
    with own_server.client() as client:
        stored = {unescaped(item.key.removeprefix("a/")): item.key for item in client.list(bucket, "a/")}
        assert names == {name for name in stored if not name.startswith(b".outhaul-probe")}
        for name in rng.sample(sorted(names), 60):
            assert b"of " + name == client.get(bucket, stored[name])
    assert [line for one in said for line in bad_characters(one.output + one.errors)][:5] == []


def test_one_event_is_one_line(tmp_path: Path) -> None:
    """Where names cannot be carried each is still told on one line, in words and in JSON."""
    rng = random.Random(SEED)
    source, store = tmp_path / "source", tmp_path / "store"
    source.mkdir()
    store.mkdir()
    names = {file_name(rng) for _ in range(200)}
    for name in names:
        os.symlink("nowhere", os.path.join(os.fsencode(source), name))
    ended = outhaul("move", str(source), str(store), "--state", str(tmp_path / "state"), "--json")
    events = [json.loads(line) for line in ended.output.splitlines()]
    assert names == {base64.b64decode(event["path_base64"]) for event in events if event["event"] == "ignored"}
    spoken = outhaul("move", str(source), str(store), "--state", str(tmp_path / "state"), "-v")
    assert bad_characters(ended.output + spoken.output + spoken.errors) == [], f"OUTHAUL_SEED={SEED}"
    assert len(names) == spoken.errors.count(b"\nignored ") + spoken.errors.startswith(b"ignored ")
