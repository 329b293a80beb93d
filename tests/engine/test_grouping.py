"""Groups: the files of a directory in one object, all or none, with every ending of the process in between."""

import gzip
import io
import random
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.world import JOB, Machine
from outhaul.codecs import open_codec
from outhaul.engine.retry import ATTEMPTS_IN_A_RUN
from outhaul.model.bundle import index_of, is_beside
from outhaul.model.errors import Conflict, Denied, Refused, SourceInUse, SourceUnreadable, StoreError, Transient
from outhaul.stages.group import Pieces
from outhaul.testing.steps import Crash, Steps
from outhaul.testing.store import Fault

GROUPING = JOB._replace(groups=("run-*",), companions=("logs/{name}.log",))
FILES = {
    **{f"run-1/{number}": random.Random(number).randbytes(300 + number) for number in range(6)},
    "run-1/deep/er/x": b"deep",
    "run-1/empty": b"",
    "logs/run-1.log": b"log of 1",
}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """With one group, and a file of no group."""
    machine = Machine(str(tmp_path / "state"))
    for path, content in FILES.items():
        machine.produce(path, content)
    machine.produce("else", b"else")
    return machine


def inside(machine: Machine, key: str = "site/run-1.tar") -> dict[str, bytes]:
    """The files in a tar of the store."""
    with tarfile.open(fileobj=io.BytesIO(machine.stored()[key])) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]


def test_a_group_is_one_object_and_a_manifest(machine: Machine) -> None:
    """Its files are in one tar, each with a receipt; sources and directories are gone, the companion's own stays."""
    assert machine.run(GROUPING).tally.by_reason == {"removed": len(FILES) + 1}
    assert inside(machine) == FILES
    assert set(machine.stored()) == {"site/run-1.tar", "site/run-1.tar.manifest.json", "site/else"}
    assert machine.files.files() == {}
    assert machine.files.find("run-1") is None
    assert machine.files.find("logs") is not None
    manifest = index_of(machine.stored()["site/run-1.tar.manifest.json"])
    body = machine.stored()["site/run-1.tar"]
    assert (manifest.size, {one.path for one in manifest.members}) == (len(body), set(FILES))
    assert {one.path: body[one.within.offset :][: one.size] for one in manifest.members} == FILES


def test_a_group_in_which_a_file_has_several_names_goes_whole(machine: Machine) -> None:
    """That one name has gone does not keep the next, though it has set its change time."""
    machine.files.link("run-1/3", "run-1/second")
    assert machine.run(GROUPING).tally.by_reason == {"removed": len(FILES) + 2}
    assert inside(machine) == {**FILES, "run-1/second": FILES["run-1/3"]}
    assert machine.files.files() == {}


def test_a_group_that_the_store_has_lost_stays(machine: Machine) -> None:
    """As a whole; the next run carries it anew."""
    machine.run(GROUPING._replace(after="keep"))
    machine.store.objects.clear()
    assert machine.run(GROUPING).tally.by_reason == {"missing": len(FILES) + 1}
    assert set(FILES) < set(machine.files.files())
    assert machine.run(GROUPING).tally.by_reason == {"removed": len(FILES) + 1}
    assert inside(machine) == FILES


def test_too_little_memory_for_a_group(machine: Machine) -> None:
    """All of it is held; what is of no group goes."""
    steps = Steps()

    def fault() -> None:
        raise MemoryError

    steps.before("files.pread", fault, "3")
    assert machine.run(GROUPING, steps=steps).tally.by_reason == {"memory": len(FILES), "removed": 1}


@pytest.mark.parametrize("small_max", [1 << 16, 1 << 9])
@pytest.mark.parametrize("codec", ["gzip", "zstd"])
def test_a_compressed_group_opens_as_one(machine: Machine, codec: str, small_max: int) -> None:
    """Whether it is small or sent in parts; and its manifest says where each file is."""
    machine.store.small_max = small_max
    machine.run(GROUPING._replace(compress=codec))
    key = {"gzip": "site/run-1.tar.gz", "zstd": "site/run-1.tar.zst"}[codec]
    assert key in machine.stored()
    if codec == "gzip":
        assert inside(machine, key) == FILES


