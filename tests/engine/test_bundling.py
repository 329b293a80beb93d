"""Bundles: many small files in one object, with every ending of the process in between."""

import io
import random
import tarfile
from pathlib import Path

import pytest

from engine.world import JOB, Machine
from outhaul.codecs import open_codec
from outhaul.model.bundle import index_of
from outhaul.model.errors import Denied, Misconfigured, Transient
from outhaul.testing.steps import Crash, Steps
from outhaul.testing.store import Fault
from stages.faulty import Faulty

BUNDLING = JOB._replace(bundle_bytes=64 << 10, bundle_file_max=8 << 10)
CONTENTS = {f"d{number % 3}/file-{number}": random.Random(number).randbytes(400 + number) for number in range(40)}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """With forty small files, and one that is too large to travel with them."""
    machine = Machine(str(tmp_path / "state"))
    for path, content in CONTENTS.items():
        machine.produce(path, content)
    machine.produce("d0/large", bytes(9 << 10))
    return machine


def carried(machine: Machine) -> dict[str, bytes]:
    """All files that the tars in the store hold, by path."""
    found: dict[str, bytes] = {}
    for key, content in machine.stored().items():
        if key.endswith(".tar"):
            with tarfile.open(fileobj=io.BytesIO(content)) as archive:
                for member in archive:
                    file = archive.extractfile(member)
                    assert file is not None
                    found[member.name] = file.read()
    return {path: content for path, content in found.items() if not path.startswith(".outhaul-index")}


def test_small_files_travel_together_and_a_large_one_alone(machine: Machine) -> None:
    """One object and its index for what fits, receipts for each file, and sources that are gone."""
    outcome = machine.run(BUNDLING)
    assert outcome.tally.by_reason == {"removed": 41}
    assert carried(machine) == CONTENTS
    assert bytes(9 << 10) == machine.stored()["site/d0/large"]
    keys = sorted(machine.stored())
    assert len(keys) == 3
    assert machine.files.files() == {}
    text = machine.stored()[next(key for key in keys if key.endswith(".index.json"))]
    listed = index_of(text).members
    body = machine.stored()[next(key for key in keys if key.endswith(".tar"))]
    assert {one.path: body[one.within.offset : one.within.offset + one.size] for one in listed} == CONTENTS
    assert text in body


def test_a_bundle_ends_where_it_is_full(machine: Machine) -> None:
    """Several bundles of about the size that the job names."""
    small = BUNDLING._replace(bundle_bytes=16 << 10)
    machine.run(small)
    tars = [len(content) for key, content in machine.stored().items() if key.endswith(".tar")]
    assert carried(machine) == CONTENTS
    assert 3 <= len(tars) <= 5
    assert max(tars) < 64 << 10


def test_a_file_that_is_alone_goes_as_it_is(tmp_path: Path) -> None:
    """One file is no bundle."""
    machine = Machine(str(tmp_path / "state"))
    machine.produce("only", b"x")
    machine.run(BUNDLING)
    assert machine.stored() == {"site/only": b"x"}


def test_files_wait_for_others_as_long_as_the_job_says(machine: Machine) -> None:
    """Not full: they wait, and are remembered; when the time is over they go."""
    waiting = BUNDLING._replace(bundle_wait_ns=60 * 10**9)
    assert machine.run(waiting).tally.by_reason == {"bundle": 40, "removed": 1}
    machine.clock.advance(30)
    assert machine.run(waiting).tally.by_reason == {"bundle": 40}
    machine.clock.advance(31)
    assert machine.run(waiting).tally.by_reason == {"removed": 40}
    assert carried(machine) == CONTENTS


def test_one_bad_file_stops_no_other(machine: Machine) -> None:
    """What is in use waits; the others travel."""
    inode = machine.files.find("d1/file-1")
    assert inode is not None
    inode.writers += 1
    assert machine.run(BUNDLING).tally.by_reason == {"removed": 40, "in-use": 1}
    assert CONTENTS.keys() - {"d1/file-1"} == carried(machine).keys()


