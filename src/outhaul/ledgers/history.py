"""What the ledger can tell of the past: receipts by any of their marks, runs, and what a restore or an audit asks for.

Reading only, beside a run if need be, and without the network. Of the receipts of one path the latest counts; a path that
files of several sources have is told as such, and never mixed up.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from itertools import groupby
from typing import Any, NamedTuple, get_args

from outhaul.ledgers.queries import RECEIPT_ROWS, Reading, ReceiptRow, Why, receipt_of
from outhaul.ledgers.rows import to_bytes, to_path
from outhaul.model.bundle import INDEX_SUFFIX, MANIFEST_SUFFIX, Index, Kind, Listed, text_of
from outhaul.model.errors import ConfigurationError
from outhaul.model.evidence import Within
from outhaul.model.returning import Beside, Copy, Wanted, refusal
from outhaul.model.selection import Chooser, Selection

_TABLES = (
    "FROM receipt r JOIN directory d ON d.id = r.directory JOIN place p ON p.id = d.place "
    "LEFT JOIN bundle b ON b.id = r.bundle "
)
_COLUMNS = (
    "d.place, d.path, r.name, r.size, r.mtime_ns, r.sha256, r.key, r.version, r.etag, p.source, r.id, "
    "coalesce(r.codec, ''), coalesce(b.size, r.stored_size, r.size), coalesce(b.sha256, r.stored_sha256, r.sha256), "
    "coalesce(r.bundle, 0), coalesce(r.frame_offset, 0), coalesce(r.frame_length, 0), coalesce(r.frame_at, 0), "
    "CASE WHEN r.device <> 0 OR r.inode <> 0 OR r.ctime_ns <> 0 THEN 1 ELSE 0 END, coalesce(r.mode, -1)"
)
_WANTED = f"SELECT {_COLUMNS} {_TABLES}"
_WANTED_KINDS = (
    int,
    bytes,
    bytes,
    int,
    int,
    bytes,
    str,
    str,
    str,
    bytes,
    int,
    str,
    int,
    bytes,
    int,
    int,
    int,
    int,
    int,
    int,
)
_MEMBERS = (
    "SELECT d.path, r.name, r.size, r.mtime_ns, coalesce(r.mode, 0), r.sha256, r.frame_offset, r.frame_length, r.frame_at "
    "FROM receipt r JOIN directory d ON d.id = r.directory WHERE r.id BETWEEN ? AND ? AND r.bundle = ?"
)
_MEMBER_KINDS = (bytes, bytes, int, int, int, bytes, int, int, int)
_LATEST = "WHERE r.id IN (SELECT max(r.id) {tables}{where}GROUP BY d.id, r.name) ORDER BY d.path, r.name, r.id"


class Place(NamedTuple):
    """A pair of source and destination."""

    job: str
    source: str
    destination: str
    endpoint: str


class RunRow(NamedTuple):
    """One pass over one job."""

    job: str
    source: str
    destination: str
    started_ns: int
    ended_ns: int
    seen: int
    bytes_carried: int
    reasons: dict[str, int]
    """Files by reason."""


class History(Reading):
    """A ledger opened for reading. Used as a context manager."""

    def places(self) -> dict[int, Place]:
        """Every pair of source and destination, by its number."""
        with self._faults():
            rows = self._database.execute("SELECT id, job, source, destination, endpoint FROM place ORDER BY id")
            return {number: Place(job, to_path(source), *there) for number, job, source, *there in rows}

    def expect(self, job: str) -> None:
        """Refuse the name of a job that nothing here has, as a person may have mistyped it; '' is all.

        Raises:
            ConfigurationError: there is none of that name.
        """
        names = list(dict.fromkeys(place.job for place in self.places().values()))
        if job and job not in names:
            raise ConfigurationError(f"--job {job}: there is no such job{_those_there(names)}")

    def receipts(self, selection: Selection, limit: int = 0) -> Iterator[ReceiptRow]:
        """The receipts that are meant, oldest first; with a limit, the latest so many of them."""
        where, values = _where(selection)
        chooser = Chooser(selection.what)
        with self._faults():
            if limit and not selection.what:
                query = (
                    f"SELECT * FROM ({RECEIPT_ROWS}{where}ORDER BY r.id DESC LIMIT {int(limit)}) AS found ORDER BY 1"
                )
            else:
                query = f"{RECEIPT_ROWS}{where}ORDER BY r.id"
            rows = (receipt_of(row) for row in self._database.execute(query, values))
            meant = (row for row in rows if chooser(row.source, row.path))
            yield from list(meant)[-limit:] if limit and selection.what else meant

    def wanted(self, selection: Selection, chooser: Chooser) -> Iterator[Wanted]:
        """The latest receipt of each path that is meant, in the order of the paths, as something to bring back."""
        where, values = _where(selection)
        with self._faults():
            rows = self._database.execute(_WANTED + _LATEST.format(tables=_TABLES, where=where), values)
            found = (_wanted(row) for row in rows)
            meant = (pair for pair in found if chooser(pair[0], pair[1].path))
            for _, alike in groupby(meant, lambda pair: pair[1].path):
                yield from _one_of_each(dict(alike))

    def copies(self, wanted: Wanted, places: dict[int, Place]) -> list[Copy]:
        """Where else the same bytes of the same path are, as receipts say; the latest first, each object once."""
        directory, _, name = wanted.path.rpartition("/")
        with self._faults():
            rows = self._database.execute(
                f"{_WANTED}WHERE d.place IN (SELECT id FROM place) AND d.path = ? AND r.name = ? AND r.sha256 = ? "
                "ORDER BY r.id DESC",
                (to_bytes(directory), to_bytes(name), wanted.sha256),
            ).fetchall()
            found = {_object(wanted, places): Copy(wanted, "")}
            for row in rows:
                other = _wanted(row)[1]._replace(mtime_ns=wanted.mtime_ns, mode=wanted.mode)
                where = _object(other, places)
                found.setdefault(where, Copy(other, _where_text(where)))
            return list(found.values())[1:]

    def sample(self, job: str, share: float, count: int) -> Iterator[Wanted]:
        """Receipts for an audit, by chance: a share of all, or so many, at least one; all with share 1.

        Of several receipts of one object the latest counts: the others speak of bytes that a job has replaced since. After an
        object that carries several files comes what lies beside it.
        """
        where, values = _where(Selection(job=job))
        latest = f"SELECT max(r.id) AS id, min(r.id) AS first {_TABLES}{where}GROUP BY d.place, r.key, r.version"
        with self._faults():
            (total,) = self._database.execute(f"SELECT count(*) FROM ({latest}) AS found", values).fetchone()
            most = count or max(1, -int(-share * total // 1))
            some = "" if most >= total else f" ORDER BY random() LIMIT {most}"
            rows = self._database.execute(
                f"SELECT {_COLUMNS}, found.first, found.id, b.kind, b.files {_TABLES}"
                f"JOIN (SELECT * FROM ({latest}) AS every{some}) AS found ON found.id = r.id ORDER BY d.place, r.key",
                values,
            )
            for *row, first, last, kind, files in rows:
                wanted = _wanted(tuple(row))[1]._replace(refused="", detail="")
                yield wanted
                if kind in get_args(Kind):
                    yield self._beside(wanted, Beside(wanted.key, kind, wanted.codec, files), first, last)

    def _beside(self, wanted: Wanted, beside: Beside, first: int, last: int) -> Wanted:
        """The index or manifest of the object that a file is in; receipts of its files have numbers from `first` to `last`.

        By their numbers, for no index of the table has bundles: those of one follow each other, as a rule.
        """
        number = wanted.within.bundle if wanted.within else 0
        rows = self._database.execute(_MEMBERS, (first, last, number))
        members = set(map(_member, rows))
        key = beside.of + (INDEX_SUFFIX if beside.kind == "bundle" else MANIFEST_SUFFIX)
        told = Wanted(key, wanted.place, key, beside=beside)
        if len(members) != beside.files:
            return told
        of_tar = (wanted.stored_size, wanted.stored_sha256) if beside.kind == "group" else (-1, b"")
        text = text_of(Index(beside.kind, beside.codec, *of_tar, list(members)))
        md5 = hashlib.md5(text, usedforsecurity=False).hexdigest()
        return told._replace(size=len(text), sha256=hashlib.sha256(text).digest(), etag=md5)

    def seen_by_runs(self, source: str, destination: str, endpoint: str) -> int:
        """How many receipts of a place were made of files that were seen: those of a rebuilt ledger know no inode."""
        with self._faults():
            (count,) = self._database.execute(
                f"SELECT count(*) {_TABLES}WHERE p.source = ? AND p.destination = ? AND p.endpoint = ? "
                "AND (r.device != 0 OR r.inode != 0 OR r.ctime_ns != 0)",
                (to_bytes(source), destination, endpoint),
            ).fetchone()
        return int(count)

    def runs(self, job: str = "", limit: int = 0) -> list[RunRow]:
        """The latest runs, oldest first."""
        with self._faults():
            rows = self._database.execute(
                "SELECT p.job, p.source, p.destination, r.started_ns, r.ended_ns, r.seen, r.bytes_carried, r.reasons "
                f"FROM run r JOIN place p ON p.id = r.place {'WHERE p.job = ? ' if job else ''}"
                f"ORDER BY r.id DESC LIMIT {int(limit) or -1}",
                [job] if job else [],
            ).fetchall()
            return [
                RunRow(row[0], to_path(row[1]), row[2], row[3], row[4], row[5], row[6], json.loads(row[7]))
                for row in reversed(rows)
            ]

    def of_path(self, path: str) -> list[Why]:
        """What is known of one file: by its absolute path, or by the one relative to its source, in every job."""
        if path.startswith("/"):
            return self.why(path)
        sources = dict.fromkeys(place.source for place in self.places().values())
        return [
            answer for source in sources for answer in self.why(f"{source.rstrip('/')}/{path}") if answer.path == path
        ]


def _those_there(names: list[str]) -> str:
    if not names:
        return " in the ledger, nor any other"
    return f"; there {'is' if len(names) == 1 else 'are'} {', '.join(names)}"


def _object(wanted: Wanted, places: dict[int, Place]) -> tuple[str, str, str, str]:
    """What makes an object one: endpoint, bucket or directory, key, version."""
    place = places[wanted.place]
    there = place.destination
    bucket = f"s3://{there[5:].partition('/')[0]}" if there.startswith("s3://") else there
    return place.endpoint, bucket, wanted.key, wanted.version


def _where_text(of: tuple[str, str, str, str]) -> str:
    _, bucket, key, version = of
    return f"{bucket}/{key}" + (f" version {version}" if version else "")


def _where(selection: Selection) -> tuple[str, list[Any]]:
    """The condition that a selection is, but for its words, which are no SQL."""
    tests: list[str] = []
    values: list[Any] = []
    for text, test in (
        (selection.job, "p.job = ?"),
        (selection.sha256.lower(), "substr(lower(hex(r.sha256)), 1, length(?1)) = ?1"),
        (selection.since_ns, "r.recorded_ns >= ?"),
        (selection.until_ns, "r.recorded_ns <= ?"),
    ):
        if text:
            test = test.replace("?1", "?")
            tests.append(test)
            values.extend([text] * test.count("?"))
    for text, test in ((selection.key, "r.key = ?"), (selection.prefix, "substr(r.key, 1, length(?)) = ?")):
        if text:
            bucket, key = _bucket_and_key(text)
            if bucket:
                tests.append("(p.destination = ? OR substr(p.destination, 1, length(?)) = ?)")
                values.extend([bucket, f"{bucket}/", f"{bucket}/"])
            tests.append(test)
            values.extend([key] * test.count("?"))
    return (f"WHERE {' AND '.join(tests)} " if tests else ""), values


def _bucket_and_key(text: str) -> tuple[str, str]:
    if not text.startswith("s3://"):
        return "", text
    bucket, _, key = text[5:].partition("/")
    return f"s3://{bucket}", key


def _wanted(row: tuple[Any, ...]) -> tuple[str, Wanted]:
    """The source of a receipt, and what it says of a file."""
    if not all(map(isinstance, row, _WANTED_KINDS)):
        raise TypeError("a row holds what no outhaul wrote")
    (place, directory, name, size, mtime_ns, sha256, key, version, etag, source, _, codec, stored_size, stored_sha256,
     *within, seen, mode) = row  # fmt: skip
    path = to_path(directory + b"/" + name if directory else name)
    # Of a file that was not seen, 0 says that nobody knows, but where the index of its bundle, or a note, has told it.
    knows_mode = mode > 0 or (mode == 0 and (seen or within[0]))
    knows_time = mtime_ns or seen or within[0] or codec
    wanted = Wanted(
        path, place, key, version, size, sha256, etag, mtime_ns if knows_time else None, mode=mode if knows_mode else None
    )  # fmt: skip
    if within[0]:
        wanted = wanted._replace(within=Within(*within))
    if codec or within[0]:
        wanted = wanted._replace(codec=codec, stored_size=stored_size, stored_sha256=stored_sha256)
    why = refusal(path)
    return to_path(source), wanted._replace(refused="refused-name", detail=why) if why else wanted


def _member(row: tuple[Any, ...]) -> Listed:
    """What an index says of the file of a receipt."""
    if not all(map(isinstance, row, _MEMBER_KINDS)):
        raise TypeError("a row holds what no outhaul wrote")
    directory, name, size, mtime_ns, mode, sha256, *within = row
    path = to_path(directory + b"/" + name if directory else name)
    return Listed(path, size, mtime_ns, mode, sha256, Within(0, *within))


def _one_of_each(by_source: dict[str, Wanted]) -> Iterator[Wanted]:
    """Of files of several sources that have one path: any, where they are the same; else none."""
    contents = {wanted.sha256 for wanted in by_source.values()}
    if len(contents) == 1:
        yield list(by_source.values())[-1]
        return
    for source, wanted in by_source.items():
        yield wanted._replace(refused="collides", detail=f"this one is of {source}")