def test_it_waits_for_its_last_file(machine: Machine) -> None:
    """One that has not settled holds all; each is accounted for, and nothing is sent."""
    machine.clock.advance(100)
    machine.files.write("run-1/late", b"late")
    waiting = GROUPING._replace(quiet_ns=30 * 10**9)
    assert machine.run(waiting).tally.by_reason == {"quiet": 1, "group": len(FILES), "removed": 1}
    assert set(machine.stored()) == {"site/else"}
    machine.clock.advance(31)
    assert machine.run(waiting).tally.by_reason == {"removed": len(FILES) + 1}
    assert inside(machine) == {**FILES, "run-1/late": b"late"}


def test_it_waits_for_its_companion(machine: Machine) -> None:
    """And a companion waits for its directory: neither goes alone."""
    machine.files.remove("logs/run-1.log")
    machine.files.write("logs/run-2.log", b"log of 2")
    assert machine.run(GROUPING).tally.by_reason == {"group": len(FILES), "removed": 1}
    assert set(machine.stored()) == {"site/else"}
    machine.files.write("logs/run-1.log", b"late")
    machine.files.write("run-2/x", b"x")
    assert machine.run(GROUPING).tally.by_reason == {"removed": len(FILES) + 2}
    assert inside(machine, "site/run-2.tar") == {"run-2/x": b"x", "logs/run-2.log": b"log of 2"}


def test_an_empty_directory_is_no_group_yet(machine: Machine) -> None:
    """Its companion alone does not make it one."""
    machine.files.write("logs/run-3.log", b"log of 3")
    machine.files.write("run-3/x", b"x")
    machine.files.remove("run-3/x")
    assert machine.run(GROUPING).tally.by_reason == {"group": 1, "removed": len(FILES) + 1}


def test_a_directory_that_cannot_be_read_holds_its_group(machine: Machine) -> None:
    """What is in it is not known, so nothing goes."""
    inode = machine.files.find("run-1/deep")
    assert inode is not None
    inode.readable = False
    tally = machine.run(GROUPING).tally.by_reason
    assert tally == {"group": len(FILES) - 1, "closed-directory": 1, "removed": 1}


def test_one_file_in_use_holds_all(machine: Machine) -> None:
    """It is told which; the others wait for it."""
    inode = machine.files.find("run-1/3")
    assert inode is not None
    inode.writers += 1
    assert machine.run(GROUPING).tally.by_reason == {"in-use": 1, "group": len(FILES) - 1, "removed": 1}
    assert set(machine.stored()) == {"site/else"}


def test_where_one_has_changed_none_goes(machine: Machine) -> None:
    """Changed after it was sent: all stay, and the group is carried anew, beside the first."""
    steps = Steps()
    steps.before("ledger.record", lambda: machine.produce("run-1/3", b"changed"))
    machine.run(GROUPING, steps=steps)
    assert set(machine.files.files()) == set(FILES)
    machine.run(GROUPING)
    assert machine.files.files() == {}
    (second,) = [key for key in machine.stored() if key.startswith("site/run-1.tar~") and not key.endswith(".json")]
    assert inside(machine, second) == {**FILES, "run-1/3": b"changed"}


def test_a_kept_group_is_sent_once(machine: Machine) -> None:
    """And again, as a whole, when one of its files has changed."""
    keeping = GROUPING._replace(after="keep")
    assert machine.run(keeping).tally.by_reason == {"kept": len(FILES) + 1}
    assert machine.run(keeping).tally.by_reason == {"unchanged": len(FILES) + 1}
    machine.produce("run-1/3", b"changed")
    assert machine.run(keeping).tally.by_reason == {"unchanged": 1, "kept": len(FILES)}


def test_a_dry_run_names_all_and_sends_nothing(machine: Machine) -> None:
    """Each file of a group is planned."""
    assert machine.run(GROUPING, dry_run=True).tally.by_reason == {"planned": len(FILES) + 1}
    assert machine.stored() == {}


def test_a_large_group_goes_on_after_a_crash(machine: Machine) -> None:
    """Its parts are not sent again: the same files make the same tar."""
    machine.store.small_max, machine.store.part_bytes = 512, 1024
    steps = Steps()
    steps.before("store.put_large", _end)
    with pytest.raises(Crash):
        machine.run(GROUPING, steps=steps)
    sent = machine.store.parts_sent
    assert machine.run(GROUPING).tally.by_reason.get("removed", 0) >= len(FILES)
    assert (machine.store.parts_sent, machine.store.uploads) == (sent, {})
    assert inside(machine) == FILES


