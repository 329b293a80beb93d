"""One pass over a job: everything that is seen is accounted for, and faults stay with their file."""

import itertools
from pathlib import Path

import pytest

from engine.world import JOB, Machine
from outhaul.engine.retry import FAILURES_MAX
from outhaul.model.errors import (
    AlreadyThere,
    Denied,
    LedgerError,
    Misconfigured,
    NotThere,
    Refused,
    SourceError,
    StoreError,
    Transient,
)
from outhaul.model.job import After, Job
from outhaul.model.lifecycle import State
from outhaul.ports import Store
from outhaul.ports.permits import Hindrance
from outhaul.testing.steps import Steps
from outhaul.testing.store import Fault, StoredObject

KEEP = JOB._replace(after="keep")
QUIET = JOB._replace(quiet_ns=30 * 10**9)


def put(machine: Machine, count: int, directory: str = "a") -> None:
    """So many small files."""
    for number in range(count):
        machine.produce(f"{directory}/{number:03}.csv", b"content %d" % number)


# --- accounting -------------------------------------------------------------------------------------------------------


def test_every_entry_is_accounted_for(machine: Machine) -> None:
    """Each entry of the source stands under one reason, and their sum is the number seen."""
    put(machine, 5)
    machine.files.write("a/x.tmp", b"")
    machine.files.symlink("a/link", "elsewhere")
    machine.files.fifo("a/pipe")
    machine.files.socket("plug")
    machine.files.write("closed/file", b"1")
    machine.files.find("closed").readable = False  # type: ignore[union-attr]
    machine.files.write("a/secret", b"1")
    machine.files.find("a/secret").readable = False  # type: ignore[union-attr]
    with machine.files.writing("a/000.csv"):
        tally = machine.run().tally
    expected = {
        "removed": 4, "excluded": 1, "symlink": 1, "fifo": 1, "socket": 1, "closed-directory": 1, "unreadable": 1, "in-use": 1
    }  # fmt: skip
    assert expected == tally.by_reason
    assert (sum(expected.values()), 0) == (tally.seen, tally.unaccounted)
    assert {state: tally.of(state) for state in (State.CARRIED, State.HELD)} == {State.CARRIED: 4, State.HELD: 2}


def test_nothing_to_do_opens_no_store(machine: Machine) -> None:
    """A run that finds nothing to send loads no client, and says so."""

    def never(_job: Job) -> Store:
        raise AssertionError("opened")

    machine.open_store = never
    machine.files.write("a/x.tmp", b"")
    assert machine.run().tally.by_reason == {"excluded": 1}


def test_patterns_choose(machine: Machine) -> None:
    """Only what is included and not excluded is carried; the rest stays and is counted."""
    for path in ("a/x.csv", "a/x.log", "b/deep/y.csv", "b/raw/z.csv"):
        machine.produce(path, path.encode())
    tally = machine.run(JOB._replace(include=("**/*.csv",), exclude=("b/raw/**",))).tally
    assert tally.by_reason == {"removed": 2, "not-included": 1, "excluded": 1}
    assert {"a/x.log", "b/raw/z.csv"} == set(machine.files.files())


def test_many_listings_of_one_directory(machine: Machine) -> None:
    """A directory that is listed in pieces is one directory: what is remembered of it is not forgotten in between."""
    machine.files.entries_per_listing = 3
    put(machine, 10)
    machine.run(QUIET)
    machine.clock.advance(31)
    assert machine.run(QUIET).tally.by_reason == {"removed": 10}


@pytest.mark.parametrize("seed", range(5))
def test_in_whatever_order_the_workers_finish(machine: Machine, seed: int) -> None:
    """All files are carried, whatever order their batches come back in."""
    machine.seed = seed
    for directory in "abcdefg":
        put(machine, 7, directory)
    machine.files.write("large", b"x" * 200_000)
    assert machine.run().tally.by_reason == {"removed": 50}
    assert machine.files.files() == {}


# --- the order of things ------------------------------------------------------------------------------------------------


def test_no_file_is_touched_before_its_receipt(machine: Machine) -> None:
    """Whatever is taken out of the source was recorded before (L5), and was stored before that."""
    put(machine, 20)
    machine.run()
    names = machine.steps.names()
    taken = [number for number, name in enumerate(names) if name == "files.take_aside"]
    stored = [number for number, name in enumerate(names) if name == "store.put"]
    recorded = [number for number, name in enumerate(names) if name == "ledger.record"]
    assert (len(taken), len(stored)) == (20, 20)
    for done, number in enumerate(taken, 1):
        before = [at for at in recorded if at < number]
        assert before, "taken before anything was recorded"
        assert done <= len([at for at in stored if at < before[-1]])


