"""Watching: when a job is looked at, whole or in part, on a simulated machine whose time passes only while it rests."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from engine.world import JOB, Machine
from outhaul.engine.batches import Ports
from outhaul.engine.passes import Outcome
from outhaul.engine.watching import REST_SECONDS, Watch
from outhaul.ledgers.sqlite import SqliteLedger
from outhaul.model.errors import Misconfigured, SourceVanished, Transient
from outhaul.model.job import Destination, Job
from outhaul.ports import Store
from outhaul.ports.hints import Word
from outhaul.ports.permits import FREE, Hindrance, Period
from outhaul.testing.store import Fault
from outhaul.testing.workers import InlineWorkers

SECOND = 10**9
QUIET = JOB._replace(quiet_ns=5 * SECOND)


class Day:
    """What happens when, while a watch goes on; it is the `Hints`, too."""

    def __init__(self, machine: Machine, *, tells: bool = True) -> None:
        self.machine = machine
        self.tells = tells
        self.seed: int | None = None
        """Of the order in which workers come to their ends; None is at once."""
        self.workers: InlineWorkers | None = None
        """Others than those at once."""
        self.loses = False
        self.network = False
        self.stride = REST_SECONDS
        """How long a rest is."""
        self.covered: set[str] = set()
        self.covers: Callable[[str], None] = lambda _directory: None
        """Told of each directory that is covered."""
        self.ends: Callable[[], bool] = lambda: False
        """Whether the watch is to end before its time."""
        self.passes: list[tuple[float, str, bool]] = []
        """Seconds since the beginning, job, and whether the whole was looked at."""
        self._plan: list[tuple[float, str, Callable[[], None]]] = []
        self._began = machine.clock.elapsed_ns

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return (self.machine.clock.elapsed_ns - self._began) / SECOND

    def at(self, seconds: float, path: str, content: bytes) -> None:
        """A file is written."""
        self._plan.append((seconds, path.rpartition("/")[0], lambda: self.machine.produce(path, content)))

    def then(self, seconds: float, do: Callable[[], None]) -> None:
        """Something else happens."""
        self._plan.append((seconds, "-", do))

    def cover(self, job: int, source: str, directory: str) -> None:
        """See `Hints`."""
        self.covered.add(directory)
        self.covers(directory)

    def wait(self, seconds: float) -> Word:
        """See `Hints`: time passes, up to the next thing that happens."""
        until = self.seconds + max(self.stride if seconds >= REST_SECONDS else seconds, 0.001)
        self._plan.sort(key=lambda each: each[0])
        word = Word(set(), set(), self.loses, self.network)
        self.loses = self.network = False
        if self._plan and self._plan[0][0] <= until:
            self.machine.clock.advance(max(0.0, self._plan[0][0] - self.seconds))
            _, directory, do = self._plan.pop(0)
            before = self._folders()
            do()
            if self.tells and directory in self.covered:
                word.written.add((0, directory))
            made = {path for path in self._folders() - before if path.rpartition("/")[0] in self.covered}
            word.made.update((0, path) for path in made if self.tells)
            return word
        self.machine.clock.advance(until - self.seconds)
        return word

    def _folders(self) -> set[str]:
        return {path for path, inode in self.machine.files.entries() if inode.kind == "folder"}

    def watch(
        self,
        until: float,
        *jobs: Job,
        calendar: Callable[[Job, int], int | None] = lambda _job, _wall: None,
        late: Callable[[Job], int] = lambda _job: 0,
    ) -> None:
        """Watch these jobs for so long."""
        machine = self.machine
        ledger = SqliteLedger(machine.state, machine.clock.wall_ns)
        try:
            workers = self.workers or InlineWorkers(seed=self.seed)
            ports = Ports(machine.files, ledger, workers, machine.clock, machine.monitor, machine.open_store,
                          machine.stopped, machine.compression, machine.permits)  # fmt: skip
            Watch(list(jobs) or [QUIET], ports, self, calendar, self._passed, late).run(
                lambda: self.ends() or self.seconds >= until
            )
        finally:
            ledger.close()

    def _passed(self, job: Job, outcome: Outcome) -> None:
        self.passes.append((round(self.seconds, 2), job.name, outcome.whole))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A new one."""
    return Machine(str(tmp_path / "state"))


