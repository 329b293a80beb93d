"""Each hazard of the Greengrass S3 file uploader, L1 to L3, K1 to K10 and D2: outhaul keeps the file.

The Stream Manager is the stand-in, spoken to by the official SDK; credentials come from a token exchange service; S3 is a
real server.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from older.greengrass import Component
from outhaul.config.profiles.greengrass import of_arguments
from outhaul.config.profiles.profile import Surroundings
from outhaul.stores import stream_manager, stream_manager_exports
from outhaul.stores.stream_manager import Patience
from servers import stream_manager as stand_in
from servers.server import Server
from servers.stream_manager import APPEND, CONNECT, CREATE, StreamManager
from servers.token_exchange import TokenExchange, token_exchange

pytestmark = pytest.mark.slow

NOBODY = Surroundings({}, "/root", "/")
BOTH = pytest.mark.parametrize("via", ["S3", "StreamManager"])


@pytest.fixture
def manager(rclone_server: Server) -> Iterator[StreamManager]:
    """The Stream Manager of the device."""
    with stand_in.stream_manager(rclone_server) as running:
        yield running


@pytest.fixture
def tokens(rclone_server: Server) -> Iterator[TokenExchange]:
    """Its token exchange service."""
    with token_exchange(rclone_server) as running:
        yield running


@pytest.fixture
def device(
    tmp_path: Path,
    rclone_server: Server,
    manager: StreamManager,
    tokens: TokenExchange,
    monkeypatch: pytest.MonkeyPatch,
) -> Component:
    """A component on it, and in its environment what Greengrass puts there."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    around = tokens.environ | {
        "AWS_ENDPOINT_URL": rclone_server.endpoint_url, "HOME": str(tmp_path), "NO_PROXY": "127.0.0.1,localhost",
        "STREAM_MANAGER_SERVER_PORT": str(manager.port),
    }  # fmt: skip
    for name, value in around.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(stream_manager, "PATIENCE", Patience(seconds=2, look_seconds=0.3))
    monkeypatch.setattr(stream_manager_exports, "_ANSWER_SECONDS", 0.5)
    monkeypatch.setattr(stream_manager_exports, "_LISTEN_MS", 100)
    return Component(tmp_path, rclone_server, manager, tokens)


@BOTH
def test_l1_a_file_that_is_still_written_waits_however_old_it_is(device: Component, via: str) -> None:
    """A newer file does not make the older one finished: a process has it open, and what it writes later arrives too."""
    with device.write("old.csv", "begun,", age_seconds=60).open("a") as writer:
        device.write("new.csv")
        passes = device.passes(via=via)
        passes.once(lambda: False)
        assert (device.names(), device.objects()) == (["new.csv", "old.csv"], {})
        writer.write("and ended")
    os.utime(device.source / "old.csv", (time.time() - 60,) * 2)
    passes.once(lambda: False)
    assert (device.names(), device.objects()) == (["new.csv"], {"site/old.csv": "begun,and ended"})


def test_l2_what_changed_after_it_was_sent_stays(device: Component) -> None:
    """'Success' came for other bytes than are there now: the file stays, and arrives as it is, beside the former."""
    path = device.write("a.csv", "first")
    device.manager.faults.meanwhile = lambda: path.write_text("first and second")
    device.once()
    assert (device.names(), device.objects()) == (["a.csv"], {"site/a.csv": "first"})
    device.once()
    assert device.names() == []
    assert sorted(device.objects().values()) == ["first", "first and second"]


@BOTH
def test_l3_one_name_from_two_directories(device: Component, via: str) -> None:
    """Both contents are in the bucket: the second under a second key."""
    device.write("a.csv", "of one")
    device.once(via=via)
    other = Component(device.home / "other", device.server, device.manager, device.tokens)
    other.bucket = device.bucket
    other.write("a.csv", "of the other")
    other.once(via=via)
    assert (device.names(), other.names()) == ([], [])
    found = device.objects()
    assert (found["site/a.csv"], sorted(found.values())) == ("of one", ["of one", "of the other"])


