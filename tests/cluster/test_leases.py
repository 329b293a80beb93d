"""What all workers send together stays within the limit at every moment, and who sends alone has nearly all of it."""

import random
from collections.abc import Callable
from functools import partial

import pytest

from outhaul.cluster.leases import Leases, Pool
from outhaul.host.limiter import WallTime
from outhaul.model.bandwidth import Bandwidth, Window

LIMIT = 1_000_000
NAMES = "abc"


class World:
    """A pool, and workers that ask it."""

    def __init__(self, bandwidth: Bandwidth = Bandwidth(LIMIT)) -> None:  # noqa: B008
        self.now = 1000.0
        self.wall = WallTime(0, 0)
        self.bandwidth = bandwidth
        self.pool: Pool | None = self.made()
        self.ask: dict[str, Pool | None] = {}
        self.leases = {name: self.started(name) for name in NAMES}
        self.given = dict.fromkeys(NAMES, 0.0)
        self.uses: dict[str, float] = dict.fromkeys(NAMES, 0.0)

    def made(self) -> Pool:
        """A new pool."""
        return Pool(self.bandwidth, clock=lambda: self.now, wall=lambda: self.wall)

    def started(self, name: str) -> Leases:
        """What a batch of a worker begins with."""
        self.ask[name] = self.pool
        return Leases(partial(self._asked, name, self.pool), self.bandwidth.among(3), clock=lambda: self.now)

    def _asked(self, name: str, pool: Pool | None, wants: float) -> int | None:
        if pool is None or pool is not self.pool:
            raise OSError("Unable to contact Actor's worker")
        return pool.ask(name, wants)

    def rates(self) -> dict[str, float]:
        """What each worker may send at this moment."""
        found = {name: lease.at(*self.wall) for name, lease in self.leases.items()}
        return {name: float("inf") if rate is None else rate for name, rate in found.items()}

    def go_on(self, seconds: float, look: Callable[[], None] = lambda: None) -> dict[str, float]:
        """Time passes; the bytes that each worker has sent in it."""
        before = dict(self.given)
        for _ in range(round(seconds * 10)):
            self.now += 0.1
            for name, lease in self.leases.items():
                rate = lease.at(*self.wall)
                self.given[name] += 0.1 * min(self.uses[name], float("inf") if rate is None else rate)
                lease.tick(self.now if self.uses[name] else -1e9, int(self.given[name]))
            look()
        return {name: self.given[name] - before[name] for name in NAMES}


def test_who_sends_alone_has_all() -> None:
    """Of three workers that are there, one is busy."""
    world = World()
    world.uses["a"] = 1e9
    assert world.go_on(10)["a"] > 9.5 * LIMIT


def test_who_sends_beside_others_has_an_equal_part() -> None:
    """And what one of them cannot use is for the others."""
    world = World()
    world.uses |= {"a": 1e9, "b": 1e9}
    world.go_on(3)
    sent = world.go_on(10)
    assert sent["a"] == pytest.approx(sent["b"], rel=0.05)
    world.uses["b"] = 150_000
    world.go_on(3)
    sent = world.go_on(10)
    assert sent["a"] > 7 * LIMIT
    assert sent["b"] > 0.95 * 1_500_000


@pytest.mark.parametrize("seed", range(20))
def test_together_they_never_have_more_than_the_limit(seed: int) -> None:
    """Whoever begins, ends, begins a new batch, or loses the pool: at no moment is more lent than there is."""
    rng, world = random.Random(seed), World()

    def look() -> None:
        total = sum(world.rates().values())
        assert total <= LIMIT + len(NAMES), (seed, world.now, world.rates())

    for _ in range(60):
        name = rng.choice(NAMES)
        world.uses[name] = rng.choice((0, 100_000, 1e9))
        if rng.random() < 0.3:  # A new batch.
            world.leases[name] = world.started(name)
        if rng.random() < 0.1:
            world.pool = None
        elif world.pool is None or rng.random() < 0.1:
            world.pool = world.made()
        if world.pool is not None:
            strangers = sum(world.ask[each] is not world.pool for each in NAMES)
            world.pool.keep_back(strangers / 3)
        world.go_on(rng.uniform(0, 3), look)


def test_without_a_pool_there_is_an_equal_part() -> None:
    """From a second on after it was lost."""
    world = World()
    world.uses = dict.fromkeys(NAMES, 1e9)
    world.go_on(5)
    world.pool = None
    sent = world.go_on(10)
    assert all(2.5 * LIMIT < sent[name] < 3.4 * LIMIT for name in NAMES)
    assert list(world.rates().values()) == [LIMIT // 3] * 3


def test_a_pool_that_does_not_answer_is_given_up() -> None:
    """At the third try; until then nothing goes."""
    now = 0.0

    def silent(_wants: float) -> int:
        raise TimeoutError

    leases = Leases(silent, Bandwidth(90), clock=lambda: now)
    rates = []
    for _ in range(4):
        now += 2
        leases.tick(now, 0)
        rates.append(leases.at(0, 0))
    assert rates == [1, 1, 1, 90]


def test_a_timetable_is_obeyed() -> None:
    """Within a second or two of its times, also where there is no limit."""
    world = World(Bandwidth(LIMIT, (Window(None, begin=60, end=120), Window(5000, begin=120, end=180))))
    world.uses = {"a": 1e8, "b": 0.0, "c": 0.0}
    world.go_on(3)
    assert world.rates()["a"] == LIMIT
    world.wall = WallTime(0, 60)
    world.go_on(2)
    assert world.rates()["a"] == float("inf")
    world.wall = WallTime(0, 120)
    world.go_on(2)
    assert world.rates()["a"] == 5000
