"""The small scenarios: what there is before the first run, and what is odd about the world."""

from collections.abc import Callable
from typing import NamedTuple

from outhaul.model.job import Destination, Job
from outhaul.testing.files import ARCHIVE
from outhaul.testing.steps import Crash
from outhaul.testing.store import StoredObject
from simulation.machine import Machine
from simulation.world import World

JOB = Job("simulation", "/source", Destination("s3://bucket/site", "s3", "bucket", "site"), quiet_ns=0)


class Small(NamedTuple):
    """A scenario."""

    name: str
    sizes: dict[str, int]
    """Path to number of bytes."""
    prepare: Callable[[World, Machine], None] = lambda _world, _machine: None
    job: Job = JOB
    producer: bool = True
    """Whether a producer's hand is tried at each call, too."""


def _conflict(world: World, machine: Machine) -> None:
    for path in list(machine.files.files()):
        world.store.objects[f"site/{path}"] = [StoredObject(b"another machine's", "x", "")]


def _opaque(world: World, machine: Machine) -> None:
    world.store.etag = "opaque"


def _checksums(world: World, machine: Machine) -> None:
    world.store.etag, world.store.keeps_sha256, world.store.versions = "opaque", True, True


def _locked(world: World, machine: Machine) -> None:
    world.store.locks = True


def _keeps_no_lock(world: World, machine: Machine) -> None:
    world.store.locks = world.store.forgets_locks = True


def _shows_no_lock(world: World, machine: Machine) -> None:
    """Nor anything else."""
    world.store.locks = world.store.forgets_locks = world.store.unreadable = True


def _replaces(world: World, machine: Machine) -> None:
    world.store.create_only = False


def _unknown_writers(world: World, machine: Machine) -> None:
    machine.files.knows_writers = machine.producer.may_hold = False
    machine.quiet_ns = 60 * 10**9
    machine.run()
    machine.clock.advance(61)


def _interrupted(world: World, machine: Machine) -> None:
    """The removal was interrupted after its rename."""

    def crash() -> None:
        raise Crash

    machine.steps.before("files.is_file", crash)
    for _ in range(3):
        if machine.files.private:
            break
        machine.run()
        machine.clock.advance(40)
    assert machine.files.private


def _swallows(world: World, machine: Machine) -> None:
    machine.network.swallows = True


def _coarse(world: World, machine: Machine) -> None:
    machine.files.coarse = machine.files.reuses_numbers = True
    machine.clock.advance(1)


def _full_and_away(world: World, machine: Machine) -> None:
    """The disk is too full by ten bytes, and the destination cannot be reached."""
    machine.files.capacity, machine.is_away = FULL, True


def _full_and_jumped(world: World, machine: Machine) -> None:
    """Nothing has been left alone for long enough, and the clock jumps while files are looked for."""
    _full_and_away(world, machine)
    machine.run()
    machine.steps.before("files.listings", lambda: machine.jump(86_400), "b")


def _nearly_full_and_away(world: World, machine: Machine) -> None:
    """There is room for fifteen bytes more."""
    machine.files.capacity, machine.is_away = FULL + 25, True


def _full_and_written(world: World, machine: Machine) -> None:
    """A process opens the file when it is about to be given up."""
    _full_and_away(world, machine)
    machine.steps.before("ledger.bury", lambda: machine.producer.do(machine.producer.hold))


def _in_the_archive(world: World, machine: Machine) -> None:
    """An earlier file of the same path is there, and its time ends while faults may come."""
    machine.run()
    machine.clock.advance(40)
    machine.files.write("a/one", machine.producer.content(20))
    machine.producer.note()


def _begun_of_other_bytes(world: World, machine: Machine) -> None:
    """A crash in the middle of an upload; then other bytes come under the same time stamps."""

    def crash() -> None:
        raise Crash

    machine.files.coarse = True
    machine.steps.before("store.put_large", crash)
    machine.run()
    inode = machine.files.find("large")
    assert inode is not None
    machine.producer.owed.pop(inode.serial, None)
    inode.content = machine.producer.content(len(inode.content))
    machine.producer.note()


