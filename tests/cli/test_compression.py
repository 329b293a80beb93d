"""Compressed files, there and back, by the command; and with the ordinary tools."""

import bz2
import gzip
import lzma
import os
import random
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from cli.program import Program

FILES = {
    "a/text.csv": b"".join(b"%d;%d\n" % (number, number % 17) for number in range(5000)),
    "noise.bin": random.Random(3).randbytes(20_000),
    "empty": b"",
    "a/large.csv": b"".join(
        b"%d;%d\n" % (number, random.Random(number).randrange(1000)) for number in range(2_000_000)
    ),
}

pytestmark = pytest.mark.slow


@pytest.fixture
def outhaul(tmp_path: Path) -> Program:
    """A source with files small and large, and a directory to carry them to."""
    program = Program(tmp_path)
    for name, content in FILES.items():
        path = tmp_path / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return program


@pytest.mark.parametrize(
    ("codec", "suffix", "opened"),
    [("bzip2", ".bz2", bz2.decompress), ("gzip", ".gz", gzip.decompress), ("xz", ".xz", lzma.decompress), ("zstd", ".zst", None),
     ("lz4", ".lz4", None)],
)  # fmt: skip
def test_there_and_back(
    outhaul: Program, tmp_path: Path, codec: str, suffix: str, opened: Callable[[bytes], bytes] | None
) -> None:
    """Moved with each codec, opened by Python's own library where it has one, audited, and restored as they were."""
    level = ["--level", "1"] if codec == "xz" else []
    moved = outhaul("move", "source", "stored", "--state", "state", "--compress", codec, *level)
    assert moved.code == 0, moved.err
    stored = {
        str(path.relative_to(tmp_path / "stored")): path for path in (tmp_path / "stored").rglob("*") if path.is_file()
    }
    assert {name + suffix for name in FILES} == set(stored)
    if opened is not None:
        assert {name.removesuffix(suffix): opened(path.read_bytes()) for name, path in stored.items()} == FILES
    assert not any(path.is_file() for path in (tmp_path / "source").rglob("*"))
    assert outhaul("audit", "--state", "state", "--all").code == 0
    assert outhaul("audit", "--state", "state", "--all", "--read-back").code == 0
    back = outhaul("restore", "--state", "state", "**", "--to", "back")
    assert back.code == 0, back.err
    assert {name: (tmp_path / "back" / name).read_bytes() for name in FILES} == FILES


def test_auto(outhaul: Program, tmp_path: Path) -> None:
    """What does not become smaller keeps its name."""
    assert outhaul("copy", "source", "stored", "--state", "state", "--compress", "auto").code == 0
    stored = {os.path.relpath(path, tmp_path / "stored") for path in (tmp_path / "stored").rglob("*") if path.is_file()}
    assert stored == {"a/text.csv.zst", "a/large.csv.zst", "noise.bin", "empty"}
    assert outhaul("copy", "source", "stored", "--state", "state", "--compress", "auto").out == ""


def test_the_events_tell_the_file_and_what_is_stored(outhaul: Program, tmp_path: Path) -> None:
    """In JSON, size and digest are the file's; those of the object stand beside them where they differ."""
    ran = outhaul("copy", "source", "stored", "--state", "state", "--compress", "auto", "--json", "--include", "noise.bin",
                  "--include", "text.csv")  # fmt: skip
    told = {event["path"]: event for event in ran.events if event["event"] == "carried"}
    text, stored = told["a/text.csv"], (tmp_path / "stored" / "a" / "text.csv.zst").read_bytes()
    assert (text["size"], text["sha256"]) == (len(FILES["a/text.csv"]), sha256(FILES["a/text.csv"]).hexdigest())
    assert (text["codec"], text["stored_size"], text["stored_sha256"]) == (
        "zstd",
        len(stored),
        sha256(stored).hexdigest(),
    )
    assert "codec" not in told["noise.bin"]


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_DATA counts what is mapped on Linux alone")
def test_too_little_memory_is_one_line(outhaul: Program) -> None:
    """Where compression gets no memory one line says so, and the file stays."""
    with (outhaul.source / "sparse.bin").open("wb") as file:
        file.truncate(1 << 30)
    outhaul.environment["MALLOC_ARENA_MAX"] = "1"
    command = [sys.executable, "-m", "outhaul", "move", str(outhaul.source), str(outhaul.target)]
    limit = "resource.setrlimit(resource.RLIMIT_DATA, (64 * 10**6,) * 2)"
    limited = f"import os, resource, sys; {limit}; os.execv(sys.argv[1], sys.argv[1:])"
    ran = subprocess.run(
        [sys.executable, "-c", limited, *command, "--state", str(outhaul.state), "--compress", "zstd", "--level", "19"],
        capture_output=True, cwd=outhaul.home, env=outhaul.environment, timeout=60, check=False,
    )  # fmt: skip
    assert (ran.returncode, b"there is not enough memory" in ran.stderr.splitlines()[-1]) == (1, True)
    assert b"Traceback" not in ran.stderr
    assert (outhaul.source / "sparse.bin").exists()
