"""A damaged ledger costs time, never a byte: it ends in one clear line or in files that are proved again.

OUTHAUL_FUZZ is the number of cases (100), OUTHAUL_SEED repeats them.
"""

import os
import random
import secrets
import shutil
from collections import Counter
from pathlib import Path

import pytest

from faults.world import World, fresh
from fuzz.damage import WAYS
from fuzz.forked import outhaul

CASES = int(os.environ.get("OUTHAUL_FUZZ", "100"))
SEED = int(os.environ.get("OUTHAUL_SEED") or secrets.randbelow(2**31))
_CASES_A_WORLD = 20
_MOST_LINES = 12

pytestmark = pytest.mark.slow


def test_a_damaged_ledger_costs_no_byte(tmp_path: Path) -> None:
    """Flipped, cut, zeroed or exchanged bytes of a real ledger: no traceback, no wrong removal, no hang."""
    rng = random.Random(SEED)
    outcomes: Counter[str] = Counter()
    found: list[str] = []
    for number in range(CASES):
        if number % _CASES_A_WORLD == 0:
            root = tmp_path / str(number)
            root.mkdir()
            world = fresh(root)
        outcomes[_case(world, rng, f"case {number}", found)] += 1
        if number % _CASES_A_WORLD == _CASES_A_WORLD - 1:
            shutil.rmtree(root)
    print(f"OUTHAUL_SEED={SEED}: {CASES} damaged ledgers: {dict(outcomes)}")
    expected: list[str] = []
    assert expected == found[:10], f"OUTHAUL_SEED={SEED}: {len(found)} of {CASES}"


def _case(world: World, rng: random.Random, label: str, found: list[str]) -> str:
    """Damage the ledger of files that were copied, move them, and look; says what the run came to."""
    move = ("move", str(world.source), str(world.store), "--state", str(world.state))
    world.plant(2)
    outhaul("copy", *move[1:])
    world.plant(1)
    ledger = world.state / "ledger.sqlite"
    data = bytearray(ledger.read_bytes())
    way = rng.choice(WAYS)
    way(data, rng)
    ledger.write_bytes(data)
    for extra in ("-wal", "-shm"):
        Path(f"{ledger}{extra}").unlink(missing_ok=True)
    ended = outhaul(*move)
    faults = ended.faults + world.faults()
    if ended.errors.count(b"\n") > _MOST_LINES:
        faults.append("many lines")
    command = rng.choice(("status", "ls"))
    faults += [f"{command}: {fault}" for fault in outhaul(command, "--state", str(world.state)).faults]
    again = outhaul(*move) if ended.code else ended
    faults += [f"the second run: {fault}" for fault in again.faults + world.faults()]
    if again.code:
        shutil.rmtree(world.state)
    if faults:
        found.append(f"{label}, {way.__name__}: {faults}\n{ended}")
    return f"code {ended.code}, then {again.code}"