def test_a_ledger_that_fails_lets_nothing_go(machine: Machine) -> None:
    """When recording fails, the run ends, and every file is where it was (L5)."""
    put(machine, 3)
    before = machine.files.files()

    def fails() -> None:
        raise LedgerError("disk full")

    steps = Steps()
    steps.before("ledger.record", fails)
    with pytest.raises(LedgerError):
        machine.run(steps=steps)
    assert before == machine.files.files()
    assert machine.run().tally.by_reason == {"removed": 3}


def test_one_request_a_file(machine: Machine) -> None:
    """A file that goes well costs one request; the endpoint is probed once a day, not once a run."""
    put(machine, 10)
    machine.run()
    put(machine, 10, "b")
    machine.run()
    store_calls = [name for name in machine.steps.names() if name.startswith("store.")]
    assert store_calls == ["store.put"] * 10


# --- faults stay with their file ----------------------------------------------------------------------------------------


POISON: dict[str, tuple[StoreError, str]] = {
    "refused": (Refused("KeyTooLongError"), "refused"),
    "a missing object where none was asked for": (NotThere("404 NoSuchUpload"), "retry"),
}


@pytest.mark.parametrize("what", POISON)
def test_a_poison_file_does_not_stop_the_others(machine: Machine, what: str) -> None:
    """An error of one object is that file's, stands with its reason, and all others are carried (L9)."""
    put(machine, 9)
    error, reason = POISON[what]
    machine.store.fail("put", Fault(error))
    tally = machine.run().tally
    assert {"removed": 8, reason: 1} == tally.by_reason
    assert machine.run().tally.by_reason == {"removed": 1}


def test_a_file_that_cannot_be_removed_is_not_sent_again(machine: Machine) -> None:
    """After the receipt nothing goes back: the source waits for its removal, and the store is asked for its object alone."""
    put(machine, 2)
    folder = machine.files.find("a")
    assert folder is not None
    folder.changeable = False
    assert machine.run().tally.by_reason == {"not-removed": 2}
    assert machine.run().tally.by_reason == {"not-removed": 2}
    assert [name for name in machine.steps.names() if name.startswith("store.")] == ["store.head"] * 2
    folder.changeable = True
    assert machine.run().tally.by_reason == {"removed": 2}


def test_somebody_else_removes_the_source(machine: Machine) -> None:
    """A carried file that is gone before its removal is carried all the same."""
    put(machine, 1)
    steps = Steps()
    steps.before("ledger.record", lambda: machine.files.remove("a/000.csv"))
    assert machine.run(steps=steps).tally.by_reason == {"gone": 1}


def test_a_file_that_vanishes_before_it_is_opened(machine: Machine) -> None:
    """A file that somebody removes between the walk and its opening is no fault, and is not carried."""
    put(machine, 2)
    steps = Steps()
    steps.before("files.open", lambda: machine.files.remove("a/000.csv"))
    assert machine.run(steps=steps).tally.by_reason == {"vanished": 1, "removed": 1}


def test_a_file_that_changes_while_it_is_carried_goes_later(machine: Machine) -> None:
    """It waits, whole; the next run carries what it has become."""
    put(machine, 1)
    steps = Steps()
    steps.before("files.take_aside", lambda: machine.files.append("a/000.csv", b" and more"))
    tally = machine.run(steps=steps).tally
    assert tally.by_reason == {"changed": 1}
    machine.run()
    assert b"content 0 and more" in machine.stored().values()
    assert machine.files.files() == {}


def test_where_nobody_knows_the_writers(machine: Machine) -> None:
    """There, a file goes after a minute of being seen unchanged, and not before."""
    machine.files.knows_writers = False
    put(machine, 1)
    assert machine.run().tally.by_reason == {"writers-unknown": 1}
    machine.clock.advance(59)
    assert machine.run().tally.by_reason == {"writers-unknown": 1}
    machine.clock.advance(2)
    assert machine.run().tally.by_reason == {"removed": 1}


