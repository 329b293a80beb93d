"""The real server of the races: `rclone serve s3` on a directory, which is read to see what it really holds.

True here: it listens on 127.0.0.1 alone, checks signatures, and keeps each object as a file, so that a judge reads
bytes and asks nobody. It ignores `If-None-Match`, as many a store does: what a mover does against overwriting, it must do by
itself. Names that begin with `.rclone_temp_put_` are uploads that the server has not accepted yet.
Not done here: faults (proxy.py).
"""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from bench.losses.judge import read_tree
from bench.processes import Background, free_port, wait_for_port
from bench.real_server import KEY, SECRET
from bench.signed_requests import Client
from bench.tools import BUCKET

UNACCEPTED = ".rclone_temp_put_"
_QUIET_SECONDS = 3.0


class Store:
    """One running server with one empty bucket."""

    kind = "rclone serve s3, on a directory"

    def __init__(self, rclone: Path, directory: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._data = directory / "data"
        self._data.mkdir(parents=True)
        command = [str(rclone), "serve", "s3", "--addr", f"127.0.0.1:{self.port}", "--auth-key", f"{KEY},{SECRET}"]
        command += ["--config", os.devnull, "--log-level", "ERROR", "--cache-dir", str(directory / "cache")]
        self._process = Background([*command, str(self._data)], directory / "output.log", {"HOME": str(directory)})
        try:
            wait_for_port(self.port, self._process)
            client = Client(self.url, KEY, SECRET, None)
            client.create_bucket(BUCKET)
            client.close()
        except BaseException:
            self.stop()
            raise

    def objects(self, prefix: str) -> dict[str, bytes]:
        """Return every object below the prefix, by its key without the prefix, once no upload is under way."""
        root = self._data / BUCKET / prefix
        until = time.monotonic() + _QUIET_SECONDS
        while True:
            found = read_tree(root)
            under_way = [key for key in found if key.rpartition("/")[2].startswith(UNACCEPTED)]
            if not under_way or time.monotonic() > until:
                return {key: data for key, data in found.items() if key not in under_way}
            time.sleep(0.05)

    def forget(self, prefix: str) -> None:
        """Remove what a trial has left; no other trial uses its prefix."""
        shutil.rmtree(self._data / BUCKET / prefix, ignore_errors=True)

    def stop(self) -> None:
        """End the server, by its own process id."""
        self._process.stop()
