"""That nothing lies in the bucket yet is no reason never to look there again."""

import fcntl
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from outhaul.cluster.crew import Crew
from outhaul.cluster.keeping import Merged
from outhaul.cluster.numbers import Numbers
from outhaul.cluster.outbox import Outbox, Parcel, fetch, ship
from outhaul.cluster.own import Keeping, Own, is_past, ship_left
from outhaul.host.fences import DriverFence, NoLocks
from outhaul.model.errors import Denied, LedgerError
from outhaul.model.job import Connection, Destination, Job
from outhaul.model.segments import SEGMENT_MAX, Foreign, Row, segment_key
from outhaul.model.shard import WHOLE

WORKER, OTHER = "tcp://10.0.0.1:1", "tcp://10.0.0.2:1"
NOTHING: list[Row] = [["looked", [], *WHOLE, False]]


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """From one directory to another."""
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    there = str(tmp_path / "there")
    return Job("one", str(tmp_path / "here"), Destination(f"file://{there}", "file", "", "", there))


@pytest.fixture
def driver(tmp_path: Path, job: Job) -> Iterator[Merged]:
    """In the middle of its work, with a worker."""
    merged = Merged(str(tmp_path / "state"), is_here=False)
    with merged.opened(job, lambda _: None):
        merged.met([WORKER])
        yield merged


@pytest.mark.parametrize(("links", "shipped", "is_open"), [(0, 0, False), (1, 1, False), (1, 0, True), (-1, 1, True)])
def test_a_number_is_closed_by_the_word_of_its_worker(
    driver: Merged, job: Job, links: int, shipped: int, is_open: bool
) -> None:
    """And only where so many segments were read."""
    number = driver._numbers.next()
    if shipped:
        ship(job, driver._numbers.outbox, number, NOTHING)
    driver.take(Parcel(number, ()), WORKER, links)
    assert (number in driver._numbers.open) == is_open


def test_a_number_that_somebody_else_may_have_stays_open(driver: Merged) -> None:
    """Until all of his machine was asked; then it is."""
    number = driver._numbers.next()
    driver.saw(number, OTHER)
    driver.take(Parcel(number, ()), WORKER, 0)
    found = [number in driver._numbers.open]
    for asked in (None, {"10.0.0.1"}, {"10.0.0.2"}):
        driver._merge_all([number], asked, lambda: False)
        found.append(number in driver._numbers.open)
    assert found == [True, True, True, False]


def test_a_number_that_did_not_come_back_waits_for_all_machines(tmp_path: Path, job: Job, driver: Merged) -> None:
    """Also in the next run: a driver that is killed has written down which there were."""
    number = driver._numbers.next()
    driver.met([OTHER])
    next_run = Numbers(str(tmp_path / "state"), job, "")
    assert (number in next_run.open, next_run.machines) == (True, {"10.0.0.1": False, "10.0.0.2": False})
    found = []
    for asked in (None, {"10.0.0.1"}, {"10.0.0.1", "10.0.0.2"}):
        driver._merge_all([number], asked, lambda: False)
        found.append(number in driver._numbers.open)
    assert found == [True, True, False]


def test_a_number_of_which_nothing_was_written_is_given_again(driver: Merged) -> None:
    """Unless somebody else may write there."""
    first, second = driver._numbers.next(), driver._numbers.next()
    driver.saw(second, OTHER)
    for number in (first, second):
        driver.unused(Parcel(number, ()), WORKER)
    assert [driver._numbers.next(), driver._numbers.next()] == [first, second + 1]


def test_who_is_asked_ends_all_earlier_numbers_of_its_machine(tmp_path: Path, job: Job) -> None:
    """A worker that has its ledger is named; one that gets its ledger later begins nothing under them."""
    outbox = Outbox("ab12ab12ab12", b"secret", str(tmp_path / "home"))
    keeping, busy, asked = Keeping("", outbox), Own(), Own()
    before = is_past(outbox, 6)
    busy.wired(keeping)
    name = Path(busy.state).name
    assert ship_left(asked, job, keeping, 7).held == [name]
    assert (before, is_past(outbox, 6), is_past(outbox, 7)) == (False, True, False)
    answer = ship_left(busy, job, keeping, 8)
    assert (answer.links, answer.faults, answer.held, answer.freed) == (0, [], [], [name])


def test_a_damaged_ledger_of_a_dead_worker_is_told_each_time(tmp_path: Path, job: Job) -> None:
    """Until somebody has looked at it: receipts were in it."""
    outbox = Outbox("ab12ab12ab12", b"secret", str(tmp_path / "home"))
    folder = tmp_path / "home" / outbox.run / ("worker-" + "a" * 16)
    for made in (tmp_path / "home", tmp_path / "home" / outbox.run, folder):
        made.mkdir(mode=0o700)
    (folder / "ledger.sqlite").write_bytes(b"garbage" * 1000)
    told = f"the ledger of a dead worker is damaged: look at {folder}, then remove it"
    assert [ship_left(Own(), job, Keeping("", outbox), number).faults for number in (1, 2)] == [[told], [told]]


def test_what_is_too_large_is_passed_over(job: Job) -> None:
    """No worker wrote it; what is ours behind it is written, and found."""
    outbox = Outbox("ab12ab12ab12", b"secret", "")
    first = Path(job.destination.directory) / segment_key("", outbox.run, 1, 0)
    first.parent.mkdir(parents=True)
    with first.open("wb") as file:
        file.truncate(SEGMENT_MAX + 1)
    assert ship(job, outbox, 1, NOTHING) == 2
    assert [isinstance(body, Foreign) for body in fetch(job, outbox, 1)] == [True, False]


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"run": "ab", "secret": "00", "given": 3, "open": 4}', None])
def test_numbers_that_cannot_be_read_are_not_replaced(tmp_path: Path, job: Job, content: bytes | None) -> None:
    """With them the run and its secret would go, and all that was shipped and not merged."""
    Numbers(str(tmp_path), job, "").close()
    (path,) = (tmp_path / "workers").iterdir()
    if content is None:  # Something that is there, and no file.
        path.unlink()
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(LedgerError, match=path.name):
        Numbers(str(tmp_path), job, "")
    assert path.is_dir() if content is None else path.read_bytes() == content


def test_a_system_without_such_locks_is_told(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line, which says what helps."""
    monkeypatch.setattr("sys.platform", "darwin")
    monkeypatch.delattr(fcntl, "F_OFD_SETLK")
    with pytest.raises(NoLocks, match="those of Linux; let the workers share a database: --ledger"):
        DriverFence(job.source, keep=True)


class _WriteOnly(http.server.BaseHTTPRequestHandler):
    """A bucket where we may write, and not read."""

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(200)

    def do_GET(self) -> None:
        self._answer(403, b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>")

    def _answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


def test_a_driver_that_may_not_read_begins_nothing(tmp_path: Path, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """All receipts would look as if there were none. No worker is asked, and what was written stays open."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x" * 20)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _WriteOnly) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        there = Connection(endpoint_url=f"http://127.0.0.1:{server.server_port}")
        driver = Merged(str(tmp_path / "state"), is_here=False)
        bucket = job._replace(destination=Destination("s3://bucket/p", "s3", "bucket", "p"), connection=there)
        with driver.opened(bucket, lambda _: None):
            with pytest.raises(Denied, match="allow s3:GetObject"):
                driver.gather(Crew(None, print, lambda: False), first=True)
            assert driver._numbers.open == {1}
        server.shutdown()