def test_a_file_goes_when_it_is_ready(machine: Machine) -> None:
    """There is word of it; it is looked at, and again at the very moment when it has been quiet for long enough."""
    day = Day(machine)
    day.at(2, "one", b"one")
    day.watch(9)
    assert machine.stored() == {"site/one": b"one"}
    assert [at for at, *_ in day.passes] == [0, 2.1, 7]


def test_a_new_directory_is_found_by_word_of_the_one_above(machine: Machine) -> None:
    """And what is in it is looked at with it; from then on there is word of it too."""
    day = Day(machine)
    day.at(2, "a/one", b"one")
    day.at(4, "a/two", b"two")
    day.watch(9.3)
    assert set(machine.stored()) == {"site/a/one", "site/a/two"}
    assert "a" in day.covered


def test_a_directory_that_comes_again_is_another(machine: Machine) -> None:
    """Whatever was known of the one that had its name says nothing of it, nor of what lies beneath."""
    day = Day(machine)
    day.at(0.5, "a/b/one", b"one")
    day.then(8, lambda: machine.files.remove("a"))
    day.at(9, "a/b/two", b"two")
    day.watch(18, QUIET._replace(every_ns=3600 * SECOND))
    assert set(machine.stored()) == {"site/a/b/one", "site/a/b/two"}


@pytest.mark.parametrize("seed", [None, *range(6)])
def test_large_files_keep_no_other_job_waiting(machine: Machine, seed: int | None) -> None:
    """While one is on its way, files of other jobs go; all come home in the end."""
    large = bytes(range(256)) * 400
    there = Destination("s3://b/o", "s3", "b", "o")
    other = QUIET._replace(name="other", destination=there, include=("*.o",), every_ns=2 * SECOND)
    for number in range(5):
        machine.produce(f"{number}.large", large + bytes([number]))
    machine.produce("small.o", b"small")
    machine.clock.advance(10)
    day = Day(machine)
    day.seed = seed
    day.watch(3, QUIET._replace(exclude=("*.o",), every_ns=100 * SECOND), other)
    assert machine.files.files() == {}
    assert len(machine.stored()) == 6


def test_a_directory_is_covered_before_it_is_listed(machine: Machine) -> None:
    """Else what came into it in between would be told by nobody."""
    machine.produce("a/one", b"one")
    day, order = Day(machine), list[str]()
    for directory in ("", "a"):
        machine.files.steps.hooks.append(("files.listings", directory, partial(order.append, f"list {directory}")))
    day.covers = lambda directory: order.append(f"cover {directory}")
    day.watch(1)
    assert order == ["cover ", "list ", "cover a", "list a"]


def test_a_file_that_stays_in_use_is_looked_for_later_and_later(machine: Machine) -> None:
    """Its directory is looked at with it, and may be large."""
    machine.produce("one", b"one")
    machine.clock.advance(10)
    machine.files.hold("one")
    day = Day(machine, tells=False)
    day.watch(600, QUIET._replace(every_ns=3600 * SECOND))
    gaps = [after[0] - before[0] for before, after in zip(day.passes, day.passes[1:], strict=False)]
    assert gaps == sorted(gaps)
    assert gaps == [2, 4, 8, 16, 32, 64, 128, 128, 128]


@pytest.mark.parametrize(("keep_free", "expected"), [(0, [0]), (50, [0, 30, 60, 90, 120]), (10, [0])])
def test_a_disk_that_is_too_full_hurries_a_look_at_the_whole(
    machine: Machine, keep_free: int, expected: list[float]
) -> None:
    """Every now and then, for as long as it is; a job with times of the day waits for them."""
    machine.files.capacity, machine.files.foreign = 100, 80
    slow = QUIET._replace(every_ns=3600 * SECOND, keep_free=keep_free)
    day = Day(machine)
    day.watch(121, slow)
    assert [at for at, *_ in day.passes] == expected
    at_night = Day(machine)
    at_night.watch(121, slow, calendar=lambda _job, wall: wall + 3600 * SECOND)
    assert at_night.passes == []


def test_what_is_under_way_comes_home_at_the_end(machine: Machine) -> None:
    """Large files that were begun are ended, and accounted for."""
    for number in range(9):
        machine.produce(f"{number}.large", bytes(range(256)) * 400 + bytes([number]))
    machine.clock.advance(10)
    day, looks = Day(machine), iter([False])
    day.ends = lambda: next(looks, True)
    day.watch(1000)
    assert (machine.files.files(), len(machine.stored())) == ({}, 9)
    assert len(day.passes) == 1


