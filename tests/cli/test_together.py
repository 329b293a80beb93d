"""Bundles and groups as a user has them: there and back on a real server, with `tar` and the codecs' programs as witnesses."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cli.program import Program, Ran
from cli.test_restore import There
from servers.server import Server

NAMES = (b"a\nnewline", b"\xff\xfe", b"-rf", b"sp ace", "Zürich".encode(), b"%41", b"x.tar.manifest.json", b"esc\x1b[31m",
         b"bundle-0123456789abcdef.tar", b"d/" + b"n" * 120, b"empty")  # fmt: skip
PROGRAMS = {"": [], "gzip": ["gzip", "-dc"], "zstd": ["zstd", "-dcq"], "bzip2": ["bzip2", "-dc"], "xz": ["xz", "-dc"],
            "lz4": ["lz4", "-dcq"]}  # fmt: skip


@pytest.fixture
def there(rclone_server: Server, tmp_path: Path) -> There:
    """The program, a bucket, and files of every kind of name."""
    there = There(tmp_path, rclone_server)
    for number, name in enumerate(NAMES):
        path = os.path.join(os.fsencode(there.source), name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(name * number if name != b"empty" else b"")
        os.utime(path, ns=(0, 1_600_000_000_123_456_789 + number))
        os.chmod(path, 0o640)
    return there


def contents(place: Path) -> dict[bytes, bytes]:
    """All files beneath, but for the index of a bundle."""
    root = os.fsencode(place)
    found = {}
    for directory, _, names in os.walk(root):
        for name in names:
            path = os.path.join(directory, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, root)] = file.read()
    return {path: content for path, content in found.items() if not path.startswith(b".outhaul-index-")}


def stored(there: There) -> dict[str, bytes]:
    """The bucket, without what outhaul tried the store with."""
    with there.server.client() as client:
        keys = [listed.key for listed in client.list(there.bucket) if "/.outhaul-probe" not in listed.key]
        return {key: client.get(there.bucket, key) for key in keys}


def carried(ran: Ran) -> list[dict[str, Any]]:
    """What was told of each file that went."""
    return [event for event in ran.events if event["event"] == "carried"]


def known(there: There, *arguments: str) -> Ran:
    """What the ledger tells, without the network."""
    return Program.__call__(there, *arguments, "--state", str(there.state))


def cut(of: dict[str, Any], body: bytes, codec: str) -> bytes:
    """A file by what is told of its place, by other programs (docs/format.md)."""
    part = body[of["offset"] : of["offset"] + of["length"]]
    if codec:
        part = subprocess.run(PROGRAMS[codec], input=part, capture_output=True, check=True).stdout
    return part[of["at"] : of["at"] + of["size"]]


_FAST = {("bundle", "zstd"), ("group", "gzip")}


@pytest.mark.parametrize(
    ("kind", "codec"),
    [
        pytest.param(kind, codec, marks=() if (kind, codec) in _FAST else pytest.mark.slow)
        for kind in ("bundle", "group")
        for codec in PROGRAMS
    ],
)
def test_there_and_back(there: There, tmp_path: Path, kind: str, codec: str) -> None:
    """`tar` finds the same files, the index says where each is, what is told of each is so, and all come back."""
    if codec and shutil.which(PROGRAMS[codec][0]) is None:
        pytest.skip(f"there is no {PROGRAMS[codec][0]} here")
    if kind == "group":
        os.rename(there.source, tmp_path / "run-1")
        there.source.mkdir()
        os.rename(tmp_path / "run-1", there.source / "run-1")
    before = contents(there.source)
    how = ("--bundle", "64KiB") if kind == "bundle" else ("--group", "run-*")
    compress = ("--compress", codec) if codec else ()
    ran = there("move", str(there.source), there.address, *how, *compress, "--json")
    assert (ran.code, contents(there.source)) == (0, {})

    objects = stored(there)
    (key,) = [key for key in objects if not key.endswith(".json")]
    (index,) = [json.loads(objects[other]) for other in objects if other.startswith(f"{key}.")]
    body = objects[key]
    assert (index["outhaul"], index["codec"], len(objects)) == (kind, codec or "none", 2)
    assert sorted(before.values()) == sorted(cut(member, body, codec) for member in index["members"])

    (tmp_path / "tar").mkdir()
    plain = subprocess.run(PROGRAMS[codec], input=body, capture_output=True, check=True).stdout if codec else body
    subprocess.run(["tar", "-xf", "-"], input=plain, cwd=tmp_path / "tar", capture_output=True, check=True)
    assert before == contents(tmp_path / "tar")

    events = carried(ran)
    rows = known(there, "export", "--format", "jsonl").events
    assert len(events) == len(rows) == len(before)
    for told in (*events, *rows):
        content = cut(told, body, codec)
        assert (told["size"], told["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
        assert (key, codec) == (told["key"], told["codec"])
        assert (len(body), hashlib.sha256(body).hexdigest()) == (told["stored_size"], told["stored_sha256"])
    assert {kind} == {row["within"] for row in rows}
    assert len(body) == ran.events[-1]["bytes_carried"]

    back = there("restore", "**", "--to", str(there.back))
    assert (back.code, before) == (0, contents(there.back)), back.err
    assert {path.stat().st_mode & 0o777 for path in there.back.rglob("*") if path.is_file()} == {0o640}
    assert there("audit", "--all", "--read-back").code == 0


def test_what_is_told_of_one_file(there: There) -> None:
    """`why` and `ls -v` say that it is in a bundle, how large that is, and where it is there."""
    there("move", str(there.source), there.address, "--bundle", "64KiB", "--compress", "gzip")
    why = known(there, "why", str(there.source / "-rf")).out
    (size,) = [len(body) for key, body in stored(there).items() if key.endswith(".tar.gz")]
    assert f"    stored in a bundle: {size:,} bytes, sha256 " in why
    assert "    there: " in why and " on, decompressed by gzip, from " in why
    assert "(in a bundle, gzip, " in known(there, "ls", "-v").out


def test_an_audit_names_the_object(there: There) -> None:
    """One file of a bundle is looked at for all; where it is damaged, a person is told that the others are meant too."""
    there("move", str(there.source), there.address, "--bundle", "64KiB")
    (key,) = [key for key in stored(there) if key.endswith(".tar")]
    with there.server.client() as client:
        body = bytearray(client.get(there.bucket, key))
        body[client.get(there.bucket, key).index(b"esc")] ^= 1
        client.put(there.bucket, key, bytes(body))
    ran = there("audit", "--all")
    assert (ran.code, f", and all that is in {key}\n" in ran.err) == (1, True), ran.err
