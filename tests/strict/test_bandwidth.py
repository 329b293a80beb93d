"""A limit of bytes a second in whole runs: it holds on every way that bytes go out, and nobody waits for longer than it asks."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from outhaul import app
from outhaul.host.limiter import Limiter
from outhaul.model.bandwidth import Bandwidth, Priority
from outhaul.model.job import Connection, Destination, Job
from outhaul.model.object_settings import NO_SETTINGS, ObjectSettings
from outhaul.ports import Abilities
from outhaul.stores.s3 import S3Store
from outhaul.stores.throttled import paced
from outhaul.testing.monitor import RecordingMonitor
from outhaul.testing.store import BytesOf
from strict.journeys import LARGE, PREFIX, Journey
from strict.raw import Conversation, raw_server

pytestmark = pytest.mark.slow

RATE = 400_000


def run(
    journey: Journey,
    rate: int | None,
    *,
    endpoint: str = "",
    to: Path | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> tuple[app.RunReport, float]:
    """A run with a limit, and the seconds that it took."""
    there = Destination(f"s3://{journey.bucket}/{PREFIX}", "s3", journey.bucket, PREFIX)
    job = Job(
        "limited",
        str(journey.source),
        there if to is None else Destination(f"file://{to}", "file", "", "", str(to)),
        Connection(endpoint or journey.server.endpoint_url, journey.server.region),
        quiet_ns=0,
        one_off=True,
    )
    began = time.monotonic()
    report = app.run(
        [job], state=str(journey.state), monitor=RecordingMonitor(), stopped=stopped, bandwidth=Bandwidth(rate)
    )
    return report, time.monotonic() - began


@pytest.mark.parametrize("way", ["fast", "general", "directory"])
def test_the_limit_holds(journey: Journey, way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over our own lane, where a proxy is set and general clients send, and into a directory."""
    journey.files = LARGE | {f"in/small-{number}": bytes(4000) for number in range(20)}
    journey.server.behaviour.part_bytes_min = 1
    journey.begin()
    endpoint = ""
    if way == "general":
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1,127.1")
        endpoint = journey.server.endpoint_url.replace("127.0.0.1", "127.1")
    report, seconds = run(journey, RATE, endpoint=endpoint, to=tmp_path / "to" if way == "directory" else None)
    assert (0, set()) == (report.exit_code, journey.left)
    senders = {entry.headers["user-agent"][:7] for entry in journey.server.log if entry.operation == "UploadPart"}
    assert senders == {"fast": {"outhaul"}, "general": {"Botocor"}, "directory": set()}[way]
    expected = sum(map(len, journey.files.values())) / RATE
    assert 0.8 * expected <= seconds <= expected + 3.0, f"{seconds:.2f} s, where {expected:.2f} s were wanted"


def test_over_ten_seconds_it_holds_within_a_tenth(journey: Journey) -> None:
    """What starting takes is not counted: a run without a file of any size shows how much that is."""
    journey.files = {"in/first": b"1"}
    journey.begin()
    _, start = run(journey, 2_000_000)
    journey.files = {"in/large": bytes(20_000_000)}
    journey.server.behaviour.part_bytes_min = 1
    journey.begin()
    report, seconds = run(journey, 2_000_000)
    assert report.exit_code == 0
    assert seconds - start == pytest.approx(10, rel=0.1)


def test_small_files_do_not_wait_for_a_large_one(journey: Journey) -> None:
    """Of one job: they are all there before the last part is."""
    journey.files = LARGE | {f"in/small-{number}": bytes(1000) for number in range(5)}
    journey.server.behaviour.part_bytes_min = 1
    journey.begin()
    report, _ = run(journey, RATE)
    assert report.exit_code == 0
    log = [(entry.operation, entry.key) for entry in journey.server.log]
    last_part = max(index for index, (operation, _) in enumerate(log) if operation == "UploadPart")
    small = [index for index, (operation, key) in enumerate(log) if operation == "PutObject" and "/small-" in key]
    assert len(small) == 5
    assert max(small) < last_part


