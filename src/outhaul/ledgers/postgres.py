"""The ledger in PostgreSQL: one database, many processes, one connection each.

A commit is on disk when it returns (`postgres_connection.py`), and one transaction makes many receipts, by COPY. A place is held
by a lock of the session: by one process alone, or by several that are each a shard or a worker with a name of its own. What is
noted waits in memory, and is written with the next durable transaction, each kind of it in one go.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from outhaul.ledgers.postgres_connection import faults, hold, lock_number
from outhaul.ledgers.postgres_schema import of_place
from outhaul.ledgers.postgres_session import Session
from outhaul.ledgers.rows import (
    LEFT_UPLOADS,
    RECEIPT_BACK,
    RECEIPT_COLUMNS,
    RUNS_KEPT,
    SIGHTING_BACK,
    SIGHTING_COLUMNS,
    UPLOADS,
    left_uploads_asked,
    members_blob,
    members_of_blob,
    observation_of_row,
    observation_row,
    receipt_of_proof,
    receipt_of_row,
    receipt_row,
    rules_of,
    runs_of_disposals,
    to_bytes,
    to_path,
    tombstone_of_row,
    tombstone_row,
    upload_of_row,
    upload_row,
)
from outhaul.ledgers.traffic import MOST, QUARTER_NS
from outhaul.model.bundle import Bundle
from outhaul.model.events import Tally
from outhaul.model.evidence import Disposal, Proof, Receipt, Settled, Sighting, Tombstone, stored_bytes
from outhaul.model.job import Job
from outhaul.ports import Abilities, Begun, BegunBundle, Moment, Observation, Space

_ABILITIES_KEPT_NS = 24 * 3600 * 10**9
_SPACE_KEPT_NS = 3 * 24 * 3600 * 10**9
_NOTES_MAX = 4096
_BACK = ", ".join(f"r.{column}" for column in RECEIPT_BACK.split(", "))
_SEEN = SIGHTING_COLUMNS.split(", ")
_OBSERVE = (
    f"INSERT INTO sighting ({SIGHTING_COLUMNS}) VALUES ({', '.join(['%s'] * len(_SEEN))}) ON CONFLICT (directory, name) "
    f"DO UPDATE SET {', '.join(f'{column} = excluded.{column}' for column in _SEEN[2:])}"
)
_FORGET = (
    "DELETE FROM sighting s USING directory d WHERE d.id = s.directory AND d.place = %s AND d.path = %s AND s.name = %s"
)

File = tuple[int, str, str]
"""Place, directory and name."""


class PostgresLedger(Session):
    """The `Ledger` of one process among others.

    Args:
        address: Of the database, without a password.
        wall_ns: The wall clock.
        owner: What this process is called among others of the same places; '' where it has them for itself.
        host: The machine that `steady_since` asks about.
        held: A descriptor that is closed with the ledger; None for none.

    Raises:
        LedgerError: it cannot be had, or would not be durable.
    """

    set_aside = ""

    def __init__(
        self, address: str, wall_ns: Callable[[], int], owner: str = "", host: str = "", held: int | None = None
    ) -> None:
        super().__init__(address, held)
        self._wall_ns = wall_ns
        self._owner, self._host = owner, host
        self._destinations: dict[int, str] = {}
        self._disposals: list[tuple[int, Disposal]] = []
        self._observed: dict[File, Observation | None] = {}
        self._noted: list[tuple[str, Sequence[object]]] = []

    # --- what is known --------------------------------------------------------------------------------------------

    def place(self, job: Job) -> int:
        """See `ports.Ledger`.

        Raises:
            AnotherInstance: another process holds it.
        """
        known = to_bytes(job.source), job.destination.address, job.connection.endpoint_url
        with self._transaction():
            row = self._row(
                "INSERT INTO place (source, destination, endpoint, job, rules) VALUES (%s, %s, %s, %s, %s) "
                "ON CONFLICT (source, destination, endpoint) DO UPDATE SET job = excluded.job, rules = excluded.rules "
                "RETURNING id",
                (*known, job.name, rules_of(job)),
            )
        place = int(row[0])
        if place not in self._destinations:
            with faults():
                hold(self._database, place, self._owner, f"{job.source} to {job.destination.address}")
            self._make_table(f"receipt_{place}", of_place(place))
        self._destinations[place] = job.destination.address
        return place

    def claim(self, place: int, batch: str) -> bool:
        """Hold a batch of a place, as long as this session lasts; False where another session holds it."""
        return bool(self._rows("SELECT pg_try_advisory_lock(%s)", (lock_number(f"{place}/batch/{batch}"),))[0][0])

    def let_go(self, place: int, batch: str) -> None:
        """Hold it no more."""
        self._rows("SELECT pg_advisory_unlock(%s)", (lock_number(f"{place}/batch/{batch}"),))

    def receipts(self, place: int, directory: str, names: Sequence[str]) -> dict[str, Receipt]:
        """See `ports.Ledger`."""
        number = self._directory(place, directory)
        if number is None or not names:
            return {}
        rows = self._rows(
            f"SELECT DISTINCT ON (name) {RECEIPT_BACK} FROM receipt WHERE place = %s AND directory = %s "
            "AND name = ANY(%s) AND coalesce(disposal, '') NOT IN ('changed', 'missing') ORDER BY name, id DESC",
            (place, number, [to_bytes(name) for name in names]),
        )
        found = [receipt_of_row(directory, self._destinations[place], row) for row in rows]
        return {receipt.sighting.name: receipt for receipt in found}

    def ever_carried(self, place: int, directory: str, name: str) -> bool:
        """See `ports.Ledger`."""
        number = self._directory(place, directory)
        return number is not None and bool(
            self._rows(
                "SELECT 1 FROM receipt WHERE place = %s AND directory = %s AND name = %s LIMIT 1",
                (place, number, to_bytes(name)),
            )
        )

    def receipt(self, number: int) -> Receipt | None:
        """See `ports.Ledger`."""
        rows = self._rows(
            f"SELECT d.path, p.destination, {_BACK} FROM receipt r JOIN directory d ON d.id = r.directory "
            "JOIN place p ON p.id = d.place WHERE r.id = %s",
            (number,),
        )
        with faults():
            return receipt_of_row(to_path(rows[0][0]), rows[0][1], rows[0][2:]) if rows else None

    def archived(self, place: int, before_ns: int, above: int) -> list[Receipt]:
        """See `ports.Ledger`."""
        self.settle()
        rows = self._rows(
            f"SELECT d.path, {_BACK} FROM receipt r JOIN directory d ON d.id = r.directory WHERE r.place = %s "
            "AND r.disposal = 'archived' AND r.disposed_ns < %s AND r.id >= %s "
            # The same bytes again under the same name are one file there: the later receipt's time counts.
            "AND NOT EXISTS (SELECT 1 FROM receipt n WHERE n.place = r.place AND n.directory = r.directory "
            "AND n.name = r.name AND n.sha256 = r.sha256 AND n.id > r.id AND n.disposal = 'archived' "
            "AND n.disposed_ns >= %s) ORDER BY r.id LIMIT 512",
            (place, before_ns, above, before_ns),
        )
        with faults():
            return [receipt_of_row(to_path(row[0]), self._destinations[place], row[1:]) for row in rows]

    def observations(self, place: int, directory: str) -> dict[str, Observation]:
        """See `ports.Ledger`."""
        number = self._directory(place, directory)
        rows = self._rows(f"SELECT {SIGHTING_BACK} FROM sighting WHERE directory = %s", (number,)) if number else []
        with faults():
            found = [observation_of_row(directory, row) for row in rows]
        return {observation.sighting.name: observation for observation in found}

    # --- what becomes durable -------------------------------------------------------------------------------------

    def record(self, place: int, proofs: Sequence[Proof]) -> list[Receipt]:
        """See `ports.Ledger`. One transaction, and with it all that was noted."""
        recorded_ns, destination = self._wall_ns(), self._destinations[place]
        self._make_month(place, recorded_ns)
        with self._transaction():
            self._write_noted()
            directories = self._made(place, {proof.sighting.directory for proof in proofs})
            numbers = [
                int(number)
                for (number,) in self._rows(
                    "SELECT nextval('receipt_number') FROM generate_series(1, %s)", (len(proofs),)
                )
            ]
            with (
                self._database.cursor() as cursor,
                cursor.copy(f"COPY receipt ({RECEIPT_COLUMNS}, place) FROM STDIN") as copy,
            ):
                for number, proof in zip(numbers, proofs, strict=True):
                    row = receipt_row(number, directories[proof.sighting.directory], proof, recorded_ns)
                    copy.write_row(
                        (*(int(value) if value is True or value is False else value for value in row), place)
                    )
            if sent := stored_bytes([proof for proof in proofs if proof.sent]):
                self._database.execute(
                    "INSERT INTO traffic (place, quarter, bytes) VALUES (%s, %s, %s) ON CONFLICT (place, quarter) "
                    "DO UPDATE SET bytes = traffic.bytes + excluded.bytes", (place, recorded_ns // QUARTER_NS, min(sent, MOST)),
                )  # fmt: skip
            bundles = {proof.within.bundle for proof in proofs if proof.within is not None}
            self._each("UPDATE bundle SET members = NULL WHERE id = %s", [(bundle,) for bundle in bundles])
        return [receipt_of_proof(number, proof, destination) for number, proof in zip(numbers, proofs, strict=True)]

    def sent_since(self, place: int, wall_ns: int) -> int:
        """See `ports.Ledger`."""
        rows = self._rows(
            "SELECT coalesce(sum(t.bytes), 0) FROM traffic t JOIN place p ON p.id = t.place "
            "WHERE p.job = (SELECT job FROM place WHERE id = %s) AND t.quarter >= %s",
            (place, wall_ns // QUARTER_NS),
        )
        return int(rows[0][0])

    def largest_waiting(self, place: int, reason: str, detail: str) -> int:
        """See `ports.Ledger`."""
        rows = self._rows(
            "SELECT coalesce(max(s.size), 0) FROM sighting s JOIN directory d ON d.id = s.directory "
            "WHERE d.place = %s AND s.reason = %s AND s.detail = %s",
            (place, reason, detail),
        )
        return int(rows[0][0])

    def note(
        self,
        place: int,
        *,
        disposals: Sequence[Disposal] = (),
        observed: Sequence[Observation] = (),
        forgotten: Sequence[tuple[str, str]] = (),
    ) -> None:
        """See `ports.Ledger`."""
        self._disposals += [(place, disposal) for disposal in disposals]
        self._observed.update({(place, *one.sighting[:2]): one for one in observed})
        self._observed.update({(place, directory, name): None for directory, name in forgotten})
        if len(self._disposals) + len(self._observed) + len(self._noted) > _NOTES_MAX:
            self.settle()

    def uploads(self, place: int) -> list[tuple[Sighting, Begun]]:
        """See `ports.Ledger`. A shard is told of its own alone: the others may be going on with theirs."""
        question = UPLOADS.format("AND (? OR u.owner = ?) ").replace("?", "%s")
        rows = self._rows(question, (place, not self._owner, self._owner))
        with faults():
            return [upload_of_row(row) for row in rows]

    def left_uploads(self, place: int, bucket: str, before_ns: int) -> list[tuple[int, Sighting, Begun]]:
        """See `ports.Ledger`. A pair that another session holds is left to it."""
        rows = self._rows(LEFT_UPLOADS.replace("?", "%s"), left_uploads_asked(place, bucket, before_ns))
        left = {place for place, *_ in rows if place not in self._destinations and self._is_free(place)}
        with faults():
            return [(row[0], *upload_of_row(row[1:])) for row in rows if row[0] in left]

    def _is_free(self, place: int) -> bool:
        """Whether no session holds it: the lock of this one ends with the statement."""
        return bool(self._rows("SELECT pg_try_advisory_xact_lock(%s)", (lock_number(f"{place}"),))[0][0])

    def begin_upload(self, place: int, sighting: Sighting, begun: Begun) -> None:
        """See `ports.Ledger`."""
        with self._transaction():
            self._write_noted()
            directory = self._made(place, {sighting.directory})[sighting.directory]
            row = (directory, *upload_row(sighting, begun), self._wall_ns(), self._owner)
            self._database.execute(
                f"INSERT INTO upload VALUES ({', '.join(['%s'] * len(row))}) ON CONFLICT (directory, name, upload) "
                "DO UPDATE SET begun_ns = excluded.begun_ns, owner = excluded.owner", row
            )  # fmt: skip

    def end_upload(self, place: int, sighting: Sighting, begun: Begun) -> None:
        """See `ports.Ledger`."""
        number = self._directory(place, sighting.directory)
        values = (number, to_bytes(sighting.name), begun.upload)
        self._noted.append(("DELETE FROM upload WHERE directory = %s AND name = %s AND upload = %s", values))

    def bundles(self, place: int) -> list[BegunBundle]:
        """See `ports.Ledger`. Whose are told, as `uploads`."""
        rows = self._rows(
            "SELECT id, begun_ns, kind, key, size, sha256, md5, codec, members FROM bundle "
            "WHERE place = %s AND members IS NOT NULL AND (%s OR owner = %s) ORDER BY id",
            (place, not self._owner, self._owner),
        )
        with faults():
            return [
                BegunBundle(number, begun_ns, Bundle._make([*told, members_of_blob(blob)]))
                for number, begun_ns, *told, blob in rows
            ]

    def begin_bundle(self, place: int, bundle: Bundle) -> int:
        """See `ports.Ledger`."""
        kind, key, size, sha256, md5, codec, members = bundle
        with self._transaction():
            self._write_noted()
            row = self._row(
                "INSERT INTO bundle (place, kind, key, size, sha256, md5, codec, files, begun_ns, members, owner) "
                "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (place, key, sha256) DO UPDATE "
                "SET members = excluded.members, begun_ns = excluded.begun_ns, owner = excluded.owner RETURNING id",
                (
                    place, kind, key, size, sha256, md5, codec, len(members), self._wall_ns(), members_blob(members),
                    self._owner,
                ),
            )  # fmt: skip
        return int(row[0])

    def end_bundle(self, number: int) -> None:
        """See `ports.Ledger`."""
        self._noted.append(("UPDATE bundle SET members = NULL WHERE id = %s", (number,)))

    def settle(self) -> None:
        """See `ports.Ledger`."""
        if self._disposals or self._observed or self._noted:
            with self._transaction():
                self._write_noted()

    def observed_directories(self, place: int) -> set[str]:
        """See `ports.Ledger`."""
        rows = self._rows(
            "SELECT DISTINCT d.path FROM sighting s JOIN directory d ON d.id = s.directory WHERE d.place = %s", (place,)
        )
        return {to_path(path) for (path,) in rows}

    def forget_directory(self, place: int, directory: str) -> None:
        """See `ports.Ledger`."""
        for file in [file for file in self._observed if file[:2] == (place, directory)]:
            del self._observed[file]
        number = self._directory(place, directory)
        self._noted.append(("DELETE FROM sighting WHERE directory = %s", (number,)))

    def finish_run(self, place: int, started_ns: int, tally: Tally) -> None:
        """Remember a run, for `status` and `history`, with everything noted."""
        self._noted += [
            (
                "INSERT INTO run (place, started_ns, ended_ns, seen, bytes_carried, reasons) VALUES (%s,%s,%s,%s,%s,%s)",
                (place, started_ns, self._wall_ns(), tally.seen, tally.bytes_carried, json.dumps(tally.by_reason)),
            ),
            (
                "DELETE FROM run WHERE id <= (SELECT max(id) FROM run) - %s "
                "AND id <> (SELECT max(r.id) FROM run r WHERE r.place = run.place)",
                (RUNS_KEPT,),
            ),
        ]
        self.settle()

    def bury(self, place: int, files: Sequence[Settled], free: int) -> list[Tombstone]:
        """See `ports.Ledger`."""
        with self._transaction():
            self._write_noted()
            directories = self._made(place, {settled.sighting.directory for settled in files})
            return [
                tombstone_of_row(self._bury(directories[settled.sighting.directory], settled, free), settled)
                for settled in files
            ]

    def _bury(self, directory: int, settled: Settled, free: int) -> int:
        row = self._row(
            "INSERT INTO tombstone (directory, name, device, inode, size, mtime_ns, ctime_ns, free, recorded_ns) "
            "VALUES (%s,%s,%s,%s,%s,%s,%s,%s,%s) RETURNING id", tombstone_row(directory, settled, free, self._wall_ns())
        )  # fmt: skip
        return int(row[0])

    def buried(self, tombstone: Tombstone, outcome: str) -> None:
        """See `ports.Ledger`."""
        self._noted.append(("UPDATE tombstone SET outcome = %s WHERE id = %s", (outcome, tombstone.number)))

    def note_space(self, place: int, space: Space, now: Moment) -> None:
        """See `ports.Ledger`. The last few days are kept."""
        self._noted.append((
            "INSERT INTO space VALUES (%s,%s,%s,%s) ON CONFLICT (place, wall_ns) DO UPDATE "
            "SET free = excluded.free, size = excluded.size", (place, now.wall_ns, *space),
        ))  # fmt: skip
        self._noted.append(("DELETE FROM space WHERE wall_ns < %s", (now.wall_ns - _SPACE_KEPT_NS,)))

    # --- clocks and endpoints -------------------------------------------------------------------------------------

    def steady_since(self, now: Moment, tolerance_ns: int) -> bool:
        """See `ports.Ledger`. What other machines have recorded by their clocks says nothing of this one."""
        offset = now.wall_ns - now.boot_ns
        rows = self._rows("SELECT id, offset_ns, latest_wall_ns, jumped FROM boot WHERE host = %s", (self._host,))
        known = {row[0]: row[1:] for row in rows}
        is_behind = now.wall_ns < max((latest for _, latest, _ in known.values()), default=0)
        first, _, jumped = known.get(now.boot_id, (offset, 0, is_behind))
        jumped = jumped or abs(offset - first) > tolerance_ns
        self._noted.append((
            "INSERT INTO boot (id, host, offset_ns, latest_wall_ns, jumped) VALUES (%s,%s,%s,%s,%s) "
            "ON CONFLICT (id, host) DO UPDATE SET jumped = excluded.jumped OR boot.jumped, "
            "latest_wall_ns = greatest(boot.latest_wall_ns, excluded.latest_wall_ns)",
            (now.boot_id, self._host, offset, now.wall_ns, jumped),
        ))  # fmt: skip
        return not jumped

    def abilities(self, address: str, now: Moment) -> Abilities | None:
        """See `ports.Ledger`."""
        rows = self._rows("SELECT abilities, wall_ns FROM endpoint WHERE address = %s", (address,))
        with faults():
            if not rows or not 0 <= now.wall_ns - rows[0][1] < _ABILITIES_KEPT_NS:
                return None
            return Abilities(**json.loads(rows[0][0]))

    def learn(self, address: str, abilities: Abilities, now: Moment) -> None:
        """See `ports.Ledger`."""
        self._noted.append((
            "INSERT INTO endpoint (address, abilities, wall_ns) VALUES (%s,%s,%s) ON CONFLICT (address) DO UPDATE "
            "SET abilities = excluded.abilities, wall_ns = excluded.wall_ns",
            (address, json.dumps(abilities._asdict()), now.wall_ns),
        ))  # fmt: skip

    # --- within ---------------------------------------------------------------------------------------------------

    def _write_noted(self) -> None:
        """In the transaction at hand; always in the same order, so that no two processes wait for each other."""
        observed = sorted(self._observed.items(), key=_file_of)
        wanted: dict[int, set[str]] = {}
        for (place, directory, _), observation in observed:
            if observation is not None:
                wanted.setdefault(place, set()).add(directory)
        numbers = {place: self._made(place, directories) for place, directories in wanted.items()}
        self._each(
            _OBSERVE, [observation_row(numbers[file[0]][file[1]], seen) for file, seen in observed if seen is not None]
        )
        gone = [file for file, seen in observed if seen is None]
        self._each(_FORGET, [(place, to_bytes(directory), to_bytes(name)) for place, directory, name in gone])
        now_ns = self._wall_ns()
        for place in sorted({place for place, _ in self._disposals}):
            runs = runs_of_disposals([disposal for of, disposal in self._disposals if of == place])
            self._each(
                "UPDATE receipt SET disposal = %s, disposed_ns = %s WHERE place = %s AND id BETWEEN %s AND %s",
                [(outcome, now_ns, place, first, last) for outcome, first, last in runs],
            )
        for statement, values in self._noted:
            self._database.execute(statement, values)
        for waiting in (self._observed, self._disposals, self._noted):
            waiting.clear()


def _file_of(item: tuple[File, Observation | None]) -> tuple[int, bytes, bytes]:
    place, directory, name = item[0]
    return place, to_bytes(directory), to_bytes(name)
