"""A tree that workers carry into a bucket while they are killed."""

import os
import random
import secrets
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from kill.places import files

SEED = int(os.environ.get("OUTHAUL_SEED") or secrets.randbelow(2**31))
FILES = 6000
_TEMPORARY = ".rclone_temp_put_"


class Lab:
    """A tree, a bucket, and the command."""

    def __init__(self, home: Path, bucket: str, endpoint: str, more: Iterable[str] = ()) -> None:
        self.home, self.bucket = home, bucket
        self.rng, self.written = random.Random(SEED), dict[str, bytes]()
        for number in range(FILES):
            name = "big/" if number % 3 == 0 else f"d{number % 41}/e{number % 7}/"
            self.write(f"{name}{number}.csv", b"%d:" % number + self.rng.randbytes(self.rng.choice((0, 200, 2500))))
        self.command = [sys.executable, "-m", "outhaul", "move", str(home / "source"), f"s3://{bucket}/site"]
        self.command += ["--endpoint-url", endpoint, "--state", str(home / "state"), "--on", "local:3", *more]

    def write(self, name: str, content: bytes) -> None:
        """A file of the tree."""
        path = self.home / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        self.written[name] = content

    def stored(self) -> dict[str, bytes]:
        """What is in the bucket, on the disk of rclone: once connections have been cut, it may serve less than it has there."""
        there = self.home / "objects" / self.bucket / "site"
        found = {str(path.relative_to(there)): path for path in there.rglob("*") if path.is_file()}
        ours = {
            name: path for name, path in found.items() if not name.startswith(".outhaul") and _TEMPORARY not in name
        }
        return {name: path.read_bytes() for name, path in ours.items()}

    def lost(self) -> list[str]:
        """What is neither there nor here."""
        here, stored = {path.read_bytes() for path in files(self.home / "source")}, self.stored()
        return [name for name, content in self.written.items() if stored.get(name) != content and content not in here]

    @property
    def output(self) -> str:
        """What the command said."""
        return (self.home / "output").read_text()

    def start(self) -> "subprocess.Popen[bytes]":
        """The command, beside us."""
        with (self.home / "output").open("ab") as output:
            return subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)

    def wait_until_some_are_there(self, process: "subprocess.Popen[bytes]") -> None:
        """Until it is in the middle of its work."""
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            if sum(1 for _ in files(self.home / "source")) < FILES - 300:
                return
            time.sleep(0.05)
        raise AssertionError(self.output[-2000:])


def workers(driver: int) -> list[int]:
    """The processes of Dask's workers: those that this one has started, and that carry."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError, IndexError, ValueError):
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == driver and b"spawn_main" in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return found
