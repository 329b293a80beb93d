"""The tables of the ledger in PostgreSQL, as numbered steps: those of `schema.py`, for many processes at once.

What differs. Receipts lie in partitions, by place and by the month in which they were recorded, so that a year that nobody asks
for any more can be detached or dropped, and carry their place. What is under way (uploads, bundles) tells whose it is. How the
clocks have stood is remembered for each machine. Everything is in the schema `outhaul` of the database.
"""

from __future__ import annotations

import datetime

from outhaul.model.errors import LedgerError

SCHEMA = "outhaul"
MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE place (
        id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
        source bytea NOT NULL,
        destination text NOT NULL,
        endpoint text NOT NULL,
        job text NOT NULL,
        rules text NOT NULL,
        UNIQUE (source, destination, endpoint)
    );
    -- A path may be longer than a B-tree takes: it is unique by its digest, and found by its hash.
    CREATE TABLE directory (
        id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
        place bigint NOT NULL REFERENCES place (id),
        path bytea NOT NULL,
        digest bytea NOT NULL GENERATED ALWAYS AS (sha256(path)) STORED,
        UNIQUE (place, digest)
    );
    CREATE INDEX directory_by_path ON directory USING hash (path);
    CREATE SEQUENCE receipt_number;
    CREATE TABLE receipt (
        id bigint NOT NULL,
        place bigint NOT NULL,
        directory bigint NOT NULL,
        name bytea NOT NULL,
        device bigint NOT NULL,
        inode bigint NOT NULL,
        size bigint NOT NULL,
        mtime_ns bigint NOT NULL,
        ctime_ns bigint NOT NULL,
        birth_ns bigint NOT NULL,
        sha256 bytea NOT NULL,
        key text NOT NULL,
        version text NOT NULL,
        etag text NOT NULL,
        proof text NOT NULL,
        sent integer NOT NULL,
        proved_ns bigint NOT NULL,
        recorded_ns bigint NOT NULL,
        disposal text,
        disposed_ns bigint,
        codec text,
        stored_size bigint,
        stored_sha256 bytea,
        mode integer,
        bundle bigint,
        frame_offset bigint,
        frame_length bigint,
        frame_at bigint
    ) PARTITION BY LIST (place);
    CREATE INDEX receipt_by_id ON receipt (id);
    CREATE INDEX receipt_by_name ON receipt (directory, name);
    CREATE INDEX receipt_archived ON receipt (id) WHERE disposal = 'archived';
    CREATE TABLE sighting (
        directory bigint NOT NULL REFERENCES directory (id),
        name bytea NOT NULL,
        device bigint NOT NULL,
        inode bigint NOT NULL,
        size bigint NOT NULL,
        mtime_ns bigint NOT NULL,
        ctime_ns bigint NOT NULL,
        boot_id text NOT NULL,
        boot_ns bigint NOT NULL,
        wall_ns bigint NOT NULL,
        reason text NOT NULL,
        detail text NOT NULL,
        attempts integer NOT NULL,
        PRIMARY KEY (directory, name)
    );
    CREATE TABLE boot (
        id text NOT NULL,
        host text NOT NULL,
        offset_ns bigint NOT NULL,
        latest_wall_ns bigint NOT NULL,
        jumped boolean NOT NULL,
        PRIMARY KEY (id, host)
    );
    CREATE TABLE endpoint (
        address text PRIMARY KEY,
        abilities text NOT NULL,
        wall_ns bigint NOT NULL
    );
    CREATE TABLE run (
        id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
        place bigint NOT NULL REFERENCES place (id),
        started_ns bigint NOT NULL,
        ended_ns bigint NOT NULL,
        seen bigint NOT NULL,
        bytes_carried bigint NOT NULL,
        reasons text NOT NULL
    );
    CREATE INDEX run_by_place ON run (place, id);
    CREATE TABLE upload (
        directory bigint NOT NULL REFERENCES directory (id),
        name bytea NOT NULL,
        device bigint NOT NULL,
        inode bigint NOT NULL,
        size bigint NOT NULL,
        mtime_ns bigint NOT NULL,
        ctime_ns bigint NOT NULL,
        key text NOT NULL,
        upload text NOT NULL,
        part_bytes bigint NOT NULL,
        begun_ns bigint NOT NULL,
        owner text NOT NULL,
        PRIMARY KEY (directory, name, upload)
    );
    CREATE TABLE bundle (
        id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
        place bigint NOT NULL REFERENCES place (id),
        kind text NOT NULL,
        key text NOT NULL,
        size bigint NOT NULL,
        sha256 bytea NOT NULL,
        md5 bytea NOT NULL,
        codec text NOT NULL,
        files bigint NOT NULL,
        begun_ns bigint NOT NULL,
        members bytea,
        owner text NOT NULL,
        UNIQUE (place, key, sha256)
    );
    CREATE INDEX bundle_begun ON bundle (place) WHERE members IS NOT NULL;
    CREATE TABLE tombstone (
        id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
        directory bigint NOT NULL REFERENCES directory (id),
        name bytea NOT NULL,
        device bigint NOT NULL,
        inode bigint NOT NULL,
        size bigint NOT NULL,
        mtime_ns bigint NOT NULL,
        ctime_ns bigint NOT NULL,
        free bigint NOT NULL,
        recorded_ns bigint NOT NULL,
        outcome text
    );
    CREATE INDEX tombstone_by_name ON tombstone (directory, name);
    CREATE TABLE space (
        place bigint NOT NULL REFERENCES place (id),
        wall_ns bigint NOT NULL,
        free bigint NOT NULL,
        size bigint NOT NULL,
        PRIMARY KEY (place, wall_ns)
    );
    CREATE TABLE traffic (
        place bigint NOT NULL REFERENCES place (id),
        quarter bigint NOT NULL,
        bytes bigint NOT NULL,
        PRIMARY KEY (place, quarter)
    );
    -- What SQLite calls so, for the questions that both are asked.
    CREATE FUNCTION hex(bytea) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT upper(encode($1, 'hex')) $$;
    CREATE FUNCTION instr(text, text) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT strpos($1, $2) $$
    """,
)
VERSION = len(MIGRATIONS)


def check_version(found: int) -> None:
    """Raise LedgerError where a newer outhaul has written the ledger."""
    if found > VERSION:
        raise LedgerError(f"the ledger has version {found}, and this outhaul knows {VERSION}: use the newer outhaul")


def of_place(place: int) -> str:
    """The table of the receipts of a place, and how it is made; the table of all must be locked meanwhile."""
    return (
        f"CREATE TABLE IF NOT EXISTS receipt_{place} PARTITION OF receipt FOR VALUES IN ({place}) "
        "PARTITION BY RANGE (recorded_ns)"
    )


def month_of(wall_ns: int) -> tuple[int, int]:
    """Year and month of a moment on the wall clock, in UTC."""
    then = datetime.datetime.fromtimestamp(wall_ns // 10**9, datetime.UTC)
    return then.year, then.month


def of_month(place: int, month: tuple[int, int]) -> str:
    """The same for those that are recorded in a month."""
    year, number = month
    start = datetime.datetime(year, number, 1, tzinfo=datetime.UTC)
    end = datetime.datetime(year + number // 12, number % 12 + 1, 1, tzinfo=datetime.UTC)
    low, high = (int(day.timestamp()) * 10**9 for day in (start, end))
    return (
        f"CREATE TABLE IF NOT EXISTS receipt_{place}_{year:04}{number:02} PARTITION OF receipt_{place} "
        f"FOR VALUES FROM ({low}) TO ({high})"
    )
