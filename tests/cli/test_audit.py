"""`audit --all` on a real server: how many requests it takes, and what it finds."""

from __future__ import annotations

import re
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from cli.program import Program
from cli.test_restore import There


class Counting:
    """Stands before a server and counts requests by method. Those of an audit have no body, and so begin a piece."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname or "", parts.port or 80)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.requests: Counter[str] = Counter()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
            except OSError:
                return
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._pass, args=(source, sink, source is client), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, counts: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if counts and (found := re.match(rb"(GET|HEAD) (\S+) HTTP", data)):
                    self.requests["LIST" if b"list-type" in found[2] else found[1].decode()] += 1
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)


@pytest.fixture
def counting(there: There) -> Iterator[Counting]:
    """Before its server."""
    counting = Counting(there.server.endpoint_url)
    yield counting
    counting.close()


@pytest.fixture
def there(request: pytest.FixtureRequest, tmp_path: Path) -> There:
    """A server that stores files quickly."""
    return There(tmp_path, request.getfixturevalue("rclone_server"))


@pytest.mark.parametrize("files", [300, pytest.param(3000, marks=pytest.mark.slow)])
def test_many_objects(there: There, counting: Counting, files: int) -> None:
    """A listing answers for nearly all; the one that was altered, at the same length, is found."""
    for number in range(files):
        there.write(f"{number % 3}/{number:04}.csv", b"%04d" % number)
    assert there("move", str(there.source), there.address).code == 0
    with there.server.client() as client:
        client.put(there.bucket, "site/1/0124.csv", b"4210")
        client.request("DELETE", there.bucket, "site/2/0002.csv")
    ran = Program.__call__(there, "audit", "--all", "--state", str(there.state), "--endpoint-url", counting.url)
    assert ran.code == 1
    assert "changed      1/0124.csv\n" in ran.err and "missing      2/0002.csv" in ran.err
    assert f"  {files - 2:,} as the receipt says\n" in ran.err
    assert max(1, files // 1000) <= counting.requests["LIST"] <= files // 1000 + 4
    assert counting.requests["HEAD"] + counting.requests["GET"] <= 8


@pytest.mark.parametrize("more", [[], ["--read-back"]])
@pytest.mark.parametrize("how", [["--bundle", "64KiB", "--compress", "gzip"], ["--group", "*"]])
def test_what_lists_the_files_of_an_object(there: There, counting: Counting, how: list[str], more: list[str]) -> None:
    """The index of a bundle and the manifest of a group: one request each; one that is gone, or altered, is told by its key."""
    for number in range(30):
        there.write(f"run-{number % 2}/{number}.csv", b"%d;" % number * 100)
    assert there("move", str(there.source), there.address, *how).code == 0
    audit = ("audit", "--all", *more, "--state", str(there.state), "--endpoint-url", counting.url)
    with there.server.client() as client:
        first, *others = keys = [listed.key for listed in client.list(there.bucket) if listed.key.endswith(".json")]
        ran = Program.__call__(there, *audit)
        assert (ran.code, ran.err) == (
            0,
            f"audit: {2 * len(keys)} objects looked at\n  {2 * len(keys)} as the receipt says\n",
        )
        assert counting.requests["HEAD"] + counting.requests["GET"] == 2 * len(keys)
        text = client.get(there.bucket, first)
        client.put(there.bucket, first, text.replace(b'"size": ', b'"size": 1'))
        for key in others:
            client.request("DELETE", there.bucket, key)
        ran = Program.__call__(there, *audit)
        files = 30 // len(keys)
        assert ran.code == 1
        assert f"changed      {first}, which lists {files} files: they come back by their receipts\n" in ran.err
        for key in others:
            assert f"missing      {key}, which lists {files} files: they come back by their receipts (" in ran.err
        told = {event["key"]: event for event in Program.__call__(there, *audit, "--json").events[:-1]}
        assert {first: "changed", **dict.fromkeys(others, "missing")} == {key: told[key]["event"] for key in keys}
        assert first == told[first]["path"]
        client.put(there.bucket, first, text)
    assert there("restore", "**", "--to", str(there.back)).code == 0
    assert len(there.there()) == 30