def test_a_compressed_bundle_is_made_of_streams(machine: Machine) -> None:
    """The ordinary programs open it as one tar, and one file needs little of it."""
    machine.run(BUNDLING._replace(compress="gzip"))
    (body,) = [content for key, content in machine.stored().items() if key.endswith(".tar.gz")]
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        names = [name for name in archive.getnames() if not name.startswith(".")]
    assert sorted(CONTENTS) == names


@pytest.mark.parametrize("method", ["put"])
@pytest.mark.parametrize("after", [False, True])
def test_an_answer_that_is_lost_is_found_out(machine: Machine, method: str, after: bool) -> None:
    """It is tried again in the same pass, and adopted where it had arrived."""
    machine.store.fail(method, Fault(Transient("no answer"), after), Fault(Transient("no answer"), after))
    assert machine.run(BUNDLING).tally.by_reason == {"removed": 41}
    assert carried(machine) == CONTENTS
    assert len(machine.stored()) == 3


def test_a_bundle_that_was_never_sent_is_looked_for_ten_minutes(machine: Machine) -> None:
    """Its request may still arrive; then it is forgotten, and its files have gone in another one."""
    steps = Steps()

    def end() -> None:
        raise Crash

    machine.files.remove("d0/large")
    machine.produced.clear()
    steps.before("store.put", end)
    with pytest.raises(Crash):
        machine.run(BUNDLING, steps=steps)
    machine.produce("d0/another", b"another")
    begun = []
    for seconds in (0, 700):
        machine.clock.advance(seconds)
        machine.run(BUNDLING)
        with machine.ledger() as ledger:
            begun.append(len(ledger.bundles(ledger.place(BUNDLING))))
    assert begun == [1, 0]
    assert carried(machine) == {**CONTENTS, "d0/another": b"another"}


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
def test_no_ending_leaves_a_bundle_that_nobody_knows(tmp_path: Path, when: str) -> None:
    """Ended at any call, and with another file there afterwards: each object in the store is known to the ledger.

    So nothing is lost, and nothing is paid for that nobody will find.
    """
    number = 0
    while True:
        machine = Machine(str(tmp_path / f"{when}-{number}"))
        for path, content in list(CONTENTS.items())[:4]:
            machine.produce(path, content)
        steps = Steps()
        steps.crash_at, steps.crash_when = number, "before" if when == "before" else "after"
        try:
            machine.run(BUNDLING, steps=steps)
            break
        except Crash:
            pass
        machine.produce("d0/another", b"another")  # So the next bundle would be another one.
        machine.run(BUNDLING)
        machine.clock.advance(700)  # What the store does not have is looked for until then.
        machine.run(BUNDLING)
        assert machine.files.files() == {}, f"call {number}"
        assert machine.produced <= set(carried(machine).values()) | set(machine.stored().values()), f"call {number}"
        with machine.ledger() as ledger:
            place = ledger.place(BUNDLING)
            known = {
                receipt.key
                for directory in ("d0", "d1", "d2")
                for receipt in ledger.receipts(place, directory, [f"file-{n}" for n in range(4)] + ["another"]).values()
            }
            assert ledger.bundles(place) == []
        objects = {key.removesuffix(".index.json") for key in machine.stored()}
        assert objects == known, f"call {number}"
        number += 1
    assert number > 40


def test_a_bundle_of_an_earlier_process_is_looked_for(machine: Machine) -> None:
    """Sent, and ended before it was recorded: its files are not sent again."""
    steps = Steps()
    steps.before("ledger.record", _end)
    with pytest.raises(Crash):
        machine.run(BUNDLING, steps=steps)
    before = machine.stored()
    machine.files.remove("d2/file-2")  # Somebody else's hand: the bundle would be another one now.
    assert machine.run(BUNDLING).tally.by_reason == {"removed": 40}
    assert before.items() <= machine.stored().items()
    assert len(before) + ("site/d0/large" not in before) == len(machine.stored())


