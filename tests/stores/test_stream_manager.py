"""What the Stream Manager says is a hint: each of its faults, with the official SDK against the stand-in, ends at the store."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from contracts.test_stores import open_s3
from outhaul.host.clock import SystemClock
from outhaul.model.errors import AlreadyThere, Interrupted, Misconfigured, Transient, Unproved
from outhaul.model.evidence import Package, Sighting, Upload
from outhaul.ports import Moment, NewObject, Stored
from outhaul.stages.prove import prove
from outhaul.stores import stream_manager_exports
from outhaul.stores.stream_manager import Patience, StreamManagerStore
from outhaul.stores.stream_manager_exports import takes
from outhaul.testing.store import BytesOf
from servers.server import Server
from servers.stream_manager import APPEND, DELETE, READ, StreamManager, stream_manager

SHORT = Patience(seconds=0.5, look_seconds=0.2)
LONG = Patience(seconds=20, look_seconds=20)
CLOCK = SystemClock()


@pytest.fixture
def manager(rclone_server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[StreamManager]:
    """A Stream Manager that the environment tells of."""
    for name, value in rclone_server.environ().items():
        monkeypatch.setenv(name, value)
    with stream_manager(rclone_server) as running:
        monkeypatch.setenv("STREAM_MANAGER_SERVER_PORT", str(running.port))
        monkeypatch.setattr(stream_manager_exports, "_ANSWER_SECONDS", 0.5)
        monkeypatch.setattr(stream_manager_exports, "_LISTEN_MS", 100)
        yield running


@pytest.fixture
def bucket(rclone_server: Server) -> str:
    """An empty one."""
    return rclone_server.make_bucket()


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """Where the files are that it sends."""
    return tmp_path / "spool"


Opener = Callable[..., StreamManagerStore]


@pytest.fixture
def opened(rclone_server: Server, bucket: str, manager: StreamManager, spool: Path) -> Iterator[Opener]:
    """Opens a store on the bucket, as each pass does; all are closed in the end."""
    stores = ExitStack()

    def open_one(
        patience: Patience = SHORT,
        over: Callable[[], bool] = lambda: False,
        moment: Callable[[], Moment] = CLOCK.moment,
    ) -> StreamManagerStore:
        direct = open_s3(rclone_server, bucket)
        store = StreamManagerStore(direct, bucket, "outhaul-test", str(spool), moment, over, patience=patience)
        stores.callback(store.close)
        return store

    with stores:
        yield open_one


def proof_of(store: StreamManagerStore, key: str, body: bytes) -> str:
    """The kind of proof that the bytes under a key give, once they were put there."""
    stored = store.put(key, body)
    sha256, md5 = hashlib.sha256(body).digest(), hashlib.md5(body, usedforsecurity=False).digest()
    package = Package(Sighting("", key, 1, 1, len(body), 1, 1), key, len(body), sha256, md5, body, BytesOf(body))
    return prove(Upload(package, key, stored.etag, md5.hex(), stored.version, True), "auto", store, 1).kind.value


def test_what_it_sends_is_proved_by_the_store(opened: Opener, manager: StreamManager, spool: Path) -> None:
    """A small object by its ETag; nothing is left of the copy that was sent."""
    assert proof_of(opened(), "p/a", b"content") == "etag"
    assert [task["key"] for task in manager.tasks] == ["p/a"]
    assert list(spool.iterdir()) == []


def test_a_success_without_an_object_is_none(opened: Opener, manager: StreamManager) -> None:
    """'Success' was said and nothing sent: the store is asked, and has no such object."""
    manager.faults.lie = 1
    with pytest.raises(Transient, match="has no such object"):
        opened().put("p/a", b"content")


def test_other_bytes_are_seen(opened: Opener, manager: StreamManager) -> None:
    """Bytes that were altered on the way are not proved."""
    manager.faults.alter = 1
    with pytest.raises(Unproved):
        proof_of(opened(), "p/a", b"content")


@pytest.mark.parametrize(
    ("fault", "said"), [("fail", "the bucket does not exist"), ("cancel", "the stream was deleted")]
)
def test_what_fails_is_tried_again(opened: Opener, manager: StreamManager, spool: Path, fault: str, said: str) -> None:
    """A failure is told with its text, and the next attempt succeeds; no file of it is left."""
    setattr(manager.faults, fault, 1)
    store = opened()
    with pytest.raises(Transient, match=said):
        store.put("p/a", b"content")
    assert list(spool.iterdir()) == []
    assert proof_of(store, "p/a", b"content") == "etag"


def test_messages_that_are_none_poison_nothing(opened: Opener, manager: StreamManager) -> None:
    """Garbage, statuses of strangers, and every status twice: each is passed by, and all files arrive."""
    manager.faults.strange_statuses, manager.faults.status_times = True, 2
    store = opened()
    new = [NewObject(f"p/{number}", b"%d" % number, hashlib.sha256(b"%d" % number).digest()) for number in range(20)]
    assert [Stored] * 20 == [type(answer.outcome) for answer in store.put_many(new, 8)]
    assert opened().put("p/after", b"1").etag


def test_a_lost_status_is_found_out_by_looking(opened: Opener, manager: StreamManager) -> None:
    """It was sent, and nothing was said: the store has it."""
    manager.faults.lose_status = 1
    assert proof_of(opened(), "p/a", b"content") == "etag"


@pytest.mark.slow
def test_nothing_heard_and_nothing_there(opened: Opener, manager: StreamManager, spool: Path) -> None:
    """The wait is bounded; the file that was to be sent is withdrawn, so that the task cannot begin later."""
    manager.faults.hold = 1.2
    began = time.monotonic()
    with pytest.raises(Transient, match="says nothing of it"):
        opened().put("p/a", b"content")
    assert time.monotonic() - began < 5
    assert [name.suffix for name in spool.iterdir()] == [".withdrawn"]
    manager.faults.hold = 0
    assert opened(LONG).put("p/a", b"content")
    assert len(manager.tasks) == 2


@pytest.mark.slow
def test_other_bytes_wait_while_earlier_ones_may_be_on_their_way(
    opened: Opener, manager: StreamManager, rclone_server: Server, bucket: str
) -> None:
    """A task that nobody waited for any longer could end after another for its key, and take its place. So that one waits."""
    manager.faults.hold = 1.0
    with pytest.raises(Transient):
        opened().put("p/log", b"first")
    manager.faults.hold = 0
    for key, body in (("p/log", b"second"), ("p/log", b"")):
        with pytest.raises(Transient, match="may still be sending other bytes"):
            opened().put(key, body)
    assert opened(LONG).put("p/other", b"second")
    later = CLOCK.moment()
    later = later._replace(boot_ns=later.boot_ns + 16 * 60 * 10**9)
    assert opened(LONG, moment=lambda: later).put("p/log", b"second")
    with rclone_server.client() as client:
        assert client.get(bucket, "p/log") == b"second"


def test_a_killed_process_leaves_nothing_that_can_begin(opened: Opener, spool: Path) -> None:
    """What lies in the spool when a process starts is withdrawn, before anything is sent."""
    spool.mkdir()
    digest = hashlib.sha256(b"p/a").hexdigest()[:32]
    (spool / f"{digest}-{'0' * 16}-{'1' * 16}").write_bytes(b"of another life")
    (spool / "2.unfinished").write_bytes(b"half")
    with pytest.raises(Transient, match="may still be sending other bytes"):
        opened().put("p/a", b"content")
    assert [name.suffix for name in spool.iterdir()] == [".withdrawn"]


@pytest.mark.slow
def test_a_dropped_connection_is_opened_anew(opened: Opener, manager: StreamManager) -> None:
    """While a task is handed over, and while its status is waited for."""
    store = opened()
    manager.faults.drop_on = READ
    assert store.put("p/a", b"content")
    manager.faults.drop_on = APPEND
    with pytest.raises(Transient, match="Stream Manager"):
        store.put("p/b", b"content")
    assert store.put("p/b", b"content")


def test_it_is_not_there(opened: Opener, manager: StreamManager, spool: Path) -> None:
    """It waits for the next attempt; a thousand attempts leave no thread and no descriptor behind."""
    store = opened()
    manager.close()
    with pytest.raises(Transient, match=f"port {manager.port}"):
        store.put("p/a", b"content")
    threads, descriptors = threading.active_count(), len(os.listdir("/proc/self/fd"))
    for _ in range(50):
        with pytest.raises(Transient):
            store.put("p/a", b"content")
    time.sleep(0.2)
    assert threading.active_count() <= threads + 1
    assert len(os.listdir("/proc/self/fd")) <= descriptors + 3


def test_passes_leave_no_threads(opened: Opener, manager: StreamManager) -> None:
    """Each pass opens a store, and closes it: then what it had is gone."""
    with closing(opened()) as store:
        store.put("p/first", b"1")
    threads = threading.active_count()
    for number in range(10):
        with closing(opened()) as store:
            store.put(f"p/{number}", b"1")
    time.sleep(0.2)
    assert threading.active_count() <= threads


def test_a_full_stream_refuses(opened: Opener, manager: StreamManager) -> None:
    """No older task is pushed out: the new one waits until there is room."""
    store = opened()
    store.put("p/first", b"1")
    assert [stream.definition["strategyOnFull"] for name, stream in sorted(manager.streams.items())] == [0, 1]
    manager.faults.full = True
    with pytest.raises(Transient, match="the stream is full"):
        store.put("p/a", b"content")
    manager.faults.full = False
    assert store.put("p/a", b"content")


def test_streams_are_made_and_never_deleted(opened: Opener, manager: StreamManager) -> None:
    """They are made once, found again by the next pass, and made again when somebody has deleted them."""
    opened().put("p/a", b"1")
    before = dict(manager.streams)
    opened().put("p/b", b"1")
    assert before == manager.streams
    assert DELETE not in manager.requests
    store = opened()
    store.put("p/c", b"1")
    manager.streams.clear()
    with pytest.raises(Transient, match="there is no such stream"):
        store.put("p/d", b"1")
    assert opened().put("p/d", b"1")


def test_the_wait_ends_when_the_run_is_to_end(opened: Opener, manager: StreamManager) -> None:
    """Within a second or two."""
    manager.faults.hold = 30
    over = threading.Event()
    threading.Timer(0.3, over.set).start()
    began = time.monotonic()
    with pytest.raises(Interrupted):
        opened(over=over.is_set).put("p/a", b"content")
    assert time.monotonic() - began < 3


@pytest.mark.slow
def test_word_of_a_task_renews_the_patience(opened: Opener, manager: StreamManager) -> None:
    """Tasks are worked off one after the other: those behind wait as long as there is word of those in front."""
    manager.faults.hold = 1.0
    new = [NewObject(f"p/{number}", b"1", hashlib.sha256(b"1").digest()) for number in range(4)]
    answers = opened(Patience(seconds=3, look_seconds=0.2)).put_many(new, 8)  # All four together take longer.
    assert [Stored] * 4 == [type(answer.outcome) for answer in answers]


@pytest.mark.parametrize(
    "name", ["with space", "100%25", "a#b", "a?b", "a!{timestamp:YYYY}", "a{b}", "a~1", "a[0]", "a'b"]
)
def test_names_that_its_sdk_refuses_go_directly(opened: Opener, manager: StreamManager, name: str) -> None:
    """Such a key, or one that it would make another of, goes to the store without it, and is proved as others are."""
    assert not takes(f"p/{name}")
    assert proof_of(opened(), f"p/{name}", b"content") == "etag"
    assert manager.tasks == []


def test_what_stands_there_stays(opened: Opener, manager: StreamManager, rclone_server: Server, bucket: str) -> None:
    """It would replace an object: so it is not asked to."""
    with rclone_server.client() as client:
        client.put(bucket, "p/a", b"first")
    with pytest.raises(AlreadyThere):
        opened().put("p/a", b"second")
    assert manager.tasks == []


def test_without_room_it_goes_directly(opened: Opener, manager: StreamManager, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is what carrying files away is to help with."""
    full = os.statvfs_result((4096, 4096, 100, 0, 0, 100, 100, 100, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda _: full)
    content = b"0" * (17 << 20)
    begun = opened().begin_large("p/large", len(content))
    assert begun is not None
    opened().put_large("p/large", len(content), BytesOf(content), seal=lambda: None, begun=begun)
    assert manager.tasks == []


def test_it_asks_for_the_token(opened: Opener, manager: StreamManager, monkeypatch: pytest.MonkeyPatch) -> None:
    """Greengrass gives each component one; without it the connection is refused, and told so."""
    manager.faults.token = "a-token-of-this-component"
    with pytest.raises(Transient, match="Failed to establish connection"):
        opened().put("p/a", b"content")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "a-token-of-this-component")
    assert opened().put("p/a", b"content")


def test_without_the_sdk(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line says what to install."""
    monkeypatch.setitem(__import__("sys").modules, "stream_manager", None)
    with pytest.raises(Misconfigured, match=r"outhaul\[greengrass\]"):
        opened().put("p/a", b"content")
