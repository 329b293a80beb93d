"""The Greengrass component as it runs: its arguments, the services around it on loopback, and a bucket of a real S3 server."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

from outhaul.config.profiles.greengrass import of_arguments
from outhaul.config.profiles.profile import Surroundings
from outhaul.frontends.older.greengrass import Passes
from servers.server import Server
from servers.stream_manager import StreamManager
from servers.token_exchange import TokenExchange


class Component:
    """One component with a directory and a state of its own. Its times are short; everything else is as it is deployed."""

    def __init__(self, home: Path, server: Server, manager: StreamManager, tokens: TokenExchange) -> None:
        self.home, self.server, self.manager, self.tokens = home, server, manager, tokens
        self.source = home / "data"
        self.source.mkdir(parents=True, exist_ok=True)
        self.bucket = server.make_bucket()
        self.lines: list[str] = []
        """What it has logged."""

    def write(self, name: str, content: str = "content", age_seconds: float = 0) -> Path:
        """A file of the source, last modified so long ago."""
        path = self.source / name
        path.write_text(content)
        then = time.time() - age_seconds
        os.utime(path, (then, then))
        return path

    def passes(
        self, *, via: str = "StreamManager", path_name: str = "", prefix: str = "site", newest_limit: str = "1h",
        state: str = "state",
    ) -> Passes:  # fmt: skip
        """What the command runs."""
        values = [path_name or f"{self.source}/*.csv", self.bucket, prefix, "1", "INFO", via]
        made, _ = of_arguments(values, Surroundings({}, str(self.home), str(self.home)))
        assert made.problems == []
        made.tree["job"][0]["settle"] = {"quiet": "0", "skip-newest": 1, "newest-limit": newest_limit}
        logger = logging.Logger("component", logging.INFO)
        logger.addHandler(_Lines(self.lines))
        return Passes(made, str(self.home / state), logger)

    def once(self, *, via: str = "StreamManager", newest_limit: str = "0", prefix: str = "site") -> str:
        """One pass in which the newest goes too; what was wrong with it as a whole."""
        return self.passes(via=via, newest_limit=newest_limit, prefix=prefix).once(lambda: False)

    def names(self) -> list[str]:
        """The files that are left in the source."""
        return sorted(path.name for path in self.source.iterdir() if path.name != ".outhaul")

    def objects(self) -> dict[str, str]:
        """What is in the bucket, without what a probe leaves."""
        with self.server.client() as client:
            keys = [found.key for found in client.list(self.bucket) if ".outhaul-probe" not in found.key]
            return {key: client.get(self.bucket, key).decode() for key in keys}


class _Lines(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(f"{record.levelname}:{record.getMessage()}")
