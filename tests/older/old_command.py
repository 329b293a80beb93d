"""Run the command of an older program as a process of its own, against a real server, in a home of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from servers.server import Server

TIMEOUT_SECONDS = 60


class Said(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


class OldCommand:
    """One of the commands, and its surroundings."""

    def __init__(self, module: str, home: Path, server: Server, bucket: str) -> None:
        self.module = module
        self.home = home
        self.server = server
        self.bucket = bucket
        self.environment = server.environ() | {
            "HOME": str(home),
            "AWS_ENDPOINT_URL": server.endpoint_url,
        }

    @property
    def arguments(self) -> list[str]:
        """What starts the command, before its own arguments."""
        return [sys.executable, "-c", f"from outhaul.frontends.older.{self.module} import entry; entry()"]

    def __call__(self, *arguments: str, **more: str) -> Said:
        """Run it; `more` goes into its environment."""
        return self._run([*self.arguments, *arguments], more)

    def outhaul(self, *arguments: str, **more: str) -> Said:
        """Run `outhaul` in the same surroundings."""
        return self._run([sys.executable, "-m", "outhaul", *arguments], more)

    def stored(self) -> dict[str, bytes]:
        """Every object of the bucket but those of the probe."""
        with self.server.client() as client:
            keys = [found.key for found in client.list(self.bucket) if ".outhaul-probe" not in found.key]
            return {key: client.get(self.bucket, key) for key in keys}

    def _run(self, command: list[str], more: dict[str, str]) -> Said:
        done = subprocess.run(
            command,
            capture_output=True,
            cwd=self.home,
            env=self.environment | more,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        return Said(done.returncode, done.stdout.decode(), done.stderr.decode())