# --- a destination that fails -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [False, True])
def test_a_transient_fault_then_success(machine: Machine, after: bool) -> None:
    """A file whose answer was lost is tried again in the same run, and one that had arrived is adopted (L3)."""
    put(machine, 1)
    machine.store.fail("put", Fault(Transient("timeout"), after))
    tally = machine.run().tally
    assert ({"removed": 1}, int(after)) == (tally.by_reason, tally.adopted)
    assert len(machine.stored()) == 1
    assert machine.clock.slept_seconds


def test_a_lost_answer_with_an_opaque_etag(machine: Machine) -> None:
    """What had arrived is proved by its bytes where the ETag says nothing."""
    put(machine, 1)
    machine.store.etag = "opaque"
    machine.store.fail("put", Fault(Transient("timeout"), after=True))
    assert machine.run().tally.by_reason == {"removed": 1}
    assert [proof.kind for proof in machine.monitor.proofs] == ["read-back"]


def test_a_destination_that_is_down(machine: Machine) -> None:
    """It is given up after a bounded number of tries, nothing is removed, all files wait, and the next run carries them."""
    put(machine, 40)
    machine.store.fail("put", *[Fault(Transient("connection refused"))] * 1000)
    outcome = machine.run()
    assert "connection refused" in outcome.destination_fault
    assert outcome.tally.of(State.WAITING) == 40
    assert len(machine.files.files()) == 40
    assert machine.stored() == {}
    assert sum(machine.clock.slept_seconds) < FAILURES_MAX * 4
    machine.store.faults.clear()
    assert machine.run().tally.by_reason == {"removed": 40}


@pytest.mark.parametrize("error", [Denied("403"), Misconfigured("no such bucket")])
@pytest.mark.parametrize("method", ["probe", "put"])
def test_a_destination_that_cannot_be_used(machine: Machine, error: StoreError, method: str) -> None:
    """One answer is enough: nothing more is tried, nothing is removed, and the outcome names the fault."""
    put(machine, 40)
    machine.store.fail(method, *[Fault(error)] * 1000)
    outcome = machine.run()
    assert (str(error), {"destination": 40}) == (outcome.destination_fault, outcome.tally.by_reason)
    assert len(machine.files.files()) == 40
    assert [str(error)] == [notice.rpartition(": ")[2] for notice in machine.monitor.notices]


def test_a_store_that_cannot_be_opened(machine: Machine) -> None:
    """Missing credentials are a fault of the destination, not of a file."""
    put(machine, 3)

    def fails(_job: Job) -> Store:
        raise Misconfigured("no credentials")

    machine.open_store = fails
    outcome = machine.run()
    assert (outcome.destination_fault, outcome.tally.by_reason) == ("no credentials", {"destination": 3})


@pytest.mark.parametrize("etag", ["md5", "opaque"])
@pytest.mark.parametrize("knob", ["lies", "truncates"])
def test_a_store_that_keeps_other_bytes_is_caught(machine: Machine, knob: str, etag: str) -> None:
    """What is asked to be read back, and is not what was sent, is held, and its source stays (L4)."""
    put(machine, 2)
    setattr(machine.store, knob, True)
    machine.store.etag = etag  # type: ignore[assignment]
    tally = machine.run(JOB._replace(proof="read-back")).tally
    assert tally.by_reason == {"unproved": 2}
    assert len(machine.files.files()) == 2


def test_other_bytes_under_the_key(machine: Machine) -> None:
    """They stay; the file goes to a second key that has its digest in the name (L2)."""
    put(machine, 1)
    machine.store.objects["site/a/000.csv"] = [StoredObject(b"another machine's", "x", "")]
    assert machine.run().tally.by_reason == {"removed": 1}
    assert {b"another machine's", b"content 0"} == set(machine.stored().values())
    receipt = machine.receipts("a", "000.csv")["000.csv"]
    assert machine.stored()[receipt.key] == b"content 0"


# --- quiet time, across runs ------------------------------------------------------------------------------------------


def test_quiet_is_measured_between_runs(machine: Machine) -> None:
    """A file goes when it has been seen unchanged for as long as the job says, over several runs."""
    put(machine, 1)
    assert machine.run(QUIET).tally.by_reason == {"quiet": 1}
    machine.clock.advance(29)
    assert machine.run(QUIET).tally.by_reason == {"quiet": 1}
    machine.clock.advance(2)
    assert machine.run(QUIET).tally.by_reason == {"removed": 1}
    assert machine.observations("a") == {}


