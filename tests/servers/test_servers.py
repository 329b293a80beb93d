"""The servers start, answer, keep what they are given, and are gone when their block is left."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from servers.client import Client, Listed, Refused
from servers.process import StartFailed, running
from servers.server import Server
from servers.start import SERVERS, Unavailable

TESTS = Path(__file__).parent.parent


@pytest.fixture
def client(s3_server: Server) -> Iterator[Client]:
    """A client of the server under test."""
    with s3_server.client() as client:
        yield client


def test_what_is_put_comes_back(client: Client, bucket: str) -> None:
    """An object read back has the bytes that were put, also when it is larger than any buffer."""
    content = os.urandom(3_000_000)
    client.put(bucket, "a/b.dat", content)
    assert content == client.get(bucket, "a/b.dat")


def test_head_gives_the_length_or_none(client: Client, bucket: str) -> None:
    """HEAD gives the length of an object, and None where there is none."""
    content = b"12345"
    client.put(bucket, "here", content)
    found = client.head(bucket, "here")
    assert found is not None
    assert str(len(content)) == found.headers["content-length"]
    assert client.head(bucket, "not here") is None


def test_a_listing_has_every_page(client: Client, bucket: str) -> None:
    """A listing in pages gives each object once, only beneath the prefix, with its size."""
    for number in range(25):
        client.put(bucket, f"in/{number:02}", b"x" * number)
    client.put(bucket, "out/1", b"")
    expected = [(f"in/{number:02}", number) for number in range(25)]
    assert expected == [(item.key, item.size) for item in client.list(bucket, "in/", page=10)]


def test_names_with_spaces_and_signs_are_kept(client: Client, bucket: str) -> None:
    """A key with spaces, plus, percent and letters beyond ASCII is signed, stored and listed as it is."""
    key = "Zürich +1 %41/a&b=c.dat"
    client.put(bucket, key, content := b"1")
    assert content == client.get(bucket, key)
    assert [key] == [item.key for item in client.list(bucket)]


def test_buckets_are_apart(s3_server: Server, client: Client, bucket: str) -> None:
    """Each fresh bucket is empty and known to the server under its own name."""
    other = s3_server.make_bucket()
    client.put(bucket, "key", b"1")
    empty: list[Listed] = []
    assert empty == list(client.list(other))
    assert {bucket, other} <= set(client.buckets())


def test_a_missing_object_is_refused(client: Client, bucket: str) -> None:
    """GET of nothing is an error that carries the status."""
    with pytest.raises(Refused) as caught:
        client.get(bucket, "nothing")
    not_found = 404
    assert not_found == caught.value.reply.status


def test_a_wrong_secret_is_refused(rclone_server: Server) -> None:
    """rclone checks signatures: so the client's signature is right when it is accepted."""
    with Client(rclone_server.endpoint_url, rclone_server.access_key, "wrong", "us-east-1") as client:
        forbidden = 403
        assert forbidden == client.request("GET").status


def test_a_client_process_gets_only_these_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """No AWS setting of the machine reaches a process under test."""
    monkeypatch.setenv("AWS_PROFILE", "mine")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    server = Server("any", "http://127.0.0.1:2", "key", "secret")
    environ = server.environ()
    assert server.access_key == environ["AWS_ACCESS_KEY_ID"]
    assert server.secret_key == environ["AWS_SECRET_ACCESS_KEY"]
    assert not {"AWS_PROFILE", "AWS_ENDPOINT_URL"} & environ.keys()


@pytest.mark.parametrize("name", sorted(SERVERS))
def test_a_server_is_gone_after_its_block(name: str) -> None:
    """When the block is left by an error such as Ctrl-C, nothing listens on the port any more."""
    with pytest.raises(KeyboardInterrupt), _available(name) as server:
        raise KeyboardInterrupt
    assert not _listens(server)


def test_a_server_does_not_outlive_a_killed_test(rclone_server: Server, tmp_path: Path) -> None:
    """A test process that is killed with SIGKILL takes its servers with it."""
    program = """
        import time
        from servers.start import rclone
        with rclone() as server:
            print(server.endpoint_url, flush=True)
            time.sleep(60)
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    environ = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, cwd=TESTS, env=environ, stdout=subprocess.PIPE, text=True) as test:
        assert test.stdout is not None
        server = Server("rclone", test.stdout.readline().strip(), "", "")
        assert _listens(server)
        test.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while _listens(server) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _listens(server)


def test_a_failed_start_shows_the_output(tmp_path: Path) -> None:
    """A server that ends at once is reported with its exit code and what it said."""
    command = [sys.executable, "-c", "print('no such flag'); raise SystemExit(3)"]
    with (
        pytest.raises(StartFailed, match=r"ended with code 3(?s:.*)no such flag"),
        running(command, tmp_path / "log", os.environ) as process,
    ):
        process.wait_for(lambda: None)


def test_a_silent_start_is_given_up(tmp_path: Path) -> None:
    """A server that never answers is given up when its time is over, and stopped."""
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    with (
        pytest.raises(StartFailed, match="did not answer"),
        running(command, tmp_path / "log", os.environ) as process,
    ):
        process.wait_for(lambda: None, seconds=0.1)
    assert process.process.poll() is not None


@contextmanager
def _available(name: str) -> Iterator[Server]:
    try:
        with SERVERS[name]() as server:
            yield server
    except Unavailable as reason:
        pytest.skip(str(reason))


def _listens(server: Server) -> bool:
    parts = urlsplit(server.endpoint_url)
    with socket.socket() as probe:
        return probe.connect_ex((parts.hostname or "", parts.port or 0)) == 0