ARCHIVING = JOB._replace(after="archive", archive=ARCHIVE, archive_keep_ns=60 * 10**9, empty_ns=30 * 10**9)
BUNDLING = JOB._replace(bundle_bytes=4000, bundle_file_max=64)
GROUPING = JOB._replace(groups=("g",))
FULL = 5000
SHEDDING = JOB._replace(keep_free=FULL - 40, shed_below=FULL - 40)
TWO_OLD = {"a/one": 20, "b/two": 30}
ACCOMPANIED = GROUPING._replace(companions=("{path}.log",))
SMALL_ONES = {"a/one": 20, "a/two": 30, "b/c/three": 1, "large": 101}
ONE = Small("one file", {"a/one": 20})
TWO = Small("two files", {"a/one": 20, "b/two": 130}, producer=False)
SCENARIOS = (
    ONE,
    TWO._replace(producer=True),
    Small("empty and odd", {"\udcff\n": 0, "x.tmp": 4, "a/b/c": 64}),
    Small("large", {"large": 101}),
    Small("large, read back", {"large": 65}, _opaque),
    Small("conflict", {"a/one": 20}, _conflict),
    Small("large conflict", {"large": 130}, _conflict),
    Small("opaque etag", {"a/one": 20}, _opaque),
    Small("checksums and versions", {"a/one": 20, "large": 70}, _checksums),
    Small("read back", {"a/one": 20}, _swallows, job=JOB._replace(proof="read-back")),
    Small("locked", {"a/one": 20, "large": 70}, _locked),
    Small("a store that keeps no lock", {"a/one": 20}, _keeps_no_lock),
    Small("a store that replaces", {"a/one": 20}, _replaces),
    Small("writers unknown", {"a/one": 20}, _unknown_writers),
    Small("interrupted removal", {"a/one": 20}, _interrupted),
    Small("coarse time stamps", {"a/one": 20, "a/two": 20}, _coarse),
    Small("keep", {"a/one": 20}, job=JOB._replace(after="keep")),
    Small("large, the upload of other bytes", {"large": 101}, _begun_of_other_bytes),
    Small("compressed", {"a/one": 20}, job=JOB._replace(compress="bzip2")),
    Small("large, compressed", {"large": 101}, job=JOB._replace(compress="bzip2")),
    Small("bundle", SMALL_ONES, job=BUNDLING),
    Small("group", {"g/one": 20, "g/b/two": 30, "else": 10}, job=GROUPING, producer=False),
    Small(
        "group, large",
        {"g/one": 101, "g/b/two": 30, "g.log": 5},
        job=ACCOMPANIED,
        producer=False,
    ),
    Small(
        "group, compressed", {"g/one": 20, "g/two": 0}, _opaque, job=GROUPING._replace(compress="bzip2"), producer=False
    ),
    Small("group, kept", {"g/one": 20, "g/two": 70}, job=GROUPING._replace(after="keep"), producer=False),
    Small("bundle, compressed", SMALL_ONES, _opaque, job=BUNDLING._replace(compress="bzip2"), producer=False),
    Small("archive", {"a/one": 20}, job=ARCHIVING),
    Small("archive, the name taken", {"a/one": 20}, _in_the_archive, job=ARCHIVING),
    Small("quiet", {"a/one": 20}, job=JOB._replace(quiet_ns=30 * 10**9)),
    Small("a full disk", TWO_OLD, _full_and_away, job=SHEDDING, producer=False),
)


def _coarse_and_unsettled(world: World, machine: Machine) -> None:
    """Time stands still: what is written now bears the stamps of what was there."""
    machine.files.coarse = machine.files.reuses_numbers = True
    for path, content in machine.files.files().items():
        machine.files.write(path, content)
    machine.producer.note()


def _interrupted_and_coarse(world: World, machine: Machine) -> None:
    """The removal was interrupted after its rename, and other bytes came under the same stamps, as by a power cut."""
    _coarse_and_unsettled(world, machine)
    _interrupted(world, machine)
    for _, _, inode in machine.files.private.values():
        inode.content = machine.producer.content(len(inode.content))
    machine.producer.note()


def _conflict_as_long(world: World, machine: Machine) -> None:
    for path, content in machine.files.files().items():
        world.store.objects[f"site/{path}"] = [StoredObject(content[::-1], "x", "")]


def _another_endpoint(world: World, machine: Machine) -> None:
    """It was all copied to a bucket of the same name elsewhere."""
    job = machine.job
    machine.job = job._replace(after="keep", connection=job.connection._replace(endpoint_url="http://test.example"))
    machine.run()
    machine.job = job
    world.store.objects.clear()


