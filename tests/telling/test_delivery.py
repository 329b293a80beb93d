"""A hook may do what it likes: it holds up nothing, and is waited for no longer than that."""

from __future__ import annotations

import socket
import sys
import time
from pathlib import Path

import pytest

from outhaul.config.telling import Hook
from outhaul.frontends.telling import delivery
from outhaul.frontends.telling.delivery import Delivery, Word
from telling.receiver import receiver


def tell(*hooks: Hook, seconds: float = 5.0, wait: float = 5.0) -> list[str]:
    """What is said of hooks that are told one word each."""
    said: list[str] = []
    there = Delivery(said.append, seconds)
    for hook in hooks:
        there.tell(Word(hook, "held", b'{"x": 1}', {"OUTHAUL_EVENT": "held"}))
    there.close(wait)
    return said


def shell(text: str) -> Hook:
    """A hook that is a line of shell."""
    return Hook(("/bin/sh", "-c", text))


@pytest.mark.slow
def test_a_hook_that_hangs_is_killed_with_all_it_has_started(tmp_path: Path) -> None:
    """By its process group."""
    began = time.monotonic()
    text = f"(sleep 0.5; echo alive > {tmp_path}/alive) & sleep 60"
    assert tell(shell(text), seconds=0.2) == ["hook held: /bin/sh: not done within 0 s, and killed"]
    assert time.monotonic() - began < 0.5
    time.sleep(0.5 - (time.monotonic() - began) + 0.1)
    assert list(tmp_path.iterdir()) == []


def test_a_hook_that_talks_or_does_not_listen() -> None:
    """Its words do not pile up, what it leaves running is not waited for, and its code is what counts."""
    began = time.monotonic()
    loud = shell("head -c 300000 /dev/zero >&2; exit 0")
    assert tell(loud, shell("exec <&-; exit 0"), shell("sleep 20 & exit 0")) == []
    assert time.monotonic() - began < 4


def test_a_hook_that_fails_is_said_when_that_changes() -> None:
    """With the last line that it said, which is data."""
    bad = shell("echo first >&2; printf 'why\\033[31m\\n' >&2; exit 3")
    assert tell(bad, bad, bad) == ["hook held: /bin/sh: exit code 3: why\\x1b[31m"]


def test_a_url_is_told() -> None:
    """By a POST of JSON; what leads elsewhere was not told."""
    with receiver() as there:
        assert tell(Hook(url=f"{there.address}/a-secret?x=y")) == []
        assert there.taken == [("/a-secret?x=y", b'{"x": 1}')]
        for status in (302, 500):
            there.status = status
            (said,) = tell(Hook(url=f"{there.address}/a-secret"))
            assert ("hook held: 127.0.0.1: " in said, "a-secret" in said) == (True, False)
        assert {"/a-secret?x=y", "/a-secret"} == {path for path, _ in there.taken}


def test_who_answers_a_byte_at_a_time_is_left_behind() -> None:
    """No matter how."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hook = Hook(url=f"http://127.0.0.1:{silent.getsockname()[1]}/")
        assert tell(hook, seconds=0.2) == ["hook held: 127.0.0.1: no answer within 0 s"]


def test_an_end_waits_so_long_and_no_longer() -> None:
    """What is at work then is killed."""
    began = time.monotonic()
    said = tell(shell("sleep 60"), shell("sleep 60"), seconds=60.0, wait=0.2)
    assert "hooks were still at work, and were not waited for" in said
    assert time.monotonic() - began < 2


def test_too_many_words_are_lost_and_hold_up_nothing() -> None:
    """One line says so."""
    said: list[str] = []
    there = Delivery(said.append)
    began = time.monotonic()
    for _ in range(delivery.WAITING_MAX + 50):
        there.tell(Word(shell("sleep 9"), "success", b"{}", {}))
    assert time.monotonic() - began < 0.5
    there.close(0.05)
    assert sum("do not keep up" in line for line in said) == 1


def test_no_shell_reads_an_argument(tmp_path: Path) -> None:
    """It arrives as it was written."""
    program = "import sys; open(sys.argv[1], 'w').write(sys.argv[2])"
    assert tell(Hook((sys.executable, "-c", program, f"{tmp_path}/x", "$(id) `id` ; > y"))) == []
    assert (tmp_path / "x").read_text() == "$(id) `id` ; > y"
