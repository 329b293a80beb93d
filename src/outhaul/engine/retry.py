"""The one place where it is decided whether, and when, to try again (law L15). Pure.

A destination that does not answer is left alone for a while, by all workers together; a pause grows with each batch that fails
and ends with the first that succeeds. After `FAILURES_MAX` batches in a row the run gives the destination up: its
files wait for the next run, and their attempts are in the ledger.
"""

from __future__ import annotations

from outhaul.model.errors import (
    Conflict,
    Denied,
    GroupWaits,
    Interrupted,
    KeyBusy,
    KeyTooLong,
    Misconfigured,
    Missing,
    NoCopy,
    NotAsAsked,
    NotThere,
    OnItsWay,
    OuthaulError,
    OutOfMemory,
    Refused,
    SourceChanged,
    SourceInUse,
    SourceNotRegular,
    SourceShared,
    SourceStuck,
    SourceUnreadable,
    SourceVanished,
    Transient,
    Unproved,
    WritersUnknown,
)

ATTEMPTS_IN_A_RUN = 4
FAILURES_MAX = 6
HELD_AFTER = 12
"""Attempts, over several runs, after which a file that alone does not go is a matter for a person."""
_PAUSE_FIRST_NS = 500_000_000
_PAUSE_MAX_NS = 30 * 10**9

# The first that fits.
_REASONS: tuple[tuple[type[OuthaulError], str], ...] = (
    (SourceVanished, "vanished"),
    (SourceChanged, "changed"),
    (SourceInUse, "in-use"),
    (GroupWaits, "group"),
    (WritersUnknown, "writers-unknown"),
    (SourceNotRegular, "changed"),
    (SourceShared, "hard-link"),
    (SourceStuck, "not-removed"),
    (SourceUnreadable, "unreadable"),
    (OutOfMemory, "memory"),
    (KeyTooLong, "name-too-long"),
    (Refused, "refused"),
    (NoCopy, "no-copy"),
    (Conflict, "conflict"),
    (NotAsAsked, "not-as-asked"),
    (Unproved, "unproved"),
    (OnItsWay, "on-its-way"),
    (Interrupted, "interrupted"),
    (Transient, "retry"),
    (Missing, "missing"),
    (NotThere, "retry"),
    (Denied, "destination"),
    (Misconfigured, "destination"),
)


def reason_of(error: OuthaulError) -> str:
    """Why a file stands where it stands after this error: a key of `lifecycle.REASONS`."""
    for kind, reason in _REASONS:
        if isinstance(error, kind):
            return reason
    raise error  # No stage raises any other: a mistake of ours, which must not look like a file's.


def unanswered(error: OuthaulError) -> bool:
    """Whether the store did not answer; that the run is asked to end is no fault of it."""
    return isinstance(error, Transient) and not isinstance(error, Interrupted | KeyBusy)


def pause_ns(failures: int, chance: int) -> int:
    """How long to leave a destination alone after so many failures in a row.

    Args:
        failures: 1 and up.
        chance: Any number; spreads the pause between half and the whole, so that machines do not come back in step.
    """
    whole = min(_PAUSE_MAX_NS, _PAUSE_FIRST_NS << (failures - 1))
    return whole // 2 + chance % (whole // 2)
