"""host/limiter.py under a clock of the test: how much goes, and who goes first."""

import itertools
from collections.abc import Callable

import pytest

from outhaul.host.limiter import Limiter, WallTime, _Turn
from outhaul.model.bandwidth import Bandwidth, Priority, Window

MIB = 1 << 20
RATE = 100_000
SLICE = RATE // 10


class World:
    """A clock, and bodies that send whatever they have leave for."""

    def __init__(self, bandwidth: Bandwidth) -> None:
        self.now = 0.0
        self.wall = WallTime(0, 0)
        self.limiter = Limiter(bandwidth, clock=lambda: self.now, wall=lambda: self.wall)
        self.under_way: list[Body] = []

    def send(self, name: str, length: int, priority: Priority = "normal") -> "Body":
        """A body more."""
        body = Body(name, length, self.limiter.share(priority).turn(length))
        self.under_way.append(body)
        return body

    def pass_by(self, seconds: float, begin: Callable[[], object] = lambda: None) -> None:
        """Let time pass in steps of ten milliseconds, in which everybody asks."""
        for _ in range(round(seconds * 100)):
            begin()
            for body in [*self.under_way]:
                body.ask(self.now)
                if body.ended is not None:
                    self.under_way.remove(body)
            self.now += 0.01


class Body:
    """What one file sends."""

    def __init__(self, name: str, length: int, turn: _Turn) -> None:
        self.name = name
        self.length = length
        self.sent = 0
        self.began: float | None = None
        self.ended: float | None = None
        self.longest_pause = 0.0
        self._last: float | None = None
        self._turn = turn

    def ask(self, now: float) -> None:
        """Send what may go."""
        leave = self._turn.take()
        if not leave:
            return
        self.began = now if self.began is None else self.began
        self.longest_pause = max(self.longest_pause, now - (self._last or now))
        self._last = now
        used = min(leave, self.length - self.sent)
        self.sent += used
        if self.sent == self.length:
            self.ended = now
            self._turn.done(leave - used)


@pytest.mark.parametrize("rate", [8 << 10, RATE, 3 * MIB, 50 * MIB])
def test_so_many_bytes_a_second(rate: int) -> None:
    """Over ten seconds the limit holds, however many send."""
    world = World(Bandwidth(rate))
    bodies = [world.send("large", 100 * rate) for _ in range(12)]
    world.pass_by(10)
    assert sum(body.sent for body in bodies) == pytest.approx(10 * rate, rel=0.1)


def test_nobody_saves_up() -> None:
    """After a minute of silence no more goes at once than in a third of a second."""
    world = World(Bandwidth(RATE))
    world.pass_by(60)
    body = world.send("late", 10 * MIB)
    world.pass_by(0.01)
    assert body.sent <= RATE / 3


def test_without_a_limit_all_goes_at_once() -> None:
    """Nobody waits."""
    world = World(Bandwidth(None))
    body = world.send("large", 20 * MIB)
    world.pass_by(0.25)
    assert body.ended is not None


def test_a_small_one_waits_for_one_slice_of_the_large_ones() -> None:
    """However many large ones are under way."""
    world = World(Bandwidth(RATE))
    for _ in range(20):
        world.send("large", 10 * MIB)
    world.pass_by(5)
    began = world.now
    small = world.send("small", 1000)
    world.pass_by(1)
    assert small.ended is not None and small.ended - began <= 0.2


def test_a_stream_of_small_ones_leaves_a_large_one_half() -> None:
    """Small and large share, as long as both wait."""
    world = World(Bandwidth(RATE))
    large = world.send("large", 10 * MIB)
    small: list[Body] = []

    def stream() -> None:
        while len(world.under_way) < 50:
            small.append(world.send("small", 3000))

    world.pass_by(10, stream)
    assert large.sent == pytest.approx(5 * RATE, rel=0.15)
    assert sum(body.sent for body in small) == pytest.approx(5 * RATE, rel=0.15)


def test_small_ones_go_in_their_order() -> None:
    """First come, first served, also where one takes several slices."""
    world = World(Bandwidth(RATE))
    bodies = [world.send(str(number), 5 * SLICE) for number in range(4)]
    world.pass_by(3)
    ends = [body.ended for body in bodies]
    assert ends == sorted(end for end in ends if end is not None)
    assert all(later.began >= earlier.ended for earlier, later in itertools.pairwise(bodies))  # type: ignore[operator]


def test_large_ones_share_and_none_pauses_for_long() -> None:
    """A store gives up after twenty seconds; those that cannot go yet do not begin."""
    world = World(Bandwidth(8 << 10))
    bodies = [world.send("large", MIB) for _ in range(30)]
    world.pass_by(20)
    begun = [body for body in bodies if body.began is not None]
    assert len(begun) == 8
    assert max(body.longest_pause for body in begun) < 10
    assert max(body.sent for body in begun) - min(body.sent for body in begun) <= 8 << 10


def test_a_higher_priority_goes_first() -> None:
    """A large one of it, too; afterwards the others go on."""
    world = World(Bandwidth(RATE))
    low = [world.send("low", 10 * MIB, "low") for _ in range(10)]
    world.pass_by(1)
    before = sum(body.sent for body in low)
    high = world.send("high", 3 * RATE, "high")
    world.pass_by(3.3)
    assert high.ended is not None
    assert sum(body.sent for body in low) - before <= RATE // 2
    world.pass_by(2)
    assert sum(body.sent for body in low) - before >= RATE


def test_the_timetable_is_obeyed_within_a_second() -> None:
    """The clock on the wall chooses the rate, and nothing else."""
    world = World(Bandwidth(RATE, (Window(10 * RATE, begin=60, end=120),)))
    body = world.send("large", 100 * MIB)
    world.pass_by(5)
    assert body.sent == pytest.approx(5 * RATE, rel=0.1)
    world.wall = WallTime(0, 60)
    world.pass_by(1)
    before = body.sent
    world.pass_by(5)
    assert body.sent - before == pytest.approx(50 * RATE, rel=0.1)


def test_what_was_not_used_is_for_others() -> None:
    """One that is given up in the middle costs the others nothing."""
    world = World(Bandwidth(RATE))
    given_up = world.limiter.share("normal").turn(10 * MIB)
    world.now += 1
    assert given_up.take() > 0
    given_up.done(SLICE)
    other = world.send("other", 10 * MIB)
    world.pass_by(0.01)
    assert other.sent >= SLICE


def test_who_waits_asks_seldom() -> None:
    """Not before something can have changed, and often enough to see that the run is to end."""
    world = World(Bandwidth(RATE))
    turn = world.limiter.share("normal").turn(10 * MIB)
    while turn.take():
        pass
    assert 0.01 <= turn.seconds() <= 0.25
