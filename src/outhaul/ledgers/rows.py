"""Evidence to rows, and rows to evidence.

`Receipt` is made here and nowhere else: from a row that has been committed, or in the transaction that commits it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from outhaul.model.bundle import Member
from outhaul.model.events import Tally
from outhaul.model.evidence import Disposal, Proof, Receipt, Settled, Sighting, Tombstone, Within
from outhaul.model.job import Job
from outhaul.ports import Begun, Moment, Observation

RECEIPT_COLUMNS = (
    "id, directory, name, device, inode, size, mtime_ns, ctime_ns, birth_ns, sha256, key, version, etag, proof, sent, "
    "proved_ns, recorded_ns, codec, stored_size, stored_sha256, mode, bundle, frame_offset, frame_length, frame_at"
)
_ALONE = (None, None, None, None)
RECEIPT_FIELDS = RECEIPT_COLUMNS.count(",") + 1
RECEIPT_BACK = "id, name, device, inode, size, mtime_ns, ctime_ns, birth_ns, sha256, key, proved_ns"
SIGHTING_COLUMNS = (
    "directory, name, device, inode, size, mtime_ns, ctime_ns, boot_id, boot_ns, wall_ns, reason, detail, attempts"
)
RUNS_KEPT = 50_000
SIGHTING_BACK = SIGHTING_COLUMNS.partition(", ")[2]


def to_bytes(path: str) -> bytes:
    """A path as the kernel gave it."""
    return path.encode("utf-8", "surrogateescape")


def to_path(name: bytes) -> str:
    """The opposite."""
    return name.decode("utf-8", "surrogateescape")


def receipt_row(number: int, directory: int, proof: Proof, recorded_ns: int) -> tuple[Any, ...]:
    """In the order of `RECEIPT_COLUMNS`."""
    (sighting, key, length, sha256, etag, version, kind, sent, proved_ns, codec, stored_sha256, mode, within) = proof
    if within is not None:  # What is stored is told with the bundle.
        stored: tuple[object, ...] = (codec or None, None, None, mode, *within)
    else:
        stored = (codec, length, stored_sha256, mode, *_ALONE) if codec else (None, None, None, mode, *_ALONE)
    (_, name, device, inode, size, mtime_ns, ctime_ns, birth_ns) = sighting
    return (
        number, directory, to_bytes(name), signed(device), signed(inode), size, mtime_ns, ctime_ns, birth_ns,
        sha256, key, version, etag, kind.value, sent, proved_ns, recorded_ns, *stored,
    )  # fmt: skip


def receipt_of_proof(number: int, proof: Proof, destination: str) -> Receipt:
    """The receipt of a proof whose row is written in the transaction at hand. Not to be let out before its commit."""
    return Receipt(number, proof.sighting, proof.sha256, destination, proof.key, proof.proved_ns)


def receipt_of_row(directory: str, destination: str, row: Sequence[Any]) -> Receipt:
    """From a committed row, in the order of `RECEIPT_BACK`."""
    number, name, device, inode, size, mtime_ns, ctime_ns, birth_ns, sha256, key, proved_ns = row
    sighting = Sighting(directory, to_path(name), unsigned(device), unsigned(inode), size, mtime_ns, ctime_ns, birth_ns)
    return Receipt(number, sighting, sha256, destination, key, proved_ns)


def observation_row(directory: int, observation: Observation) -> tuple[Any, ...]:
    """In the order of `SIGHTING_COLUMNS`."""
    sighting, since, reason, detail, attempts = observation
    return (
        directory, to_bytes(sighting.name), signed(sighting.device), signed(sighting.inode), sighting.size,
        sighting.mtime_ns, sighting.ctime_ns, since.boot_id, since.boot_ns, since.wall_ns, reason, detail, attempts,
    )  # fmt: skip


def observation_of_row(directory: str, row: Sequence[Any]) -> Observation:
    """From a row in the order of `SIGHTING_BACK`."""
    name, device, inode, size, mtime_ns, ctime_ns, boot_id, boot_ns, wall_ns, reason, detail, attempts = row
    sighting = Sighting(directory, to_path(name), unsigned(device), unsigned(inode), size, mtime_ns, ctime_ns)
    return Observation(sighting, Moment(boot_id, boot_ns, wall_ns), reason, detail, attempts)


def upload_row(sighting: Sighting, begun: Begun) -> tuple[Any, ...]:
    """The columns of an upload between its directory and its time."""
    (_, name, device, inode, size, mtime_ns, ctime_ns, _) = sighting
    return (to_bytes(name), signed(device), signed(inode), size, mtime_ns, ctime_ns, *begun)


UPLOADS = (
    "SELECT d.path, u.name, u.device, u.inode, u.size, u.mtime_ns, u.ctime_ns, u.key, u.upload, u.part_bytes "
    "FROM upload u JOIN directory d ON d.id = u.directory WHERE d.place = ? {}ORDER BY u.begun_ns"
)
"""Of one place."""
LEFT_UPLOADS = (
    "SELECT p.id, d.path, u.name, u.device, u.inode, u.size, u.mtime_ns, u.ctime_ns, u.key, u.upload, u.part_bytes "
    "FROM upload u JOIN directory d ON d.id = u.directory JOIN place p ON p.id = d.place "
    "WHERE u.begun_ns < ? AND p.endpoint = (SELECT endpoint FROM place WHERE id = ?) "
    "AND substr(p.destination || '/', 1, length(?)) = ? "
    "AND NOT EXISTS (SELECT 1 FROM run WHERE run.place = p.id AND run.ended_ns >= ?) ORDER BY u.begun_ns"
)
"""Of others: see `ports.Ledger.left_uploads`."""


def left_uploads_asked(place: int, bucket: str, before_ns: int) -> tuple[object, ...]:
    """What `LEFT_UPLOADS` is asked with."""
    address = f"s3://{bucket}/"
    return before_ns, place, address, address, before_ns


def upload_of_row(row: Sequence[Any]) -> tuple[Sighting, Begun]:
    """The opposite, from the path of its directory on."""
    path, name, device, inode, size, mtime_ns, ctime_ns, *begun = row
    sighting = Sighting(to_path(path), to_path(name), unsigned(device), unsigned(inode), size, mtime_ns, ctime_ns)
    return sighting, Begun(*begun)


def runs_of_disposals(disposals: Sequence[Disposal]) -> list[tuple[str, int, int]]:
    """Runs of consecutive receipts with the same outcome: that, the first number, the last."""
    runs: list[tuple[str, int, int]] = []
    for number, outcome in sorted(disposals):
        if runs and (runs[-1][0], runs[-1][2] + 1) == (outcome, number):
            runs[-1] = outcome, runs[-1][1], number
        else:
            runs.append((outcome, number, number))
    return runs


def disposal_statements(disposals: Sequence[Disposal], now_ns: int) -> list[tuple[str, Sequence[object]]]:
    """What writes them down: each run of them is one statement."""
    update = "UPDATE receipt SET disposal = ?, disposed_ns = ? WHERE id BETWEEN ? AND ?"
    return [(update, (outcome, now_ns, first, last)) for outcome, first, last in runs_of_disposals(disposals)]


def rules_of(job: Job) -> str:
    """What `outhaul why` needs to know of a job."""
    return json.dumps({"include": job.include, "exclude": job.excluded, "quiet_ns": job.quiet_ns, "after": job.after})


def run_statements(place: int, started_ns: int, ended_ns: int, tally: Tally) -> list[tuple[str, Sequence[object]]]:
    """What writes a run down. A watch looks often, for years: the latest runs stay, and the last of each place."""
    return [
        (
            "INSERT INTO run (place, started_ns, ended_ns, seen, bytes_carried, reasons) VALUES (?,?,?,?,?,?)",
            (place, started_ns, ended_ns, tally.seen, tally.bytes_carried, json.dumps(tally.by_reason)),
        ),
        (
            "DELETE FROM run WHERE id <= (SELECT max(id) FROM run) - ? "
            "AND id <> (SELECT max(r.id) FROM run r WHERE r.place = run.place)",
            (RUNS_KEPT,),
        ),
    ]


def tombstone_row(directory: int, settled: Settled, free: int, recorded_ns: int) -> tuple[Any, ...]:
    """The columns of a tombstone between its number and its outcome."""
    (_, name, device, inode, size, mtime_ns, ctime_ns, _) = settled.sighting
    return (directory, to_bytes(name), signed(device), signed(inode), size, mtime_ns, ctime_ns, free, recorded_ns)


def tombstone_of_row(number: int, settled: Settled) -> Tombstone:
    """The tombstone whose row has this number. Not to be let out before its commit."""
    return Tombstone(number, settled)


def members_blob(members: Sequence[Member]) -> bytes:
    """The files of a bundle that is about to be sent."""
    return json.dumps(
        [(*one.sighting, one.mode, one.sha256.hex(), *one.within[1:]) for one in members], separators=(",", ":")
    ).encode()


def members_of_blob(blob: bytes) -> tuple[Member, ...]:
    """The opposite."""
    return tuple(
        Member(Sighting(*row[:8]), row[8], bytes.fromhex(row[9]), Within(0, *row[10:])) for row in json.loads(blob)
    )


def signed(number: int) -> int:
    """An unsigned 64-bit number as SQLite stores integers; some file systems use inode numbers above 2**63."""
    return number - (1 << 64) if number >> 63 else number


def unsigned(number: int) -> int:
    """The opposite."""
    return number + (1 << 64) if number < 0 else number


def receipt_to_tell(receipt: Receipt, directory: str) -> dict[str, Any]:
    """A receipt for another process of ours, which removes files as another user; `directory` is that of the file there."""
    told = receipt.sighting._asdict() | {"directory": directory}
    return {"number": receipt.number, "sha256": receipt.sha256.hex(), "sighting": told}


def receipt_told(told: dict[str, Any]) -> Receipt:
    """The opposite: what the process told that holds the ledger.

    Raises:
        ValueError, KeyError, TypeError: it is none.
    """
    sighting = Sighting(**told["sighting"])
    if not all(isinstance(value, str) for value in sighting[:2]) or not all(isinstance(n, int) for n in sighting[2:]):
        raise TypeError("a receipt that was told is none")
    return Receipt(int(told["number"]), sighting, bytes.fromhex(told["sha256"]), "", "")
