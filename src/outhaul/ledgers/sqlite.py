"""The ledger in SQLite: one file, one connection, one process.

WAL with `synchronous=FULL`: a commit is on disk when it returns (measured: with NORMAL a power cut takes the row and
leaves the file removed). The lock is the kernel's own, on a file beside it, and dies with the process. After a failed commit
this ledger refuses everything until the program is started anew: what is on disk is then unknown (law L11).
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence

from outhaul.ledgers import begun_bundles, boots, reserve, traffic
from outhaul.ledgers.damage import FILE_NAME, note_damage, set_aside_if_damaged
from outhaul.ledgers.opening import connect, lock
from outhaul.ledgers.rows import (
    LEFT_UPLOADS,
    RECEIPT_BACK,
    RECEIPT_COLUMNS,
    RECEIPT_FIELDS,
    SIGHTING_BACK,
    SIGHTING_COLUMNS,
    UPLOADS,
    disposal_statements,
    left_uploads_asked,
    observation_of_row,
    observation_row,
    receipt_of_proof,
    receipt_of_row,
    receipt_row,
    rules_of,
    run_statements,
    to_bytes,
    to_path,
    tombstone_of_row,
    tombstone_row,
    upload_of_row,
    upload_row,
)
from outhaul.ledgers.schema import migrate
from outhaul.model.bundle import Bundle
from outhaul.model.errors import LedgerError
from outhaul.model.events import Tally
from outhaul.model.evidence import Disposal, Proof, Receipt, Settled, Sighting, Tombstone, stored_bytes
from outhaul.model.job import Job
from outhaul.ports import Abilities, Begun, BegunBundle, Moment, Observation, Space

_ABILITIES_KEPT_NS = 24 * 3600 * 10**9
_SPACE_KEPT_NS = 3 * 24 * 3600 * 10**9
_ROWS_PER_INSERT = 32
_NOTES_MAX = 4096
_DIRECTORIES_REMEMBERED_MAX = 4096


@contextlib.contextmanager
def faults(state: str) -> Iterator[None]:
    """What SQLite says becomes a `LedgerError`, and a damage is noted."""
    try:
        yield
    except (
        sqlite3.Error,
        ValueError,
        TypeError,
        AttributeError,
    ) as error:  # The latter: a row that holds what no row holds.
        note_damage(state, error)
        raise LedgerError(f"the ledger cannot be used: {error}") from error


class SqliteLedger:
    """The `Ledger` of one state directory.

    `set_aside` is where a damaged ledger was moved to when this one was opened; '' where that was not needed.
    """

    def __init__(self, state: str, wall_ns: Callable[[], int]) -> None:
        self._wall_ns = wall_ns
        self._state = state
        self._lock = lock(state)
        reserve.give_up_where_full(state)
        try:
            self.set_aside = set_aside_if_damaged(state, wall_ns())
            try:
                self._open(state)
            except LedgerError:
                self.set_aside = set_aside_if_damaged(state, wall_ns())
                if not self.set_aside:
                    raise
                self._open(state)
        except BaseException:
            os.close(self._lock)
            raise
        reserve.keep(state)
        self._directories: dict[tuple[int, str], int] = {}
        self._destinations: dict[int, str] = {}
        self._noted: list[tuple[str, Sequence[object]]] = []
        self._broken = False

    def _open(self, state: str) -> None:
        self._database = connect(os.path.join(state, FILE_NAME))
        with faults(state):
            migrate(self._database)
            self._next = self._database.execute("SELECT coalesce(max(id), 0) + 1 FROM receipt").fetchone()[0]

    def close(self) -> None:
        """Give the ledger back; the lock goes last."""
        reserve.keep(self._state)
        with contextlib.suppress(sqlite3.Error):
            self._database.close()
        with contextlib.suppress(OSError):
            os.close(self._lock)

    # --- what is known --------------------------------------------------------------------------------------------

    def place(self, job: Job) -> int:
        """See `ports.Ledger`."""
        rules = rules_of(job)
        source, address, endpoint = to_bytes(job.source), job.destination.address, job.connection.endpoint_url
        with faults(self._state):
            row = self._database.execute(
                "SELECT id, job, rules FROM place WHERE source = ? AND destination = ? AND endpoint = ?",
                (source, address, endpoint),
            ).fetchone()
        if row is None or row[1:] != (job.name, rules):
            with self._transaction():
                row = self._database.execute(
                    "INSERT INTO place (source, destination, endpoint, job, rules) VALUES (?, ?, ?, ?, ?) "
                    "ON CONFLICT DO UPDATE SET job = excluded.job, rules = excluded.rules RETURNING id",
                    (source, address, endpoint, job.name, rules),
                ).fetchone()
        with faults(self._state):
            place = int(row[0])
        self._destinations[place] = address
        return place

    def receipts(self, place: int, directory: str, names: Sequence[str]) -> dict[str, Receipt]:
        """See `ports.Ledger`."""
        number = self._directory(place, directory)
        if number is None:
            return {}
        destination, found = self._destinations[place], {}
        with faults(self._state):
            for start in range(0, len(names), 512):
                some = [to_bytes(name) for name in names[start : start + 512]]
                marks = "?," * len(some)
                rows = self._database.execute(
                    # Of several rows SQLite gives the other columns of that with the highest id.
                    f"SELECT max(id), {RECEIPT_BACK} FROM receipt WHERE directory = ? AND name IN ({marks[:-1]}) "
                    "AND ifnull(disposal, '') NOT IN ('changed', 'missing') GROUP BY name",
                    (number, *some),
                )
                for row in rows:
                    receipt = receipt_of_row(directory, destination, row[1:])
                    found[receipt.sighting.name] = receipt
        return found

    def ever_carried(self, place: int, directory: str, name: str) -> bool:
        """See `ports.Ledger`."""
        number = self._directory(place, directory)
        with faults(self._state):
            found = self._database.execute(
                "SELECT 1 FROM receipt WHERE directory = ? AND name = ? LIMIT 1", (number, to_bytes(name))
            ).fetchone()
        return found is not None

    def receipt(self, number: int) -> Receipt | None:
        """See `ports.Ledger`."""
        with faults(self._state):
            row = self._database.execute(
                "SELECT d.path, p.destination, "
                + ", ".join(f"r.{column}" for column in RECEIPT_BACK.split(", "))
                + " FROM receipt r JOIN directory d ON d.id = r.directory JOIN place p ON p.id = d.place WHERE r.id = ?",
                (number,),
            ).fetchone()
            return None if row is None else receipt_of_row(to_path(row[0]), row[1], row[2:])

    def archived(self, place: int, before_ns: int, above: int) -> list[Receipt]:
        """See `ports.Ledger`."""
        self.settle()
        with faults(self._state):
            rows = self._database.execute(
                "SELECT d.path, "
                + ", ".join(f"r.{column}" for column in RECEIPT_BACK.split(", "))
                + " FROM receipt r JOIN directory d ON d.id = r.directory WHERE r.disposal = 'archived' AND d.place = ? "
                "AND r.disposed_ns < ? AND r.id >= ? "
                # The same bytes again under the same name are one file there: the later receipt's time counts.
                "AND NOT EXISTS (SELECT 1 FROM receipt n WHERE n.directory = r.directory AND n.name = r.name "
                "AND n.sha256 = r.sha256 AND n.id > r.id AND n.disposal = 'archived' AND n.disposed_ns >= ?) "
                "ORDER BY r.id LIMIT 512",
                (place, before_ns, above, before_ns),
            ).fetchall()
            return [receipt_of_row(to_path(row[0]), self._destinations[place], row[1:]) for row in rows]

    def observations(self, place: int, directory: str) -> dict[str, Observation]:
        """See `ports.Ledger`."""
        number = self._directory(place, directory)
        if number is None:
            return {}
        with faults(self._state):
            rows = self._database.execute(f"SELECT {SIGHTING_BACK} FROM sighting WHERE directory = ?", (number,))
            found = [observation_of_row(directory, row) for row in rows]
        return {observation.sighting.name: observation for observation in found}

    # --- what becomes durable -------------------------------------------------------------------------------------

    def record(self, place: int, proofs: Sequence[Proof]) -> list[Receipt]:
        """See `ports.Ledger`. One transaction, and with it all that was noted."""
        recorded_ns, destination = self._wall_ns(), self._destinations[place]
        first = self._next
        with self._transaction():
            self._write_noted()
            rows = [
                receipt_row(number, self._directory_made(place, proof.sighting.directory), proof, recorded_ns)
                for number, proof in enumerate(proofs, first)
            ]
            self._insert_receipts(rows)
            if sent := stored_bytes([proof for proof in proofs if proof.sent]):
                traffic.add(self._database, place, recorded_ns, sent)
            for bundle in {proof.within.bundle for proof in proofs if proof.within is not None}:
                self._database.execute("UPDATE bundle SET members = NULL WHERE id = ?", (bundle,))
        self._next = first + len(proofs)
        return [receipt_of_proof(number, proof, destination) for number, proof in enumerate(proofs, first)]

    def _insert_receipts(self, rows: list[tuple[object, ...]]) -> None:
        """Many rows a statement: each statement lets go of the interpreter once, and other threads come in between."""
        one = "(" + "?," * (RECEIPT_FIELDS - 1) + "?)"
        for start in range(0, len(rows), _ROWS_PER_INSERT):
            some = rows[start : start + _ROWS_PER_INSERT]
            self._database.execute(
                f"INSERT INTO receipt ({RECEIPT_COLUMNS}) VALUES {','.join([one] * len(some))}",
                [value for row in some for value in row],
            )

    def note(
        self,
        place: int,
        *,
        disposals: Sequence[Disposal] = (),
        observed: Sequence[Observation] = (),
        forgotten: Sequence[tuple[str, str]] = (),
    ) -> None:
        """See `ports.Ledger`."""
        if disposals:
            self._noted += disposal_statements(disposals, self._wall_ns())
        for observation in observed:
            self._noted.append((
                f"INSERT OR REPLACE INTO sighting ({SIGHTING_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
                observation_row(self._directory_made(place, observation.sighting.directory), observation),
            ))  # fmt: skip
        for directory, name in forgotten:
            number = self._directory(place, directory)
            if number is not None:
                self._noted.append((
                    "DELETE FROM sighting WHERE directory = ? AND name = ?", (number, to_bytes(name))
                ))  # fmt: skip
        if len(self._noted) > _NOTES_MAX:
            self.settle()

    def sent_since(self, place: int, wall_ns: int) -> int:
        """See `ports.Ledger`."""
        with faults(self._state):
            return traffic.since(self._database, place, wall_ns)

    def largest_waiting(self, place: int, reason: str, detail: str) -> int:
        """See `ports.Ledger`."""
        with faults(self._state):
            return traffic.largest_waiting(self._database, place, reason, detail)

    def uploads(self, place: int) -> list[tuple[Sighting, Begun]]:
        """See `ports.Ledger`."""
        with faults(self._state):
            rows = self._database.execute(UPLOADS.format(""), (place,)).fetchall()
            return [upload_of_row(row) for row in rows]

    def left_uploads(self, place: int, bucket: str, before_ns: int) -> list[tuple[int, Sighting, Begun]]:
        """See `ports.Ledger`."""
        with faults(self._state):
            rows = self._database.execute(LEFT_UPLOADS, left_uploads_asked(place, bucket, before_ns)).fetchall()
            return [(row[0], *upload_of_row(row[1:])) for row in rows if row[0] not in self._destinations]

    def begin_upload(self, place: int, sighting: Sighting, begun: Begun) -> None:
        """See `ports.Ledger`."""
        with self._transaction():
            self._write_noted()
            self._database.execute(
                "INSERT OR REPLACE INTO upload VALUES (?,?,?,?,?,?,?,?,?,?,?)",
                (self._directory_made(place, sighting.directory), *upload_row(sighting, begun), self._wall_ns()),
            )

    def end_upload(self, place: int, sighting: Sighting, begun: Begun) -> None:
        """See `ports.Ledger`."""
        number = self._directory(place, sighting.directory)
        values = (number, to_bytes(sighting.name), begun.upload)
        self._noted.append(("DELETE FROM upload WHERE directory = ? AND name = ? AND upload = ?", values))

    def bundles(self, place: int) -> list[BegunBundle]:
        """See `ports.Ledger`."""
        with faults(self._state):
            return begun_bundles.of(self._database, place)

    def begin_bundle(self, place: int, bundle: Bundle) -> int:
        """See `ports.Ledger`."""
        with self._transaction():
            self._write_noted()
            return begun_bundles.begin(self._database, place, bundle, self._wall_ns())

    def end_bundle(self, number: int) -> None:
        """See `ports.Ledger`."""
        # The row stays: receipts may speak of it, from a time when the store had it.
        self._noted.append(("UPDATE bundle SET members = NULL WHERE id = ?", (number,)))

    def settle(self) -> None:
        """See `ports.Ledger`."""
        if self._noted:
            with self._transaction():
                self._write_noted()

    def observed_directories(self, place: int) -> set[str]:
        """See `ports.Ledger`."""
        with faults(self._state):
            rows = self._database.execute(
                "SELECT DISTINCT d.path FROM sighting s JOIN directory d ON d.id = s.directory WHERE d.place = ?",
                (place,),
            ).fetchall()
            return {to_path(path) for (path,) in rows}

    def forget_directory(self, place: int, directory: str) -> None:
        """See `ports.Ledger`."""
        number = self._directory(place, directory)
        self._noted.append(("DELETE FROM sighting WHERE directory = ?", (number,)))

    def finish_run(self, place: int, started_ns: int, tally: Tally) -> None:
        """Remember a run, for `status` and `history`, with everything noted."""
        self._noted += run_statements(place, started_ns, self._wall_ns(), tally)
        self.settle()

    def _write_noted(self) -> None:
        for statement, values in self._noted:
            self._database.execute(statement, values)
        self._noted.clear()

    # --- what is given up, and how full it is ------------------------------------------------------------------------

    def bury(self, place: int, files: Sequence[Settled], free: int) -> list[Tombstone]:
        """See `ports.Ledger`."""
        with self._transaction():
            self._write_noted()
            return [tombstone_of_row(self._insert_tombstone(place, settled, free), settled) for settled in files]

    def _insert_tombstone(self, place: int, settled: Settled, free: int) -> int:
        row = tombstone_row(self._directory_made(place, settled.sighting.directory), settled, free, self._wall_ns())
        made = self._database.execute(
            "INSERT INTO tombstone (directory, name, device, inode, size, mtime_ns, ctime_ns, free, recorded_ns) "
            "VALUES (?,?,?,?,?,?,?,?,?)", row
        )  # fmt: skip
        return int(made.lastrowid or 0)

    def buried(self, tombstone: Tombstone, outcome: str) -> None:
        """See `ports.Ledger`."""
        self._noted.append(("UPDATE tombstone SET outcome = ? WHERE id = ?", (outcome, tombstone.number)))

    def note_space(self, place: int, space: Space, now: Moment) -> None:
        """See `ports.Ledger`. The last few days are kept."""
        self._noted.append(("INSERT OR REPLACE INTO space VALUES (?,?,?,?)", (place, now.wall_ns, *space)))
        self._noted.append(("DELETE FROM space WHERE wall_ns < ?", (now.wall_ns - _SPACE_KEPT_NS,)))

    # --- clocks and endpoints -------------------------------------------------------------------------------------

    def steady_since(self, now: Moment, tolerance_ns: int) -> bool:
        """See `ports.Ledger`."""
        with faults(self._state):
            steady, note = boots.steady_since(self._database, now, tolerance_ns)
        self._noted += note
        return steady

    def abilities(self, address: str, now: Moment) -> Abilities | None:
        """See `ports.Ledger`."""
        with faults(self._state):
            row = self._database.execute(
                "SELECT abilities, wall_ns FROM endpoint WHERE address = ?", (address,)
            ).fetchone()
            if row is None or not 0 <= now.wall_ns - row[1] < _ABILITIES_KEPT_NS:
                return None
            return Abilities(**json.loads(row[0]))

    def learn(self, address: str, abilities: Abilities, now: Moment) -> None:
        """See `ports.Ledger`."""
        self._noted.append((
            "INSERT OR REPLACE INTO endpoint (address, abilities, wall_ns) VALUES (?,?,?)",
            (address, json.dumps(abilities._asdict()), now.wall_ns),
        ))  # fmt: skip

    # --- within -------------------------------------------------------------------------------------------------------

    def _directory(self, place: int, path: str) -> int | None:
        number = self._directories.get((place, path))
        if number is None:
            with faults(self._state):
                row = self._database.execute(
                    "SELECT id FROM directory WHERE place = ? AND path = ?", (place, to_bytes(path))
                ).fetchone()
            if row is None:
                return None
            number = self._remember(place, path, row[0])
        return number

    def _directory_made(self, place: int, path: str) -> int:
        number = self._directory(place, path)
        if number is None:
            with faults(self._state):
                if not self._database.in_transaction:
                    self._database.execute("BEGIN IMMEDIATE")
                made = self._database.execute(
                    "INSERT INTO directory (place, path) VALUES (?, ?)", (place, to_bytes(path))
                )
            number = self._remember(place, path, int(made.lastrowid or 0))
        return number

    def _remember(self, place: int, path: str, number: int) -> int:
        if len(self._directories) >= _DIRECTORIES_REMEMBERED_MAX:
            self._directories.clear()
        self._directories[place, path] = number
        return number

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        if self._broken:
            raise LedgerError("the ledger could not be written earlier in this run; nothing more is let go")
        try:
            if not self._database.in_transaction:
                self._database.execute("BEGIN IMMEDIATE")
            yield
            self._database.execute("COMMIT")
        except BaseException as error:
            self._broken = True
            self._directories.clear()
            with contextlib.suppress(sqlite3.Error):
                self._database.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                note_damage(self._state, error)
                raise LedgerError(f"the ledger cannot be written: {error}") from error
            raise
