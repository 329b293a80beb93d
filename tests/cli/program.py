"""Run the real command as a process of its own, on files of a temporary directory."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

TIMEOUT_SECONDS = 60


class Ran(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def events(self) -> list[dict[str, Any]]:
        """Its standard output, read as one JSON object a line."""
        return [json.loads(line) for line in self.out.splitlines()]


class Program:
    """The command, with a state directory of its own and no credentials from the machine."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.source = home / "source"
        self.source.mkdir()
        self.target = home / "target"
        self.state = home / "state"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        self.environment = {**kept, "HOME": str(home), "COLUMNS": "80", "AWS_EC2_METADATA_DISABLED": "true"}

    def __call__(self, *arguments: str, **more: str) -> Ran:
        """Run `outhaul ARGUMENTS`; `more` goes into its environment."""
        done = subprocess.run(
            [sys.executable, "-m", "outhaul", *arguments],
            capture_output=True,
            cwd=self.home,
            env={**self.environment, **more},
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())

    def on_terminal(self, *arguments: str, columns: int = 80) -> str:
        """What `outhaul ARGUMENTS` writes to a terminal."""
        ours, theirs = os.openpty()
        with os.fdopen(ours, "rb", buffering=0) as screen:
            try:
                command = [sys.executable, "-m", "outhaul", *arguments]
                environment = {**self.environment, "COLUMNS": str(columns)}
                process = subprocess.Popen(command, stdout=theirs, cwd=self.home, env=environment)
            finally:
                os.close(theirs)
            shown = b""
            try:
                while read := screen.read(65536):
                    shown += read
            except OSError as error:  # So a terminal says on Linux that nobody writes there any more.
                assert error.errno == errno.EIO
            process.wait(TIMEOUT_SECONDS)
        return shown.decode().replace("\r\n", "\n")

    def move(self, *options: str) -> Ran:
        """Move the source to the target directory."""
        return self("move", str(self.source), str(self.target), "--state", str(self.state), *options)

    def copy(self, *options: str) -> Ran:
        """Copy it."""
        return self("copy", str(self.source), str(self.target), "--state", str(self.state), *options)

    def write(self, name: str, content: bytes = b"content") -> Path:
        """A file of the source."""
        path = self.source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def stored(self) -> dict[str, bytes]:
        """The target directory, by relative path."""
        return {
            str(path.relative_to(self.target)): path.read_bytes()
            for path in sorted(self.target.rglob("*"))
            if path.is_file()
        }