def test_a_job_of_high_priority_passes_a_large_file_of_another(journey: Journey) -> None:
    """Its file is there at once; the large one goes on, and is whole."""
    limiter = Limiter(Bandwidth(RATE))
    journey.server.behaviour.part_bytes_min = 1

    def store_of(priority: Priority) -> S3Store:
        connection = Connection(journey.server.endpoint_url, journey.server.region)
        store = S3Store(
            Destination("s3://the-bucket", "s3", "the-bucket", ""), connection, share=limiter.share(priority)
        )
        store.adopt(store.probe())
        return store

    low, high = store_of("low"), store_of("high")
    content = bytes(2 * RATE)
    large = threading.Thread(
        target=lambda: low.put_large("large", len(content), BytesOf(content), seal=lambda: None), daemon=True
    )
    large.start()
    time.sleep(0.4)
    began = time.monotonic()
    high.put("urgent", bytes(RATE // 10))
    took = time.monotonic() - began
    assert large.is_alive()
    assert took < 0.5
    large.join(10)
    assert content == journey.server.buckets["the-bucket"].bodies()["large"]


@pytest.mark.parametrize("way", ["fast", "general", "with settings"])
def test_one_large_body_goes_as_it_gets_leave(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as a bundle: not all of it at once after a long wait, whichever client sends it."""
    arrived: list[tuple[float, int]] = []

    def talk(conversation: Conversation) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += conversation.sock.recv(1)
        while sum(length for _, length in arrived) < len(body):
            arrived.append((time.monotonic(), len(conversation.sock.recv(1 << 20))))
        conversation.send(b'HTTP/1.1 200 OK\r\nETag: "e"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')

    body = bytes(700_000)
    for name, value in {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "eu-north-1"}.items():
        monkeypatch.setenv(name, value)
    if way != "fast":
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
        monkeypatch.setenv("NO_PROXY", "127.1")
    settings = ObjectSettings(storage_class="STANDARD_IA") if way == "with settings" else NO_SETTINGS
    with raw_server(talk) as server:
        host = "127.0.0.1" if way == "fast" else "127.1"
        share = Limiter(Bandwidth(1_000_000)).share("normal")
        there = Destination("s3://the-bucket", "s3", "the-bucket", "")
        store = S3Store(there, Connection(f"http://{host}:{server.port}", "eu-north-1"), settings, share)
        store.adopt(Abilities(True, True, True))
        assert store.put("bundle", body).etag == "e"
    begin, end = arrived[0][0], arrived[-1][0]
    assert 0.3 < end - begin < 2  # As much as goes in two tenths of a second may be saved up.
    half = sum(length for at, length in arrived if at < (begin + end) / 2)
    assert 0.25 < half / len(body) < 0.8


def test_one_large_body_into_a_directory_goes_as_it_gets_leave() -> None:
    """In pieces, which are all of it."""
    body = bytes(range(250)) * 2000
    pieces = list(paced([body, b""], Limiter(Bandwidth(2_000_000)).share("normal")))
    assert body == b"".join(pieces)
    assert max(map(len, pieces)) <= 200_000


@pytest.mark.parametrize("way", ["fast", "general"])
def test_who_waits_hears_that_the_run_is_to_end(journey: Journey, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits is given up at once; the next run goes on with it, and all is carried."""
    journey.files = LARGE | {f"in/small-{number}": bytes(30_000) for number in range(20)}
    journey.server.behaviour.part_bytes_min = 1
    journey.begin()
    endpoint = ""
    if way == "general":
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1,127.1")
        endpoint = journey.server.endpoint_url.replace("127.0.0.1", "127.1")
    end = time.monotonic() + 0.7
    report, seconds = run(journey, 8 << 10, endpoint=endpoint, stopped=lambda: time.monotonic() > end)
    assert report.interrupted
    assert seconds < 3.5
    journey.check()
    report, _ = run(journey, None, endpoint=endpoint)
    assert report.exit_code == 0
    journey.check_carried()