@BOTH
def test_k1_the_last_file_goes_too(device: Component, via: str) -> None:
    """The newest is left alone at first; once it is quiet and nobody has it open, it goes without a newer one."""
    device.write("first.csv", age_seconds=9)
    path = device.write("last.csv")
    passes = device.passes(via=via, newest_limit="700ms")
    with path.open("a"):
        passes.once(lambda: False)
        assert device.names() == ["last.csv"]
        time.sleep(0.8)
        passes.once(lambda: False)
        assert device.names() == ["last.csv"]
    passes.once(lambda: False)
    assert (device.names(), len(device.objects())) == ([], 2)


def test_k2_no_message_is_poison(device: Component) -> None:
    """Garbage, strangers and every status twice; one file vanishes meanwhile. All others go, and so do later ones."""
    faults = device.manager.faults
    faults.strange_statuses, faults.status_times = True, 2
    for number in range(5):
        device.write(f"{number}.csv")
    faults.meanwhile = lambda: (device.source / "2.csv").unlink(missing_ok=True)
    device.once()
    device.write("later.csv")
    device.once()
    assert device.names() == []
    assert {"site/0.csv", "site/1.csv", "site/3.csv", "site/4.csv", "site/later.csv"} <= set(device.objects())


@pytest.mark.slow
def test_k3_a_stream_manager_that_is_down_is_no_hot_loop(device: Component) -> None:
    """Passes come no faster than one a second, the fault is told once, and no task is handed over twice."""
    device.manager.faults.refuse_connections = True
    for number in range(3):
        device.write(f"{number}.csv")
    passes, over = device.passes(newest_limit="0"), threading.Event()
    running = threading.Thread(target=lambda: passes.run(0, over.is_set))
    running.start()
    _until(lambda: any("it is tried again" in line for line in device.lines), 30)
    time.sleep(1)
    asked = device.manager.requests.count(CONNECT)
    device.manager.faults.refuse_connections = False
    _until(lambda: device.names() == [], 30)
    _until(lambda: "INFO:All is well again." in device.lines, 30)  # It is said when the pass is over.
    over.set()
    running.join(5)
    assert (running.is_alive(), asked) == (False, 0)
    assert len({task["key"] for task in device.manager.tasks}) == len(device.manager.tasks) == 3
    assert sum("Stream Manager" in line for line in device.lines) <= 2, device.lines


@pytest.mark.slow
def test_k4_nothing_falls_out_of_a_full_stream(device: Component) -> None:
    """The stream of tasks refuses what is new; what is refused waits. A lost 'Success' is found out by looking."""
    device.write("first.csv")
    device.manager.faults.lose_status = 1
    device.once()
    assert device.names() == []
    strategies = {
        name.endswith("-status"): one.definition["strategyOnFull"] for name, one in device.manager.streams.items()
    }
    assert strategies == {False: 0, True: 1}
    device.manager.faults.full = True
    device.write("second.csv")
    device.once()
    assert device.names() == ["second.csv"]
    device.manager.faults.full = False
    device.once()
    assert (device.names(), len(device.objects())) == ([], 2)


@BOTH
def test_k5_a_name_that_comes_again_is_a_new_file(device: Component, via: str) -> None:
    """It is carried as the first one was, in the same process and between two passes."""
    passes = device.passes(via=via, newest_limit="0")
    for content in ("monday", "tuesday", "monday"):
        device.write("log.csv", content)
        passes.once(lambda: False)
        assert device.names() == []
    assert sorted(device.objects().values()) == ["monday", "tuesday"]


ODD = [
    "with space.csv",
    "per%cent.csv",
    "a#b?c.csv",
    "q[0]{1}.csv",
    "~'\"<>^|.csv",
    "back\\slash`.csv",
    "!{timestamp:YYYY}.csv",
]


@BOTH
def test_k6_names_that_the_sdk_refuses_arrive(device: Component, via: str) -> None:
    """What the Stream Manager cannot be asked for goes to the store without it, under the key of its name."""
    for name in ODD:
        device.write(name, name)
    device.once(via=via)
    assert device.names() == []
    expected = {f"site/{name.replace('%', '%25')}": name for name in ODD}
    assert expected == device.objects()
    assert device.manager.tasks == []