def test_what_the_store_does_not_tell_stops_the_pass(machine: Machine) -> None:
    """Whether it has the bundle is unknown: nothing is sent until it is known. Where it is denied, it is sent anew."""
    steps = Steps()
    steps.before("ledger.record", _end)
    with pytest.raises(Crash):
        machine.run(BUNDLING, steps=steps)
    machine.store.fail("head", *[Fault(Transient("no answer"))] * 5)
    assert machine.run(BUNDLING).tally.by_reason == {"destination": 41}
    machine.store.fail("head", Fault(Denied("403")), Fault(Denied("403")))
    machine.run(BUNDLING)
    machine.run(BUNDLING)
    assert (machine.files.files(), carried(machine)) == ({}, CONTENTS)


def test_what_was_begun_alone_goes_on_alone(tmp_path: Path) -> None:
    """A file whose upload in parts was interrupted does not travel in a bundle: its parts would stay in the store."""
    machine = Machine(str(tmp_path / "state"))
    machine.store.small_max = 1 << 10
    machine.produce("alone", bytes(2 << 10))
    steps = Steps()
    steps.before("store.put_large", _end)
    with pytest.raises(Crash):
        machine.run(BUNDLING, steps=steps)
    machine.produce("another", b"x")
    assert machine.run(BUNDLING).tally.by_reason == {"removed": 2}
    assert (machine.store.uploads, set(machine.stored())) == ({}, {"site/alone", "site/another"})


def test_what_comes_out_larger_travels_as_it_is(machine: Machine) -> None:
    """With `auto`, by what is in the bundle as a whole: noise is not compressed, text is."""
    machine.run(BUNDLING._replace(compress="auto"))
    assert [key.rpartition(".")[2] for key in machine.stored() if "bundle" in key and "index" not in key] == ["tar"]
    for number in range(9):
        machine.produce(f"text/{number}", b"".join(b"%d;%d\n" % (row, number) for row in range(300)))
    machine.run(BUNDLING._replace(compress="auto"))
    assert [key for key in machine.stored() if key.endswith(".tar.zst")] != []


def test_a_large_bundle_is_made_of_many_streams(tmp_path: Path) -> None:
    """So that one file is read with little besides; whether they are worth it is judged by the first of them."""
    machine = Machine(str(tmp_path / "state"))
    for number in range(30):
        machine.produce(f"f{number:02}", random.Random(number).randbytes(500) * 90)
    machine.run(BUNDLING._replace(bundle_bytes=4 << 20, bundle_file_max=64 << 10, compress="auto"))
    (text,) = [content for key, content in machine.stored().items() if key.endswith(".json")]
    assert len({one.within.offset for one in index_of(text).members}) == 30


def test_auto_takes_the_smaller(tmp_path: Path) -> None:
    """What seemed worth it by its sample, and was not, is stored plain."""
    machine = Machine(str(tmp_path / "state"))
    machine.produce("a", b"x" * 200)
    machine.produce("b", b"y" * 200)

    class Wasteful(Faulty):
        plain_if_larger = True

        def encode_bytes(self, data: bytes) -> bytes:
            return b"".join(open_codec("bzip2").encode_bytes(data[at : at + 8]) for at in range(0, len(data), 8))

    machine.compression = lambda _job: Wasteful("")
    machine.run(BUNDLING)
    assert {key.rpartition(".")[2] for key in machine.stored()} == {"tar", "json"}


def test_a_codec_that_makes_a_mistake_stops_the_bundle(machine: Machine) -> None:
    """Its files are held, and nothing is sent."""
    machine.compression = lambda _job: Faulty("misread")
    assert machine.run(BUNDLING).tally.by_reason == {"unproved": 41}
    assert machine.stored() == {}


