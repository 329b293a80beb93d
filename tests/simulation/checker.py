"""Says what is wrong with a world, from its bytes alone: no code of the product is used here, nor anything it says of itself.

The one record of the product that is read is its ledger, as a database file that anyone can open: it is held to the bytes.
`owed` comes from whoever produced the files: for each file that its producer has not thrown away, the bytes it must keep.

    LOST         bytes that are owed are neither in a source, nor aside, nor in the store
    UNRECORDED   a file was let go, and no durable receipt of these very bytes says so
    CORRUPT      a receipt whose object holds other bytes, or none (honest ledger)
    OVERWRITTEN  an object that was there has changed or gone
    HINDERED     a file was let go while a process had it open for writing
    WRONG TARGET an object under the name of a file that never held these bytes
    UNACCOUNTED  the files seen are not the sum of the states they are in
    ORPHAN       an object, or parts of one, that is paid for and that no ledger knows
    UNLOCKED     a receipt whose object has not the lock that was asked for
    HASTY        a file was let go before it had been left alone for as long as its job says, whatever the clocks show
    DISHONEST    more files are said to be carried than were
    STUCK        with all faults over, a file neither goes nor stands under a reason that a person can act on
    WASTED       a file was given up, never carried, while there was room, or though its job never gives up any
"""

from __future__ import annotations

import bz2
import contextlib
import hashlib
import io
import os
import re
import sqlite3
import tarfile
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple


class LetGo(NamedTuple):
    """A file that the mover removed."""

    path: str
    content: bytes
    writers: int
    age_ns: int
    """For how long it had truly been left alone."""


class Row(NamedTuple):
    """A receipt, as it stands in the database file."""

    path: str
    size: int
    sha256: bytes
    key: str
    version: str
    archived: bool = False
    """Whether it says that its source is in the archive now."""
    frame: tuple[int, int, int] | None = None
    """In an object that carries several files: which bytes to read, and where the file begins in them."""


class Grave(NamedTuple):
    """A tombstone, as it stands in the database file: of a file that was given up, or was to be."""

    path: str
    size: int
    free: int
    """Bytes that were free then."""


class Found(NamedTuple):
    """What is on one machine."""

    owed: Mapping[int, bytes]
    source: Mapping[str, bytes]
    aside: Iterable[bytes]
    let_go: Iterable[LetGo]
    rows: Iterable[Row]
    held: Mapping[str, Iterable[bytes]]
    """Path to all contents that ever stood there."""
    quiet_ns: int
    """For how long a file must have been left alone."""
    archive: Iterable[bytes] = ()
    """What is in the archive, or on its way out of it."""
    expired: Iterable[bytes] = ()
    """What left it for good."""
    graves: Iterable[Grave] = ()
    given_up: Iterable[bytes] = ()
    """What was given up under a tombstone of a ledger that is lost since."""
    shed_below: int = 0
    """With fewer bytes free than so many its job gives files up; 0 for never."""


_TAR = re.compile(r"(?:bundle-([0-9a-f]{16})|[^/]+)\.tar(?:\.bz2)?(?:~[0-9a-f]{16})?$")
Objects = Mapping[tuple[str, str], bytes]
"""Key and version to bytes; the version is '' where the store has none."""


def check(found: Found, objects: Objects, prefix: str) -> list[str]:
    """All that is wrong with the bytes and receipts of one machine, one line each."""
    given_up = {*found.given_up, *buried(found)}
    safe = {*found.source.values(), *found.aside, *carried(objects), *given_up}
    wrong = [
        f"LOST {content[:40]!r}... of file {serial}" for serial, content in found.owed.items() if content not in safe
    ]
    wrong += [
        f"WASTED {grave.path!r} was given up with {grave.free} bytes free, and {found.shed_below} were wanted"
        for grave in found.graves
        if grave.free >= found.shed_below
    ]
    rows = list(found.rows)
    receipts = _receipts(rows)
    for path, content, writers, age_ns in found.let_go:
        if (path, hashlib.sha256(content).digest()) not in receipts and content not in given_up:
            wrong.append(f"UNRECORDED {path!r}, {content[:40]!r}, is gone without a receipt")
        if writers:
            wrong.append(f"HINDERED {path!r} was removed while {writers} wrote to it")
        if age_ns < found.quiet_ns:
            wrong.append(f"HASTY {path!r} was left alone for {age_ns / 1e9} s only, not {found.quiet_ns / 1e9} s")
    proved = {row.sha256 for row in rows}
    # What left it just before a crash is not yet written down as having left.
    archived = {hashlib.sha256(content).digest() for content in (*found.archive, *found.expired)}
    for row in rows:
        if row.archived and row.sha256 not in archived:
            wrong.append(f"LOST {row.path!r} is not in the archive, where its receipt says it is")
    for content in found.expired:
        if hashlib.sha256(content).digest() not in proved:
            wrong.append(f"UNRECORDED {content[:40]!r} left the archive without a receipt")
    return wrong + [line for row in rows for line in _row(row, found, objects, prefix)]