def _lost_race(world: World, machine: Machine) -> None:
    """The file is replaced just before the rename, and its place is taken before the other is put back."""
    producer = machine.producer
    machine.steps.before("files.take_aside", lambda: producer.do(producer.replace))
    machine.steps.before("files.put_back", lambda: producer.do(lambda: _again(machine)))


def _jumped(world: World, machine: Machine) -> None:
    machine.run()
    machine.jump(3600)


def _rebooted(world: World, machine: Machine) -> None:
    machine.run()
    machine.reboot()
    machine.clock.jump_wall(-7200)


def _again(machine: Machine) -> str:
    machine.files.write("a/one", machine.producer.content(20))
    return "writes 'a/one' again"


def _interrupted_and_replaced(world: World, machine: Machine) -> None:
    """What was taken aside is another file than the receipt's, of the same length: a lost race, and then a crash."""
    machine.steps.before("files.take_aside", lambda: machine.producer.do(machine.producer.replace_as_long))
    _interrupted(world, machine)


def _entry_taken(world: World, machine: Machine) -> None:
    """What was taken aside has lost its place, and the ledger that numbered it is gone."""
    _interrupted_and_replaced(world, machine)
    machine.producer.do(lambda: _again(machine))
    machine.lose_ledger()


def _appended_before_removal(world: World, machine: Machine) -> None:
    machine.steps.before("ledger.record", lambda: machine.producer.do(machine.producer.append))


def _appended_before_lease(world: World, machine: Machine) -> None:
    machine.steps.before("files.take_lease", lambda: machine.producer.do(machine.producer.append))


def _crashed_before(machine: Machine, name: str) -> None:
    """The process ended there, and then another file came."""

    def crash() -> None:
        raise Crash

    machine.steps.before(name, crash)
    machine.run()
    machine.files.write("a/another", machine.producer.content(20))
    machine.producer.note()


def _sent_and_ended(world: World, machine: Machine) -> None:
    _crashed_before(machine, "ledger.record")


def _shown_late(world: World, machine: Machine) -> None:
    """The store shows the bundle only after it was asked for it."""
    _crashed_before(machine, "ledger.record")
    objects, world.store.objects = world.store.objects, {}
    machine.steps.before("ledger.observed_directories", lambda: world.store.objects.update(objects))


def _begun_alone(world: World, machine: Machine) -> None:
    """A file that was alone was being sent in parts; now there is another to travel with it."""
    _crashed_before(machine, "store.put_large")


FOR_MUTANTS = (
    Small("a store that shows no lock", {"a/one": 20}, _shows_no_lock),
    Small("bundle, and one more", SMALL_ONES, _sent_and_ended, BUNDLING),
    Small("bundle, shown late", SMALL_ONES, _shown_late, BUNDLING),
    Small("begun alone, then with another", {"alone": 70}, _begun_alone, BUNDLING._replace(bundle_file_max=100)),
    Small("appended before the removal", {"a/one": 20}, _appended_before_removal),
    Small("appended before the lease", {"large": 101}, _appended_before_lease),
    Small("jumped clock", {"a/one": 20}, _jumped, JOB._replace(quiet_ns=30 * 10**9)),
    Small("rebooted", {"a/one": 20}, _rebooted, JOB._replace(quiet_ns=200 * 10**9)),
    Small("small, coarse", {"a/one": 20}, _coarse_and_unsettled),
    Small("lost race", {"a/one": 20}, _lost_race),
    Small("entry taken", {"a/one": 20}, _entry_taken),
    Small("interrupted, replaced", {"a/one": 20}, _interrupted_and_replaced),
    Small("large, coarse", {"large": 101}, _coarse_and_unsettled),
    Small("interrupted, coarse", {"a/one": 20}, _interrupted_and_coarse),
    Small("conflict, as long", {"a/one": 20}, _conflict_as_long),
    Small("another endpoint", {"a/one": 20}, _another_endpoint),
    Small("a full disk, jumped clock", TWO_OLD, _full_and_jumped, SHEDDING._replace(quiet_ns=600 * 10**9)),
    Small("a disk that is nearly full", TWO_OLD, _nearly_full_and_away, SHEDDING),
    Small("a full disk, written to", {"a/one": 60}, _full_and_written, SHEDDING),
)
"""Scenarios for bugs that show only there; without them they find nothing."""