def test_a_group_whose_upload_the_store_forgot_is_begun_anew(machine: Machine) -> None:
    """In the same pass."""
    machine.store.small_max, machine.store.part_bytes = 512, 1024
    steps = Steps()
    steps.before("store.put_large", _end)
    with pytest.raises(Crash):
        machine.run(GROUPING, steps=steps)
    machine.store.uploads.clear()
    assert machine.run(GROUPING).tally.by_reason == {"removed": len(FILES) + 1}
    assert (inside(machine), machine.store.uploads) == (FILES, {})


def test_a_large_group_that_changed_abandons_what_was_begun(machine: Machine) -> None:
    """What was sent of the other bytes is not left in the store."""
    machine.store.small_max, machine.store.part_bytes = 512, 1024
    steps = Steps()
    steps.before("store.put_large", _end)
    with pytest.raises(Crash):
        machine.run(GROUPING, steps=steps)
    machine.produce("run-1/3", b"changed")
    machine.run(GROUPING)
    assert (machine.files.files(), machine.store.uploads) == ({}, {})
    assert inside(machine) == {**FILES, "run-1/3": b"changed"}


@pytest.mark.parametrize("method", ["put", "put_large", "begin_large", "put_part"])
@pytest.mark.parametrize("after", [False, True])
def test_an_answer_that_is_lost_is_found_out(machine: Machine, method: str, after: bool) -> None:
    """The group is tried again in the same pass, and adopted where it had arrived."""
    if method != "put":
        machine.store.small_max, machine.store.part_bytes = 512, 1024
    machine.store.fail(method, Fault(Transient("no answer"), after), Fault(Transient("no answer"), after))
    assert machine.run(GROUPING).tally.by_reason == {"removed": len(FILES) + 1}
    assert inside(machine) == FILES
    assert [parts for _, parts in machine.store.uploads.values() if parts] == []  # An empty one costs nothing.


def test_a_store_that_never_answers_is_given_up(machine: Machine) -> None:
    """Its files wait for the next run."""
    machine.store.fail("put", *[Fault(Transient("no answer"))] * 50)
    machine.run(GROUPING)
    assert set(FILES) <= set(machine.files.files())
    machine.store.faults.clear()
    machine.run(GROUPING)
    assert inside(machine) == FILES


def test_a_group_is_tried_so_often_in_a_run(machine: Machine) -> None:
    """Then it waits for the next one."""
    machine.files.remove("else")
    machine.store.fail("put", *[Fault(Transient("no answer"))] * ATTEMPTS_IN_A_RUN)
    assert machine.run(GROUPING).tally.by_reason == {"retry": len(FILES)}
    assert machine.run(GROUPING).tally.by_reason == {"removed": len(FILES)}


def test_a_file_that_cannot_be_read_is_named(machine: Machine) -> None:
    """The others wait for it."""
    steps = Steps()

    def fail() -> None:
        raise SourceUnreadable("Input/output error")

    steps.before("files.pread", fail, about="3")
    tally = machine.run(GROUPING, steps=steps).tally.by_reason
    assert tally == {"unreadable": 1, "group": len(FILES) - 1, "removed": 1}


def test_what_it_waits_for_is_told_with_its_reason(machine: Machine) -> None:
    """Where the error itself says nothing more, as that of a file in use, in the words of the reason."""
    steps = Steps()

    def fail() -> None:
        raise SourceInUse

    steps.before("files.pread", fail, about="3")
    machine.run(GROUPING, steps=steps)
    assert machine.observations("run-1")["4"].detail == "run-1/3: open for writing by another process"


def test_a_small_group_that_was_begun_larger_is_begun_anew(machine: Machine) -> None:
    """The store has grown: what was to go in parts goes at once, and the parts are forgotten."""
    machine.store.small_max, machine.store.part_bytes = 512, 1024
    steps = Steps()
    steps.before("store.put_large", _end)
    with pytest.raises(Crash):
        machine.run(GROUPING, steps=steps)
    machine.store.small_max = 1 << 16
    assert machine.run(GROUPING).tally.by_reason == {"removed": len(FILES) + 1}
    assert (machine.store.uploads, inside(machine)) == ({}, FILES)


