"""Crawls by a real Scrapy: each spider is a process of its own, on a web server on loopback, and leaves a log."""

import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator
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


def crawl_all(directory: Path) -> dict[str, Path]:
    """The log of each of `CRAWLS`, by its name; the crawls go on side by side."""
    logs = {name: directory / f"{name}.log" for name in CRAWLS}
    with _web() as url:
        crawls = [
            subprocess.Popen(
                [
                    sys.executable, "-m", "scrapy", "runspider", str(_SPIDERS), f"--logfile={logs[name]}",
                    *(word for argument in [f"url={url}", *arguments] for word in ("-a", argument)),
                    "-s", "RETRY_ENABLED=0", "-s", "TELNETCONSOLE_ENABLED=0",
                ],
                cwd=directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )
            for name, arguments in CRAWLS.items()
        ]  # fmt: skip
        for crawl in crawls:
            crawl.wait(60)
    return logs
