"""What a ledger knows of some files, as rows that another ledger takes over (`model/segments.py`).

A row begins with what it is:

* `looked`: directories, a share of their files as two numbers, and whether what lies beneath counts: of their files that wait
  nothing is remembered but what follows.
* `receipt`: path of the directory, the columns of `_RECEIPT`, and those of its bundle, or None.
* `sighting`, `upload`: path of the directory, and the columns behind it.
* `bundle`: a bundle that was about to be sent, with its members.

True here: what is taken is one transaction; taken twice it is the same as once. Bytes that were sent count with the receipt that
tells of them, once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from outhaul.ledgers import traffic
from outhaul.ledgers.rows import RECEIPT_COLUMNS, SIGHTING_BACK, to_bytes, to_path
from outhaul.ledgers.sqlite import SqliteLedger, faults
from outhaul.model.segments import Row
from outhaul.model.shard import Shard

_RECEIPT = [
    *(name for name in RECEIPT_COLUMNS.split(", ") if name not in ("id", "directory", "bundle")),
    "disposal",
    "disposed_ns",
]
_SIGHTING = SIGHTING_BACK.split(", ")
_UPLOAD = ["name", "device", "inode", "size", "mtime_ns", "ctime_ns", "key", "upload", "part_bytes", "begun_ns"]
_BUNDLE = ["kind", "key", "size", "sha256", "md5", "codec", "files", "begun_ns"]
_TABLES = ("receipt", "sighting", "upload", "bundle", "traffic", "run", "tombstone", "space", "directory")
_NAME, _SHA256, _KEY, _RECORDED = map(_RECEIPT.index, ("name", "sha256", "key", "recorded_ns"))
_SIZE, _STORED, _SENT, _DISPOSAL = map(_RECEIPT.index, ("size", "stored_size", "sent", "disposal"))


class Segments:
    """The rows of one ledger. Every method raises `LedgerError` where it fails, as those of the ledger do."""

    def __init__(self, ledger: SqliteLedger) -> None:
        self._ledger = ledger

    @property
    def last(self) -> int:
        """The number of the latest receipt, also of those that were cleared since it was opened."""
        return int(self._ledger._next) - 1

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to tell that may not be forgotten."""
        one = "SELECT 1 FROM receipt UNION ALL SELECT 1 FROM upload UNION ALL SELECT 1 FROM bundle WHERE members IS NOT NULL"
        return not any(self._all(f"{one} LIMIT 1", ()))

    # --- what there is to tell ------------------------------------------------------------------------------------

    def rows(self, place: int, above: int = 0) -> Iterator[Row]:
        """All that it knows of a place; of receipts up to `above`, which came from elsewhere, those that say more now."""
        self._ledger.settle()
        yield from self._receipts("r.id > ? OR r.disposal IS NOT NULL", (place, above))
        for table, columns in (("sighting", _SIGHTING), ("upload", _UPLOAD)):
            yield from self._of_directories(table, columns, "", (place,))
        for row in self._all(
            f"SELECT {', '.join(_BUNDLE)}, members FROM bundle WHERE place = ? AND members IS NOT NULL", (place,)
        ):
            yield ["bundle", list(row)]

    def known(self, place: int, directories: Sequence[str], share: Shard, *, beneath: bool) -> list[Row]:
        """What somebody else has to know of files that are still there, to look at them as this ledger would.

        Args:
            place: Of which source and destination.
            directories: Which.
            share: Which of their files, by name.
            beneath: Whether what lies beneath them counts.
        """
        found: list[Row] = []
        self._ledger.settle()
        for directory in directories:
            where, values = _within(place, directory, beneath=beneath)
            found += self._receipts(f"r.disposal IS NULL AND {where}", values)
            for table, columns in (("sighting", _SIGHTING), ("upload", _UPLOAD)):
                found += self._of_directories(table, columns, f" AND {where}", values)
        return [row for row in found if share.holds(to_path(row[2][_NAME]))]

    def _receipts(self, where: str, values: Sequence[object]) -> Iterator[Row]:
        columns = ", ".join([f"r.{name}" for name in _RECEIPT] + [f"b.{name}" for name in _BUNDLE])
        question = f"SELECT d.path, {columns} FROM directory d JOIN receipt r ON r.directory = d.id "
        question += f"LEFT JOIN bundle b ON b.id = r.bundle WHERE d.place = ? AND ({where}) ORDER BY r.id"
        for path, *rest in self._all(question, values):
            receipt, bundle = rest[: len(_RECEIPT)], rest[len(_RECEIPT) :]
            yield ["receipt", path, receipt, bundle if bundle[0] is not None else None]

    def _of_directories(self, table: str, columns: list[str], where: str, values: Sequence[object]) -> Iterator[Row]:
        question = f"SELECT d.path, {', '.join(f's.{name}' for name in columns)} FROM directory d "
        for path, *rest in self._all(
            f"{question}JOIN {table} s ON s.directory = d.id WHERE d.place = ?{where}", values
        ):
            yield [table, path, rest]

    def _all(self, question: str, values: Sequence[object]) -> Iterator[tuple[Any, ...]]:
        with faults(self._ledger._state):
            yield from self._ledger._database.execute(question, values)

    def clear(self) -> None:
        """Forget all of it, durably: it is known elsewhere. What the endpoint has shown, and how the clocks stood, stays."""
        ledger = self._ledger
        with ledger._transaction():
            ledger._write_noted()
            for table in _TABLES:
                ledger._database.execute(f"DELETE FROM {table}")
            ledger._directories.clear()

    # --- what is told ---------------------------------------------------------------------------------------------

    def take(self, place: int, rows: Iterable[Row]) -> None:
        """Know what another ledger knew. When this returns, it is on disk."""
        ledger = self._ledger
        with ledger._transaction():
            ledger._write_noted()
            for kind, *row in rows:
                if kind == "looked":
                    directories, number, of, beneath = row
                    self._forget(place, directories, Shard(number, of), beneath=beneath)
                elif kind == "receipt":
                    self._take_receipt(place, *row)
                elif kind == "bundle":
                    self._bundle(place, *row)
                else:
                    columns = _SIGHTING if kind == "sighting" else _UPLOAD
                    self._replace(kind, ["directory", *columns], [self._directory(place, row[0]), *row[1]])

    def _directory(self, place: int, path: bytes) -> int:
        return self._ledger._directory_made(place, to_path(path))

    def _replace(self, table: str, columns: list[str], values: list[Any]) -> None:
        marks = ", ".join("?" * len(columns))
        self._ledger._database.execute(
            f"INSERT OR REPLACE INTO {table} ({', '.join(columns)}) VALUES ({marks})", values
        )

    def _forget(self, place: int, directories: list[str], share: Shard, *, beneath: bool) -> None:
        database = self._ledger._database
        for directory in directories:
            question = (
                "SELECT s.directory, s.name FROM {} s JOIN directory d ON d.id = s.directory WHERE d.place = ? AND "
            )
            where, values = _within(place, directory, beneath=beneath)
            for table in ("sighting", "upload"):
                rows = database.execute(question.format(table) + where, values).fetchall()
                gone = [row for row in rows if share.holds(to_path(row[1]))]
                database.executemany(f"DELETE FROM {table} WHERE directory = ? AND name = ?", gone)

    def _take_receipt(self, place: int, path: bytes, row: list[Any], of_bundle: list[Any] | None) -> None:
        ledger, database = self._ledger, self._ledger._database
        directory, name = self._directory(place, path), row[_NAME]
        found = database.execute(
            "SELECT id FROM receipt WHERE directory = ? AND name = ? AND recorded_ns = ? AND sha256 = ? AND key = ?",
            (directory, name, row[_RECORDED], row[_SHA256], row[_KEY]),
        ).fetchone()
        if found is not None:
            if row[_DISPOSAL] is not None:
                database.execute(
                    "UPDATE receipt SET disposal = ?, disposed_ns = ? WHERE id = ?", (*row[_DISPOSAL:], found[0])
                )
            return
        bundle, sent = None, row[_SIZE] if row[_STORED] is None else row[_STORED]
        if of_bundle is not None:
            bundle, is_new = self._bundle(place, [*of_bundle, None])
            sent = of_bundle[2] if is_new else 0
        columns = ["id", "directory", "bundle", *_RECEIPT]
        marks = ", ".join("?" * len(columns))
        database.execute(
            f"INSERT INTO receipt ({', '.join(columns)}) VALUES ({marks})", (ledger._next, directory, bundle, *row)
        )
        ledger._next += 1
        database.execute("DELETE FROM sighting WHERE directory = ? AND name = ?", (directory, name))
        if row[_SENT] and sent:
            traffic.add(database, place, row[_RECORDED], sent)

    def _bundle(self, place: int, row: list[Any]) -> tuple[int, bool]:
        """The number of a bundle, and whether it was not known; one that has receipts is not about to be sent any more."""
        database = self._ledger._database
        found = database.execute(
            "SELECT id, members IS NULL FROM bundle WHERE place = ? AND key = ? AND sha256 = ?", (place, row[1], row[3])
        ).fetchone()
        if found is None:
            columns = ["place", *_BUNDLE, "members"]
            marks = ", ".join("?" * len(columns))
            made = database.execute(f"INSERT INTO bundle ({', '.join(columns)}) VALUES ({marks})", (place, *row))
            return int(made.lastrowid or 0), True
        if row[-1] is None:
            database.execute("UPDATE bundle SET members = NULL WHERE id = ?", (found[0],))
        return int(found[0]), row[-1] is None and not found[1]


def _within(place: int, directory: str, *, beneath: bool) -> tuple[str, list[Any]]:
    """A condition on a directory, or on all beneath it too, and the values of its question from the place on."""
    path = to_bytes(directory)
    if not beneath:
        return "d.path = ?", [place, path]
    return "(d.path = ? OR (d.path > ? AND d.path < ?))", [place, path, path + b"/", path + b"0"]  # '0' is behind '/'.
