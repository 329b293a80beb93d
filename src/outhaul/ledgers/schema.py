"""The tables of the ledger, as numbered steps. Step n takes a ledger of version n-1 to version n; none is ever changed.

docs/format.md describes the tables for people. Paths and names are stored as bytes (BLOB): they need not be text.
"""

from __future__ import annotations

import sqlite3

from outhaul.model.errors import LedgerError

MIGRATIONS: tuple[str, ...] = (
    """
    -- A pair of source and destination.
    CREATE TABLE place (
        id INTEGER PRIMARY KEY,
        source BLOB NOT NULL,
        destination TEXT NOT NULL,
        endpoint TEXT NOT NULL,      -- '' is AWS itself or a directory. The same bucket elsewhere is another place
        job TEXT NOT NULL,           -- its name when it was last used
        rules TEXT NOT NULL,         -- JSON: what `outhaul why` needs to know of the job
        UNIQUE (source, destination, endpoint)
    );
    CREATE TABLE directory (
        id INTEGER PRIMARY KEY,
        place INTEGER NOT NULL REFERENCES place (id),
        path BLOB NOT NULL,          -- relative to the source, '' for the source itself
        UNIQUE (place, path)
    );
    -- A proof, made durable before its source is touched.
    CREATE TABLE receipt (
        id INTEGER PRIMARY KEY,
        directory INTEGER NOT NULL REFERENCES directory (id),
        name BLOB NOT NULL,
        device INTEGER NOT NULL,
        inode INTEGER NOT NULL,
        size INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        ctime_ns INTEGER NOT NULL,
        birth_ns INTEGER NOT NULL,
        sha256 BLOB NOT NULL,
        key TEXT NOT NULL,
        version TEXT NOT NULL,
        etag TEXT NOT NULL,
        proof TEXT NOT NULL,         -- etag, checksum, read-back or carried
        sent INTEGER NOT NULL,       -- 0: the object was there before, with the same bytes
        proved_ns INTEGER NOT NULL,
        recorded_ns INTEGER NOT NULL,
        disposal TEXT,               -- NULL: the source has yet to be let go
        disposed_ns INTEGER
    );
    CREATE INDEX receipt_by_name ON receipt (directory, name);
    -- A file that has been seen and has not been carried.
    CREATE TABLE sighting (
        directory INTEGER NOT NULL REFERENCES directory (id),
        name BLOB NOT NULL,
        device INTEGER NOT NULL,
        inode INTEGER NOT NULL,
        size INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        ctime_ns INTEGER NOT NULL,
        boot_id TEXT NOT NULL,       -- with the next: when this generation was first seen, on the boot clock
        boot_ns INTEGER NOT NULL,
        wall_ns INTEGER NOT NULL,
        reason TEXT NOT NULL,
        detail TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        PRIMARY KEY (directory, name)
    ) WITHOUT ROWID;
    -- How the wall clock stood against the boot clock, at the first run in each boot, and whether it has jumped since.
    CREATE TABLE boot (
        id TEXT PRIMARY KEY,
        offset_ns INTEGER NOT NULL,
        latest_wall_ns INTEGER NOT NULL,
        jumped INTEGER NOT NULL
    ) WITHOUT ROWID;
    -- What an endpoint has shown that it does.
    CREATE TABLE endpoint (
        address TEXT PRIMARY KEY,
        abilities TEXT NOT NULL,     -- JSON
        wall_ns INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE run (
        id INTEGER PRIMARY KEY,
        place INTEGER NOT NULL REFERENCES place (id),
        started_ns INTEGER NOT NULL,
        ended_ns INTEGER NOT NULL,
        seen INTEGER NOT NULL,
        bytes_carried INTEGER NOT NULL,
        reasons TEXT NOT NULL        -- JSON: number of files by reason
    );
    """,
    """
    -- What is in an archive, for whoever looks for what is old there.
    CREATE INDEX receipt_archived ON receipt (id) WHERE disposal = 'archived';
    -- A large upload that was begun: a hint where to go on, and what the store is to forget where nobody goes on.
    CREATE TABLE upload (
        directory INTEGER NOT NULL REFERENCES directory (id),
        name BLOB NOT NULL,
        device INTEGER NOT NULL,
        inode INTEGER NOT NULL,
        size INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        ctime_ns INTEGER NOT NULL,
        key TEXT NOT NULL,
        upload TEXT NOT NULL,        -- as the store names it
        part_bytes INTEGER NOT NULL,
        begun_ns INTEGER NOT NULL,
        PRIMARY KEY (directory, name, upload)
    ) WITHOUT ROWID;
    """,
    """
    -- What is stored, where that is not the file itself.
    ALTER TABLE receipt ADD COLUMN codec TEXT;
    ALTER TABLE receipt ADD COLUMN stored_size INTEGER;
    ALTER TABLE receipt ADD COLUMN stored_sha256 BLOB;
    """,
    """
    -- An object that carries several files.
    CREATE TABLE bundle (
        id INTEGER PRIMARY KEY,
        place INTEGER NOT NULL REFERENCES place (id),
        kind TEXT NOT NULL,          -- bundle or group
        key TEXT NOT NULL,           -- where it was to go, and where it is stands in the receipts
        size INTEGER NOT NULL,
        sha256 BLOB NOT NULL,
        md5 BLOB NOT NULL,
        codec TEXT NOT NULL,
        files INTEGER NOT NULL,
        begun_ns INTEGER NOT NULL,
        members BLOB,                -- JSON: its files, for whoever goes on, and NULL once they have receipts
        UNIQUE (place, key, sha256)
    );
    CREATE INDEX bundle_begun ON bundle (place) WHERE members IS NOT NULL;
    ALTER TABLE receipt ADD COLUMN mode INTEGER;
    -- Of a file in a bundle: which bytes of the object to read, and where it begins in them.
    ALTER TABLE receipt ADD COLUMN bundle INTEGER REFERENCES bundle (id);
    ALTER TABLE receipt ADD COLUMN frame_offset INTEGER;
    ALTER TABLE receipt ADD COLUMN frame_length INTEGER;
    ALTER TABLE receipt ADD COLUMN frame_at INTEGER;
    """,
    """
    -- A file that was given up without having been carried, because the disk was full and the job says so.
    CREATE TABLE tombstone (
        id INTEGER PRIMARY KEY,
        directory INTEGER NOT NULL REFERENCES directory (id),
        name BLOB NOT NULL,
        device INTEGER NOT NULL,
        inode INTEGER NOT NULL,
        size INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        ctime_ns INTEGER NOT NULL,
        free INTEGER NOT NULL,       -- bytes that were free then
        recorded_ns INTEGER NOT NULL,
        outcome TEXT                 -- shed, gone or stays, and NULL where an end came before that was known
    );
    CREATE INDEX tombstone_by_name ON tombstone (directory, name);
    -- How full the file system of a source was: for a forecast.
    CREATE TABLE space (
        place INTEGER NOT NULL REFERENCES place (id),
        wall_ns INTEGER NOT NULL,
        free INTEGER NOT NULL,
        size INTEGER NOT NULL,
        PRIMARY KEY (place, wall_ns)
    ) WITHOUT ROWID;
    """,
    """
    -- What was sent, for limits of a day and a month: a row for each quarter of an hour, as all time zones begin at one.
    CREATE TABLE traffic (
        place INTEGER NOT NULL REFERENCES place (id),
        quarter INTEGER NOT NULL,    -- of hours since 1970, by the wall clock
        bytes INTEGER NOT NULL,
        PRIMARY KEY (place, quarter)
    ) WITHOUT ROWID;
    """,
)
VERSION = len(MIGRATIONS)


def migrate(database: sqlite3.Connection) -> None:
    """Bring a ledger to the present version, one transaction a step.

    Raises:
        LedgerError: it was written by a newer outhaul.
    """
    found = database.execute("PRAGMA user_version").fetchone()[0]
    if found > VERSION:
        raise LedgerError(f"the ledger has version {found}, and this outhaul knows {VERSION}: use the newer outhaul")
    for version in range(found, VERSION):
        # executescript would commit first; the steps hold no semicolon inside a statement.
        database.execute("BEGIN IMMEDIATE")
        for statement in MIGRATIONS[version].split(";"):
            if statement.strip():
                database.execute(statement)
        database.execute(f"PRAGMA user_version = {version + 1}")
        database.execute("COMMIT")
