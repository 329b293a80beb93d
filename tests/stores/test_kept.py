"""A destination stays open between passes for a while, and belongs to one pass at a time."""

from __future__ import annotations

import pytest

from outhaul.model.job import Destination, Job
from outhaul.stores.kept import IDLE_SECONDS, Kept
from outhaul.testing.store import SimulatedStore

JOB = Job("one", "/source", Destination("s3://bucket/a", "s3", "bucket", "a"))
OTHER = JOB._replace(name="other")


class World:
    """A clock, and every store that was opened."""

    def __init__(self) -> None:
        self.now = 100.0
        self.opened: list[SimulatedStore] = []
        self.kept = Kept(self.open, lambda: self.now)

    def open(self, _job: Job) -> SimulatedStore:
        """A new one."""
        self.opened.append(SimulatedStore())
        return self.opened[-1]

    def closed(self) -> list[int]:
        """How many times each was closed."""
        return [store.closed for store in self.opened]


@pytest.fixture
def world() -> World:
    """Nothing is open."""
    return World()


def test_it_is_there_for_the_next_pass(world: World) -> None:
    """What one pass left the next one has; each job its own."""
    world.kept.leave(JOB, world.kept.open(JOB))
    assert world.kept.open(JOB) is world.opened[0]
    assert world.kept.open(OTHER) is world.opened[1]


def test_it_belongs_to_whoever_has_it(world: World) -> None:
    """While it is in use it is neither given away nor closed."""
    world.kept.leave(JOB, world.kept.open(JOB))
    world.kept.open(JOB)
    world.now += 2 * IDLE_SECONDS
    world.kept.close_idle()
    world.kept.close()
    assert world.closed() == [0]
    assert world.kept.open(JOB) is world.opened[1]


def test_one_that_nobody_needs_is_closed(world: World) -> None:
    """After a while, and once."""
    world.kept.leave(JOB, world.kept.open(JOB))
    world.now += IDLE_SECONDS - 1
    world.kept.leave(OTHER, world.kept.open(OTHER))
    world.kept.close_idle()
    assert world.closed() == [0, 0]
    world.now += 1
    world.kept.close_idle()
    world.kept.close_idle()
    assert world.closed() == [1, 0]


def test_all_are_closed_in_the_end(world: World) -> None:
    """Each once."""
    for job in (JOB, OTHER):
        world.kept.leave(job, world.kept.open(job))
    world.kept.close()
    assert world.closed() == [1, 1]


def test_two_passes_of_a_job(world: World) -> None:
    """Each has one of its own, and one of them stays."""
    first, second = world.kept.open(JOB), world.kept.open(JOB)
    world.kept.leave(JOB, second)
    world.kept.leave(JOB, first)
    assert world.closed() == [1, 0]
    assert world.kept.open(JOB) is second


def test_what_goes_through_another_program_is_not_kept(world: World) -> None:
    """It remembers what it was told of its streams, which may be gone tomorrow."""
    job = JOB._replace(via="stream-manager")
    world.kept.leave(job, world.kept.open(job))
    assert world.closed() == [1]