def buried(found: Found) -> set[bytes]:
    """What was let go without a receipt, and has a tombstone of its own: each is for one file."""
    receipts, contents = _receipts(found.rows), set[bytes]()
    graves = Counter((grave.path, grave.size) for grave in found.graves)
    for path, content, *_ in found.let_go:
        if (path, hashlib.sha256(content).digest()) not in receipts and graves[path, len(content)]:
            graves[path, len(content)] -= 1
            contents.add(content)
    return contents


def _receipts(rows: Iterable[Row]) -> set[tuple[str, bytes]]:
    return {(row.path, row.sha256) for row in rows}


def _row(row: Row, found: Found, objects: Objects, prefix: str) -> Iterable[str]:
    stored = objects.get((row.key, row.version), None if row.version else _any_version(objects, row))
    if stored is None:
        yield f"CORRUPT {row.key!r} {row.version}: a receipt says it is there, and it is not"
        return
    content = _member(row, stored) if row.frame else plain(row.key, stored)
    if hashlib.sha256(content).digest() != row.sha256 or len(content) != row.size:
        yield f"CORRUPT {row.key!r}: {content[:40]!r} is not what its receipt says"
    if row.frame is not None:
        if "bundle-" not in row.key and not any(key == f"{row.key}.manifest.json" for key, _ in objects):
            yield f"CORRUPT {row.key!r}: a group without its manifest has receipts"
        if members(row.key, stored).get(row.path) != content:
            yield f"CORRUPT {row.key!r}: tar does not find {row.path!r} in it, as its receipt says"
    elif row.path not in (told := path_of(row.key, prefix), told.removesuffix(".bz2")):
        yield f"WRONG TARGET {row.key!r} for {row.path!r}"
    if content not in found.held.get(row.path, ()):
        yield f"WRONG TARGET {row.key!r} holds {content[:40]!r}, which {row.path!r} never held"


def plain(key: str, content: bytes) -> bytes:
    """What was compressed, as it was before."""
    if not re.search(r"\.bz2(~[0-9a-f]{16})?$", key):
        return content
    try:
        return bz2.decompress(content)
    except (OSError, ValueError):
        return content


def carried(objects: Objects) -> set[bytes]:
    """The content of every file that is in a store."""
    found: set[bytes] = set()
    for (key, _), content in objects.items():
        found |= {plain(key, content), *members(key, content).values()}
    return found


def members(key: str, content: bytes) -> dict[str, bytes]:
    """What `tar` makes of an object that carries several files, but for its index; nothing where it is no such, or damaged."""
    if not _TAR.search(key):
        return {}
    try:
        with tarfile.open(fileobj=io.BytesIO(content), encoding="utf-8", errors="surrogateescape") as archive:
            found = {member.name: archive.extractfile(member) for member in archive}
            return {
                name: file.read() for name, file in found.items() if file and not name.startswith(".outhaul-index-")
            }
    except (tarfile.TarError, OSError, ValueError, EOFError):
        return {}


def _member(row: Row, stored: bytes) -> bytes:
    """What the receipt says how to find."""
    assert row.frame is not None
    offset, length, at = row.frame
    part = stored[offset : offset + length]
    try:
        return (bz2.decompress(part) if ".tar.bz2" in row.key else part)[at : at + row.size]
    except (OSError, ValueError):
        return b""


def unknown(objects: Objects, rows: Iterable[Row]) -> list[str]:
    """Objects that carry several files, and of which no ledger knows: paid for, and found by nobody.

    What was altered on its way has another digest than its key says; it stays, as nothing is ever removed from a store.
    """
    known = {row.key for row in rows}
    keys = {key for key, _ in objects}
    wrong = []
    for (key, _), content in objects.items():
        found = _TAR.search(key)
        if found is None or key in known:
            continue
        # Without its manifest the object of a group does not count.
        whole = hashlib.sha256(content).hexdigest()[:16]
        if found[1] == whole or (not found[1] and f"{key}.manifest.json" in keys):
            wrong.append(f"ORPHAN {key!r}: no receipt speaks of it")
    return wrong


def _any_version(objects: Objects, row: Row) -> bytes | None:
    """Where no version was told: the one that fits, or else the last."""
    found = [content for (key, _), content in objects.items() if key == row.key]
    plainly = {content: _member(row, content) if row.frame else plain(row.key, content) for content in found}
    fitting = [content for content in found if hashlib.sha256(plainly[content]).digest() == row.sha256]
    return next(iter(fitting or reversed(found)), None)