def test_a_change_begins_the_quiet_anew(machine: Machine) -> None:
    """A file that was written to in between waits for the whole time again."""
    put(machine, 1)
    machine.run(QUIET)
    machine.clock.advance(29)
    machine.files.append("a/000.csv", b"more")
    machine.run(QUIET)
    machine.clock.advance(29)
    assert machine.run(QUIET).tally.by_reason == {"quiet": 1}


def test_a_file_that_was_old_at_first_sight_goes(machine: Machine) -> None:
    """With a steady wall clock, a file that nobody has changed for long goes at first sight."""
    put(machine, 1)
    machine.clock.advance(3600)
    assert machine.run(QUIET).tally.by_reason == {"removed": 1}


def test_a_jump_of_the_wall_clock_makes_no_file_old(machine: Machine) -> None:
    """After a jump of the wall clock only outhaul's own observations count, until the next boot (L7)."""
    machine.run(QUIET)
    put(machine, 1)
    machine.clock.jump_wall(3600)
    assert machine.run(QUIET).tally.by_reason == {"quiet": 1}
    machine.clock.advance(5)
    assert machine.run(QUIET).tally.by_reason == {"quiet": 1}
    machine.clock.advance(26)
    assert machine.run(QUIET).tally.by_reason == {"removed": 1}


def test_a_reboot_begins_the_observation_anew(machine: Machine) -> None:
    """What was seen before a reboot does not count after it where the wall clock has gone backwards (L7)."""
    put(machine, 1)
    machine.run(QUIET)
    machine.clock.reboot(off_seconds=-7200, up_seconds=29)
    assert machine.run(QUIET).tally.by_reason == {"quiet": 1}
    machine.clock.advance(29)
    assert machine.run(QUIET).tally.by_reason == {"quiet": 1}
    machine.clock.advance(2)
    assert machine.run(QUIET).tally.by_reason == {"removed": 1}


def test_a_long_walk_makes_no_file_old(machine: Machine) -> None:
    """A file counts as seen from the moment at which it was seen, not from the beginning of a walk of hours (L7)."""
    machine.run(QUIET)
    machine.clock.jump_wall(3600)
    put(machine, 1)
    steps = Steps()
    steps.before("files.listings", lambda: machine.clock.advance(25), about="a")
    machine.run(QUIET, steps=steps)
    machine.clock.advance(10)
    assert machine.run(QUIET).tally.by_reason == {"quiet": 1}
    machine.clock.advance(21)
    assert machine.run(QUIET).tally.by_reason == {"removed": 1}


def test_a_failed_listing_forgets_nothing(machine: Machine) -> None:
    """A directory that cannot be listed once says nothing about its files: what was known of them stays (L10)."""
    put(machine, 1)
    put(machine, 1, "a/beneath")
    put(machine, 1, "b")
    machine.run(QUIET)
    folder = machine.files.find("a")
    assert folder is not None
    folder.readable = False
    machine.run(QUIET)
    assert {"000.csv"} == set(machine.observations("a"))
    assert {"000.csv"} == set(machine.observations("a/beneath"))


def test_what_has_vanished_is_forgotten(machine: Machine) -> None:
    """Of files and directories that are gone nothing is remembered."""
    put(machine, 2)
    put(machine, 1, "b")
    machine.run(QUIET)
    machine.files.remove("a/000.csv")
    machine.files.remove("b")
    machine.run(QUIET)
    assert ({"001.csv"}, set()) == (set(machine.observations("a")), set(machine.observations("b")))


def test_a_source_that_is_not_mounted(machine: Machine) -> None:
    """A source that cannot be opened is an error, and nothing is concluded (L10)."""
    put(machine, 1)
    machine.run(QUIET)
    machine.files.missing = True
    with pytest.raises(SourceError):
        machine.run(QUIET)
    machine.files.missing = False
    assert {"000.csv"} == set(machine.observations("a"))


# --- keep, copy, dry run, interruption ----------------------------------------------------------------------------------


def test_keep_sends_only_what_is_new(machine: Machine) -> None:
    """A job that keeps its sources sends each generation once, and touches nothing."""
    put(machine, 5)
    assert machine.run(KEEP).tally.by_reason == {"kept": 5}
    before = machine.files.files()
    assert machine.run(KEEP).tally.by_reason == {"unchanged": 5}
    assert [name for name in machine.steps.names() if name.startswith("store.")] == []
    machine.files.append("a/003.csv", b"more")
    assert machine.run(KEEP).tally.by_reason == {"unchanged": 4, "kept": 1}
    assert {**before, "a/003.csv": b"content 3more"} == machine.files.files()
    assert machine.files.private == {}


