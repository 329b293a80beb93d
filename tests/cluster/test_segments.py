"""What workers ship arrives in the ledger of their driver, once, and only what they have written."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from outhaul.cluster.outbox import Outbox, fetch, ship
from outhaul.ledgers.segments import Segments
from outhaul.ledgers.sqlite import SqliteLedger
from outhaul.model.bundle import Bundle, Member
from outhaul.model.evidence import Disposal, Proof, ProofKind, Sighting, Within
from outhaul.model.job import Destination, Job
from outhaul.model.segments import Foreign, Row, packed, segment_key, unpacked
from outhaul.model.shard import WHOLE, Shard
from outhaul.ports import Begun, Moment, Observation

NOW = 1_700_000_000 * 10**9
NOTHING = Moment("boot", 0, NOW)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """To a directory."""
    there = tmp_path / "there"
    there.mkdir()
    return Job("one", "/source", Destination(f"file://{there}", "file", "", "", str(there)))


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[SqliteLedger]:
    """The ledger of a worker."""
    with closing(SqliteLedger(str(tmp_path / "worker"), lambda: NOW)) as ledger:
        yield ledger


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[SqliteLedger]:
    """The ledger of a driver."""
    with closing(SqliteLedger(str(tmp_path / "driver"), lambda: NOW + 1)) as ledger:
        yield ledger


def sighting(name: str, directory: str = "d", inode: int = 7) -> Sighting:
    """A file of 10 bytes."""
    return Sighting(directory, name, 1 << 63, inode, 10, NOW - 5, NOW - 5, 0)


def proof(name: str, *, sent: bool = True, within: Within | None = None) -> Proof:
    """That such a file has arrived."""
    return Proof(
        sighting(name),
        f"d/{len(name)}{name[0]}",
        10,
        name[0].encode().ljust(32),
        "etag",
        "",
        ProofKind.CHECKSUM,
        sent,
        NOW,
        within=within,
    )


def told(ledger: SqliteLedger, job: Job, above: int = 0) -> list[Row]:
    """As it is after its journey."""
    rows = Segments(ledger).rows(ledger.place(job), above)
    return [row for body in packed(rows) for row in unpacked(body)]


def test_receipts_arrive_once(worker: SqliteLedger, driver: SqliteLedger, job: Job) -> None:
    """Taken again, and with what became of the files since, nothing is there twice, and bytes count once."""
    there, place = worker.place(job), driver.place(job)
    receipts = worker.record(there, [proof("a"), proof("b\udcff"), proof("c", sent=False)])
    driver.note(place, observed=[Observation(sighting("a"), NOTHING, "retry", "", 1)])
    early = told(worker, job)
    worker.note(there, disposals=[Disposal(receipts[0].number, "removed")])
    for rows in (early, told(worker, job), early):
        Segments(driver).take(place, rows)
    found = driver.receipts(place, "d", ["a", "b\udcff", "c"])
    assert {name: one.sighting for name, one in found.items()} == {
        name: sighting(name) for name in ("a", "b\udcff", "c")
    }
    assert driver._database.execute("SELECT disposal, count(*) FROM receipt GROUP BY 1 ORDER BY 1").fetchall() == [
        (None, 2),
        ("removed", 1),
    ]
    assert driver.sent_since(place, 0) == 20
    assert driver.observations(place, "d") == {}


def test_what_is_shipped_is_forgotten(worker: SqliteLedger, job: Job) -> None:
    """But for what the endpoint has shown; and receipts are numbered on."""
    there = worker.place(job)
    worker.record(there, [proof("a"), proof("b")])
    segments = Segments(worker)
    was_empty = segments.is_empty
    segments.clear()
    assert (was_empty, segments.is_empty) == (False, True)
    assert told(worker, job) == []
    assert [receipt.number for receipt in worker.record(there, [proof("c")])] == [3]


def test_a_worker_knows_what_the_driver_knows(worker: SqliteLedger, driver: SqliteLedger, job: Job) -> None:
    """Of files that are still there; and what it learns of them comes back, without what it was told."""
    place, there = driver.place(job), worker.place(job)
    receipts = driver.record(place, [proof("a"), proof("b"), proof("gone")])
    driver.note(place, disposals=[Disposal(receipts[2].number, "removed")])
    driver.note(place, observed=[Observation(sighting("waits"), NOTHING, "quiet", "", 0)])
    begun = Begun("d/large", "upload", 8 << 20)
    driver.begin_upload(place, sighting("large"), begun)
    known = Segments(driver).known(place, ["d"], WHOLE, beneath=False)
    Segments(worker).take(there, known)
    above = Segments(worker).last
    assert sorted(worker.receipts(there, "d", ["a", "b", "gone"])) == ["a", "b"]
    assert worker.observations(there, "d").keys() == {"waits"}
    assert worker.uploads(there) == [(sighting("large"), begun)]

    worker.note(there, disposals=[Disposal(1, "removed")], forgotten=[("d", "waits")])
    worker.record(there, [proof("new")])
    back = told(worker, job, above)
    assert [row[0] for row in back] == ["receipt", "receipt", "upload"]
    Segments(driver).take(place, [["looked", ["d"], *WHOLE, False], *back])
    assert driver._database.execute("SELECT name, disposal FROM receipt ORDER BY id").fetchall() == [
        (b"a", "removed"), (b"b", None), (b"gone", "removed"), (b"new", None),
    ]  # fmt: skip
    assert driver.observations(place, "d") == {}
    assert driver.uploads(place) == [(sighting("large"), begun)]


def test_of_a_share_of_a_directory_only_its_files_are_meant(driver: SqliteLedger, job: Job) -> None:
    """Those of the others are neither told nor forgotten; and beneath a group all is meant."""
    place = driver.place(job)
    names = [str(number) for number in range(20)]
    driver.note(place, observed=[Observation(sighting(name), NOTHING, "quiet", "", 0) for name in names])
    driver.note(place, observed=[Observation(sighting("x", "d/e"), NOTHING, "quiet", "", 0)])
    driver.note(place, observed=[Observation(sighting("y", "d0"), NOTHING, "quiet", "", 0)])
    half = Shard(1, 2)
    ours = {name for name in names if half.holds(name)}
    segments = Segments(driver)
    assert {row[2][0].decode() for row in segments.known(place, ["d"], half, beneath=False)} == ours
    assert len(segments.known(place, ["d"], WHOLE, beneath=True)) == 21
    segments.take(place, [["looked", ["d"], *half, False]])
    assert driver.observations(place, "d").keys() == set(names) - ours
    segments.take(place, [["looked", ["d"], *WHOLE, True]])
    assert driver.observed_directories(place) == {"d0"}


def test_bundles_arrive_with_their_files(worker: SqliteLedger, driver: SqliteLedger, job: Job) -> None:
    """Their bytes count once; and one that was about to be sent is known as that, until its files have receipts."""
    there, place = worker.place(job), driver.place(job)
    member = Member(sighting("a"), 0o644, b"a".ljust(32), Within(0, 0, 10, 0))
    bundle = Bundle("bundle", "bundles/x.tar", 4096, b"s" * 32, b"m" * 16, "", (member,))
    number = worker.begin_bundle(there, bundle)
    Segments(driver).take(place, told(worker, job))
    assert [begun.bundle for begun in driver.bundles(place)] == [bundle]
    within = Within(number, 0, 10, 0)
    worker.record(there, [proof(name, within=within)._replace(length=4096) for name in ("a", "b")])
    rows = told(worker, job)
    Segments(driver).take(place, rows)
    Segments(driver).take(place, rows)
    assert driver.bundles(place) == []
    assert driver.sent_since(place, 0) == 4096
    assert driver._database.execute("SELECT count(*), count(DISTINCT bundle) FROM receipt").fetchone() == (2, 1)


def test_segments_lie_where_their_number_leads(job: Job) -> None:
    """Whoever has the same number again, as after a death, adds to what is there; and nobody has to list anything."""
    outbox = Outbox("ab12", b"secret", "")
    assert ship(job, outbox, 7, []) == 0
    assert ship(job, outbox, 7, [["receipt", b"one"]]) == 1
    assert ship(job, outbox, 7, [["receipt", b"two"]]) == 2
    found = [body for body in fetch(job, outbox, 7) if not isinstance(body, Foreign)]
    assert [list(unpacked(body)) for body in found] == [[["receipt", b"one"]], [["receipt", b"two"]]]
    assert list(fetch(job, outbox, 8)) == []
    assert (Path(job.destination.directory) / segment_key("", "ab12", 7, 1)).is_file()


def test_what_somebody_else_has_written_is_no_receipt(job: Job) -> None:
    """It has no code of the run, or one of another place; what is ours beside it is found all the same."""
    ours, theirs = Outbox("ab12", b"secret", ""), Outbox("ab12", b"another", "")
    ship(job, theirs, 1, [["receipt", b"forged"]])
    ship(job, ours, 1, [["receipt", b"one"]])
    there = Path(job.destination.directory)
    moved = there / segment_key("", "ab12", 1, 2)
    moved.write_bytes((there / segment_key("", "ab12", 1, 1)).read_bytes())
    found = list(fetch(job, ours, 1))
    assert [isinstance(one, Foreign) for one in found] == [True, False, True]


def test_many_rows_are_several_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of them is larger than one may be, unless a single row is."""
    monkeypatch.setattr("outhaul.model.segments.TEXT_MAX", 100)
    rows: list[Row] = [["receipt", number, "x" * 30] for number in range(5)] + [["receipt", "y" * 200]]
    bodies = list(packed(rows))
    assert [len(list(unpacked(body))) for body in bodies] == [2, 2, 1, 1]
    assert [row for body in bodies for row in unpacked(body)] == rows