def test_a_change_while_the_group_is_read_is_noticed(machine: Machine) -> None:
    """Of a file that had been read already, or of the one being read, or one that is taken away: all wait, none is lost."""
    hands = (
        ("7", lambda: machine.produce("run-1/0", b"other")),
        ("empty", lambda: machine.files.remove("run-1/0")),
        ("5", lambda: machine.produce("run-1/5", b"other")),
    )
    for name, hand in hands:
        steps = Steps()
        steps.before("files.unchanged", hand, about=name if name != "7" else "empty")
        tally = machine.run(GROUPING, steps=steps).tally.by_reason
        assert tally.get("changed", 0) + tally.get("vanished", 0) >= 1
        assert [key for key in machine.stored() if key.endswith(".manifest.json")] == []
    machine.run(GROUPING)
    assert machine.files.files() == {}


@pytest.mark.parametrize("when", [1, 2])
def test_a_manifest_that_is_refused_leaves_all(machine: Machine, when: int) -> None:
    """The object is there, and does not count; the group is tried again, and then counts."""
    machine.store.fail("put", *[Fault(Transient("no answer"))] * (5 * when))
    machine.run(GROUPING)
    machine.store.faults.clear()
    steps = Steps()

    def deny() -> None:
        machine.store.fail("put", Fault(Denied("403")))

    steps.before("ledger.begin_bundle", deny)
    machine.run(GROUPING, steps=steps)
    machine.store.faults.clear()
    machine.run(GROUPING)
    assert (inside(machine), machine.files.files()) == (FILES, {})


def test_a_removal_that_fails_keeps_the_rest(machine: Machine) -> None:
    """With the first that cannot go it ends; what is left goes as a group later."""
    steps = Steps()
    steps.before("files.take_aside", lambda: machine.produce("run-1/1", b"replaced"), about="1")
    tally = machine.run(GROUPING, steps=steps).tally.by_reason
    assert tally["group"] >= 1
    assert machine.files.find("logs/run-1.log") is not None
    machine.run(GROUPING)
    assert machine.files.files() == {}


def test_what_somebody_else_removed_is_gone(machine: Machine) -> None:
    """It hinders no other, and is told."""
    steps = Steps()
    steps.before("ledger.record", lambda: machine.files.remove("run-1/1"))
    assert machine.run(GROUPING, steps=steps).tally.by_reason == {"removed": len(FILES), "gone": 1}
    assert machine.files.find("run-1") is None


def test_a_file_that_is_in_use_at_the_end_holds_all(machine: Machine) -> None:
    """It was sent; and none goes while one is written to."""
    steps = Steps()
    inode = machine.files.find("run-1/1")
    assert inode is not None

    def hold() -> None:
        inode.writers += 1

    steps.before("ledger.record", hold)
    assert machine.run(GROUPING, steps=steps).tally.by_reason == {"in-use": 1, "group": len(FILES) - 1, "removed": 1}
    inode.writers -= 1
    assert machine.run(GROUPING).tally.by_reason == {"removed": len(FILES)}


def test_a_group_that_vanishes_during_the_walk_waits(machine: Machine) -> None:
    """What is in it is not known."""
    steps = Steps()
    steps.before("files.listings", _remove_all(machine, "run-1/deep/er"), about="run-1/deep/er")
    machine.run(GROUPING, steps=steps)
    assert [key for key in machine.stored() if "run-1" in key] == []


def test_two_directories_of_one_name_share_no_companion(machine: Machine) -> None:
    """It goes with the first; the other does not wait for it."""
    machine.produce("b/run-1/x", b"x")
    machine.run(GROUPING)
    assert machine.files.files() == {}
    tars = [inside(machine, key) for key in machine.stored() if key.endswith(".tar")]
    assert sorted("logs/run-1.log" in tar for tar in tars) == [False, True]


def test_pieces_are_known_by_their_codec() -> None:
    """Where a tar is cut follows from its files."""
    codec = open_codec("gzip")
    assert Pieces(codec, [0]).fingerprint == codec.fingerprint


def test_a_large_group_is_compressed_in_pieces(tmp_path: Path) -> None:
    """One of its files comes back from its piece alone."""
    machine = Machine(str(tmp_path / "state"))
    for number in range(4):
        machine.produce(f"run-9/{number}", random.Random(number).randbytes(1 << 20))
    machine.run(GROUPING._replace(companions=(), compress="gzip"))
    manifest = index_of(machine.stored()["site/run-9.tar.gz.manifest.json"])
    assert len({one.within.offset for one in manifest.members}) == 4
    body = machine.stored()["site/run-9.tar.gz"]
    for one in manifest.members:
        piece = gzip.decompress(body[one.within.offset :][: one.within.length])
        assert piece[one.within.at :][: one.size] in machine.produced


