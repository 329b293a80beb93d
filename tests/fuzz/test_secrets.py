"""No secret in any output (law L14, threat T8): stdout, stderr, the ledger, the state directory, the process title.

The credentials of these runs are canaries. The stores are hostile: they answer with errors that repeat whatever they were
sent, and whatever a confused store may know.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from fuzz.forked import outhaul
from fuzz.raw_server import error, raw_server, reply
from servers.server import Server

SECRET, TOKEN = "CANARYsecret/5f0c3+nQ8rT1xW7zY4kL9mB2vD6hJ3", "CANARYtoken-e1b7//c9==/AQoDYXdzEPT4a8d2"
KEY_ID = "AKIACANARY0123456789"
_CODES = (
    (400, "InvalidToken"), (400, "ExpiredToken"), (400, "AuthorizationHeaderMalformed"), (400, "InvalidRequest"),
    (403, "AccessDenied"), (403, "SignatureDoesNotMatch"), (403, "InvalidAccessKeyId"), (403, "RequestTimeTooSkewed"),
    (404, "NoSuchBucket"), (404, "NoSuchKey"), (405, "MethodNotAllowed"), (401, "Unauthorized"), (301, "PermanentRedirect"),
)  # fmt: skip

pytestmark = pytest.mark.slow


def _nothing(head: bytes) -> bytes:
    return b""


def _environ(**more: str) -> dict[str, str]:
    given = {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": TOKEN}
    return Server("canary", "", "", "").environ() | given | more


def _leaks(text: bytes) -> list[str]:
    """Names of the secrets that stand in some bytes, as they are or percent-encoded."""
    shown = text.decode(errors="replace")
    shown += unquote(shown)
    return [name for name, value in (("secret", SECRET), ("token", TOKEN)) if value in shown]


def _everywhere(state: Path) -> Iterator[bytes]:
    for path in state.rglob("*"):
        if path.is_file():
            yield path.read_bytes()


def _world(root: Path, label: str) -> tuple[str, str]:
    source, state = root / f"{label}-source", root / f"{label}-state"
    source.mkdir()
    (source / "one.dat").write_bytes(b"one")
    return str(source), str(state)


@pytest.mark.parametrize("echo", ["request", "everything"])
def test_no_error_of_a_store_brings_a_secret_out(tmp_path: Path, echo: str) -> None:
    """A store that repeats the request, or even the credentials, in its error says them to nobody else."""
    found = []
    with raw_server(_nothing) as server:
        for status, code in _CODES:

            def answer(head: bytes, status: int = status, code: str = code) -> bytes:
                sent = head.decode("latin-1").replace("<", "&lt;").replace("\r\n", " ")[:250]
                token = re.search(r"security-token: ([^\r\n]+)", head.decode("latin-1"), re.I)
                said = f"{sent} {token[1] if token else ''}" if echo == "request" else f"key {SECRET} with {TOKEN}"
                return error(status, code, said[:290], f"<Token-0>{TOKEN}</Token-0>")

            server.answer = answer
            for command in (("move",), ("check",)):
                source, state = _world(tmp_path, f"{code}-{command[0]}")
                there = [source] if command[0] == "move" else []
                ended = outhaul(*command, *there, "s3://some-bucket/a", "--endpoint-url", server.url, "--state", state,
                                *(["-v"] if command[0] == "move" else []), environ=_environ())  # fmt: skip
                leaks = {
                    leak for text in (ended.output, ended.errors, *_everywhere(Path(state))) for leak in _leaks(text)
                }
                found += [f"{command[0]} {status} {code}: {leak}\n{ended}" for leak in sorted(leaks)]
                assert ended.faults == [], str(ended)
    assert found[:3] == [], f"{len(found)} leaks"


@pytest.mark.parametrize(
    ("arguments", "environ"),
    [
        (["--endpoint-url", "http://127.0.0.1:1"], {}),
        (["--endpoint-url", "https://127.0.0.1:1"], {}),
        (["--endpoint-url", "http://127.0.0.1:1", "--region", "nowhere-1"], {}),
        (["--endpoint-url", f"http://user:{TOKEN.replace('/', '_')}@127.0.0.1:1"], {}),
        (["--endpoint-url", "not a url"], {}),
        (["--profile", "missing"], {}),
        ([], {"AWS_CA_BUNDLE": "/nonexistent"}),
        (["--endpoint-url", "http://127.0.0.1:1"], {"AWS_ACCESS_KEY_ID": "", "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/x"}),
    ],
)  # fmt: skip
def test_no_wrong_setting_brings_a_secret_out(tmp_path: Path, arguments: list[str], environ: dict[str, str]) -> None:
    """Whatever setting is wrong, the message names the setting and no secret."""
    source, state = _world(tmp_path, "a")
    for command in (["check"], ["move", source, "--dry-run"]):
        ended = outhaul(command[0], *command[1:2], "s3://some-bucket/a", *command[2:], *arguments, "--state", state,
                        environ=_environ(**environ))  # fmt: skip
        for text in (ended.output, ended.errors, *_everywhere(Path(state))):
            assert _leaks(text) == [], str(ended)
        assert ended.faults == [], str(ended)


def test_no_secret_in_the_process_title(tmp_path: Path) -> None:
    """A run that waits for its store shows its secrets to no other user."""
    source, state = _world(tmp_path, "a")

    def late(head: bytes) -> bytes:
        time.sleep(2)
        return reply(500)

    with raw_server(late) as server:
        command = [sys.executable, "-m", "outhaul", "move", source, "s3://b-u-c/a", "--endpoint-url", server.url]
        process = subprocess.Popen([*command, "--state", state], env=_environ(), stderr=subprocess.DEVNULL)
        try:
            while not server.requests:
                time.sleep(0.01)
                assert process.poll() is None
            title = b"".join(Path(f"/proc/{process.pid}/{name}").read_bytes() for name in ("cmdline", "comm"))
        finally:
            process.kill()
            process.wait()
    assert _leaks(title) == []
    assert not os.path.exists(Path(source, ".outhaul"))
