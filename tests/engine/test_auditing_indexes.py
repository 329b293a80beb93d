"""An audit looks at indexes and manifests too: they must say what the receipts say of the files in each object."""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from engine.world import JOB, Machine
from outhaul.engine.account import Account
from outhaul.engine.fetching import Auditor
from outhaul.engine.listing import Lister
from outhaul.engine.restoring import Hands, Restoring
from outhaul.ledgers.history import History
from outhaul.model.bundle import INDEX_SUFFIX, MANIFEST_SUFFIX
from outhaul.model.errors import Archived, Denied
from outhaul.model.job import Job
from outhaul.model.keys import second_key
from outhaul.model.returning import Wanted
from outhaul.stages import audit as stage
from outhaul.stages.restore import Shelf
from outhaul.testing.shelf import SimulatedShelf
from outhaul.testing.store import Fault
from outhaul.testing.workers import InlineWorkers

BUNDLING = JOB._replace(bundle_bytes=4 << 10, bundle_file_max=8 << 10)
GROUPING = JOB._replace(groups=("d*",))
CONTENTS = {f"d{number % 3}/f-{number}-é\udcff%": random.Random(number).randbytes(200 + number) for number in range(40)}


class World:
    """A machine that has carried files in bundles or groups, and the store."""

    def __init__(self, home: Path, job: Job = BUNDLING) -> None:
        self.machine = Machine(str(home))
        self.shelf = self.machine.store = SimulatedShelf()
        self.told: dict[str, str] = {}
        self.asked: Counter[str] = Counter()
        self.carry(job)

    def carry(self, job: Job) -> None:
        """All of it."""
        for path, content in CONTENTS.items():
            self.machine.produce(path, content)
        assert self.machine.run(job).tally.by_reason == {"removed": len(CONTENTS)}

    @property
    def beside(self) -> list[str]:
        """Keys of indexes and manifests."""
        return [key for key in self.shelf.objects if key.endswith((INDEX_SUFFIX, MANIFEST_SUFFIX))]

    def audit(self, *, read_back: bool = False, lists: bool = False, share: float = 1.0) -> Account:
        """Look at what the ledger has receipts of, and count what the store is asked."""
        self.told.clear()
        self.asked.clear()
        shelf, clock = cast(Shelf, _Counted(self.shelf, self.asked)), self.machine.clock
        with History(self.machine.state) as history:
            hands = Hands(
                lambda _: shelf, Auditor(clock, _never, read_back=read_back), InlineWorkers(), clock, self, _never,
                lister=Lister(_never) if lists else None,
            )  # fmt: skip
            return Restoring(hands).run(history.sample("", share, 0))

    def replace(self, key: str, content: bytes) -> None:
        """Somebody writes it anew."""
        self.shelf.put(key, content, replace=True)

    def expect(self, files: int, size: int) -> None: ...

    def returned(self, wanted: Wanted, outcome: str, detail: str) -> None:
        assert wanted.key not in self.told
        self.told[wanted.key] = outcome

    def progress(self, account: Account) -> None: ...

    def notice(self, text: str) -> None: ...


class _Counted:
    """A shelf that notes what is asked of which key."""

    def __init__(self, shelf: SimulatedShelf, asked: Counter[str]) -> None:
        self._shelf = shelf
        self._asked = asked

    def __getattr__(self, name: str) -> Any:
        def noted(key: str, *more: object) -> Any:
            self._asked["" if name == "listing" else key] += 1
            return getattr(self._shelf, name)(key, *more)

        return noted


def _never() -> bool:
    return False


