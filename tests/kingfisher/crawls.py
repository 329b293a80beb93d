"""Crawls by a real Scrapy: each spider is a process of its own, on a web server on loopback, and leaves a log."""

import fcntl
import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_SPIDERS = Path(__file__).with_name("spiders.py")
_BODY = b'{"releases": [{"ocid": "a}\'\\"b"}]}'

CRAWLS: dict[str, list[str]] = {
    "finished": [],
    "with_errors": ["count=4", "fails=3"],
    "mostly_errors": ["count=3", "fails=1"],
    "sample": ["sample=1"],
    "from_date": ["from_date=2020-01-01"],
    "crawl_time": ["crawl_time=2020-02-03T04:05:06"],
    "closed": ["stop=close"],
    "cancelled": ["stop=cancel"],
    "killed": ["stop=kill"],
}


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        found = "file-" in self.path
        self.send_response(200 if found else 404)
        self.send_header("Content-Length", str(len(_BODY)))
        self.end_headers()
        self.wfile.write(_BODY)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def _web() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


class Logs(Mapping[str, Path]):
    """The log of each of `CRAWLS`, by its name: made when it is first asked for, once for all processes of the tests."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(exist_ok=True)

    def __getitem__(self, name: str) -> Path:
        log, done = self._directory / f"{name}.log", self._directory / f"{name}.done"
        with (self._directory / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                _crawl(CRAWLS[name], log)
                done.touch()
        return log

    def __iter__(self) -> Iterator[str]:
        return iter(CRAWLS)

    def __len__(self) -> int:
        return len(CRAWLS)


def _crawl(arguments: list[str], log: Path) -> None:
    with _web() as url:
        told = [word for argument in [f"url={url}", *arguments] for word in ("-a", argument)]
        settings = ["-s", "RETRY_ENABLED=0", "-s", "TELNETCONSOLE_ENABLED=0"]
        command = [sys.executable, "-m", "scrapy", "runspider", str(_SPIDERS), f"--logfile={log}", *told, *settings]
        subprocess.run(command, cwd=log.parent, capture_output=True, timeout=60, check=False)