def test_without_word_it_is_found_by_the_next_look(machine: Machine) -> None:
    """A look at the whole comes every ten seconds where that costs little."""
    day = Day(machine, tells=False)
    day.at(2, "one", b"one")
    day.watch(16)
    assert machine.stored() == {"site/one": b"one"}
    assert [at for at, *_ in day.passes] == [0, 10]


def test_word_that_was_lost_means_a_look_at_everything(machine: Machine) -> None:
    """The queue of the system is not endless."""
    day = Day(machine, tells=False)
    day.at(2, "one", b"one")
    day.then(3, lambda: setattr(day, "loses", True))
    day.watch(8)
    assert machine.stored() == {"site/one": b"one"}


def test_a_large_source_is_looked_at_less_often(machine: Machine) -> None:
    """How often follows from how much there is; a job may say it itself."""
    for number in range(10_000):
        machine.files.write(f"{number}.csv", b"x")
    keeping = QUIET._replace(after="keep", include=("*.no",))
    day = Day(machine)
    day.watch(50, keeping)
    assert [at for at, *_ in day.passes] == [0, 24, 48]
    day = Day(machine)
    day.watch(10, keeping._replace(every_ns=3 * SECOND))
    assert [at for at, *_ in day.passes] == [0, 3, 6, 9]


def test_times_of_the_day_are_kept(machine: Machine) -> None:
    """The job is looked at then, and no word hurries it."""
    day = Day(machine)
    day.at(2, "one", b"one")
    day.at(12, "two", b"two")
    day.then(14, lambda: setattr(day, "loses", True))
    day.at(16, "three", b"three")
    wall = machine.clock.wall_ns()

    def calendar(job: Job, now: int) -> int | None:
        return next(wall + at * SECOND for at in (10, 30, 1000) if wall + at * SECOND > now)

    day.watch(35, QUIET._replace(at=(1,)), calendar=calendar)
    assert [at for at, *_ in day.passes] == [10, 30]


def test_a_group_is_looked_at_whole(machine: Machine) -> None:
    """Its files may lie anywhere beneath it."""
    day = Day(machine)
    day.watch(0)
    day.at(1, "run-1/a", b"one")
    day.at(2, "run-1/deep/b", b"two")
    day.watch(12, QUIET._replace(groups=("run-*",)))
    assert set(machine.stored()) == {"site/run-1.tar", "site/run-1.tar.manifest.json"}
    assert machine.files.files() == {}


def test_a_destination_that_cannot_be_used_is_left_alone_for_a_while(machine: Machine) -> None:
    """Longer each time; then everything goes."""
    day = Day(machine)
    fault = [Misconfigured("no such bucket")]

    def open_store(_job: Job) -> object:
        if fault:
            raise fault[0]
        return machine.store

    machine.open_store = open_store  # type: ignore[assignment]
    machine.produce("one", b"one")
    machine.produce("b/two", b"two")
    day.then(75, fault.clear)
    machine.clock.advance(10)
    day.watch(400, QUIET._replace(every_ns=3600 * SECOND))
    tries = [at for at, _, whole in day.passes if not whole and at < 75]
    gaps = [later - earlier for earlier, later in zip([0.0, *tries], tries, strict=False)]
    assert machine.stored() == {"site/one": b"one", "site/b/two": b"two"}
    assert 2 <= len(tries) <= 12
    assert gaps[0] < gaps[-1]
    (success,) = [number for number, (at, _, whole) in enumerate(day.passes) if at >= 75 and not whole]
    assert (day.passes[success + 1][2], day.passes[success + 1][0] - day.passes[success][0] < 0.1) == (True, True)


def test_what_waits_is_counted_while_the_destination_is_away(machine: Machine) -> None:
    """As often as ever, but no more often than it is tried."""
    machine.open_store = lambda _job: (_ for _ in ()).throw(Misconfigured("no such bucket"))
    machine.produce("one", b"one")
    day = Day(machine)
    machine.clock.advance(10)
    day.watch(290, QUIET._replace(every_ns=50 * SECOND))
    assert 2 <= len([at for at, _, whole in day.passes if whole]) <= 6


