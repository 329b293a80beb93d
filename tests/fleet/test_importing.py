"""`outhaul fleet import`: all that devices tell is there once, whatever is done again; and the queries of the guide work."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest

from cli.program import Program
from fleet.devices import HOUR_NS, body
from outhaul.fleet.segments import read_segment
from outhaul.fleet.telling import segment
from outhaul.frontends.cli.show import receipt_fields
from outhaul.ledgers.queries import ReceiptRow
from outhaul.model.columns import COLUMNS
from outhaul.model.fleet import SEGMENT_BYTES_MAX, Malformed, Segment, segment_key, segment_of
from servers.postgres import Postgres

LEDGER = "f899199c77b7"
GUIDE = (Path(__file__).parents[2] / "docs" / "fleet.md").read_text(encoding="utf-8")
QUERIES = re.findall(r"```sql\n(.+?)```", GUIDE, re.DOTALL)
Ask = Callable[[str], list[Any]]


def receipt(number: int, path: str = "2026-11-20/a.csv") -> dict[str, Any]:
    """As a device tells it."""
    row = ReceiptRow(
        number, "a", "/data", path, 5, -7, b"\1" * 32, "s3://bucket/x", f"x/{path}", "", "e", "etag", True, 1, 10**9 * number,
        "removed", 2,
    )  # fmt: skip
    return receipt_fields(row)


def put(
    outhaul: Program, device: str, first: int, last: int, ledger: str = LEDGER, content: bytes = b"", digest: str = ""
) -> str:
    """A segment of a device; its name."""
    made = content or segment(receipt(number, f"2026-11-20/{number}\n'\\.csv") for number in range(first, last + 1))[0]
    key = segment_key("", device, "2026/11", ledger, first, last, digest or sha256(made).hexdigest())
    path = outhaul.home / "meet" / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(made)
    return key


_SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("duckdb", "postgres")]


@pytest.fixture(params=["sqlite", *_SLOW])
def database(request: pytest.FixtureRequest, outhaul: Program) -> tuple[str, Ask]:
    """Where to import, and who asks there."""
    if request.param == "postgres":
        server: Postgres = request.getfixturevalue("postgres_server")
        outhaul.environment["PGPASSWORD"] = server.password
        where = f"postgresql://{server.user}@{server.host}:{server.port}/{server.make_database()}"

        def ask_postgres(query: str) -> list[Any]:
            with psycopg.connect(where, password=server.password) as there:
                return there.execute(query.replace("%", "%%").encode(), ()).fetchall()

        return where, ask_postgres
    where = str(outhaul.home / f"fleet.{request.param}")
    connect: Callable[[str], Any] = sqlite3.connect if request.param == "sqlite" else duckdb.connect

    def ask(query: str) -> list[Any]:
        there = connect(where)
        try:
            found: list[Any] = there.execute(query).fetchall()
        finally:
            there.close()
        return found

    return where, ask


def test_everything_is_there_once(outhaul: Program, database: tuple[str, Ask]) -> None:
    """Segments that overlap, that come again, and of another ledger of the same device; each query of the guide finds them."""
    where, ask = database
    status = outhaul.home / "meet/.outhaul/fleet/status"
    status.mkdir(parents=True)
    (status / "a.json").write_bytes(body("a"))
    then = time.time_ns() - 9 * HOUR_NS
    (status / "b.json").write_bytes(body("b", told_ns=then, next_by_ns=then + HOUR_NS))
    os.utime(status / "b.json", ns=(then, then))
    (status / "c.json").write_bytes(b"nonsense")
    put(outhaul, "a", 1, 3)
    put(outhaul, "b", 1, 2)
    first = outhaul("fleet", "import", "meet", "--to", where)
    assert first == (0, "2 new segments with 5 files; 3 devices\n", "")
    put(outhaul, "a", 1, 5)
    put(outhaul, "a", 1, 1, "0" * 12)
    assert "2 new segments with 6 files" in outhaul("fleet", "import", "meet", "--to", where).out
    assert "0 new segments with 0 files" in outhaul("fleet", "import", "meet", "--to", where).out
    counts = ask(
        "SELECT device, ledger, count(*), min(path) FROM outhaul_receipts GROUP BY device, ledger ORDER BY 1, 2"
    )
    path = "2026-11-20/1\n'\\.csv"
    assert [("a", "0" * 12, 1, path), ("a", LEDGER, 5, path), ("b", LEDGER, 2, path)] == [tuple(row) for row in counts]
    assert [tuple(row) for row in ask("SELECT unreadable FROM outhaul_devices WHERE device = 'c'")] == [("no JSON",)]
    found = [ask(query) for query in QUERIES]
    assert [len(rows) for rows in found] == [8, 2, 1]
    assert tuple(found[2][0][:3]) == ("b", 3, 2)


def test_where_nobody_has_told_anything(outhaul: Program) -> None:
    """The address may be wrong: one line, and exit code 1."""
    ran = outhaul("fleet", "import", "meet", "--to", "fleet.sqlite", "-q")
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert "no device has told anything beneath" in ran.err


def test_what_is_refused_stops_nothing(outhaul: Program) -> None:
    """It is named, each time, and the rest is imported."""
    bad = put(outhaul, "a", 1, 3, content=b"nonsense")
    other = put(outhaul, "a", 4, 5, digest="0" * 16)
    put(outhaul, "b", 1, 2)
    said = f"outhaul: {bad} is refused: no gzip\nouthaul: {other} is refused: its bytes are not those of its name\n"
    for segments in (1, 0):
        ran = outhaul("fleet", "import", "meet", "--to", "fleet.sqlite", "--json")
        assert (1, sorted(said.splitlines())) == (ran.code, sorted(ran.err.splitlines()))
        counts = {"segments": segments, "receipts": 2 * segments, "devices": 0, "refused": 2}
        assert ran.events == [{"event": "imported", **counts}]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("mysql://x", "write postgresql://user@host/database"),
        ("no/such/place/fleet.sqlite", "unable to open"),
        ("postgresql://user:geheim@127.0.0.1:1/fleet", "PostgreSQL: "),
    ],
)
def test_a_database_that_cannot_be_used(outhaul: Program, where: str, expected: str) -> None:
    """One line, without a password."""
    ran = outhaul("fleet", "import", "meet", "--to", where)
    assert (ran.code in (1, 2), ran.err.count("\n"), expected in ran.err, "geheim" in ran.err) == (True, 1, True, False)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda rows: rows[:1], "not those of its name"),
        (lambda rows: [rows[1], rows[0]], "not those of its name"),
        (lambda rows: [rows[0], {**rows[1], "path": "a\0b"}], "line 2 holds"),
        (lambda rows: [rows[0], {**rows[1], "path": "\ud800"}], "line 2 holds"),
        (lambda rows: [rows[0], {**rows[1], "size": True}], "line 2 holds"),
        (lambda rows: [rows[0], {**rows[1], "size": 1 << 63}], "line 2 holds"),
        (lambda rows: [{**rows[0], "more": 1}, rows[1]], "line 1 is no receipt"),
        (lambda rows: [rows[0], []], "line 2 is no receipt"),
        (lambda _: [], "breaks off"),
    ],
)
def test_a_segment_is_of_its_form_or_refused(change: Callable[[Any], Any], expected: str) -> None:
    """As a whole."""
    rows = [receipt(1), receipt(2)]
    assert list(COLUMNS) == list(rows[0])
    assert [tuple(row.values()) for row in rows] == read_segment(*_with_name(segment(rows)[0]))
    with pytest.raises(Malformed, match=expected):
        read_segment(*_with_name(segment(change(rows))[0]))


def _with_name(content: bytes, last: int = 2) -> tuple[bytes, Segment]:
    """And what the name of a segment with these bytes says."""
    return content, Segment("", "a", LEDGER, 1, last, sha256(content).hexdigest()[:16])


def test_a_segment_that_never_ends_is_refused() -> None:
    """However small it is."""
    import gzip

    with pytest.raises(Malformed, match="more than 32 MiB"):
        read_segment(*_with_name(gzip.compress(b" " * (SEGMENT_BYTES_MAX + 1))))
    with pytest.raises(Malformed, match="breaks off"):
        read_segment(*_with_name(segment([receipt(1)])[0][:-4], 1))


def test_what_would_be_too_large_is_told_in_two() -> None:
    """A segment ends where the next receipt would not go in any more."""
    rows: list[dict[str, object]] = [{"path": "x" * (SEGMENT_BYTES_MAX // 2)}] * 3
    assert segment(iter(rows))[1] == 1
    assert json.dumps(receipt(1)).count("sha256") == 2


@pytest.mark.parametrize("key", ["", "a/2026/11/x", "../2026/11/x-1-2-3.jsonl.gz", "a/b/c"])
def test_other_keys_are_none_of_segments(key: str) -> None:
    """Only what a device would have written."""
    assert segment_of(f"p/.outhaul/fleet/receipts/{key}", "p") is None
