"""A producer, and an attacker, on the machine's own file system."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_WRITER = """
import mmap, os, sys
descriptor = os.open(os.fsencode(sys.argv[1]), os.O_RDWR)
if sys.argv[2] == "mapping":
    kept = mmap.mmap(descriptor, 0)
    os.close(descriptor)
print("ready", flush=True)
sys.stdin.read()
"""


class HostHands:
    """See `outhaul.testing.contracts.hands.Hands`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, path: str, content: bytes) -> None:
        self._parent(path)
        (self.root / path).write_bytes(content)

    def append(self, path: str, content: bytes) -> None:
        with (self.root / path).open("ab") as file:
            file.write(content)

    def replace(self, path: str, content: bytes) -> None:
        (self.root / f"{path}.new").write_bytes(content)
        (self.root / f"{path}.new").rename(self.root / path)

    def remove(self, path: str) -> None:
        (self.root / path).unlink()

    def symlink(self, path: str, target: str) -> None:
        (self.root / path).symlink_to(self.root / target)

    def fifo(self, path: str) -> None:
        os.mkfifo(self.root / path)

    def socket(self, path: str) -> None:
        # A socket's path is at most 107 bytes long, so it is given relative to its directory.
        before = Path.cwd()
        os.chdir(self.root)
        try:
            with socket.socket(socket.AF_UNIX) as made:
                made.bind(path)
        finally:
            os.chdir(before)

    def swap_for_link(self, directory: str, target: str) -> None:
        (self.root / directory).rename(self.root / f"{directory}.moved")
        self.symlink(directory, target)

    @contextmanager
    def writing(self, path: str, how: str = "writing") -> Iterator[None]:
        command = [sys.executable, "-S", "-c", _WRITER, str(self.root / path), how]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            yield
            process.communicate()

    @contextmanager
    def mapping(self, path: str) -> Iterator[None]:
        with self.writing(path, "mapping"):
            yield

    def read(self, path: str) -> bytes | None:
        try:
            return (self.root / path).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _parent(self, path: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