@pytest.mark.parametrize("left", ["b/two", "one", ""])
def test_a_file_that_it_was_to_be_tried_with_is_gone(machine: Machine, left: str) -> None:
    """Then it is tried with whatever there is."""
    away = [True]

    def open_store(_job: Job) -> object:
        if away:
            raise Misconfigured("no such bucket")
        return machine.store

    machine.open_store = open_store  # type: ignore[assignment]
    machine.produce("one", b"one")
    machine.produce("b/two", b"two")
    machine.clock.advance(10)
    day = Day(machine)

    def back() -> None:
        for path in {"one", "b/two"} - {left}:
            machine.files.remove(path)
        away.clear()

    day.then(2, back)
    day.watch(60, QUIET._replace(every_ns=3600 * SECOND))
    assert machine.stored().keys() == ({f"site/{left}"} if left else set())


def test_a_link_that_comes_and_goes_is_tried_soon(machine: Machine) -> None:
    """Where something got through, the next pause is the shortest again."""
    there = [True]

    def open_store(_job: Job) -> object:
        there[0] = not there[0]
        if there[0]:
            raise Misconfigured("no such bucket")
        return machine.store

    machine.open_store = open_store  # type: ignore[assignment]
    day = Day(machine)
    for number in range(60):
        day.at(10 * number, f"{number}", str(number).encode())
    day.watch(700)
    gaps = [later[0] - earlier[0] for earlier, later in zip(day.passes, day.passes[1:], strict=False)]
    assert len(machine.stored()) == 60
    assert max(gaps) <= 12


def test_a_source_that_is_not_there_comes_back(machine: Machine) -> None:
    """It is tried again, and stops no other job."""
    day = Day(machine)
    machine.files.missing = True
    machine.produce("one", b"one")
    day.then(30, lambda: setattr(machine.files, "missing", False))
    day.watch(120)
    assert machine.stored() == {"site/one": b"one"}
    with pytest.raises(SourceVanished):
        machine.files.missing = True
        machine.run(QUIET)


def test_a_file_that_changes_or_is_in_use_is_looked_at_again(machine: Machine) -> None:
    """Also where nobody tells that it was closed."""
    machine.produce("one", b"one")
    machine.clock.advance(10)
    day = Day(machine, tells=False)
    inode = machine.files.hold("one")
    day.then(3, lambda: machine.files.let_go(inode))
    day.watch(9)
    assert machine.stored() == {"site/one": b"one"}


def test_jobs_have_times_of_their_own(machine: Machine) -> None:
    """And each is told of."""
    other = QUIET._replace(
        name="other", destination=Destination("s3://b/o", "s3", "b", "o"), include=("*.o",), every_ns=4 * SECOND
    )
    day = Day(machine)
    day.watch(11, QUIET._replace(exclude=("*.o",)), other)
    assert [name for _, name, *_ in day.passes] == ["engine", "other", "other", "other", "engine"]


def test_a_part_forgets_nothing_of_the_rest(machine: Machine) -> None:
    """What is remembered of files elsewhere stays, so that their quiet time goes on."""
    day = Day(machine)
    slow = QUIET._replace(quiet_ns=20 * SECOND)
    day.at(0.5, "a/slow", b"slow")
    for second in range(2, 18):
        day.at(second, f"b/{second}", b"%d" % second)
    day.watch(21, slow)
    assert "site/a/slow" in machine.stored()


def at_two(machine: Machine, *times: int) -> Callable[[Job, int], int | None]:
    """A calendar with these seconds since the beginning, by the wall clock."""
    wall = machine.clock.wall_ns()
    return lambda _job, now: next((wall + at * SECOND for at in times if wall + at * SECOND > now), 1 << 62)


def test_a_clock_set_forward_past_a_time_brings_it_once(machine: Machine) -> None:
    """It is not missed, and neither are those after it."""
    day = Day(machine)
    day.then(5, lambda: machine.clock.jump_wall(7200))
    day.watch(60, QUIET._replace(at=(1,)), calendar=at_two(machine, 3600, 7230, 90_000))
    assert [round(at) for at, *_ in day.passes] == [5, 30]