def test_where_nothing_can_be_read_there_is_no_bundle(machine: Machine) -> None:
    """All in use: all wait."""
    for path in machine.files.files():
        inode = machine.files.find(path)
        assert inode is not None
        inode.writers += 1
    assert machine.run(BUNDLING).tally.by_reason == {"in-use": 41}


def test_a_directory_that_is_gone_takes_its_files_along(machine: Machine) -> None:
    """The files of the others travel."""
    steps = Steps()

    def vanish() -> None:
        for path in list(machine.files.files()):
            if path.startswith("d1/"):
                machine.files.remove(path)
        machine.files.remove("d1")

    steps.before("files.folder", vanish)
    tally = machine.run(BUNDLING, steps=steps).tally.by_reason
    assert tally == {"vanished": 13, "removed": 28}


def test_a_file_that_changes_while_it_is_read_waits(machine: Machine) -> None:
    """It is not in the bundle."""
    steps = Steps()
    steps.before("files.unchanged", lambda: machine.produce("d0/file-0", b"other"), about="file-0")
    assert machine.run(BUNDLING, steps=steps).tally.by_reason == {"changed": 1, "removed": 40}


def test_a_run_that_is_asked_to_end_sends_no_bundle(machine: Machine) -> None:
    """What is packed stays where it is."""
    for method in ("files.unchanged", "ledger.begin_bundle"):
        steps = Steps()
        asked: list[bool] = []
        steps.before(method, lambda asked=asked: asked.append(True), about="file-39" if "files" in method else "")  # type: ignore[misc]
        machine.stopped = lambda asked=asked: bool(asked)  # type: ignore[misc]
        machine.run(BUNDLING, steps=steps)
        assert [key for key in machine.stored() if "bundle" in key] == []
    assert len([path for path in machine.files.files() if "file" in path]) == 40


def test_a_destination_that_fails_meanwhile_gets_no_bundle(machine: Machine) -> None:
    """The first bundle is refused for all time: the others are not even begun."""
    machine.store.fail("put", Fault(Denied("403")))
    machine.seed = 3
    small = BUNDLING._replace(bundle_bytes=8 << 10)
    machine.run(small)
    assert len(machine.files.files()) > 0
    machine.run(small)
    assert machine.files.files() == {}


def test_what_cannot_be_looked_for_stops_the_pass(machine: Machine) -> None:
    """The destination is at fault, and says so."""
    steps = Steps()
    steps.before("ledger.record", _end)
    with pytest.raises(Crash):
        machine.run(BUNDLING, steps=steps)
    machine.store.fail("head", Fault(Misconfigured("no such bucket")))
    outcome = machine.run(BUNDLING)
    assert (outcome.destination_fault, outcome.tally.by_reason) == ("no such bucket", {"destination": 41})


def test_other_bytes_under_its_key_are_no_bundle(machine: Machine) -> None:
    """Altered in the store after the process ended: its files are sent anew, to a second key."""
    steps = Steps()
    steps.before("ledger.record", _end)
    with pytest.raises(Crash):
        machine.run(BUNDLING, steps=steps)
    (key,) = [key for key in machine.stored() if key.endswith(".tar")]
    made = machine.store.objects[key][-1]
    machine.store.objects[key] = [made._replace(content=made.content[:-1], etag="x")]
    assert machine.run(BUNDLING).tally.by_reason.get("removed", 0) >= 40
    assert [found for found in machine.stored() if found.startswith(f"{key}~")] != []


def test_a_bundle_that_the_store_altered_proves_nothing(machine: Machine) -> None:
    """Its files stay, and are held."""
    machine.store.lies, machine.store.etag = True, "opaque"
    assert machine.run(BUNDLING).tally.by_reason == {"unproved": 41}
    assert len(machine.files.files()) == 41


def _end() -> None:
    raise Crash
