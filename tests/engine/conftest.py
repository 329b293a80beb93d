"""A machine for each test, with its ledger in memory where the system has such a place: a simulation syncs a lot."""

import os
import tempfile
from collections.abc import Callable, Iterator

import pytest

from engine.world import Machine

_MEMORY = "/dev/shm"


@pytest.fixture
def new_machine() -> Iterator[Callable[[], Machine]]:
    """Makes machines."""
    place = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="outhaul-test-", dir=place) as home:
        count = iter(range(1_000_000))
        yield lambda: Machine(f"{home}/{next(count)}")


@pytest.fixture
def machine(new_machine: Callable[[], Machine]) -> Machine:
    """One machine."""
    return new_machine()