def test_a_clock_set_back_has_times_found_anew(machine: Machine) -> None:
    """The next one comes when the clock shows it, and no sooner; a time that comes twice so is not an endless one."""
    day = Day(machine)
    day.then(25, lambda: machine.clock.jump_wall(-10))
    day.watch(60, QUIET._replace(at=(1,)), calendar=at_two(machine, 10, 20, 30))
    assert [round(at) for at, *_ in day.passes] == [10, 20, 30, 40]


def test_a_clock_that_is_set_disturbs_no_back_off(machine: Machine) -> None:
    """What could not be used is left alone for as long as before."""
    machine.files.missing = True
    day = Day(machine)
    day.then(12, lambda: machine.clock.jump_wall(3600))
    day.watch(16, QUIET._replace(at=(1,)), calendar=at_two(machine, 10, 20_000))
    assert [at for at, *_ in day.passes] == [10, 12.5]


def test_the_first_look_may_be_late(machine: Machine) -> None:
    """Each machine of a fleet has its own moment."""
    day = Day(machine)
    day.watch(30, QUIET._replace(every_ns=10 * SECOND), late=lambda _job: 7 * SECOND)
    assert [round(at) for at, *_ in day.passes] == [7, 17, 27]


def test_what_is_hindered_goes_as_soon_as_it_is_free(machine: Machine) -> None:
    """Its files wait with their reason; one line tells that it begins, and one that it ends."""
    hindered = [Hindrance("paused", "until then")]
    machine.permits = FREE._replace(hindrance=lambda _job: hindered[0] if hindered else None)
    machine.produce("one", b"one")
    machine.clock.advance(10)
    day = Day(machine)
    day.then(100.2, hindered.clear)
    day.watch(103, QUIET._replace(every_ns=3600 * SECOND))
    assert machine.stored() == {"site/one": b"one"}
    assert [round(at, 1) for at, *_ in day.passes] == [0, 100.2]
    assert machine.monitor.notices == ["paused: until then; its files wait", "it goes on"]


def test_files_over_the_limit_of_a_day_go_when_the_next_begins(machine: Machine) -> None:
    """In the midst of a long time without a look."""
    began = machine.clock.wall_ns()
    hour = 3600 * SECOND

    def hours(_job: Job, wall_ns: int) -> Period:
        number = (wall_ns - began) // hour
        return Period(began + number * hour, began + (number + 1) * hour, str(number), str(number + 1))

    machine.permits = FREE._replace(day=hours)
    for number in range(5):
        machine.produce(f"{number}", b"1234")
    machine.clock.advance(10)
    day = Day(machine)
    limited = QUIET._replace(every_ns=24 * hour, bytes_a_day=8)
    day.watch(3500, limited)
    assert len(machine.stored()) == 2
    day.watch(5000, limited)
    assert len(machine.stored()) == 4
    assert machine.observations()["4"].detail == "it goes on at 2"
    day.watch(5060, limited._replace(at=(1,)), calendar=at_two(machine, 10, 90_000))
    assert len(machine.stored()) == 4


def test_beneath_the_directory_that_it_is_tried_with_nothing_is_looked_at(machine: Machine) -> None:
    """Else each try would be a look at everything."""
    machine.open_store = lambda _job: (_ for _ in ()).throw(Misconfigured("no such bucket"))
    machine.produce("one", b"one")
    machine.clock.advance(10)
    day = Day(machine, tells=False)
    day.then(1, lambda: machine.produce("b/two", b"two"))
    day.watch(60, QUIET._replace(every_ns=3600 * SECOND))
    assert "b" not in day.covered


def test_word_of_the_network_hurries_a_try_with_one_directory(machine: Machine) -> None:
    """A pass that failed left word of where to try it."""
    away = [True]

    def open_store(_job: Job) -> object:
        if away:
            raise Misconfigured("no route to host")
        return machine.store

    machine.open_store = open_store  # type: ignore[assignment]
    machine.produce("one", b"one")
    machine.clock.advance(10)
    day = Day(machine)
    day.then(190, away.clear)
    day.then(191, lambda: setattr(day, "network", True))
    day.watch(195, QUIET._replace(every_ns=3600 * SECOND))
    assert machine.stored() == {"site/one": b"one"}


def test_a_large_file_that_rests_keeps_its_pass_open(machine: Machine) -> None:
    """It is served until it has gone."""
    machine.produce("0.large", bytes(range(256)) * 400)
    machine.clock.advance(10)
    machine.store.fail("put_large", Fault(Transient("connection refused")))
    day = Day(machine)
    day.watch(10, QUIET._replace(every_ns=3600 * SECOND))
    assert machine.stored().keys() == {"site/0.large"}


