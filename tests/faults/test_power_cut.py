"""A power cut at any moment loses nothing that the producer had synced, on ext4 and XFS, on one file system or on three.

Some cuts come at random times, others right after a system call: strace stops the run there, and the power goes.
OUTHAUL_CUTS is the number of cuts for each file system and layout (10), OUTHAUL_SEED repeats them.
"""

import os
import random
import secrets
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from faults.places import need
from faults.power import Disk, cut_all, disks
from faults.receipts import without_object
from faults.runs import move, outhaul
from faults.world import World
from kill.moments import Moment, choose
from kill.processes import Mover

CUTS = int(os.environ.get("OUTHAUL_CUTS", "10"))
SEED = int(os.environ.get("OUTHAUL_SEED") or secrets.randbelow(2**31))
CALLS = {"fsync": 12, "fdatasync": 6, "pwrite64": 20, "renameat2": 12, "unlinkat": 6, "mkdir": 4}
"""Calls after which the power goes, and about how often a thread makes them."""
FILES = 12
LAYOUTS = {"two": ("local", "local", "far"), "three": ("source", "state", "far")}
_CUTS_BETWEEN_COMPLETE_RUNS = 3

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_no_power_cut_loses_a_byte(
    tmp_path: Path, kind: str, layout: str, record_property: Callable[[str, object], None]
) -> None:
    """After each cut the synced contents are in source, private directory or store, and each receipt has its object."""
    rng = random.Random(SEED)
    source, state, store = LAYOUTS[layout]
    cuts: Counter[str] = Counter()
    with disks(kind, tmp_path, sorted({source, state, store})) as found:
        places = [found[disk].where / name for disk, name in ((source, "source"), (state, "state"), (store, "store"))]
        for place in places:
            place.mkdir()
        os.sync()
        world = World(places[0], places[1], places[2], tmp_path / "journal")
        while cuts.total() < CUTS:
            cuts[_cut_once(world, [*found.values()], tmp_path, rng)] += 1
            assert _faults(world) == [], f"OUTHAUL_SEED={SEED}, cut {cuts.total()} of {cuts}"
            if cuts.total() % _CUTS_BETWEEN_COMPLETE_RUNS == 0 or cuts.total() == CUTS:
                ended = move(world)
                assert ended.code == 0, f"OUTHAUL_SEED={SEED}: {ended}"
                assert world.faults(complete=True) + _faults(world) == [], f"OUTHAUL_SEED={SEED}"
    print(f"OUTHAUL_SEED={SEED}: {dict(cuts)}")
    record_property("figure", f"power cuts on {kind}, {layout} file systems: {cuts.total()}, nothing lost")


def _cut_once(world: World, found: Sequence[Disk], root: Path, rng: random.Random) -> str:
    """One run that is met by a power cut; says what it was doing."""
    planted = world.plant(FILES, durable=True)
    trace = root / "trace"
    trace.write_bytes(b"")
    command = outhaul("move", str(world.source), *world.destination, "--state", str(world.state))
    call = rng.choice(["at a random moment", *CALLS])
    if call in CALLS:
        when = rng.randint(1, CALLS[call])
        stop = f"inject={call}:signal=STOP:when={when}"
        command = [need("strace"), "-f", "-qq", "-o", str(trace), "-e", f"trace={call}", "-e", stop, *command]
        moment = _stopped(trace)
    else:
        moment = choose(rng, 0.07, 0.2, rng.sample(planted, 5))

    is_off: list[bool] = []

    def cut() -> bool:
        if moment():
            cut_all(found, rng)
            is_off.append(True)
        return bool(is_off)

    outcome = Mover(command, world.environ, root / "output").run_and_kill(cut)
    if not is_off:
        cut_all(found, rng)
    for disk in found:
        disk.back()
    return call if outcome.killed else "after the run"


def _stopped(trace: Path) -> Moment:
    """When strace has stopped the run, or after three seconds."""
    late = time.monotonic() + 3
    return lambda: b"stopped by SIGSTOP" in trace.read_bytes() or time.monotonic() > late


def _faults(world: World) -> list[str]:
    """What is lost, and receipts whose object is not there with its bytes."""
    return world.faults() + without_object(world)