def unlocked(rows: Iterable[Row], locks: Mapping[tuple[str, str], bool]) -> list[str]:
    """The receipts whose objects have no lock, in a world in which every one is to have it.

    Args:
        rows: Of a ledger.
        locks: Key and version of every object, and whether it has a lock.
    """
    return [
        f"UNLOCKED {row.key!r} {row.version}: a receipt of {row.path!r} says that all is as the job asks"
        for row in rows
        if not any(has for (key, version), has in locks.items() if key == row.key and row.version in ("", version))
    ]


def overwritten(before: Objects, now: Objects) -> list[str]:
    """The objects that are not what they were."""
    return [
        f"OVERWRITTEN {key!r} {version}: {content[:40]!r}, now {now.get((key, version), b'(nothing)')[:40]!r}"
        for (key, version), content in before.items()
        if now.get((key, version)) != content
    ]


def account(seen: int, by_reason: Mapping[str, int], expected: int | None = None) -> list[str]:
    """Whether the states add up to what was seen and, where it is known, to what there was."""
    wrong = []
    if seen != sum(by_reason.values()):
        wrong.append(f"UNACCOUNTED {seen} seen, {dict(by_reason)}")
    if expected is not None and seen != expected:
        wrong.append(f"UNACCOUNTED {expected} there, {seen} seen: {dict(by_reason)}")
    return wrong


def claims(by_reason: Mapping[str, int], removed: int) -> list[str]:
    """Whether what a run says of itself is borne out by the files that went."""
    return [f"DISHONEST {removed} files went: {dict(by_reason)}"] if by_reason.get("removed", 0) > removed else []


def silence(failed: Iterable[str], reasons: Mapping[str, str]) -> list[str]:
    """The directories that could not be listed, and of which nothing is said, as if they were empty."""
    return [f"UNACCOUNTED directory {path!r} was passed over" for path in failed if reasons.get(path, "") not in HELD]


HELD = frozenset(
    ("unreadable", "name-too-long", "refused", "conflict", "unproved", "not-as-asked", "not-removed", "put-aside", "hard-link",
     "closed-directory", "poisoned")
)  # fmt: skip
"""Reasons for which a file may stand for ever: each tells a person what to do."""


def stuck(left: Iterable[str], reasons: Mapping[str, str], may_stay: Iterable[str]) -> list[str]:
    """The files that are left after all faults are over, for no good reason.

    Args:
        left: Paths in the source, and what is aside.
        reasons: What the last run said of each.
        may_stay: Paths that the job does not ask for, or lets stay.
    """
    fine = set(may_stay)
    return [
        f"STUCK {path!r}: {reasons.get(path, 'no word of it')}"
        for path in left
        if path not in fine and reasons.get(path) not in HELD
    ]


def path_of(key: str, prefix: str) -> str:
    """The path whose key this is, or whose second key."""
    name = key.removeprefix(f"{prefix}/") if prefix else key
    name = re.sub(r"~[0-9a-f]{16}$", "", name)
    raw = re.sub(rb"%([0-9A-F]{2})", lambda found: bytes.fromhex(found[1].decode()), name.encode())
    return raw.decode("utf-8", "surrogateescape")


def recorded(path: str) -> tuple[list[Row], list[Grave]]:
    """What is durable in a ledger: its receipts, and its tombstones. Nothing, where there is no file."""
    if not os.path.exists(path):
        return [], []
    # A ledger that was closed leaves no log; to look for one costs more than all else here.
    manner = "mode=ro" if os.path.exists(f"{path}-wal") else "mode=ro&immutable=1"
    with contextlib.closing(sqlite3.connect(f"file:{path}?{manner}", uri=True)) as database:
        return _rows(database), _graves(database)


def _rows(database: sqlite3.Connection) -> list[Row]:
    """The receipts of the one endpoint there is; others are no longer to be seen."""
    rows = _asked(
        database,
        "SELECT d.path, r.name, r.size, r.sha256, r.key, r.version, r.disposal IS 'archived', "
        "r.frame_offset, r.frame_length, r.frame_at FROM receipt r "
        "JOIN directory d ON d.id = r.directory JOIN place p ON p.id = d.place WHERE p.endpoint = ''",
    )
    return [
        Row(_path(folder, name), size, sha256, key, version, bool(archived), None if frame[0] is None else tuple(frame))
        for folder, name, size, sha256, key, version, archived, *frame in rows
    ]


def _graves(database: sqlite3.Connection) -> list[Grave]:
    """The tombstones of files that went, or may have."""
    rows = _asked(
        database,
        "SELECT d.path, t.name, t.size, t.free FROM tombstone t JOIN directory d ON d.id = t.directory "
        "WHERE coalesce(t.outcome, 'shed') = 'shed'",
    )
    return [Grave(_path(folder, name), size, free) for folder, name, size, free in rows]


def _asked(database: sqlite3.Connection, question: str) -> list[tuple[Any, ...]]:
    try:
        return database.execute(question).fetchall()
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):
            raise
        return []


def _path(folder: bytes, name: bytes) -> str:
    return (folder + b"/" + name if folder else name).decode("utf-8", "surrogateescape")