def test_word_of_the_network_hurries_a_source_as_well(machine: Machine) -> None:
    """It may be on the network itself."""
    machine.files.missing = True
    machine.produce("one", b"one")
    machine.clock.advance(10)
    day = Day(machine)
    day.then(100, lambda: setattr(machine.files, "missing", False))
    day.then(101, lambda: setattr(day, "network", True))
    day.watch(105)
    assert machine.stored() == {"site/one": b"one"}


def test_word_of_the_network_hurries_a_try(machine: Machine) -> None:
    """Not at once, and not at each word: a link may come and go. A job that is well is not hurried."""
    machine.files.missing = True
    day = Day(machine)
    for second in (100, 101, 102):
        day.then(second, lambda: setattr(day, "network", True))
    day.then(99, lambda: setattr(machine.files, "missing", False))
    day.then(200, lambda: setattr(day, "network", True))
    day.watch(210, QUIET._replace(every_ns=3600 * SECOND))
    after = [at for at, *_ in day.passes if at > 99]
    assert 100 < after[0] < 102.1
    assert len(after) == 1


@pytest.mark.slow
def test_weeks_without_a_destination_grow_nothing(machine: Machine) -> None:
    """One try in five minutes at most, and what is known of a job between them stays as small as it was."""
    machine.produce("one", b"one")
    machine.clock.advance(10)

    def closed(_job: Job) -> Store:
        raise Misconfigured("no route to host")

    machine.open_store = closed
    sizes: list[int] = []
    ledger = SqliteLedger(machine.state, machine.clock.wall_ns)
    ports = Ports(machine.files, ledger, InlineWorkers(), machine.clock, machine.monitor, machine.open_store,
                  machine.stopped, machine.compression)  # fmt: skip
    day = Day(machine, tells=False)
    weeks = 3 * 7 * 24 * 3600
    watch = Watch([QUIET], ports, day, lambda _job, _wall: None, lambda _job, _outcome: sizes.append(_size(watch)))
    day.ends = lambda: day.seconds >= weeks
    # Time passes in long strides where nothing happens: the rest of half a second would take a million steps.
    day.stride = 60.0
    watch.run(day.ends)
    ledger.close()
    assert len(sizes) < weeks / 140
    assert max(sizes) == sizes[3]
    assert len(machine.observations()) == 1


def _size(watch: Watch) -> int:
    """How many things a watch remembers."""
    attention = vars(watch._jobs[0])
    held = [len(value) for value in attention.values() if isinstance(value, dict | set | list)]
    return sum(held) + len(watch._left) + len(watch._turns.desk.seats)


@pytest.mark.parametrize("seed", [None, 3])
def test_a_job_that_is_due_does_not_wait_for_the_backlog_of_another(machine: Machine, seed: int | None) -> None:
    """It has its turn in the midst of it; and both are carried whole."""
    for number in range(600):
        machine.produce(f"{number}.bulk", b"bulk %d" % number)
    machine.clock.advance(10)
    machine.clock.tick_ns = 2 * 10**6
    bulk = QUIET._replace(name="bulk", include=("*.bulk",), every_ns=3600 * SECOND)
    there = Destination("s3://b/o", "s3", "b", "o")
    urgent = JOB._replace(name="urgent", include=("*.now",), destination=there, priority="high", every_ns=SECOND)
    left: list[int] = []

    def carried(job: Job, outcome: Outcome) -> None:
        if job is urgent and outcome.tally.bytes_carried:
            left.append(sum(path.endswith("bulk") for path in machine.files.files()))

    day = Day(machine)
    day.at(0.3, "one.now", b"now")
    ledger = SqliteLedger(machine.state, machine.clock.wall_ns)
    ports = Ports(machine.files, ledger, InlineWorkers(seed=seed), machine.clock, machine.monitor, machine.open_store,
                  machine.stopped, machine.compression)  # fmt: skip
    Watch([urgent, bulk], ports, day, lambda _job, _wall: None, carried).run(
        lambda: not machine.files.files() or day.seconds > 900
    )
    ledger.close()
    assert machine.files.files() == {}
    assert left
    assert seed is not None or left[0] > 100
