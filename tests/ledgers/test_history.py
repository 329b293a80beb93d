"""What a ledger says of the way back is said alike by both kinds, and what it does not know is no 0."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from outhaul.ledgers.history import History
from outhaul.ledgers.postgres import PostgresLedger
from outhaul.ledgers.sqlite import SqliteLedger
from outhaul.model.evidence import Proof, Sighting, Within
from outhaul.model.selection import Chooser, Selection
from outhaul.testing.contracts.ledger import JOB, NOW, bundle, proof, sighting

_IN_NO_BUNDLE = 0


@pytest.fixture(params=["file", pytest.param("database", marks=pytest.mark.slow)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a ledger is."""
    return str(tmp_path) if request.param == "file" else str(request.getfixturevalue("address"))


@pytest.fixture
def ledger(place: str) -> Iterator[SqliteLedger | PostgresLedger]:
    """A new one."""
    at_home = place.startswith("/")
    made = SqliteLedger(place, lambda: NOW.wall_ns) if at_home else PostgresLedger(place, lambda: NOW.wall_ns, "", "h")
    with closing(made):
        yield made


def of(seen: Sighting, mode: int | None, *, mtime_ns: int = 111, codec: str = "", within: int = _IN_NO_BUNDLE) -> Proof:
    """The proof of a file with this mode and this time."""
    given = proof(seen._replace(mtime_ns=mtime_ns))._replace(mode=mode, codec=codec)
    return given._replace(within=Within(within, 0, 10, 0)) if within else given


def unseen(name: str) -> Sighting:
    """A file of which only a store tells, as `rebuild` finds it."""
    return Sighting("a", name, 0, 0, 10, 111, 0)


def told(place: str) -> dict[str, tuple[int | None, int | None]]:
    """Name to mode and modification time, of all that can be brought back."""
    with History(place) as history:
        found = history.wanted(Selection(), Chooser(()))
        return {one.path.rpartition("/")[2]: (one.mode, one.mtime_ns) for one in found}


def test_what_a_file_had_comes_back(place: str, ledger: SqliteLedger | PostgresLedger) -> None:
    """No permission bits at all, 1970, and a time before it, of files alone, compressed, and in a bundle."""
    number = ledger.place(JOB)
    together = ledger.begin_bundle(number, bundle(sighting("packed")))
    ledger.record(
        number,
        [
            of(sighting("usual", inode=1), 0o640),
            of(sighting("shut", inode=2), 0, mtime_ns=0),
            of(sighting("early", inode=3), 0, mtime_ns=-5, codec="zstd"),
            of(sighting("packed", inode=4), 0, mtime_ns=0, within=together),
        ],
    )
    assert told(place) == {"usual": (0o640, 111), "shut": (0, 0), "early": (0, -5), "packed": (0, 0)}


def test_what_nobody_knows_is_unknown(place: str, ledger: SqliteLedger | PostgresLedger) -> None:
    """Of a file that only a store tells of, 0 is what outhaul wrote for "unknown", but where an index or a note has told it."""
    number = ledger.place(JOB)
    together = ledger.begin_bundle(number, bundle(sighting("packed")))
    ledger.record(
        number,
        [
            of(unseen("new"), None, mtime_ns=0),
            of(unseen("by-an-older-version"), 0, mtime_ns=0),
            of(unseen("with-its-time"), None, mtime_ns=-5),
            of(unseen("noted"), None, mtime_ns=0, codec="zstd"),
            of(unseen("packed"), 0, mtime_ns=0, within=together),
        ],
    )
    assert told(place) == {
        "new": (None, None), "by-an-older-version": (None, None), "with-its-time": (None, -5), "noted": (None, 0),
        "packed": (0, 0),
    }  # fmt: skip