def test_a_copy_then_a_move_sends_nothing_again(machine: Machine) -> None:
    """What has a receipt for this destination is removed without being sent again."""
    put(machine, 3)
    machine.run(KEEP)
    assert machine.run().tally.by_reason == {"removed": 3}
    assert [name for name in machine.steps.names() if name.startswith("store.")] == ["store.head"] * 3


def test_no_source_goes_by_a_receipt_alone(machine: Machine) -> None:
    """What a store has lost since its proof is not removed, but carried anew by the next run."""
    put(machine, 3)
    machine.run(KEEP)
    lost = machine.stored().popitem()
    machine.store.objects.clear()
    assert machine.run().tally.by_reason == {"missing": 3}
    assert len(machine.files.files()) == 3
    assert machine.run().tally.by_reason == {"removed": 3}
    assert machine.stored()[lost[0]] == lost[1]


def test_other_bytes_under_its_key_keep_a_source(machine: Machine) -> None:
    """An object of another length is another; with `read-back` its bytes are read, too."""
    put(machine, 2)
    machine.run(KEEP)
    first, second = sorted(machine.store.objects)
    machine.store.put(first, b"short", replace=True)
    machine.store.put(second, b"CONTENT 1", replace=True)
    assert machine.run(JOB._replace(proof="read-back")).tally.by_reason == {"missing": 2}
    assert machine.run(JOB._replace(proof="read-back")).tally.by_reason == {"removed": 2}
    assert sorted(machine.stored().values()) == [b"CONTENT 1", b"content 0", b"content 1", b"short"]


@pytest.mark.parametrize(
    ("error", "expected"), [(Denied("403"), "removed"), (Transient("503"), "retry"), (NotThere("404"), "missing")]
)
def test_a_store_that_does_not_tell(machine: Machine, error: StoreError, expected: str) -> None:
    """One that does not answer is waited for; one that may not be asked leaves the receipt to count."""
    put(machine, 1)
    machine.run(KEEP)
    steps = Steps()

    def fault() -> None:
        raise error

    steps.before("store.head", fault)
    assert machine.run(steps=steps).tally.by_reason == {expected: 1}


def test_a_pause_is_one_for_what_has_a_receipt_too(machine: Machine) -> None:
    """Nothing is asked of the store, and nothing goes."""
    put(machine, 2)
    machine.run(KEEP)
    machine.permits = machine.permits._replace(hindrance=lambda _job: Hindrance("paused", "until Monday"))
    assert machine.run().tally.by_reason == {"paused": 2}
    assert [name for name in machine.steps.names() if name.startswith("store.")] == []
    assert len(machine.files.files()) == 2


def test_asked_to_end_at_any_moment_before_old_receipts_are_borne_out(tmp_path: Path) -> None:
    """Nothing waits for a store that is not open yet, and nothing goes without it."""
    ended = set[str]()
    for moment in range(12):
        machine = Machine(str(tmp_path / str(moment)))
        put(machine, 2)
        machine.run(KEEP)
        asked = itertools.count()
        machine.stopped = lambda asked=asked, moment=moment: next(asked) >= moment  # type: ignore[misc]
        tally = machine.run().tally
        ended.update(tally.by_reason)
        assert len(machine.files.files()) == 2 - tally.by_reason.get("removed", 0)
    assert {"interrupted", "removed"} <= ended


def test_too_little_memory_for_one_file_stops_no_other(machine: Machine) -> None:
    """It is held; with more memory it goes."""
    put(machine, 3)
    steps = Steps()

    def fault() -> None:
        raise MemoryError

    steps.before("files.pread", fault, "001.csv")
    assert machine.run(steps=steps).tally.by_reason == {"memory": 1, "removed": 2}
    assert machine.run().tally.by_reason == {"removed": 1}


def test_a_receipt_counts_for_its_endpoint_only(machine: Machine) -> None:
    """A bucket of the same name on another server is another place: what was copied there is not removed by a move here."""
    put(machine, 1)
    elsewhere = KEEP._replace(connection=KEEP.connection._replace(endpoint_url="http://test.example:9000"))
    machine.run(elsewhere)
    machine.store.objects.clear()
    machine.run()
    assert list(machine.stored().values()) == [b"content 0"]


