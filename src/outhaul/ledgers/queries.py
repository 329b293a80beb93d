"""What the ledger can tell people: receipts, what waits, and why. Reading only, beside a run if need be."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol, Self

from outhaul.ledgers.choice import address_of
from outhaul.ledgers.damage import FILE_NAME
from outhaul.ledgers.opening import connect
from outhaul.ledgers.postgres_schema import VERSION as SHARED_VERSION
from outhaul.ledgers.rows import to_bytes, to_path
from outhaul.ledgers.schema import VERSION
from outhaul.model.errors import LedgerError
from outhaul.model.forecast import HOUR_NS
from outhaul.model.ledger_address import is_ledger_address
from outhaul.model.lifecycle import REASONS, Reason, State
from outhaul.model.patterns import compile_patterns


class ReceiptRow(NamedTuple):
    """One receipt, whole."""

    number: int
    job: str
    source: str
    path: str
    size: int
    mtime_ns: int
    sha256: bytes
    destination: str
    key: str
    version: str
    etag: str
    proof: str
    sent: bool
    proved_ns: int
    recorded_ns: int
    disposal: str
    """'' while the source has yet to be let go, or stays."""
    disposed_ns: int
    codec: str = ""
    """The compression of the object; '' for none. The next two are of the object itself, whatever else is in it."""
    stored_size: int = 0
    stored_sha256: bytes = b""
    within: str = ""
    """'bundle' or 'group' where the object carries other files too; '' for its own. The next three say where it is there:
    read `length` bytes from `offset` on, decompress them, and take `size` bytes from `at` on."""
    offset: int = 0
    length: int = 0
    at: int = 0


class Waiting(NamedTuple):
    """A file that has not been carried."""

    path: str
    size: int
    reason: str
    detail: str
    since_ns: int
    """Wall clock, when this generation was first seen."""
    attempts: int


class GivenUp(NamedTuple):
    """A file that was removed without having been carried, because the disk was full and its job says so."""

    job: str
    source: str
    path: str
    size: int
    mtime_ns: int
    free: int
    """Bytes that were free then."""
    recorded_ns: int
    outcome: str
    """'shed', 'gone' where it went by itself, 'stays' with all its bytes; '' where an end came before that was known."""


class Rate(NamedTuple):
    """What was carried in some time."""

    files: int
    bytes: int


class JobStatus(NamedTuple):
    """What is known of one pair of source and destination."""

    job: str
    source: str
    destination: str
    receipts: int
    receipt_bytes: int
    waiting: dict[str, int]
    """Files by reason."""
    waiting_bytes: int
    oldest: Waiting | None
    last_run_ns: int
    """0 where there was none."""
    last_run: dict[str, int]
    """Files of the last run by reason."""
    last_carried_ns: int = 0
    """When the last run ended that carried something; 0 where none has."""
    last_hour: Rate = Rate(0, 0)
    """By runs that ended in the last hour."""
    measured: tuple[tuple[int, int], ...] = ()
    """When, on the wall clock, so many bytes were free on the disk of the source, in the order of time."""
    disk_size: int = 0
    """Bytes in all, at the last of them."""
    given_up: int = 0
    """Files that were removed without having been carried, because the disk was full."""
    given_up_bytes: int = 0
    given_up_ns: int = 0
    """When the last of them was; 0 where there is none."""
    last_well_ns: int = 0
    """When a run ended last in which nothing was held, and the destination could be used; 0 where none has."""
    begun: int = 0
    """Large uploads that were begun and have not ended: the store has parts of them, which are paid for."""
    begun_ns: int = 0
    """When the first of them was; 0 where there is none."""


class Why(NamedTuple):
    """What is known of one file in one job."""

    job: str
    source: str
    path: str
    destination: str
    receipts: list[ReceiptRow]
    waiting: Waiting | None
    ignored: str
    """Reason why the job does not ask for it; '' where it does."""
    last_run_ns: int
    given_up: tuple[GivenUp, ...] = ()
    patterns: tuple[str, ...] = ()
    """Where it is ignored: the pattern that excludes it, or all those of which it matches none."""


RECEIPT_ROWS = (
    "SELECT r.id, p.job, p.source, d.path, r.name, r.size, r.mtime_ns, r.sha256, p.destination, r.key, r.version, "
    "r.etag, r.proof, r.sent, r.proved_ns, r.recorded_ns, r.disposal, r.disposed_ns, "
    "coalesce(r.codec, ''), coalesce(b.size, r.stored_size, r.size), coalesce(b.sha256, r.stored_sha256, r.sha256), "
    "coalesce(b.kind, ''), coalesce(r.frame_offset, 0), coalesce(r.frame_length, r.stored_size, r.size), "
    "coalesce(r.frame_at, 0) FROM receipt r JOIN directory d ON d.id = r.directory JOIN place p ON p.id = d.place "
    "LEFT JOIN bundle b ON b.id = r.bundle "
)
_WAITING = (
    "SELECT d.path, s.name, s.size, s.reason, s.detail, s.wall_ns, s.attempts "
    "FROM sighting s JOIN directory d ON d.id = s.directory "
)


_GIVEN_UP = (
    "SELECT p.job, p.source, d.path, t.name, t.size, t.mtime_ns, t.free, t.recorded_ns, coalesce(t.outcome, '') "
    "FROM tombstone t JOIN directory d ON d.id = t.directory JOIN place p ON p.id = d.place "
)
_SENT = ("removed", "archived", "kept", "gone")
_GIVEN_UP_KINDS = (str, bytes, bytes, bytes, int, int, int, int, str)
_RECEIPT_KINDS = (
    int, str, bytes, bytes, bytes, int, int, bytes, str, str, str, str, str, int, int, int, str | None, int | None,
    str, int, bytes, str, int, int, int,
)  # fmt: skip
_NOT_WELL = [reason for reason, one in REASONS.items() if one.state in (State.HELD, State.GIVEN_UP)] + [
    "destination",
    "retry",
]
_WELL = "".join(f"AND instr(reasons, '\"{reason}\"') = 0 " for reason in _NOT_WELL)
_NUMBER_MAX = (1 << 63) - 1
_WAITING_KINDS = (bytes, bytes, int, str, str, int, int)


def _entries(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []


class Database(Protocol):
    """What is asked: SQLite, or a PostgreSQL that is asked in its words."""

    def execute(self, question: str, values: Sequence[Any] = ..., /) -> Any: ...  # noqa: D102
    def close(self) -> None: ...  # noqa: D102


def _shared(address: str) -> tuple[Database, type[Exception], int]:
    """The database at an address, what its errors are, and the version of the ledger in it."""
    from outhaul.ledgers.postgres_connection import Asked, Fault

    database = Asked(address)
    return database, Fault, database.version()


def _other_version(where: str, found: int, known: int) -> str:
    then = "the next run brings it up to date" if found < known else "use the newer outhaul"
    return (
        f"{where} has version {found}, and this outhaul reads {known}: {then}"
        if found
        else f"{where}: no ledger is there"
    )


class Reading:
    """A ledger opened for reading. Used as a context manager.

    Raises:
        LedgerError: there is none, or it cannot be read.
    """

    _database: Database
    _errors: type[Exception]

    def __init__(self, state: str) -> None:
        address = state if is_ledger_address(state) else address_of(state)
        if address:
            self._database, self._errors, found = _shared(address)
            if found != SHARED_VERSION:
                raise LedgerError(_other_version(address, found, SHARED_VERSION))
            return
        path = os.path.join(state, FILE_NAME)
        if not os.path.exists(path):
            shards = sorted(entry for entry in _entries(state) if entry.startswith("shard-"))
            other = f", but {os.path.join(state, shards[0])} is one of {len(shards)}" if shards else ""
            raise LedgerError(f"there is no ledger in {state}; --state names another directory{other}")
        self._errors, self._database = sqlite3.Error, connect(path, read_only=True)
        with self._faults():
            found = self._database.execute("PRAGMA user_version").fetchone()[0]
        if found != VERSION:
            raise LedgerError(_other_version(path, found, VERSION))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        with contextlib.suppress(self._errors):
            self._database.close()

    @contextlib.contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except (
            self._errors,
            ValueError,
            TypeError,
            AttributeError,
        ) as error:  # The latter: damage that SQLite cannot see.
            raise LedgerError(f"the ledger cannot be read: {error}") from error

    def status(self) -> list[JobStatus]:
        """Each pair of source and destination."""
        with self._faults():
            places = self._database.execute(
                "SELECT id, job, source, destination FROM place ORDER BY job, id"
            ).fetchall()
            receipts = self._receipts()
            return [self._status(place, receipts.get(place[0], (0, 0))) for place in places]

    def _receipts(self, after: int = 0, upto: int = _NUMBER_MAX) -> dict[int, tuple[int, int]]:
        """Place, and how many receipts it has with numbers above `after`, up to `upto`, and the bytes of their files."""
        rows = self._database.execute(
            "SELECT d.place, count(*), sum(r.size) FROM receipt r CROSS JOIN directory d ON d.id = r.directory "
            "WHERE r.id > ? AND r.id <= ? GROUP BY d.place",
            (after, upto),
        )
        return {place: (files, int(size)) for place, files, size in rows}

    def _status(self, row: tuple[int, str, bytes, str], receipts: tuple[int, int]) -> JobStatus:
        place, job, source, destination = row
        ask = self._database.execute
        waiting: dict[str, int] = {}
        waiting_bytes = 0
        for reason, files, held in ask(
            "SELECT s.reason, count(*), sum(s.size) FROM sighting s JOIN directory d ON d.id = s.directory "
            "WHERE d.place = ? GROUP BY s.reason",
            (place,),
        ):
            waiting[_known(reason)], waiting_bytes = files, waiting_bytes + int(held)
        oldest = ask(f"{_WAITING}WHERE d.place = ? ORDER BY s.wall_ns LIMIT 1", (place,)).fetchone()
        last = ask(
            "SELECT ended_ns, reasons FROM run WHERE place = ? ORDER BY id DESC LIMIT 1", (place,)
        ).fetchone() or (0, "{}")
        carried = ask(
            "SELECT ended_ns FROM run WHERE place = ? AND bytes_carried > 0 ORDER BY id DESC LIMIT 1", (place,)
        ).fetchone()
        measured = ask("SELECT wall_ns, free, size FROM space WHERE place = ? ORDER BY wall_ns", (place,)).fetchall()
        shed = ask(
            "SELECT count(*), coalesce(sum(t.size), 0), coalesce(max(t.recorded_ns), 0) FROM tombstone t "
            "JOIN directory d ON d.id = t.directory WHERE d.place = ? AND t.outcome = 'shed'", (place,)
        ).fetchone()  # fmt: skip
        begun = ask(
            "SELECT count(*), coalesce(min(u.begun_ns), 0) FROM upload u JOIN directory d ON d.id = u.directory "
            "WHERE d.place = ?", (place,)
        ).fetchone()  # fmt: skip
        _fits(last, (int, str))
        _fits(begun, (int, int))
        _fits(carried or (0,), (int,))
        for row in measured:
            _fits(row, (int, int, int))
        return JobStatus(
            job, to_path(source), destination, *receipts, waiting, waiting_bytes,
            waiting_of(oldest) if oldest else None, last[0], json.loads(last[1]), carried[0] if carried else 0,
            self._rate(place, time.time_ns() - HOUR_NS), tuple((at, free) for at, free, _ in measured),
            measured[-1][2] if measured else 0, shed[0], shed[1], shed[2], self._last_well(place), *begun,
        )  # fmt: skip

    def _rate(self, place: int, since_ns: int) -> Rate:
        files = size = 0
        for carried, reasons in self._database.execute(
            "SELECT bytes_carried, reasons FROM run WHERE place = ? AND ended_ns > ?", (place, since_ns)
        ):
            _fits((carried, reasons), (int, str))
            size += carried
            files += sum(count for reason, count in json.loads(reasons).items() if reason in _SENT)
        return Rate(files, size)

    def given_up(self, *, job: str = "", limit: int = 0) -> list[GivenUp]:
        """Files that were removed without having been carried, or were about to be; the latest so many, oldest first."""
        with self._faults():
            rows = self._database.execute(
                f"{_GIVEN_UP}{'WHERE p.job = ? ' if job else ''}ORDER BY t.id DESC LIMIT {int(limit) or -1}",
                [job] if job else [],
            ).fetchall()
            return [_given_up(row) for row in reversed(rows)]

    def _last_well(self, place: int) -> int:
        row = self._database.execute(
            f"SELECT ended_ns FROM run WHERE place = ? {_WELL} ORDER BY id DESC LIMIT 1", (place,)
        ).fetchone()
        _fits(row or (0,), (int,))
        return row[0] if row else 0

    def waiting(self, *, job: str = "", limit: int = 0) -> list[tuple[str, str, Waiting]]:
        """Uncarried files, those that wait longest first, each with its job and source."""
        wanted, values = ("WHERE p.job = ? ", [job]) if job else ("", [])
        with self._faults():
            rows = self._database.execute(
                f"SELECT p.job, p.source, d.path, s.name, s.size, s.reason, s.detail, s.wall_ns, s.attempts "
                f"FROM sighting s JOIN directory d ON d.id = s.directory JOIN place p ON p.id = d.place {wanted}"
                f"ORDER BY s.wall_ns, d.path, s.name LIMIT {int(limit) or -1}",
                values,
            ).fetchall()
            return [(row[0], to_path(row[1]), waiting_of(row[2:])) for row in rows]

    def why(self, path: str) -> list[Why]:
        """What is known of one file, in every job whose source it lies in."""
        with self._faults():
            places = self._database.execute(
                "SELECT id, job, source, destination, rules FROM place ORDER BY id"
            ).fetchall()
            answers = []
            for place, job, source_bytes, destination, rules in places:
                source = to_path(source_bytes)
                if path.startswith(source.rstrip("/") + "/"):
                    inside = path[len(source.rstrip("/")) + 1 :]
                    answers.append(self._why(place, job, source, destination, json.loads(rules), inside))
            return answers

    def _why(self, place: int, job: str, source: str, destination: str, rules: dict[str, list[str]], path: str) -> Why:
        directory, _, name = path.rpartition("/")
        at = (place, to_bytes(directory), to_bytes(name))
        where = "WHERE d.place = ? AND d.path = ? AND {}.name = ? "
        receipts = [
            receipt_of(row) for row in self._database.execute(f"{RECEIPT_ROWS}{where.format('r')}ORDER BY r.id", at)
        ]
        waiting = self._database.execute(f"{_WAITING}{where.format('s')}", at).fetchone()
        shed = self._database.execute(f"{_GIVEN_UP}{where.format('t')}ORDER BY t.id", at).fetchall()
        last = self._database.execute("SELECT coalesce(max(ended_ns), 0) FROM run WHERE place = ?", (place,)).fetchone()
        ignored, patterns = _ignored(path, rules["include"], rules["exclude"])
        return Why(
            job, source, path, destination, receipts, waiting_of(waiting) if waiting else None, ignored, last[0],
            tuple(_given_up(row) for row in shed), patterns,
        )  # fmt: skip


def _ignored(path: str, include: Sequence[str], exclude: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """Why a job does not ask for this file, and the patterns that say so; '' where it does."""
    for pattern in exclude:
        if (excludes := compile_patterns([pattern])) is not None and excludes(path):
            return "excluded", (pattern,)
    included = compile_patterns(include)
    return ("not-included", tuple(include)) if included is not None and not included(path) else ("", ())


def is_held(reason: str) -> bool:
    """Whether a file with this reason waits for a person."""
    return REASONS[reason].state is State.HELD


def _fits(row: Sequence[Any], kinds: Sequence[Any]) -> None:
    """Raise TypeError where a damaged row holds what no outhaul wrote."""
    if not all(map(isinstance, row, kinds)):
        raise TypeError("a row holds what no outhaul wrote")


def _known(reason: str) -> str:
    """The reason, if it is one; as `_fits`."""
    _fits((REASONS.get(reason),), (Reason,))
    return reason


def receipt_of(row: Sequence[Any]) -> ReceiptRow:
    """A row of `RECEIPT_ROWS`."""
    _fits(row, _RECEIPT_KINDS)
    (number, job, source, directory, name, size, mtime_ns, sha256, destination, key, version, etag, proof, sent,
     proved_ns, recorded_ns, disposal, disposed_ns, codec, stored_size, stored_sha256, *within) = row  # fmt: skip
    path = to_path(directory + b"/" + name if directory else name)
    return ReceiptRow(
        number, job, to_path(source), path, size, mtime_ns, sha256, destination, key, version, etag, proof,
        bool(sent), proved_ns, recorded_ns, disposal or "", disposed_ns or 0, codec, stored_size,
        stored_sha256, *within,
    )  # fmt: skip


def waiting_of(row: Sequence[Any]) -> Waiting:
    """A row of a sighting: directory, name, size, reason, detail, when it was first seen, attempts."""
    _fits(row, _WAITING_KINDS)
    directory, name, size, reason, detail, wall_ns, attempts = row
    _known(reason)
    return Waiting(to_path(directory + b"/" + name if directory else name), size, reason, detail, wall_ns, attempts)


def _given_up(row: Sequence[Any]) -> GivenUp:
    _fits(row, _GIVEN_UP_KINDS)
    job, source, directory, name, *rest = row
    return GivenUp(job, to_path(source), to_path(directory + b"/" + name if directory else name), *rest)
