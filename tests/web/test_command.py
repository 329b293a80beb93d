"""`outhaul web`: where it may listen, what it shows, and how it ends."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from outhaul.frontends.cli.main import build_parser
from outhaul.frontends.cli.web import web
from outhaul.frontends.web.server import listening
from outhaul.model.errors import ConfigurationError
from telling.place import Place


def wrong(*words: str) -> list[str]:
    """What it says of these options."""
    with pytest.raises(ConfigurationError) as caught:
        web(build_parser().parse_args(["web", *words]))
    return list(caught.value.problems)


def test_what_is_refused(tmp_path: Path, place: Place) -> None:
    """In one line each: what is wrong, and what to write instead."""
    token = tmp_path / "token"
    token.write_text("short")
    token.chmod(0o644)
    for words, said in (
        (("--listen", "0.0.0.0:9276"), "--listen: other machines can connect to 0.0.0.0; add --allow-remote"),
        (("--listen", "[::]:9276"), "--listen: other machines can connect to [::]; add --allow-remote"),
        (("--listen", "example.net:9276"), "--listen: other machines can connect to example.net; add"),
        (("--listen", "nonsense"), "--listen: expected a host and a port"),
        (("--listen", "unix:here"), "--listen: expected unix: and an absolute path"),
        (("--listen", "unix:/no/such/place"), "--listen: unix:/no/such/place cannot be listened on: No such file"),
        (("--allow-host", "a:80"), "--allow-host: expected a name without a port, not 'a:80'"),
        (("--token-file", "/no/such"), "--token-file: /no/such cannot be read: No such file"),
        (("--token-file", str(token)), f"--token-file: others can read {token}: chmod 600"),
        (("--restore-to", "~nobody-at-all/x"), "--restore-to: "),
    ):
        assert said in wrong(*words)[0], words
    inside, source = place.home / "source" / "x", place.home / "source"
    assert wrong("--restore-to", str(inside), "--state", place.state) == [
        f"--restore-to {inside} lies in {source}, the source of job a, which would carry the files away again; "
        "name a directory outside of it"
    ]
    assert len(wrong("--token-file", str(token))) == 2


def test_a_unix_socket_is_its_owners(tmp_path: Path) -> None:
    """Nobody else may connect; one that a dead process left is replaced, one that lives is not, nor is a file."""
    path = tmp_path / "socket"
    made, take_away = listening(f"unix:{path}")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(ConfigurationError, match="somebody listens there already"):
        listening(f"unix:{path}")
    made.close()
    made, take_away = listening(f"unix:{path}")
    made.close()
    take_away()
    assert not path.exists()
    path.write_text("a file")
    with pytest.raises(ConfigurationError, match="cannot be listened on"):
        listening(f"unix:{path}")
    take_away()
    assert path.read_text() == "a file"


@contextlib.contextmanager
def started(*words: str) -> Iterator[subprocess.Popen[str]]:
    """The command, as a process of its own."""
    command = [sys.executable, "-m", "outhaul", "web", *words]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.slow
def test_the_command(place: Place) -> None:
    """It shows the address with a token, and the next once that was used; asked to end, it does so at once, with pages open."""
    with started("--state", place.state, "--listen", "127.0.0.1:0") as process:
        assert process.stderr
        found = re.fullmatch(
            r"outhaul: for one browser, once: http://127.0.0.1:(\d+)/enter#(\S+)\n", process.stderr.readline()
        )
        assert found
        port, token = int(found[1]), found[2]
        with socket.create_connection(("127.0.0.1", port), timeout=10) as one:
            here = f"Host: 127.0.0.1:{port}\r\n"
            body = f"token={token}"
            one.sendall(
                f"POST /enter HTTP/1.1\r\n{here}Origin: http://127.0.0.1:{port}\r\n".encode()
                + f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
            )
            cookie = re.search(r"set-cookie: ([^;]+)", one.recv(4096).decode())
            assert cookie
            assert "/enter#" in process.stderr.readline()
            one.sendall(f"GET /changes?of= HTTP/1.1\r\n{here}Cookie: {cookie[1]}\r\n\r\n".encode())
            assert b"text/event-stream" in one.recv(4096)
            process.send_signal(signal.SIGTERM)
            assert process.wait(5) == 0
        assert process.stderr.read() == ""


@pytest.mark.slow
@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "[::1]", "localhost"])
def test_the_address_that_is_shown_is_answered(place: Place, host: str) -> None:
    """Whichever it listens on."""
    with started("--state", place.state, "--listen", f"{host}:0") as process:
        assert process.stderr
        found = re.search(r"http://(\S+):(\d+)/enter#", process.stderr.readline())
        assert found is not None
        with socket.create_connection((found[1].strip("[]"), int(found[2])), timeout=10) as one:
            one.sendall(f"GET /enter HTTP/1.1\r\nHost: {found[1]}:{found[2]}\r\n\r\n".encode())
            assert (found[1], one.recv(4096).split(b"\r\n")[0]) == (host, b"HTTP/1.1 401 Unauthorized")


@pytest.mark.slow
def test_without_the_extra(tmp_path: Path) -> None:
    """What is missing is said, with the command that brings it."""
    code = "import sys; sys.modules['starlette'] = None; from outhaul.frontends.cli.main import main; sys.exit(main(['web']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    said = "outhaul: the page needs Starlette, Jinja2 and uvicorn: pip install 'outhaul[web]'\n"
    assert (done.returncode, done.stderr) == (2, said)


@pytest.mark.slow
def test_a_socket_and_a_token_that_stays(place: Place, tmp_path: Path) -> None:
    """For a service: the token is in a file, and is not shown; whoever forwards to the socket has a port of his own."""
    token, path = tmp_path / "token", tmp_path / "socket"
    token.write_text("a" * 64 + "\n")
    token.chmod(0o600)
    with started("--state", place.state, "--listen", f"unix:{path}", "--token-file", str(token)) as process:
        assert process.stderr
        assert process.stderr.readline() == f"outhaul: listening on unix:{path}; the token is in {token}\n"
        for _ in range(2):
            with socket.socket(socket.AF_UNIX) as one:
                one.settimeout(10)
                one.connect(str(path))
                body = f"token={'a' * 64}"
                one.sendall(
                    b"POST /enter HTTP/1.1\r\nHost: localhost:8080\r\nOrigin: http://localhost:8080\r\n"
                    + f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
                )
                assert one.recv(4096).startswith(b"HTTP/1.1 303")
        process.send_signal(signal.SIGINT)
        assert process.wait(5) == 0
        assert process.stderr.read() == ""
    assert not path.exists()