@BOTH
@pytest.mark.parametrize("prefix", ["", "/"])
def test_k7_an_empty_prefix_puts_no_slash_in_front(device: Component, via: str, prefix: str) -> None:
    """The key is the name."""
    device.write("a.csv")
    device.once(via=via, prefix=prefix)
    assert device.objects() == {"a.csv": "content"}


def test_k8_what_stands_in_a_path_is_only_a_name(device: Component) -> None:
    """In a directory with '#' the file that was sent is removed, and not the one that the path, cut there, names."""
    innocent = device.home / "run"
    innocent.write_text("innocent")
    device.source = device.home / "run#1 x=%41"
    device.source.mkdir()
    device.write("a.csv")
    device.home /= "state #2?"
    device.once()
    assert (device.names(), innocent.read_text(), device.objects()) == ([], "innocent", {"site/a.csv": "content"})
    (url,) = [task["inputUrl"] for task in device.manager.tasks]
    assert ("#" in url, "?" in url, "%23" in url) == (False, False, True)
    made, _ = of_arguments(["data/*.csv", "bucket", "", "1", "INFO"], NOBODY)
    assert ["begins nowhere" in text for _, text in made.problems] == [True]


def test_k9_two_components_share_no_stream(device: Component) -> None:
    """With one bucket each has streams of its own; they are made once, and nothing is ever deleted."""
    other = Component(device.home / "other", device.server, device.manager, device.tokens)
    other.bucket = device.bucket
    for component in (device, other, device, other):
        component.write(f"{component.home.name}-{time.monotonic_ns()}.csv")
        component.once()
    assert (len(device.manager.streams), device.manager.requests.count(CREATE)) == (4, 4)
    assert device.manager.deleted == []
    assert len(device.objects()) == 4


@BOTH
def test_k10_a_directory_is_no_file(device: Component, via: str) -> None:
    """One whose name matches is left alone, and stops nothing. An interval of 0 is one of a second."""
    (device.source / "folder.csv").mkdir()
    device.write("a.csv")
    assert device.once(via=via) == ""
    assert (device.names(), device.objects()) == (["folder.csv"], {"site/a.csv": "content"})
    assert [of_arguments(["/d/*", "bucket", "", said, "INFO"], NOBODY)[1].interval_seconds for said in ("0", "1")] == [
        1,
        1,
    ]


@BOTH
def test_d2_what_is_done_again_makes_no_second_object(device: Component, via: str) -> None:
    """The ledger is lost between upload and removal: the file is found in the store, and goes."""
    path = device.write("a.csv")
    device.once(via=via)
    path.write_text("content")
    passes = device.passes(via=via, newest_limit="0", state="another state")
    passes.once(lambda: False)
    assert (device.names(), device.objects()) == ([], {"site/a.csv": "content"})


@pytest.mark.slow
def test_d2_killed_while_the_stream_manager_sends(device: Component) -> None:
    """The next process withdraws what lay there, and carries the file; one object, the right bytes."""
    path = device.write("a.csv")
    device.manager.faults.hold = 3600
    command = [sys.executable, "-m", "outhaul.frontends.older.greengrass"]
    values = [f"{device.source}/*", device.bucket, "site", "1", "INFO", "StreamManager"]
    program = "import sys; from outhaul.frontends.older.greengrass import entry; entry()"
    command = [sys.executable, "-c", program, *values, "--state", str(device.home / "state")]
    device.write("newer.csv")
    os.utime(path, (1, 1))
    for _ in range(2):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        _until(lambda: device.manager.requests.count(APPEND) > 0, 30)
        process.send_signal(signal.SIGKILL)
        process.wait()
        device.manager.requests.clear()
    assert "a.csv" in device.names()
    device.manager.faults.hold = 0
    device.manager.close()
    with stand_in.stream_manager(device.server) as again:
        os.environ["STREAM_MANAGER_SERVER_PORT"] = str(again.port)
        device.once()
    assert (device.names(), device.objects()) == ([], {"site/a.csv": "content", "site/newer.csv": "content"})


def _until(found: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.05)