def test_a_key_that_is_too_long_holds_the_group(tmp_path: Path) -> None:
    """As it holds a file."""
    machine = Machine(str(tmp_path / "state"))
    for part in range(6):
        machine.produce("/".join(["d" * 200] * part + ["run-" + "x" * 200, "f"]), b"x")
    assert machine.run(GROUPING._replace(companions=())).tally.by_reason == {"removed": 4, "name-too-long": 2}


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("companion_changes", [False, True])
def test_no_ending_loses_a_file_or_parts_a_group(tmp_path: Path, when: str, companion_changes: bool) -> None:
    """Ended at any call: afterwards all files are in one tar that its manifest makes count, and the sources are gone."""
    number = 0
    while True:
        machine = Machine(str(tmp_path / f"{number}"))
        for path in ("run-1/1", "run-1/deep/er/x", "logs/run-1.log"):
            machine.produce(path, FILES[path])
        steps = Steps()
        steps.crash_at, steps.crash_when = number, "before" if when == "before" else "after"
        try:
            machine.run(GROUPING, steps=steps)
            break
        except Crash:
            pass
        if companion_changes and machine.files.find("logs/run-1.log"):
            machine.produced.discard(FILES["logs/run-1.log"])  # Its own writer has thrown these bytes away.
            machine.produce("logs/run-1.log", b"more")
        for _ in range(3):
            machine.clock.advance(700)
            machine.run(GROUPING)
        assert machine.files.files() == {}, f"call {number}"
        tars = {key for key in machine.stored() if "manifest" not in key}
        counted = {key for key in tars if f"{key}.manifest.json" in machine.stored()}
        found = [inside(machine, key) for key in counted]
        assert machine.produced <= {content for tar in found for content in tar.values()}, f"call {number}"
        number += 1
    assert number > 40


def _remove_all(machine: Machine, directory: str) -> Callable[[], None]:
    def remove() -> None:
        for path in [*machine.files.files(), directory]:
            if f"{path}/".startswith(f"{directory}/"):
                machine.files.remove(path)

    return remove


def _end() -> None:
    raise Crash


def test_a_file_that_has_the_key_of_the_manifest_hinders_nobody(machine: Machine) -> None:
    """It stays what it is: the manifest goes to a second key, whatever the job says of conflicts, and the group counts."""
    machine.produce("run-1.tar.manifest.json", b"a file of the user")
    assert machine.run(GROUPING._replace(on_conflict="hold")).tally.by_reason == {"removed": len(FILES) + 2}
    assert machine.stored()["site/run-1.tar.manifest.json"] == b"a file of the user"
    (second,) = [key for key in machine.stored() if is_beside(key) and "~" in key]
    assert set(FILES) == {one.path for one in index_of(machine.stored()[second]).members}


@pytest.mark.parametrize("why", [Conflict("both keys are taken"), Refused("its key is too long")])
def test_a_manifest_that_cannot_be_sent_stops_no_other_file(machine: Machine, why: StoreError) -> None:
    """Its group is held, and in no later run is that a fault of the store."""
    steps = Steps()
    steps.before("ledger.begin_bundle", lambda: machine.store.fail("put", Fault(why)))
    machine.run(GROUPING, steps=steps)
    machine.store.fail("put", Fault(why))
    machine.produce("another", b"another")
    assert machine.run(GROUPING).destination_fault == ""
    assert machine.stored()["site/another"] == b"another"


def test_a_companion_in_the_directory_itself_is_one_file(machine: Machine) -> None:
    """It is waited for, and it is in the tar once."""
    job = GROUPING._replace(companions=("{name}/done",))
    assert machine.run(job).tally.by_reason == {"group": len(FILES) - 1, "removed": 2}
    machine.produce("run-1/done", b"")
    assert machine.run(job).tally.by_reason == {"removed": len(FILES)}
    with tarfile.open(fileobj=io.BytesIO(machine.stored()["site/run-1.tar"])) as archive:
        assert [name for name in archive.getnames() if name == "run-1/done"] == ["run-1/done"]


def test_a_directory_may_be_called_like_a_placeholder(machine: Machine) -> None:
    """What is put in for one is not looked at again."""
    machine.produce("{name} {path}/x", b"x")
    machine.produce("{name} {path}.log", b"log")
    machine.run(GROUPING._replace(groups=("{*",), companions=("{path}.log",)))
    assert inside(machine, "site/{name} {path}.tar") == {"{name} {path}/x": b"x", "{name} {path}.log": b"log"}
