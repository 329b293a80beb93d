"""Where the benchmark works: temporary directories for files, state and servers, and the servers themselves.

True here: the files lie on /dev/shm where it has room for them, so that the disk is not what is measured;
ledgers lie in the ordinary temporary directory, so that a durable write costs what it costs; both are
removed at the end. `files_problems` tells whether exactly the planned files arrived whole, whichever server
it was.
Not done here: running tools.
"""

from __future__ import annotations

import contextlib
import itertools
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bench import null_server, real_server, tools, trees
from bench.null_server import Counters, NullServer
from bench.real_server import RealServer

MEMORY_DISK = Path("/dev/shm")


@dataclass
class Workplace:
    """The directories of one run of the benchmark, and how servers are started in it."""

    files: Path
    state: Path
    rclone: Path | None
    has_null_server: bool
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def fresh(self, below: Path, name: str) -> Path:
        """Return a path that does not exist yet."""
        return below / f"{name}-{next(self._numbers)}"

    @contextlib.contextmanager
    def server(self, *, tls: bool = False, delay: float = 0.0, real: bool = False) -> Iterator[Server]:
        """Run a server while the block lasts: the null server, or the real one for TLS, when told or if need be."""
        directory = self.fresh(self.state, "server")
        if self.has_null_server and not tls and not real:
            null = NullServer(directory, delay)
            running = Server(null, tools.Target(null.url, slow=delay > 0))
        else:
            assert self.rclone is not None
            certificates = self._certificates() if tls else None
            rclone = RealServer(self.rclone, directory, tools.BUCKET, certificates)
            running = Server(rclone, tools.Target(rclone.url, certificates / "ca.pem" if certificates else None))
        try:
            yield running
        finally:
            running.server.stop()

    def server_kind(self, *, tls: bool = False, real: bool = False) -> str:
        """Return the name of the server that `server` would start."""
        if self.has_null_server and not tls and not real:
            return NullServer.kind
        return "rclone serve s3 :memory:" + (", over TLS" if tls else "")

    def _certificates(self) -> Path:
        directory = self.state / "certificates"
        if not directory.exists():
            real_server.make_certificates(directory)
        return directory


@dataclass
class Server:
    """A running server and the target that tools are given for it."""

    server: NullServer | RealServer
    target: tools.Target

    def counters(self) -> Counters | None:
        """What the null server counted; None for the real one, which does not count."""
        return self.server.counters() if isinstance(self.server, NullServer) else None

    def files_problems(self, count: int, size: int) -> list[str]:
        """Return what is wrong with what arrived; nothing when exactly the planned files did, whole."""
        files = trees.plan(count, size)
        if isinstance(self.server, RealServer):
            return self.server.problems(files, size, tools.BUCKET, tools.PREFIX)
        found = self.server.counters()
        prefix = f"/{tools.BUCKET}/{tools.PREFIX}"
        expected = null_server.expected_sum((f"{prefix}/{file.path}", file.md5) for file in files)
        problems = []
        if found.puts != count:
            problems.append(f"{found.puts} objects arrived, not {count}")
        if found.bytes != count * size:
            problems.append(f"{found.bytes} bytes arrived, not {count * size}")
        if found.sum != expected and not problems:
            problems.append("keys or contents of what arrived are not those of the files")
        return problems

    def bundles_problems(self, count: int, size: int) -> list[str]:
        """Return whether less arrived than bundles of the planned files are; what is in them is not looked at."""
        if isinstance(self.server, RealServer):
            return []
        found = self.server.counters()
        whole = 1 <= found.puts < count and found.bytes > count * size
        return [] if whole else [f"{found.puts} objects of {found.bytes} bytes arrived in all"]


@contextlib.contextmanager
def workplace(bytes_needed: int, rclone: Path | None, has_null_server: bool) -> Iterator[Workplace]:
    """Make the directories, and remove them at the end."""
    roomy = MEMORY_DISK.is_dir() and shutil.disk_usage(MEMORY_DISK).free > 2 * bytes_needed + 2**28
    with (
        tempfile.TemporaryDirectory(prefix="outhaul-bench-", ignore_cleanup_errors=True) as state,
        tempfile.TemporaryDirectory(
            prefix="outhaul-bench-", dir=MEMORY_DISK if roomy else None, ignore_cleanup_errors=True
        ) as files,
    ):
        yield Workplace(Path(files), Path(state), rclone, has_null_server)
