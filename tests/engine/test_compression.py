"""Compressed on their way: small files in memory, large ones as they are sent."""

import bz2
import random
from pathlib import Path

import pytest

from engine.world import JOB, Machine
from outhaul.model.errors import SourceUnreadable, UploadGone
from outhaul.testing.steps import Crash, Steps
from outhaul.testing.store import Fault

CSV = b"".join(b"%d;%d\n" % (number, number * 7 % 1000) for number in range(400))
LARGE = b"".join(b"%d;%d\n" % (number, random.Random(number).randrange(10**9)) for number in range(12_000))
BZIP2 = JOB._replace(compress="bzip2")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A new one."""
    return Machine(str(tmp_path / "state"))


@pytest.mark.parametrize("content", [b"", b"x", CSV, LARGE])
@pytest.mark.parametrize("after", ["delete", "keep"])
def test_a_file_is_compressed_proved_and_let_go(machine: Machine, content: bytes, after: str) -> None:
    """What is stored decompresses to the file; its receipt knows both digests, and lets go of the file."""
    machine.produce("a/one.csv", content)
    job = BZIP2._replace(after=after)  # type: ignore[arg-type]
    expected = {"removed": 1} if after == "delete" else {"kept": 1}
    assert machine.run(job).tally.by_reason == expected
    ((key, stored),) = machine.stored().items()
    assert (key, bz2.decompress(stored)) == ("site/a/one.csv.bz2", content)
    if after == "keep":
        assert machine.run(job).tally.by_reason == {"unchanged": 1}


def test_auto_leaves_what_does_not_become_smaller(machine: Machine) -> None:
    """It goes by the content: noise stays as it is, under its own name."""
    noise = random.Random(1).randbytes(9000)
    machine.produce("noise.csv", noise)
    machine.produce("text.jpg", CSV)
    machine.produce("empty", b"")
    machine.produce("tiny", b"ab")
    machine.run(JOB._replace(compress="auto"))
    assert set(machine.stored()) == {"site/noise.csv", "site/text.jpg.zst", "site/empty", "site/tiny"}
    assert machine.stored()["site/noise.csv"] == noise


@pytest.mark.parametrize("rule", ["keep-both", "hold", "replace"])
@pytest.mark.parametrize("content", [CSV, LARGE])
def test_other_bytes_under_its_key(machine: Machine, rule: str, content: bytes) -> None:
    """The rule of the job holds for compressed files too; the same bytes are adopted."""
    machine.produce("one", content)
    machine.store.put("site/one.bz2", b"other")
    outcome = machine.run(BZIP2._replace(on_conflict=rule))  # type: ignore[arg-type]
    stored = machine.stored()
    if rule == "hold":
        assert (outcome.tally.by_reason, stored) == ({"conflict": 1}, {"site/one.bz2": b"other"})
        return
    assert outcome.tally.by_reason == {"removed": 1}
    assert [bz2.decompress(value) for value in stored.values() if value != b"other"] == [content]
    assert len(stored) == (1 if rule == "replace" else 2)
    machine.produce("one", content)
    assert machine.run(BZIP2._replace(on_conflict=rule)).tally.adopted == 1  # type: ignore[arg-type]


def test_a_large_one_goes_on_after_a_crash(machine: Machine) -> None:
    """Encoding gives the same bytes again, so the parts that are there are not sent again."""
    machine.produce("large", LARGE)
    steps = Steps()

    def end() -> None:
        raise Crash

    steps.before("store.put_large", end)
    with pytest.raises(Crash):
        machine.run(BZIP2, steps=steps)
    sent = machine.store.parts_sent
    assert sent > 1
    assert machine.run(BZIP2).tally.by_reason == {"removed": 1}
    assert machine.store.parts_sent == sent
    assert bz2.decompress(machine.stored()["site/large.bz2"]) == LARGE


def test_another_compression_begins_anew(machine: Machine) -> None:
    """What was begun under another name is forgotten."""
    machine.produce("large", LARGE)
    steps = Steps()

    def end() -> None:
        raise Crash

    steps.before("store.put_large", end)
    with pytest.raises(Crash):
        machine.run(BZIP2, steps=steps)
    assert machine.run(JOB).tally.by_reason == {"removed": 1}
    assert (machine.store.uploads, machine.stored()) == ({}, {"site/large": LARGE})


def test_a_large_one_that_changes_while_it_is_sent(machine: Machine) -> None:
    """No object comes to be of it."""
    machine.produce("large", LARGE)
    steps = Steps()
    steps.before("store.put_part", lambda: machine.files.append("large", b"more"))
    assert machine.run(BZIP2, steps=steps).tally.by_reason == {"changed": 1}
    assert machine.stored() == {}
    assert machine.run(BZIP2).tally.by_reason == {"removed": 1}


def test_a_store_that_fails_in_the_middle_ends_the_codec(machine: Machine) -> None:
    """And the file goes in the next attempt."""
    machine.produce("large", LARGE)
    machine.store.fail("put_part", Fault(UploadGone("no such upload")))
    assert machine.run(BZIP2).tally.by_reason == {"removed": 1}
    assert bz2.decompress(machine.stored()["site/large.bz2"]) == LARGE


def test_a_source_that_fails_while_it_is_compressed(machine: Machine) -> None:
    """It is the source that is named, not the codec."""
    machine.produce("large", LARGE)
    steps = Steps()

    def fault() -> None:
        raise SourceUnreadable("Input/output error")

    steps.before("files.pread", fault)
    assert machine.run(BZIP2, steps=steps).tally.by_reason == {"unreadable": 1}
    assert machine.run(BZIP2).tally.by_reason == {"removed": 1}
