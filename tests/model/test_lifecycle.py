"""Every reason has its state, and every error its reason."""

import inspect

import pytest

from outhaul.engine.retry import pause_ns, reason_of
from outhaul.model import errors
from outhaul.model.errors import OuthaulError, SourceError, StoreError
from outhaul.model.events import Tally
from outhaul.model.lifecycle import REASONS, Standing, State

# No stage lets these out (`upload` ends with another), or they are not about a file.
NEVER_OF_A_FILE = {"OuthaulError", "SourceError", "StoreError", "AlreadyThere", "LedgerError", "AnotherInstance"}
KINDS = [
    kind
    for name, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, (SourceError, StoreError)) and name not in NEVER_OF_A_FILE
]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_of_a_file_has_a_reason(kind: type[OuthaulError]) -> None:
    """An error that a stage may raise says where the file stands; none of them means that it was carried."""
    reason = REASONS[reason_of(kind("x"))]
    assert reason.state in (State.WAITING, State.HELD, State.VANISHED)


@pytest.mark.parametrize("reason", REASONS)
def test_whoever_waits_or_is_held_is_told_why_and_what_to_do(reason: str) -> None:
    """Each reason has a meaning; where a file does not go on, also an advice."""
    state, meaning, advice = REASONS[reason]
    assert meaning
    assert advice or state not in (State.WAITING, State.HELD)
    assert state is Standing("path", reason).state


def test_a_tally_adds_up() -> None:
    """What was seen and stands nowhere is unaccounted for."""
    tally, other = Tally(), Tally()
    tally.seen = 5
    tally.put("removed", 2)
    tally.put("quiet")
    other.seen = 1
    other.put("quiet")
    tally.add(other)
    assert (tally.seen, tally.unaccounted, tally.by_reason) == (6, 2, {"removed": 2, "quiet": 2})
    assert (tally.of(State.CARRIED), tally.of(State.WAITING), tally.of(State.HELD)) == (2, 2, 0)


@pytest.mark.parametrize("failures", range(1, 80))
def test_pauses_grow_and_are_bounded(failures: int) -> None:
    """A pause is at least a quarter of a second and at most half a minute, whatever chance says."""
    for chance in (0, 1, 10**18, 7**20):
        assert 250_000_000 <= pause_ns(failures, chance) <= 30 * 10**9
    assert pause_ns(1, 0) <= pause_ns(failures, 0)