def test_a_dry_run_changes_nothing(machine: Machine) -> None:
    """It accounts for every file, opens no store, and leaves source, private directory and memory as they were."""
    put(machine, 4)
    machine.files.write("a/x.tmp", b"")
    before = machine.files.files()
    tally = machine.run(dry_run=True).tally
    assert tally.by_reason == {"planned": 4, "excluded": 1}
    assert (before, {}, {}) == (machine.files.files(), machine.stored(), machine.observations("a"))
    effects = ("store.", "files.open", "files.take_aside", "ledger.record", "ledger.finish_run", "ledger.settle")
    assert [name for name in machine.steps.names() if name.startswith(effects)] == []


def test_a_dry_run_leaves_an_interrupted_removal_alone(machine: Machine) -> None:
    """What is in the private directory stays there."""
    put(machine, 1)
    with machine.files.tree(JOB) as tree, tree.folder("a") as folder:
        folder.take_aside("000.csv", 99)
    machine.run(dry_run=True)
    assert len(machine.files.private) == 1


def test_an_interrupted_run_accounts_for_all_it_saw(machine: Machine) -> None:
    """Asked to stop at any moment, a run ends, loses nothing, and says what was left for the next one."""
    for stop_after in range(0, 60, 3):
        machine.store.objects.clear()
        for directory in "abc":
            put(machine, 6, f"{stop_after}{directory}")
        asked = itertools.count()
        machine.stopped = lambda asked=asked, stop_after=stop_after: next(asked) >= stop_after  # type: ignore[misc]
        tally = machine.run().tally
        assert tally.unaccounted == 0
        assert tally.by_reason.get("removed", 0) <= len(machine.stored())
        machine.stopped = lambda: False
        rest = machine.run().tally
        assert tally.by_reason.get("removed", 0) + rest.by_reason.get("removed", 0) == 18


# --- what an earlier run left aside -------------------------------------------------------------------------------------


def test_what_is_aside_without_a_receipt_goes_back_and_is_carried(machine: Machine) -> None:
    """A file in the private directory that the ledger knows nothing of is put back, and carried as any other."""
    put(machine, 1)
    with machine.files.tree(JOB) as tree, tree.folder("a") as folder:
        folder.take_aside("000.csv", 99)
    assert machine.run().tally.by_reason == {"removed": 1}
    assert list(machine.stored().values()) == [b"content 0"]


def test_what_is_aside_and_has_lost_its_place_is_held(machine: Machine) -> None:
    """Where a new file has taken its place both stay, and a person is told."""
    put(machine, 1)
    with machine.files.tree(JOB) as tree, tree.folder("a") as folder:
        folder.take_aside("000.csv", 99)
    machine.files.write("a/000.csv", b"new")
    tally = machine.run().tally
    assert tally.by_reason == {"put-aside": 1, "removed": 1}
    assert [inode.content for _, _, inode in machine.files.private.values()] == [b"content 0"]


@pytest.mark.parametrize("error", [AlreadyThere("x"), NotThere("x"), Transient("x"), Refused("x")])
def test_every_error_of_a_put_has_a_place(machine: Machine, error: StoreError) -> None:
    """Whatever a store answers, and however often, the run comes to its end and the file is somewhere."""
    put(machine, 1)
    machine.store.fail("put", *[Fault(error)] * 100)
    assert machine.run().tally.seen == 1
    assert set() == machine.lost()


@pytest.mark.parametrize("after", ["delete", "archive"])
@pytest.mark.parametrize("bundle_bytes", [0, 1 << 20])
def test_all_names_of_a_file_go_in_one_run(tmp_path: Path, after: After, bundle_bytes: int) -> None:
    """Each has its own object and receipt; that one has gone does not keep the others."""
    machine = Machine(str(tmp_path / "state"))
    machine.produce("a/first", b"1;2\n")
    for name in ("a/second", "b/third"):
        machine.files.link("a/first", name)
    job = JOB._replace(after=after, archive="/archive" if after == "archive" else "", bundle_bytes=bundle_bytes)
    assert machine.run(job).tally.by_reason == {"removed" if after == "delete" else "archived": 3}
    assert machine.files.files() == {}
