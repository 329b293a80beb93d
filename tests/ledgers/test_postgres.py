"""The ledger in PostgreSQL: the contract, several processes at once, and a server that goes away. A real one, never skipped."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from outhaul.ledgers.history import History
from outhaul.ledgers.postgres import PostgresLedger
from outhaul.model.bundle import index_text
from outhaul.model.errors import AnotherInstance, LedgerError
from outhaul.model.events import Tally
from outhaul.model.evidence import Disposal
from outhaul.ports import Begun, Ledger
from outhaul.stages.bundle import proofs_of_members
from outhaul.testing.contracts.ledger import FAR, JOB, NOW, SECOND, LedgerContract, Open, bundle, later, proof, sighting
from servers.postgres import Cluster, postgres

pytestmark = pytest.mark.slow


def ledger_at(address: str, owner: str = "", host: str = "here") -> PostgresLedger:
    """One process's."""
    return PostgresLedger(address, lambda: NOW.wall_ns, owner, host)


class TestPostgresLedger(LedgerContract):
    @pytest.fixture
    def opened(self, address: str) -> Open:
        @contextmanager
        def open_it() -> Iterator[Ledger]:
            ledger = ledger_at(address)
            try:
                yield ledger
            finally:
                ledger.close()

        return open_it


def test_shards_share_a_ledger(address: str) -> None:
    """Each has its own numbers and what it began; all see the receipts of all, and one of a name is enough."""
    one, two = ledger_at(address, "shard-1-of-2"), ledger_at(address, "shard-2-of-2")
    place = one.place(JOB)
    assert place == two.place(JOB)
    mine = one.record(place, [proof(sighting(f"{n}", inode=n)) for n in range(1, 700)])
    theirs = two.record(place, [proof(sighting(f"{n}", "b", inode=n)) for n in range(1, 700)])
    assert len({receipt.number for receipt in (*mine, *theirs)}) == 2 * 699
    assert mine[0] == two.receipts(place, "a", ["1"])["1"]
    one.begin_upload(place, sighting("large"), Begun("key", "upload", 5))
    one.begin_bundle(place, bundle(sighting("x")))
    assert (two.uploads(place), two.bundles(place), len(one.uploads(place)), len(one.bundles(place))) == ([], [], 1, 1)
    with pytest.raises(AnotherInstance, match="shard-1-of-2 of /source"):
        ledger_at(address, "shard-1-of-2").place(JOB)
    with pytest.raises(AnotherInstance):
        ledger_at(address).place(JOB)
    one.close()
    two.close()
    alone = ledger_at(address)
    assert (len(alone.uploads(alone.place(JOB))), len(alone.bundles(place))) == (1, 1)
    alone.close()


def test_two_processes_make_the_same_directories(address: str) -> None:
    """And the same month, and none waits for the other for ever."""
    one, two = ledger_at(address, "worker-1"), ledger_at(address, "worker-2")
    place = one.place(JOB)
    two.place(JOB)
    directories = [f"d/{n}" for n in range(300)]
    for _ in range(3):
        for ledger, paths in ((one, directories), (two, directories[::-1])):
            ledger.note(place, observed=[])
            ledger.record(place, [proof(sighting("x", path, inode=5)) for path in paths])
    assert _one(two, "SELECT count(*) FROM receipt") == 6 * 300
    assert _one(two, "SELECT count(*) FROM directory") == 300
    one.close()
    two.close()


def test_receipts_lie_in_months(address: str) -> None:
    """By the time of their recording, so that an old month can be detached."""
    month = 31 * 24 * 3600 * SECOND
    for number in range(3):
        ledger = PostgresLedger(address, lambda: NOW.wall_ns + number * month)  # noqa: B023
        ledger.record(ledger.place(JOB), [proof(sighting(f"{number}"))])
        assert number + 1 == _one(ledger, "SELECT count(DISTINCT tableoid) FROM receipt")
        assert number + 1 == len(ledger.receipts(ledger.place(JOB), "a", ["0", "1", "2"]))
        ledger.close()


def test_clocks_are_of_one_machine(address: str) -> None:
    """That another machine is ahead makes no clock unsteady."""
    ahead, here = ledger_at(address, "worker-1", "ahead"), ledger_at(address, "worker-2")
    assert ahead.steady_since(later(3600, boot="boot-9"), 5 * SECOND)
    ahead.finish_run(ahead.place(JOB), NOW.wall_ns, Tally())
    assert here.steady_since(NOW, 5 * SECOND)
    ahead.close()
    here.close()


