"""What runs in the guest of `guest.py`, with a stick at /run/stick and a device at /run/device: both may lose power anywhere.

python -m sticks.inside make|visit|end
"""

import hashlib
import os
import sys
from pathlib import Path

from outhaul import app, by_stick
from outhaul.engine.carrying import Carrier, carry_stick
from outhaul.model.job import Destination, Job
from outhaul.ports import Stored
from outhaul.stores.carrier_memory import CarrierMemory
from outhaul.stores.stick_carrying import StickInHand
from outhaul.stores.stick_directory import StickDirectory
from outhaul.testing.clock import SimulatedClock
from outhaul.testing.monitor import RecordingMonitor
from outhaul.testing.store import SimulatedStore

STICK, DEVICE = "/run/stick", Path("/run/device")
SOURCE, STATE, BUCKET = DEVICE / "source", DEVICE / "state", DEVICE / "bucket"
KEY = b"k" * 32
CONTENTS = {f"{number:02}": f"{number} ".encode() * 3000 for number in range(20)} | {"large": b"large" * 900_000}
JOB = Job("j", str(SOURCE), Destination("s3://b/p", "s3", "b", "p"), quiet_ns=0)


class KeptStore(SimulatedStore):
    """A store whose objects are durable before it says so."""

    def __init__(self) -> None:
        super().__init__()
        self.small_max = 100_000
        for path in BUCKET.iterdir() if BUCKET.exists() else ():
            if path.suffix != ".new":
                super()._create(f"p/{path.name}", path.read_bytes(), hashlib.md5(path.read_bytes()).hexdigest(), False)

    def _create(self, key: str, content: bytes, etag: str, replace: bool) -> Stored:
        self._refuse_present(key)
        path = BUCKET / key.removeprefix("p/")
        with open(path.with_suffix(".new"), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.rename(path.with_suffix(".new"), path)
        _sync(BUCKET)
        return super()._create(key, content, etag, replace)


def _sync(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def make() -> None:
    """The files of the device."""
    for folder in (SOURCE, BUCKET):
        folder.mkdir()
    for name, content in CONTENTS.items():
        (SOURCE / name).write_bytes(content)


def export() -> None:
    """The device has the stick."""
    by_stick.export([JOB], STICK, state=str(STATE), monitor=RecordingMonitor(), trust=by_stick.Trust(KEY))


def carry() -> None:
    """The carrier has it."""
    store = KeptStore()
    carrier = Carrier(
        SimulatedClock(),
        lambda _offer: store,
        "keep-both",
        False,
        "",
        lambda: False,
        CarrierMemory(str(DEVICE / "desk"), "", "b"),
    )
    with StickDirectory(STICK, make=False) as directory:
        list(carry_stick(StickInHand(directory, KEY), carrier))


def check() -> None:
    """Each content is in the source, or in the bucket with a receipt."""
    rows = {row.sha256 for row in app.receipts(str(STATE))}
    held = {path.read_bytes() for path in BUCKET.iterdir()}
    for name, content in CONTENTS.items():
        there = (SOURCE / name).exists() and (SOURCE / name).read_bytes() == content
        assert there or (content in held and hashlib.sha256(content).digest() in rows), name


def visit() -> None:
    """There and back, and some of the files again; the power goes somewhere in it."""
    print("READY", flush=True)
    for step in (export, carry, export):
        step()
        print(f"AFTER {step.__name__}", flush=True)


def end() -> None:
    """Whatever was left behind, all arrives, and nothing stays."""
    for step in (export, check, carry, check, export, check, carry, export, check):
        step()
    assert [path.name for path in SOURCE.rglob("*") if path.is_file()] == []
    assert sorted(CONTENTS) == sorted(path.name for path in BUCKET.iterdir() if path.suffix != ".new")
    left = {path.name for path in Path(STICK, "outhaul-stick").iterdir()}
    assert left == {"stick.json", "READ-ME.txt"}, left
    print("ALL WELL", flush=True)


if __name__ == "__main__":
    {"make": make, "visit": visit, "end": end}[sys.argv[1]]()
