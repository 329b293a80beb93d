"""A stick that is pulled out, and machines that die, at every call: each content is in the source, or proved in the store.

Both machines are this process; what fails is the n-th system call that concerns the stick, or what the device remembers of
sticks: by an error of the device (EIO, ENODEV, ENOSPC), or by the end of the process there and then. The store is the
simulated one, whose calls fail too. `tests/cli/test_stick_journeys.py` has real processes, SIGKILL, and a real server.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from outhaul import app, by_stick
from outhaul.engine.carrying import Carrier, carry_stick
from outhaul.model.errors import OuthaulError
from outhaul.model.job import Destination, Job
from outhaul.model.stick import Offer
from outhaul.stores import carrier_memory, stick_directory, stick_memory
from outhaul.stores.carrier_memory import CarrierMemory
from outhaul.stores.stick import StickStore
from outhaul.stores.stick_carrying import StickInHand
from outhaul.stores.stick_directory import StickDirectory
from outhaul.stores.stick_memory import Trip, can_follow, elsewhere
from outhaul.testing.clock import SimulatedClock
from outhaul.testing.monitor import RecordingMonitor
from outhaul.testing.steps import Crash
from outhaul.testing.store import SimulatedStore
from sticks.places import new_stick

KEY = b"k" * 32
CALLS = ("open", "write", "pwrite", "pread", "preadv", "fsync", "ftruncate", "rename", "unlink", "mkdir", "listdir")
FAULTS = ("crash", errno.EIO, errno.ENODEV, errno.ENOSPC)
GONE = (errno.EIO, errno.ENODEV)


class Faulty:
    """The module `os` with a counter: its n-th call that matters goes wrong, and once a stick is gone it stays so."""

    def __init__(self) -> None:
        self.count, self.at, self.broken = 0, 0, False
        self.fault: str | int = "crash"

    def begin(self, at: int, fault: str | int) -> None:
        """From now on: the n-th call."""
        self.count, self.at, self.fault, self.broken = 0, at, fault, False

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        return self._counted(real) if name in CALLS else real

    def _counted(self, real: Any) -> Any:
        def call(*arguments: Any, **more: Any) -> Any:
            self.count += 1
            if self.broken or self.count == self.at:
                self.broken = self.fault == "crash" or self.fault in GONE
                if self.fault == "crash":  # Nor does whoever is dead clear up.
                    raise Crash
                raise OSError(self.fault, os.strerror(int(self.fault)))
            return real(*arguments, **more)

        return call


class World:
    """A device, a stick, a carrier and a store."""

    def __init__(self, root: Path) -> None:
        self.source, self.stick, self.state = root / "source", new_stick(root / "stick"), root / "state"
        self.source.mkdir(parents=True)
        self.desk = root / "desk"
        self.store = SimulatedStore()
        self.store.small_max, self.store.part_bytes = 1000, 1 << 19
        self.job = Job("j", str(self.source), Destination("s3://b/p", "s3", "b", "p"), quiet_ns=0)
        self.contents: set[bytes] = set()

    def write(self, name: str, content: bytes) -> None:
        """A file of the source."""
        (self.source / name).write_bytes(content)
        self.contents.add(content)

    def export(self) -> None:
        """The device has the stick."""
        by_stick.export(
            [self.job], str(self.stick), state=str(self.state), monitor=RecordingMonitor(), trust=by_stick.Trust(KEY)
        )

    def carry(self) -> None:
        """The carrier has it."""
        carrier = Carrier(
            SimulatedClock(),
            lambda _offer: self.store,
            "keep-both",
            False,
            "",
            lambda: False,
            CarrierMemory(str(self.desk), "", "b"),
        )
        with StickDirectory(str(self.stick), make=False) as directory:
            list(carry_stick(StickInHand(directory, KEY), carrier))

    def check(self) -> None:
        """Each content is in the source, or in the store with a receipt in the ledger."""
        there = {path.read_bytes() for path in self.source.rglob("*") if path.is_file()}
        with contextlib.suppress(OuthaulError):
            there |= self._proved()
        assert self.contents - there == set()

    def _proved(self) -> set[bytes]:
        held = {(key, content) for key in self.store.objects for content in self._files(key)}
        rows = {(row.key, row.sha256) for row in app.receipts(str(self.state))}
        return {content for key, content in held if (key, hashlib.sha256(content).digest()) in rows}

    def _files(self, key: str) -> list[bytes]:
        """What an object holds: itself, or the files of a group that counts."""
        content = self.store.content(key)
        if not key.endswith(".tar"):
            return [] if key.endswith(".manifest.json") else [content]
        assert len(self.store.objects[key]) == 1
        with tarfile.open(fileobj=io.BytesIO(content)) as tar:
            members = [found.read() for each in tar if (found := tar.extractfile(each))]
        return members if f"{key}.manifest.json" in self.store.objects else []

    def end(self) -> None:
        """Without faults all arrives, once, and nothing is left behind."""
        for step in (self.export, self.carry, self.export, self.carry, self.export):
            step()
            self.check()
        assert [path for path in self.source.rglob("*") if path.is_file()] == []
        stored = sorted(content for key in self.store.objects for content in self._files(key))
        assert sorted(self.contents) == stored
        left = {path.name for path in (self.stick / "outhaul-stick").iterdir()} - {"stick.json", "READ-ME.txt"}
        assert left == set()
        assert {path.name for path in (self.state / "sticks").iterdir()} == {"device"}
        assert list(self.desk.rglob("*.upload")) == []
        assert {number for number, (_, parts) in self.store.uploads.items() if parts} == set()


@contextlib.contextmanager
def world(group: str = "") -> Iterator[World]:
    """In memory, where there is such a place; with a group of this many bytes."""
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    root = tempfile.mkdtemp(prefix="outhaul-stick-", dir=place)
    try:
        made = World(Path(root))
        made.write("one", b"1")
        made.write("two", b"22")
        if group:
            made.job = made.job._replace(groups=("g",))
            (made.source / "g").mkdir()
            for name, content in (("g/a", b"a" * GROUPS[group]), ("g/b", b"b")):
                made.write(name, content)
        else:
            made.write("large", b"large" * 300_000)
        yield made
    finally:
        shutil.rmtree(root)


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> Faulty:
    """The calls of both modules that have to do with sticks."""
    made = Faulty()
    for module in (stick_directory, stick_memory, carrier_memory):
        monkeypatch.setattr(module, "os", made)
    monkeypatch.setattr(stick_directory, "PART_BYTES", 1 << 20)
    monkeypatch.setattr(StickStore, "small_max", 1 << 20)
    return made


def _attempt(world: World, step: str) -> bool:
    """One visit; whether it came to its end. A worker that dies is, to the engine, a result of no seat."""
    try:
        getattr(world, step)()
    except (OuthaulError, Crash):
        return False
    except AttributeError as error:
        assert "'Crash' object" in str(error)
        return False
    return True


def _trial(faulty: Faulty, fault: str | int, before: list[str], step: str, at: int, group: str = "") -> bool:
    """A step that fails at one call, and everything after it; whether there was such a call."""
    with world(group) as made:
        for name in before:
            faulty.begin(0, fault)
            getattr(made, name)()
        faulty.begin(at, fault)
        _attempt(made, step)
        was = faulty.count >= at
        faulty.begin(0, fault)
        made.check()
        made.end()
    return was


GROUPS = {"small": 10, "large": 2_200_000}
STEPS = [([], "export"), (["export"], "carry"), (["export", "carry"], "export")]


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS, ids=str)
@pytest.mark.parametrize(("before", "step"), STEPS, ids=["give", "carry", "take"])
def test_whatever_fails_at_whichever_call(faulty: Faulty, fault: str | int, before: list[str], step: str) -> None:
    """Nothing is lost then, nor later, and everything arrives once."""
    at = 1
    while _trial(faulty, fault, before, step, at):
        at += 1
    assert at > 10


@pytest.mark.slow
@pytest.mark.parametrize("group", ["small", "large"])
@pytest.mark.parametrize("fault", ["crash", errno.EIO], ids=str)
@pytest.mark.parametrize(("before", "step"), STEPS, ids=["give", "carry", "take"])
def test_groups_fail_at_whichever_call(
    faulty: Faulty, fault: str | int, before: list[str], step: str, group: str
) -> None:
    """A group counts in the store when its manifest is there, and its files go when that is known; once, whatever fails."""
    at = 1
    while _trial(faulty, fault, before, step, at, group):
        at += 1
    assert at > 10


@pytest.mark.parametrize(("before", "step"), STEPS, ids=["give", "carry", "take"])
def test_some_calls(faulty: Faulty, before: list[str], step: str) -> None:
    """A few of the same, for the fast loop."""
    for at in (12, 19):
        _trial(faulty, "crash", before, step, at)
        _trial(faulty, "crash", before, step, at, "small")


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True])
def test_a_store_that_fails(after: bool) -> None:
    """Every call of the store fails once, before or after it took effect: the next visit goes on."""
    from outhaul.model.errors import Transient
    from outhaul.testing.store import Fault

    for method in ("put", "put_many", "put_large", "head", "read"):
        for times in (1, 3, 9):
            with world() as made:
                made.export()
                made.store.fail(method, *[Fault(Transient("no answer"), after)] * times)
                _attempt(made, "carry")
                made.store.faults.clear()
                made.check()
                made.end()


@pytest.mark.parametrize("group", ["small", "large"])
@pytest.mark.parametrize("whole_manifest", [True, False])
def test_one_byte_of_a_group_flips(group: str, whole_manifest: bool) -> None:
    """It is written again, and so is the manifest that waited for it in vain: one more trip, and nothing waits for ever."""
    with world(group) as made:
        made.export()
        folder = made.stick / "outhaul-stick"
        (pack,) = folder.glob("*.pack") if group == "small" else folder.glob("*.0.pack")
        content = bytearray(pack.read_bytes())
        content[content.index(b"a" * GROUPS[group])] ^= 1
        pack.write_bytes(content)
        if not whole_manifest:  # Then the first line of it, which tells of one package, is torn, too.
            (manifest,) = folder.glob("*.manifest")
            manifest.write_bytes(manifest.read_bytes()[1:])
        made.carry()
        made.check()
        made.end()


def test_what_waits_for_a_package_that_is_not_there() -> None:
    """Is forgotten, with all that waits for it in turn; where it is decided, on the same stick, or waits for none, it stays."""
    a, b = "a" * 32, "b" * 32
    one = Offer(a, 0, "d", "j", "b", "k", "", 0, 1, b"s" * 32)
    offers = [
        one,
        one._replace(number=1, after=f"{a}.0"),
        one._replace(number=2, after=f"{b}.0"),
        one._replace(number=3, after=f"{a}.2"),
        one._replace(number=4, after=f"{b}.0"),
    ]
    trips = [Trip(a, "here", 0, tuple(offers)), Trip(b, "there", 0, (one._replace(pack=b),))]

    def left(**more: Any) -> list[int]:
        return [offer.number for trip in can_follow(trips, **more) for offer in trip.offers if trip.pack == a]

    assert left(decided={f"{a}.4"}) == [0, 1, 4]
    assert left(astray={f"{a}.0"}) == [0]
    assert [offer.number for offer in elsewhere(trips, "there")[0].offers] == [0, 1]
    assert [offer.number for offer in can_follow([trips[0], trips[1]._replace(stick="here")])[0].offers] == [
        0,
        1,
        2,
        3,
        4,
    ]
