"""The receipts of a ledger, read from its tables alone (docs/format.md), against the objects that they speak of."""

import shutil
import sqlite3
import tempfile
from hashlib import sha256
from pathlib import Path

from faults.world import World


def without_object(world: World) -> list[str]:
    """Receipts whose object is not there, or has other bytes."""
    there = {name for name, _ in world.objects.names()}
    found = []
    for key, digest in receipts(world.state):
        name = key.removeprefix(world.prefix)
        if name not in there or sha256(world.objects.read(name)).digest() != digest:
            found.append(f"receipt without its object: {key}")
    return found


def receipts(state: Path) -> list[tuple[str, bytes]]:
    """Key and SHA-256 of each receipt, from a copy of the ledger: looking at it must not repair it."""
    with tempfile.TemporaryDirectory() as name:
        for path in state.glob("ledger.sqlite*"):
            shutil.copy(path, name)
        ledger = Path(name, "ledger.sqlite")
        if not ledger.exists() or not ledger.stat().st_size:
            return []
        database = sqlite3.connect(ledger)
        try:
            if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'receipt'").fetchall():
                return []
            return database.execute("SELECT key, sha256 FROM receipt").fetchall()
        finally:
            database.close()
