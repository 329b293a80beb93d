"""`restore` and `audit`: what is checked, what is left alone, what is told. The disk is real, the store is simulated."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from outhaul.host.landing import HostLanding
from outhaul.model.errors import Archived, Damaged, Denied, NotThere
from outhaul.model.keys import second_key
from outhaul.model.returning import Wanted
from outhaul.stages.audit import audit
from outhaul.stages.restore import Ready, plan, restore
from outhaul.testing.shelf import SimulatedShelf
from outhaul.testing.store import Fault

CONTENT = b"reading\n" * 1000


def sha256(content: bytes) -> bytes:
    """Its digest."""
    return hashlib.sha256(content).digest()


class World:
    """A store with one object, and a directory."""

    def __init__(self, home: Path) -> None:
        self.shelf = SimulatedShelf()
        self.stored = self.shelf.put("site/a.csv", CONTENT)
        self.home = home
        self.landing = HostLanding(str(home))
        self.from_ledger = Wanted(
            "a.csv", 0, "site/a.csv", "", len(CONTENT), sha256(CONTENT), self.stored.etag, 1_600_000_000_000_000_000
        )
        self.from_bucket = self.from_ledger._replace(sha256=b"")

    def restore(self, wanted: Wanted, *, overwrite: bool = False, by_time: bool = False) -> str:
        """Restore one file to its end."""
        folder = self.landing.folder("", make=True)
        assert folder is not None
        with folder:
            found = restore(wanted, self.shelf, folder, overwrite=overwrite, by_time=by_time)
            if isinstance(found, Ready):
                with found.new:
                    self.landing.sync([found.new])
                    found.name()
                return found.outcome
            return found

    def plan(self, wanted: Wanted) -> str:
        """What it would come to."""
        folder = self.landing.folder("", make=False)
        assert folder is not None
        with folder:
            return plan(wanted, folder)

    def files(self) -> dict[str, bytes]:
        """What is there."""
        return {path.name: path.read_bytes() for path in self.home.iterdir()}

    def alter(self, key: str = "site/a.csv") -> None:
        """One bit of the object changes in the store, which goes on saying what it said of it."""
        held = self.shelf.objects[key][-1]
        self.shelf.objects[key] = [held._replace(content=bytes([held.content[0] ^ 1]) + held.content[1:])]


@pytest.fixture
def world(tmp_path: Path) -> World:
    """It."""
    return World(tmp_path)


def test_from_a_receipt(world: World) -> None:
    """The bytes and the time come back; a second time they are there already, and the object is not read again."""
    assert world.restore(world.from_ledger) == "restored"
    assert world.files() == {"a.csv": CONTENT}
    assert (world.home / "a.csv").stat().st_mtime_ns == world.from_ledger.mtime_ns
    world.shelf.fail("read", Fault(NotThere("not to be asked")))
    assert world.restore(world.from_ledger) == "there"


def test_the_mode_comes_back(world: World) -> None:
    """Where it is known; a file that is there already keeps its own."""
    assert world.restore(world.from_ledger._replace(mode=0o100640)) == "restored"
    assert (world.home / "a.csv").stat().st_mode & 0o7777 == 0o640
    assert world.restore(world.from_ledger._replace(mode=0o600)) == "there"
    assert (world.home / "a.csv").stat().st_mode & 0o7777 == 0o640


@pytest.mark.parametrize("mtime_ns", [0, -1_500_000_000])
def test_no_mode_and_no_time_are_known_as_well(world: World, mtime_ns: int) -> None:
    """A file that nobody may read, last modified in 1970 or before: only what nobody knows is left as any new file has it."""
    assert world.restore(world.from_ledger._replace(mode=0, mtime_ns=mtime_ns)) == "restored"
    found = (world.home / "a.csv").stat()
    assert (0, mtime_ns) == (found.st_mode & 0o7777, found.st_mtime_ns)


@pytest.mark.parametrize("change", ["bit", "shorter", "longer"])
def test_a_damaged_object_is_not_written(world: World, change: str) -> None:
    """A flipped bit, a byte less, a byte more: nothing appears (hazard 124), and more is not even read (hazard 123)."""
    content = {"bit": b"R" + CONTENT[1:], "shorter": CONTENT[:-1], "longer": CONTENT + b"!" * 10**6}[change]
    world.shelf.objects["site/a.csv"] = [world.shelf.objects["site/a.csv"][0]._replace(content=content)]
    for wanted in (world.from_ledger, world.from_bucket):
        with pytest.raises(Damaged):
            world.restore(wanted)
    assert world.files() == {}


def test_other_bytes_are_left_alone(world: World) -> None:
    """A file that is there with other bytes stays, of the same length or not; --overwrite takes its place."""
    for other in (b"mine", b"x" * len(CONTENT)):
        (world.home / "a.csv").write_bytes(other)
        assert world.restore(world.from_ledger) == world.restore(world.from_bucket) == "other-bytes"
        assert world.plan(world.from_ledger) == "other-bytes"
        assert world.files() == {"a.csv": other}
    assert world.restore(world.from_ledger, overwrite=True) == "restored"
    assert world.files() == {"a.csv": CONTENT}


def test_a_damaged_object_does_not_take_the_place_of_a_file(world: World) -> None:
    """Even with --overwrite, what was there stays where the store gives other bytes."""
    (world.home / "a.csv").write_bytes(b"mine")
    world.alter()
    with pytest.raises(Damaged):
        world.restore(world.from_ledger, overwrite=True)
    assert world.files() == {"a.csv": b"mine"}


def test_from_the_bucket_alone(world: World) -> None:
    """An ETag that is the MD5 speaks for the bytes, on the way and for what is there already."""
    assert [world.restore(world.from_bucket), world.restore(world.from_bucket)] == ["restored", "there"]
    world.shelf.fail("stored_sha256", Fault(NotThere("not to be asked")))
    assert world.restore(world.from_bucket) == "there"


def test_a_stored_digest_speaks_where_the_etag_does_not(world: World) -> None:
    """An opaque ETag says nothing: the SHA-256 that the store keeps decides; where there is none, that is said."""
    wanted = world.from_bucket._replace(etag="opaque-1")
    world.shelf.etag = "opaque"
    world.shelf.keeps_sha256 = True
    assert [world.restore(wanted), world.restore(wanted)] == ["restored", "there"]
    (world.home / "a.csv").unlink()
    world.shelf.keeps_sha256 = False
    assert world.restore(wanted) == "unverified"
    assert world.restore(wanted) == "there"  # Fetched, and compared byte for byte.
    (world.home / "a.csv").write_bytes(b"x" * len(CONTENT))
    assert world.restore(wanted) == "other-bytes"


def test_an_etag_that_looks_like_an_md5(world: World) -> None:
    """With SSE-KMS an ETag has 32 digits and is no MD5: such an object is not called damaged."""
    world.shelf.etag = "opaque"
    assert world.restore(world.from_bucket._replace(etag="0" * 32)) == "unverified"


def test_a_second_key_speaks_for_itself(world: World) -> None:
    """The digits at the end of a second key are those of the content; an ordinary name that looks so does not."""
    key = second_key("site/a.csv", sha256(b"other"))
    world.shelf.etag = "opaque"
    world.shelf.put(key, b"other")
    name = key.removeprefix("site/")
    assert world.restore(Wanted(name, 0, key, "", 5)) == "restored"
    world.shelf.put("b~0123456789abcdef", b"plain")
    assert world.restore(Wanted("b~0123456789abcdef", 0, "b~0123456789abcdef", "", 5)) == "unverified"
    assert world.files() == {name: b"other", "b~0123456789abcdef": b"plain"}


def test_a_version_is_fetched(world: World) -> None:
    """The version that a receipt names is fetched, though the key holds other bytes now."""
    world.shelf.versions = True
    first = world.shelf.put("v", b"first")
    world.shelf.put("v", b"second", replace=True)
    assert world.restore(Wanted("v", 0, "v", first.version, 5, sha256(b"first"))) == "restored"
    assert world.files() == {"v": b"first"}


def test_by_time(world: World) -> None:
    """A mirror takes a file of the same length and time for the same; with another time the bytes decide."""
    (world.home / "a.csv").write_bytes(b"x" * len(CONTENT))
    os.utime(world.home / "a.csv", ns=(0, world.from_bucket.mtime_ns or 0))
    assert world.restore(world.from_bucket, by_time=True) == "there"
    os.utime(world.home / "a.csv", ns=(0, 1))
    assert world.restore(world.from_bucket, by_time=True) == "other-bytes"


def test_a_plan_touches_nothing(world: World) -> None:
    """It says what would come, from the ledger alone."""
    world.shelf.fail("read", Fault(NotThere("not to be asked")))
    assert (world.plan(world.from_ledger), world.files()) == ("planned", {})
    (world.home / "a.csv").write_bytes(CONTENT)
    assert world.plan(world.from_ledger) == "there"


@pytest.mark.parametrize("read_back", [False, True])
def test_audit(world: World, read_back: bool) -> None:
    """As proved; changed, where the bytes are others; missing raises."""
    assert audit(world.from_ledger, world.shelf, read_back=read_back) == "as-proved"
    world.shelf.put("site/a.csv", b"y" * len(CONTENT), replace=True)
    assert audit(world.from_ledger, world.shelf, read_back=read_back) == "changed"
    world.shelf.put("site/a.csv", b"short", replace=True)
    assert audit(world.from_ledger, world.shelf, read_back=read_back) == "changed"
    del world.shelf.objects["site/a.csv"]
    with pytest.raises(NotThere):
        audit(world.from_ledger, world.shelf, read_back=read_back)


def test_an_audit_believes_bytes(world: World) -> None:
    """Bytes that rot beneath an ETag that stays are found by --read-back; so are they where a receipt has no ETag."""
    world.alter()
    assert audit(world.from_ledger, world.shelf, read_back=False) == "as-proved"
    assert audit(world.from_ledger, world.shelf, read_back=True) == "changed"
    assert audit(world.from_ledger._replace(etag=""), world.shelf, read_back=False) == "changed"


def test_an_object_that_was_written_anew(world: World) -> None:
    """Another ETag is no proof of other bytes: a stored digest, or the bytes, decide; where neither can be had, unproved."""
    moved = world.from_ledger._replace(etag="as-it-was")
    assert audit(moved, world.shelf, read_back=False) == "as-proved"
    world.shelf.keeps_sha256 = True
    world.shelf.fail("read", Fault(NotThere("not to be asked")))
    assert audit(moved, world.shelf, read_back=False) == "as-proved"
    world.shelf.keeps_sha256 = False
    world.shelf.faults.clear()
    for error in (Denied("may not be read"), Archived("is frozen")):
        world.shelf.fail("read", Fault(error))
        assert audit(moved, world.shelf, read_back=False) == "unproved"


def test_what_was_compressed_comes_back_as_it_was(world: World) -> None:
    """By the receipt: the object is decompressed, and what comes out is checked; an audit looks at the object as stored."""
    original, stored = CONTENT[:-1] + b"!", (CONTENT[:-1] + b"!")[::-1]
    made = world.shelf.put("site/b.csv.rev", stored)
    wanted = Wanted("b.csv", 0, "site/b.csv.rev", "", len(original), sha256(original), made.etag, 0)
    wanted = wanted._replace(codec="reversed", stored_size=len(stored), stored_sha256=sha256(stored))
    assert world.restore(wanted) == "restored"
    assert (world.home / "b.csv").read_bytes() == original
    assert world.restore(wanted) == "there"
    for read_back in (False, True):
        assert audit(wanted, world.shelf, read_back=read_back) == "as-proved"
    world.shelf.keeps_sha256 = True
    assert audit(wanted._replace(etag="another"), world.shelf, read_back=False) == "as-proved"
    assert audit(wanted._replace(stored_size=1), world.shelf, read_back=False) == "changed"


def test_a_compressed_object_that_is_damaged(world: World) -> None:
    """It is not written, whether the codec sees it or only the digest does; nor is more than there should be."""
    made = world.shelf.put("site/b.csv.rev", CONTENT[::-1][:-1] + b"?")
    wanted = Wanted("b.csv", 0, "site/b.csv.rev", "", len(CONTENT), sha256(CONTENT), made.etag, 0, "reversed")
    for one in (wanted, wanted._replace(codec="unknown"), wanted._replace(size=10)):
        with pytest.raises(Damaged):
            world.restore(one)
    assert list(world.home.iterdir()) == []
