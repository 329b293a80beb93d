"""What a page asks a ledger is answered alike by both kinds; and by one that several write to at once, without a gap."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from outhaul.ledgers.counting import Counting
from outhaul.ledgers.looking import Looking
from outhaul.ledgers.numbers import SETTLING_NS
from outhaul.ledgers.over_time import STEP_NS, OverTime
from outhaul.ledgers.postgres import PostgresLedger
from outhaul.ledgers.sqlite import SqliteLedger
from outhaul.ledgers.tail import Tail
from outhaul.model.errors import LedgerError
from outhaul.model.events import Tally
from outhaul.model.lifecycle import State
from outhaul.ports import Begun, Moment, Observation
from outhaul.testing.contracts.ledger import JOB, NOW, ODD_PATHS, SECOND, proof, sighting
from servers.postgres import Cluster

pytestmark = pytest.mark.slow
NAMES = (*ODD_PATHS, "Reading-1.CSV", "reading_2.csv", "ÄÖ.txt", "back\\slash", "a.b[c]", "{x}+(y)|^$", "100%")


class Clock:
    """One that is set by hand."""

    def __init__(self) -> None:
        self.now = NOW.wall_ns

    def __call__(self) -> int:
        return self.now


def fill(ledger: SqliteLedger | PostgresLedger, clock: Clock) -> None:
    """An hour in which files were carried and others wait."""
    place = ledger.place(JOB)
    for number, name in enumerate(NAMES):
        clock.now = NOW.wall_ns + number * 240 * SECOND
        for directory in ("", "2026/Nov", "h\udcffx"):
            seen = sighting(name, directory, inode=number + 1)._replace(ctime_ns=clock.now - 700 * SECOND)
            ledger.record(place, [proof(seen, f"site/{number}{name.encode('utf-8', 'replace').decode()}")])
    since = Moment("boot-1", NOW.boot_ns, NOW.wall_ns + 100 * SECOND)
    observed = [
        Observation(sighting(name, "waits")._replace(birth_ns=0), since, "conflict" if name < "b" else "quiet", "", 1)
        for name in NAMES
    ]
    ledger.note(place, observed=observed)
    ledger.begin_upload(place, sighting("large", "Z\udcff"), Begun("site/large", "id", 8 << 20))
    ledger.finish_run(place, NOW.wall_ns, Tally())
    ledger.close()


@pytest.fixture
def both(tmp_path: Path, address: str) -> Iterator[tuple[Looking, Looking]]:
    """A file and a database that hold the same."""
    for make in (
        lambda clock: SqliteLedger(str(tmp_path), clock),
        lambda clock: PostgresLedger(address, clock, "", "here"),
    ):
        clock = Clock()
        fill(make(clock), clock)
    with Looking(str(tmp_path)) as file, Looking(address) as database:
        yield file, database


def test_a_search_finds_the_same(both: tuple[Looking, Looking]) -> None:
    """Whatever a name is made of: parts, patterns, capital letters, digests, and the marks of SQL and of regular expressions."""
    texts = [
        "reading", "READING_2", "reading-?.csv", "2026/nov/r*", "*", "?_2*", "*.CSV", "Zür", "z?rich", "2026/*/Z?RICH",
        "100%", "%", "_", "\\", "k\\s", "*\\*", "[c]", "a.b[c]", "(y)|^", "{x}*", "'; DROP", "line", "new*line", "nothing",
        "half", "Ä", "*" * 4096, "?Ö.txt", "site/", "waits", proof(sighting("plain", "")).sha256.hex()[:12],
    ]  # fmt: skip
    file, database = both
    for text in texts:
        expected = file.search(text, limit=500, seconds=60)
        assert (text, expected) == (text, database.search(text, limit=500, seconds=60))
    found = [
        len(database.search(text, limit=500, seconds=60).receipts)
        for text in ("100%", "_", "\\", "z?rich", "*", "READING_2")
    ]
    assert found == [3, 3, 3, 1, 3 * len(NAMES), 3]
    few = database.search("", job="one", limit=2, seconds=60)
    assert (few, few.whole, len(few.receipts)) == (file.search("", job="one", limit=2, seconds=60), False, 2)
    assert database.search("reading", job="other", limit=2, seconds=60) == ([], [], True)


def test_what_a_page_shows_is_the_same(both: tuple[Looking, Looking]) -> None:
    """Held and waiting files, large ones, the last minute, and a day in steps of five minutes."""
    file, database = both
    end = NOW.wall_ns + len(NAMES) * 240 * SECOND
    for since in (0, NOW.wall_ns, NOW.wall_ns + 600 * SECOND, end, end + SECOND):
        assert (file.first_since(since), file.rate(since)) == (database.first_since(since), database.rate(since))
    for state in (State.HELD, State.WAITING):
        assert file.standing(state, 9) == database.standing(state, 9) != []
    assert file.under_way(9) == database.under_way(9) != []
    last = file.settled(end)[0]
    assert (last, file.up_to(last), file.up_to(7)) == (3 * len(NAMES), database.up_to(last), database.up_to(7))
    first = NOW.wall_ns // STEP_NS - 1
    assert sorted(file.carried(STEP_NS, 4, last, first)) == sorted(database.carried(STEP_NS, 4, last, first)) != []
    assert file.seen(STEP_NS) == database.seen(STEP_NS) != []
    for now in (end, end + SETTLING_NS, end + SETTLING_NS + STEP_NS):
        assert OverTime().steps(file, now) == OverTime().steps(database, now)
    growing = OverTime()
    assert [growing.steps(database, end + add) for add in (0, STEP_NS)] == [
        OverTime().steps(file, end + add) for add in (0, STEP_NS)
    ]


def test_a_search_of_a_database_ends_in_time(both: tuple[Looking, Looking], address: str) -> None:
    """With what it has found; a question that takes longer than it may is ended by the database."""
    assert not both[1].search("nothing", limit=2, seconds=-1).whole
    with Looking(address) as looking, looking._in_time(0.3) as over:
        began = time.monotonic()
        looking._database.execute("SELECT pg_sleep(30)").fetchall()
    assert (over, time.monotonic() - began < 5) == ([True], True)
    with Looking(address) as looking:
        with looking._in_time(0.3):
            pass
        looking._database.execute("SELECT pg_sleep(0.5)").fetchall()


def test_a_receipt_that_comes_late_is_counted(address: str, cluster: Cluster) -> None:
    """Its number was given before those of others that are there already; nobody who counts on may pass it over."""
    ledger = PostgresLedger(address, time.time_ns, "", "here")
    place = ledger.place(JOB)
    with cluster.server.connect(address.rpartition("/")[2]) as other:
        other.execute("SET search_path = outhaul")
        ledger.record(place, [proof(sighting("first"))])
        (early,) = other.execute("SELECT nextval('receipt_number')").fetchone() or (0,)
        ledger.record(place, [proof(sighting("second"))])
        counting, over_time = Counting(address), OverTime()

        def seen() -> tuple[int, int, list[int]]:
            with Looking(address) as looking, Tail(address) as tail:
                carried = sum(step.carried for step in over_time.steps(looking, time.time_ns()))
                return counting.status()[0].receipts, carried, [row.number for row in tail.after(tail.again_after(), 9)]

        assert seen() == (2, 2, [1, 3])
        other.execute(
            "CREATE TEMP TABLE late AS SELECT * FROM receipt WHERE id = 1; "
            f"UPDATE late SET id = {early}; INSERT INTO receipt SELECT * FROM late"
        )
        assert seen() == (3, 3, [1, 2, 3])
        other.execute(f"UPDATE receipt SET recorded_ns = recorded_ns - {2 * SETTLING_NS}")
        assert seen()[::2] == (3, [])
        ledger.record(place, [proof(sighting("third"))])
        assert seen()[::2] == (4, [4])
    ledger.close()


def test_a_database_that_is_gone_is_told(cluster: Cluster, address: str) -> None:
    """In one line."""
    PostgresLedger(address, time.time_ns, "", "here").close()
    with Looking(address) as looking:
        looking._database.close()
        with pytest.raises(LedgerError) as caught:
            looking.standing(State.HELD, 9)
    assert "\n" not in str(caught.value)
