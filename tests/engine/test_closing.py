"""The end of a pass: archives and their retention, and empty directories."""

import bz2
import hashlib
from pathlib import Path

import pytest

from engine.world import JOB, Machine
from outhaul.model.errors import SourceUnreadable, SourceVanished
from outhaul.testing.files import ARCHIVE
from outhaul.testing.steps import Crash, Steps

DAY_NS = 86_400 * 10**9
ARCHIVING = JOB._replace(after="archive", archive=ARCHIVE, archive_keep_ns=30 * DAY_NS)
PRUNING = JOB._replace(empty_ns=DAY_NS)
DAY = 86_400.0


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A new one."""
    return Machine(str(tmp_path / "state"))


def carried(machine: Machine, *names: str) -> None:
    """Files of these names go to the store and the archive."""
    for name in names:
        machine.produce(f"a/{name}", name.encode())
    outcome = machine.run(ARCHIVING)
    assert {"archived": len(names)} == outcome.tally.by_reason


def test_an_archived_file_stays_as_long_as_the_job_says(machine: Machine) -> None:
    """It is there until its time is over, and then goes, its empty directory with it; the object stays."""
    carried(machine, "one", "two")
    assert machine.files.archived() == {"a/one": b"one", "a/two": b"two"}
    machine.clock.advance(29 * DAY)
    assert machine.run(ARCHIVING).tally.expired == 0
    machine.clock.advance(1 * DAY + 1)
    assert machine.run(ARCHIVING).tally.expired == 2
    assert (machine.files.archived(), machine.files.archive.entries) == ({}, {})
    assert machine.stored() == {"site/a/one": b"one", "site/a/two": b"two"}
    assert machine.run(ARCHIVING).tally.expired == 0
    assert machine.lost() == set()


def test_an_archive_is_for_ever_where_nothing_is_said(machine: Machine) -> None:
    """Without `keep` nothing leaves it."""
    carried(machine, "one")
    machine.clock.advance(3_000 * DAY)
    machine.run(ARCHIVING._replace(archive_keep_ns=0))
    assert machine.files.archived() == {"a/one": b"one"}


def test_only_what_has_a_receipt_leaves_the_archive(machine: Machine) -> None:
    """Whatever else is there stays, and so does what somebody has changed."""
    carried(machine, "one", "two")
    folder = machine.files.archive.entries["a"]
    folder.entries["two"].content = b"two, and notes"
    folder.entries["mine"] = folder.entries["two"]
    machine.clock.advance(31 * DAY)
    outcome = machine.run(ARCHIVING)
    assert outcome.tally.expired == 1
    assert set(machine.files.archived()) == {"a/two", "a/mine"}
    assert machine.run(ARCHIVING).tally.expired == 0


def test_what_cannot_leave_the_archive_is_told(machine: Machine) -> None:
    """A file that somebody writes to in the archive stays while he does."""
    carried(machine, "one")
    machine.clock.advance(31 * DAY)
    machine.files.archive.entries["a"].entries["one"].writers = 1
    assert machine.run(ARCHIVING).tally.expired == 0
    assert [text for text in machine.monitor.notices if "a/one" in text] != []


def test_a_second_name_in_the_archive_expires_too(machine: Machine) -> None:
    """A file whose name was taken there is found under its second name."""
    carried(machine, "one")
    machine.clock.advance(10 * DAY)
    machine.produce("a/one", b"another")
    machine.run(ARCHIVING)
    assert len(machine.files.archived()) == 2
    machine.clock.advance(25 * DAY)
    assert machine.run(ARCHIVING).tally.expired == 1
    assert list(machine.files.archived().values()) == [b"another"]
    machine.clock.advance(10 * DAY)
    assert machine.run(ARCHIVING).tally.expired == 1
    assert machine.files.archived() == {}


def test_what_somebody_took_out_of_the_archive_is_not_looked_for_again(machine: Machine) -> None:
    """It is gone, and that is noted."""
    carried(machine, "one")
    machine.files.archive.entries["a"].entries.clear()
    machine.clock.advance(31 * DAY)
    machine.run(ARCHIVING)
    with machine.ledger() as ledger:
        assert ledger.archived(ledger.place(ARCHIVING), 1 << 62, 0) == []


@pytest.mark.parametrize("jump_days", [3_650, -20_000])
def test_no_clock_that_has_jumped_empties_an_archive(machine: Machine, jump_days: int) -> None:
    """After a jump nothing expires in that boot (L7)."""
    carried(machine, "one")
    machine.clock.jump_wall(jump_days * DAY)
    assert machine.run(ARCHIVING).tally.expired == 0
    assert machine.files.archived() == {"a/one": b"one"}


def test_a_store_that_tells_another_time_keeps_the_archive(machine: Machine) -> None:
    """A clock that was wrong when the machine started is told by the store's; once they agree, what is old goes."""
    carried(machine, "one")
    machine.clock.advance(31 * DAY)
    machine.store.told_ns = machine.clock.wall_ns() - 31 * DAY_NS
    assert machine.run(ARCHIVING).tally.expired == 0
    assert [text for text in machine.monitor.notices if "clock" in text] != []
    machine.store.told_ns = machine.clock.wall_ns() + 10**9
    assert machine.run(ARCHIVING).tally.expired == 1


