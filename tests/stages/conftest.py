"""A world for each test."""

import pytest

from stages.world import World


@pytest.fixture
def world() -> World:
    """With one file, 'a/file.csv'."""
    world = World()
    world.files.write("a/file.csv", b"time;value\n1;2\n")
    return world