def test_a_server_that_may_lose_commits_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without fsync no ledger is kept; that a user's commits are not waited for is set right for the session."""
    with postgres() as server:
        monkeypatch.setenv("PGPASSWORD", server.password)
        with pytest.raises(LedgerError, match="fsync = off"):
            ledger_at(server.address(server.make_database()))


def test_commits_are_waited_for_whatever_the_server_says(cluster: Cluster, address: str) -> None:
    """The session has `synchronous_commit`, where its user has none."""
    with cluster.server.connect() as admin:
        admin.execute(f'ALTER ROLE "{cluster.server.user}" SET synchronous_commit = off')
        ledger = ledger_at(address)
        assert _one(ledger, "SHOW synchronous_commit") == "on"
        ledger.close()
        admin.execute(f'ALTER ROLE "{cluster.server.user}" RESET synchronous_commit')


def test_with_the_server_gone_nothing_is_recorded_any_more(cluster: Cluster, address: str) -> None:
    """Not even once it is back: who holds the place is unknown then (L11). What was recorded before is there."""
    ledger = ledger_at(address)
    place = ledger.place(JOB)
    given = ledger.record(place, [proof(sighting("x"))])
    ledger.note(place, disposals=[Disposal(given[0].number, "removed")])
    cluster.kill()
    with pytest.raises(LedgerError):
        ledger.record(place, [proof(sighting("y"))])
    cluster.start()
    for _ in range(2):
        with pytest.raises(LedgerError, match="nothing more is let go"):
            ledger.record(place, [proof(sighting("y"))])
    with pytest.raises(LedgerError):
        ledger.receipts(place, "a", ["x"])
    ledger.close()
    again = ledger_at(address)
    assert {"x": given[0]} == again.receipts(again.place(JOB), "a", ["x", "y"])
    again.close()


def test_what_another_session_may_go_on_with_is_not_left(address: str) -> None:
    """Its pair is held: it is no more told as left than while this process has it."""
    other, mine = ledger_at(address), ledger_at(address)
    held = other.place(JOB._replace(source="/other"))
    other.begin_upload(held, sighting("x"), Begun("site/x", "1", 5))
    place = mine.place(JOB)
    assert mine.left_uploads(place, "bucket", FAR) == []
    other.close()
    assert [number for number, *_ in mine.left_uploads(place, "bucket", FAR)] == [held]
    mine.close()


def test_a_session_that_was_ended_records_nothing_more(address: str) -> None:
    """By an administrator, or by a network that is gone: what was under way is unknown (L11)."""
    ledger = ledger_at(address)
    place = ledger.place(JOB)
    ledger.record(place, [proof(sighting("before"))])
    number = _one(ledger, "SELECT pg_backend_pid()")
    other = ledger_at(address, "", "killer")
    other._rows("SELECT pg_terminate_backend(%s)", (number,))
    with pytest.raises(LedgerError):
        ledger.record(place, [proof(sighting("x"))])
    with pytest.raises(LedgerError, match="nothing more is let go"):
        ledger.begin_bundle(place, bundle(sighting("z")))
    ledger.close()
    other.close()


def test_no_password_is_told(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in a message, wherever it came from (L14)."""
    monkeypatch.setenv("PGPASSWORD", "not-the-secret")
    with pytest.raises(LedgerError) as told:
        ledger_at(cluster.server.address("postgres"))
    assert "not-the-secret" not in str(told.value)
    assert "\n" not in str(told.value)


def _one(ledger: PostgresLedger, question: str) -> object:
    return ledger._rows(question)[0][0]


def test_what_an_audit_asks_of_a_bundle(address: str) -> None:
    """Its latest receipt, and behind it the index that follows from the receipts of all its files; of a part of them, less."""
    ledger = ledger_at(address)
    place = ledger.place(JOB)
    both = [sighting("x"), sighting("y", inode=9)]
    whole = bundle(*both)
    number = ledger.begin_bundle(place, whole)
    proofs = proofs_of_members(whole, number, proof(both[0]))
    ledger.record(place, proofs)
    ledger.close()
    for share, count in ((1.0, 0), (0.5, 1)):
        with History(address) as history:
            object_, index = history.sample("", share, count)
        text = index_text("bundle", whole.codec, whole.members)
        assert object_.within is not None and index.beside is not None
        assert (f"{object_.key}.index.json", len(text), hashlib.sha256(text).digest()) == (
            index.key,
            index.size,
            index.sha256,
        )
        assert (object_.key, 2) == (index.beside.of, index.beside.files)