def test_an_archive_that_is_not_there(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is concluded of it (L10); the pass is not spoilt."""
    carried(machine, "one")
    machine.clock.advance(31 * DAY)
    steps = Steps()
    steps.before("files.tree", lambda: setattr(machine.files, "missing", True), ARCHIVE)
    outcome = machine.run(ARCHIVING, steps=steps)
    machine.files.missing = False
    assert outcome.tally.expired == 0
    assert [text for text in machine.monitor.notices if "archive" in text] != []
    assert machine.run(ARCHIVING).tally.expired == 1


def test_a_crash_at_each_step_of_a_retention(machine: Machine) -> None:
    """Whatever is interrupted is finished by the next pass, and no object or other file is touched."""
    carried(machine, "one", "two")
    machine.clock.advance(31 * DAY)
    number = 0
    while True:
        steps = Steps()
        steps.crash_at, number = number, number + 1
        try:
            machine.run(ARCHIVING, steps=steps)
        except Crash:
            if not machine.files.archived() and not machine.files.archive_private:
                carried(machine, f"more-{number}")
                machine.clock.advance(31 * DAY)
            continue
        break
    machine.run(ARCHIVING)
    machine.run(ARCHIVING)
    assert (machine.files.archived(), machine.files.archive_private) == ({}, {})
    assert machine.lost() == set()


def test_a_crash_at_each_step_of_archiving(machine: Machine) -> None:
    """The file is in the source, aside or in the archive at every moment, and in the end in the archive and the store."""
    number = 0
    while True:
        machine.produce("a/file", b"content %d" % number)
        steps = Steps()
        steps.crash_at, number = number, number + 1
        try:
            machine.run(ARCHIVING, steps=steps)
        except Crash:
            machine.clock.advance(1)
            machine.run(ARCHIVING)
            machine.run(ARCHIVING)
            assert machine.files.files() == {}
            assert b"content %d" % (number - 1) in machine.files.archived().values()
            assert machine.lost() == set()
            continue
        break
    assert number > 20


# --- empty directories ----------------------------------------------------------------------------------------------


def directories(machine: Machine) -> set[str]:
    """Those that are there."""
    return {path for path, inode in machine.files.entries() if inode.kind == "folder"}


def test_empty_directories_go_when_they_are_old(machine: Machine) -> None:
    """An emptied tree of dates goes once nothing has changed in it for long enough; the source stays."""
    machine.produce("2026/11/20/one", b"1")
    machine.files.folder_at("new")
    assert machine.run(PRUNING).tally.directories == 0
    assert directories(machine) == {"2026", "2026/11", "2026/11/20", "new"}
    machine.clock.advance(DAY + 1)
    machine.files.folder_at("newer")
    assert machine.run(PRUNING).tally.directories == 4
    assert directories(machine) == {"newer"}


def test_a_directory_with_anything_in_it_stays(machine: Machine) -> None:
    """A file that waits, one that is not asked for, and a link are something."""
    machine.files.write("excluded/x.tmp", b"1")
    machine.files.symlink("linked/x", "excluded")
    machine.files.folder_at("empty")
    machine.clock.advance(2 * DAY)
    assert machine.run(PRUNING).tally.directories == 1
    assert directories(machine) == {"excluded", "linked"}


def test_only_directories_that_the_pattern_names(machine: Machine) -> None:
    """Others stay, however old."""
    machine.files.folder_at("2026/11")
    machine.files.folder_at("logs")
    machine.clock.advance(2 * DAY)
    machine.run(PRUNING._replace(empty_include=("[0-9]*/**",)))
    assert directories(machine) == {"2026", "logs"}


def test_a_file_that_comes_at_the_last_moment_keeps_its_directory(machine: Machine) -> None:
    """Between the look and the removal somebody wrote: nothing goes (rmdir(2) removes nothing that is not empty)."""
    machine.files.folder_at("day")
    machine.clock.advance(2 * DAY)
    steps = Steps()
    steps.before("files.remove_empty", lambda: machine.produce("day/file", b"1"), "day")
    assert machine.run(PRUNING, steps=steps).tally.directories == 0
    assert machine.files.files() == {"day/file": b"1"}


def test_faults_keep_directories(machine: Machine) -> None:
    """A directory that cannot be looked at, or not be removed, stays, and the pass goes on."""
    machine.files.folder_at("a")
    machine.files.folder_at("b")
    machine.clock.advance(2 * DAY)
    for name in ("files.changed_ns", "files.remove_empty"):
        steps = Steps()

        def fault() -> None:
            raise SourceVanished("it is not there any more")

        steps.before(name, fault, "a")
        assert machine.run(PRUNING, steps=steps).tally.directories <= 1
    assert machine.run(PRUNING).tally.directories == 1


# --- as it is stored ------------------------------------------------------------------------------------------------

STORED = ARCHIVING._replace(compress="bzip2", archive_form="stored", key="{name}")


def test_an_archive_may_hold_what_is_stored(machine: Machine) -> None:
    """A file lies there compressed and under its key; what differs but has that name lies beside it; all go in time."""
    for path, content in (("a/one", b"one"), ("b/one", b"another"), ("c/one", b"one")):
        machine.produce(path, content)
        assert machine.run(STORED).tally.by_reason == {"archived": 1}
    there = machine.files.archived()
    digits = hashlib.sha256(b"another").hexdigest()[:16]
    assert {name: bz2.decompress(data) for name, data in there.items()} == {
        "one.bz2": b"one",
        f"one.bz2~{digits}": b"another",
    }
    assert sorted(there.values()) == sorted(machine.stored().values())
    machine.clock.advance(31 * DAY)
    assert machine.run(STORED).tally.expired == 2
    assert machine.files.archived() == {}


@pytest.mark.parametrize("content", [b"BZh9 not really", bz2.compress(b"two"), b""])
def test_a_stored_archive_keeps_what_has_other_bytes(machine: Machine, content: bytes) -> None:
    """What somebody has put in the place of a compressed file stays."""
    machine.produce("one", b"one")
    machine.run(STORED)
    machine.files.archive.entries["one.bz2"].content = content
    machine.clock.advance(31 * DAY)
    assert machine.run(STORED).tally.expired == 0
    assert machine.files.archived() == {"one.bz2": content}


def test_a_stored_archive_that_cannot_be_read_keeps_all(machine: Machine) -> None:
    """A file of the archive that is in use stays while it is."""
    machine.produce("one", b"one")
    machine.run(STORED)
    machine.files.archive.entries["one.bz2"].writers = 1
    machine.clock.advance(31 * DAY)
    assert machine.run(STORED).tally.expired == 0
    machine.files.archive.entries["one.bz2"].writers = 0
    assert machine.run(STORED).tally.expired == 1


def test_a_stored_archive_that_gives_an_error_loses_nothing(machine: Machine) -> None:
    """A file of the archive that cannot be read is told, and looked at again by the next run."""
    machine.produce("one", b"one")
    machine.run(STORED)
    machine.clock.advance(31 * DAY)
    steps = Steps()
    steps.before("files.pread", _unreadable)
    assert machine.run(STORED, steps=steps).tally.expired == 0
    assert machine.monitor.notices == ["cannot be removed from the archive: one: Input/output error"]
    assert machine.run(STORED).tally.expired == 1


def _unreadable() -> None:
    raise SourceUnreadable("Input/output error")


# --- in its place ---------------------------------------------------------------------------------------------------

STAYING = JOB._replace(after="keep", delete_after_ns=30 * DAY_NS)


def test_a_file_may_stay_in_its_place_for_a_while(machine: Machine) -> None:
    """It is carried at once, stays for as long as the job says, and then goes; one that has changed is carried anew."""
    machine.produce("a/one", b"one")
    machine.produce("a/two", b"two")
    assert machine.run(STAYING).tally.by_reason == {"kept": 2}
    machine.clock.advance(29 * DAY)
    machine.produce("a/two", b"two, and more")
    assert machine.run(STAYING).tally.by_reason == {"unchanged": 1, "kept": 1}
    machine.clock.advance(2 * DAY)
    assert machine.run(STAYING).tally.by_reason == {"removed": 1, "unchanged": 1}
    assert (machine.files.files(), machine.lost()) == ({"a/two": b"two, and more"}, set())


def test_a_group_may_stay_in_its_place_for_a_while(machine: Machine) -> None:
    """It goes as a whole when its time is over."""
    job = STAYING._replace(groups=("run-*",))
    machine.produce("run-1/a", b"one")
    machine.produce("run-1/b", b"two")
    assert machine.run(job).tally.by_reason == {"kept": 2}
    machine.clock.advance(29 * DAY)
    assert machine.run(job).tally.by_reason == {"unchanged": 2}
    machine.clock.advance(2 * DAY)
    assert machine.run(job).tally.by_reason == {"removed": 2}


@pytest.mark.parametrize("jump_days", [31, 300])
def test_no_clock_that_has_jumped_removes_what_stays(machine: Machine, jump_days: int) -> None:
    """Where the wall clock has jumped against the boot clock, nothing goes (L7)."""
    machine.produce("a/one", b"one")
    machine.run(STAYING)
    machine.clock.jump_wall(jump_days * DAY)
    assert machine.run(STAYING).tally.by_reason == {"unchanged": 1}