@pytest.fixture(params=["bundle", "group"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    """Several bundles, or several groups."""
    return World(tmp_path, BUNDLING if request.param == "bundle" else GROUPING)


@pytest.mark.parametrize("read_back", [False, True])
def test_each_is_asked_for_once(world: World, read_back: bool) -> None:
    """As the receipts say: one request for each object, and one for what is beside it, however many files are in it."""
    account = world.audit(read_back=read_back)
    assert {"as-proved": 2 * len(world.beside)} == account.by_outcome
    assert set(world.beside) <= set(world.told)
    assert {1} == set(world.asked.values())
    assert len(world.beside) > 2


def test_a_listing_shows_them(tmp_path: Path) -> None:
    """As it does the objects: then none of them is asked for by itself."""
    world = World(tmp_path, BUNDLING._replace(bundle_bytes=2 << 10))
    while len(world.beside) < stage.LISTED_MIN // 2:
        world.carry(BUNDLING._replace(bundle_bytes=2 << 10))
    assert {"as-proved": 2 * len(world.beside)} == world.audit(lists=True).by_outcome
    assert world.asked == {"": 1}


@pytest.mark.parametrize("read_back", [False, True])
@pytest.mark.parametrize("lists", [False, True])
def test_one_that_is_gone_is_told(world: World, read_back: bool, lists: bool) -> None:
    """By its own key; the object is as proved all the same."""
    gone = world.beside[1]
    del world.shelf.objects[gone]
    account = world.audit(read_back=read_back, lists=lists)
    assert {"as-proved": 2 * len(world.beside) + 1, "missing": 1} == account.by_outcome
    assert world.told[gone] == "missing"
    assert not account.well


@pytest.mark.parametrize("read_back", [False, True])
@pytest.mark.parametrize("what", ["garbage", "digest", "path", "offset", "more", "fewer", "codec"])
def test_one_that_says_something_else_is_told(world: World, what: str, read_back: bool) -> None:
    """Whether it can be read or not: what it says is held against the receipts."""
    altered = world.beside[1]
    text = b"".join(world.shelf.read(altered))
    told = json.loads(text)
    first = told["members"][0]
    if what == "digest":
        first["sha256"] = bytes(32).hex()
    elif what == "path":
        first["path"] = "d0/another"
    elif what == "offset":
        first["offset"] += 1
    elif what == "more":
        told["members"].append({**first, "path": "d0/another"})
    elif what == "fewer":
        told["members"].pop()
    elif what == "codec":
        told["codec"] = "zstd"
    world.replace(altered, text[:-9] if what == "garbage" else json.dumps(told).encode())
    account = world.audit(read_back=read_back)
    assert {"as-proved": 2 * len(world.beside) - 1, "changed": 1} == account.by_outcome
    assert world.told[altered] == "changed"


def test_the_same_in_other_words_is_as_proved(world: World) -> None:
    """An index of another version of outhaul may be laid out otherwise: what it says counts."""
    for key in world.beside:
        told = json.loads(b"".join(world.shelf.read(key)))
        told["members"].reverse()
        world.replace(key, json.dumps(told, indent=1).encode())
    assert {"as-proved": 2 * len(world.beside)} == world.audit().by_outcome


def test_an_etag_that_is_no_md5(tmp_path: Path) -> None:
    """The text is read, and decides."""
    world = World(tmp_path)
    world.shelf.etag = "opaque"
    for key in world.beside:
        world.replace(key, b"".join(world.shelf.read(key)))
    assert {"as-proved": 2 * len(world.beside)} == world.audit().by_outcome
    world.shelf.fail("read", Fault(Denied("403")), Fault(Archived("frozen")))
    assert world.audit().by_outcome["unproved"] == 2
    world.shelf.freezer[world.beside[0]] = "GLACIER"
    assert world.audit(read_back=True).by_outcome["archived"] == 1


def test_one_that_is_too_large_is_not_read_to_its_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """No index is as large as that."""
    world.replace(world.beside[0], bytes(5000))
    monkeypatch.setattr(stage, "INDEX_BYTES_MAX", 4000)
    assert {"as-proved": 2 * len(world.beside) - 1, "changed": 1} == world.audit().by_outcome


def test_a_manifest_under_a_second_key(tmp_path: Path) -> None:
    """A file of the source may have its key; then it is looked for where it went. One that is nowhere is told by its key."""
    world = World(tmp_path, GROUPING)
    key = world.beside[0]
    text = b"".join(world.shelf.read(key))
    second = second_key(key, hashlib.sha256(text).digest())
    world.shelf.put(second, text)
    world.replace(key, b"a file of the source")
    expected = {"as-proved": 6}
    assert [expected, expected] == [world.audit().by_outcome, world.audit(read_back=True).by_outcome]
    del world.shelf.objects[key]
    assert expected == world.audit().by_outcome
    world.shelf.put(key, b"a file of the source")
    world.replace(second, b"{}")
    assert expected | {"as-proved": 5, "changed": 1} == world.audit().by_outcome
    assert world.told[key] == "changed"


def test_a_ledger_that_has_not_all_receipts(world: World) -> None:
    """Of some files of an object only: then the text must be an index of so many files, of this codec."""
    with world.machine.ledger() as ledger, ledger._database as database:
        database.execute("DELETE FROM receipt WHERE id IN (SELECT min(id) FROM receipt GROUP BY bundle)")
    assert {"as-proved": 2 * len(world.beside)} == world.audit(lists=True).by_outcome
    told = json.loads(b"".join(world.shelf.read(world.beside[0])))
    told["members"].pop()
    world.replace(world.beside[0], json.dumps(told).encode())
    world.replace(world.beside[1], b"no index")
    del world.shelf.objects[world.beside[2]]
    by_outcome = world.audit().by_outcome
    assert (by_outcome["changed"], by_outcome["missing"]) == (2, 1)


def test_a_sample_has_the_index_of_what_it_has(world: World) -> None:
    """And no other."""
    assert world.audit(share=0.01).by_outcome == {"as-proved": 2}
    (of,) = set(world.told) - set(world.beside)
    assert {of, next(key for key in world.beside if key.startswith(of))} == set(world.told)


def test_files_alone_have_none(tmp_path: Path) -> None:
    """One request each."""
    world = World(tmp_path, JOB)
    assert world.audit().by_outcome == {"as-proved": 40}


def test_receipts_of_another_object_in_between(tmp_path: Path) -> None:
    """Their numbers may lie among those of a bundle, where it was recorded twice: each text is of its own files."""
    world = World(tmp_path)
    with world.machine.ledger() as ledger, ledger._database as database:
        columns = [row[1] for row in database.execute("PRAGMA table_info(receipt)") if row[1] != "id"]
        named = ", ".join(columns)
        database.execute(f"INSERT INTO receipt ({named}) SELECT {named} FROM receipt ORDER BY sha256")
    assert {"as-proved": 2 * len(world.beside)} == world.audit().by_outcome


def _rows(world: World) -> Iterator[Wanted]:
    with History(world.machine.state) as history:
        yield from history.sample("", 1.0, 0)


def test_what_is_wanted_of_one(world: World) -> None:
    """Its key, the object it speaks of, and how many files are in that."""
    found = [one for one in _rows(world) if one.beside is not None]
    assert sorted(world.beside) == sorted(one.key for one in found)
    assert len(CONTENTS) == sum(one.beside.files for one in found if one.beside)
    assert all(one.beside and one.key.startswith(one.beside.of) and one.path == one.key for one in found)
