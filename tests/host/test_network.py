"""Word of the network: what of rtnetlink counts; and what the kernel really says, in a network of our own."""

import os
import socket
import struct
import subprocess
import sys

import pytest

from outhaul.host.network import Network, _has_come
from outhaul.host.niceness import step_back

_ASK = """
import subprocess, sys
from outhaul.host.hints import HostHints
hints = HostHints(print)
assert not hints.wait(0.05).network
subprocess.run(["ip", *sys.argv[1:]], check=True)
assert hints.wait(5).network
assert not hints.wait(0).network
"""


def message(kind: int, flags: int = 0) -> bytes:
    """One message of rtnetlink(7)."""
    body = struct.pack("=BxHiLL", 0, 1, 2, flags, 0)
    return struct.pack("=LHHLL", 16 + len(body), kind, 0, 0, 0) + body


@pytest.mark.parametrize(
    ("datagram", "expected"),
    [
        (message(20), True),
        (message(24), True),
        (message(16, 0x41), True),
        (message(16, 0x1), False),  # Up, and no cable in it.
        (message(17, 0x41) + message(25), False),  # Gone.
        (message(17) + message(24), True),
        (b"", False),
        (b"\0" * 40, False),
        (message(24)[:10], False),
        (message(16)[:18], False),
    ],
)
def test_what_counts_is_what_comes(datagram: bytes, expected: bool) -> None:
    """Not what goes, nor what is no message at all."""
    assert _has_come(datagram) is expected


def test_nothing_is_heard_where_nothing_happens() -> None:
    """And it is closed twice without harm."""
    network = Network()
    network.heard()
    network.close()


def test_where_there_is_no_such_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks are enough."""
    monkeypatch.delattr(socket, "AF_NETLINK", raising=False)
    network = Network()
    assert (network.fileno(), network.heard()) == (-1, False)
    network.close()


@pytest.mark.skipif(
    subprocess.run(["unshare", "-n", "ip", "link"], capture_output=True, check=False).returncode != 0
    if os.path.exists("/usr/bin/unshare")
    else True,
    reason="a network of our own takes root, unshare and ip",
)
def test_the_kernel_tells_of_a_link() -> None:
    """Of loopback, when it is set up."""
    ask = [sys.executable, "-c", _ASK, "link", "set", "lo", "up"]
    subprocess.run(["unshare", "-n", *ask], check=True, timeout=30)


def test_others_go_first() -> None:
    """For the processor; the last step takes the disk only when nobody else wants it."""
    said = "import os; from outhaul.host.niceness import step_back; print(step_back(19), os.getpriority(os.PRIO_PROCESS, 0))"
    assert (
        subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True).stdout.split()[-1]
        == "19"
    )


def test_what_cannot_be_done_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """And it goes on."""
    monkeypatch.setattr("platform.machine", lambda: "vax")
    monkeypatch.setattr(os, "setpriority", lambda *_: None)
    assert "idle class" in step_back(19)

    def refuse(*_: object) -> None:
        raise OSError(1, "not permitted")

    monkeypatch.setattr(os, "setpriority", refuse)
    assert "nice 5 cannot be set" in step_back(5)
