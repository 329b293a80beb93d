"""The account of a restore or an audit: every file that was asked for, under one key of `RETURNS`; and who is told of it."""

from __future__ import annotations

from typing import Protocol

from outhaul.model.errors import (
    Archived,
    Damaged,
    Denied,
    InTheWay,
    LandingError,
    Misconfigured,
    NameRefused,
    NotThere,
    OuthaulError,
    Refused,
    StoreError,
    Taken,
)
from outhaul.model.returning import RETURNS, Wanted

# The first that fits.
_OUTCOMES: tuple[tuple[type[OuthaulError], str], ...] = (
    (Damaged, "damaged"),
    (NotThere, "missing"),
    (Archived, "archived"),
    (Refused, "store-refused"),
    (Denied, "denied"),
    (Misconfigured, "store"),
    (StoreError, "no-answer"),
    (Taken, "other-bytes"),
    (InTheWay, "in-the-way"),
    (NameRefused, "refused-name"),
    (LandingError, "not-written"),
)


def outcome_of(error: OuthaulError) -> str:
    """The key of `RETURNS` that stands for an error."""
    for kind, outcome in _OUTCOMES:
        if isinstance(error, kind):
            return outcome
    raise error  # No stage raises any other: a mistake of ours, which must not look like a file's.


class Account:
    """How many files were asked for, and what became of each."""

    __slots__ = (
        "by_outcome",
        "bytes_restored",
        "bytes_settled",
        "bytes_under_way",
        "faults",
        "seen",
        "stopped_at_limit",
    )

    def __init__(self) -> None:
        self.seen = 0
        self.by_outcome: dict[str, int] = {}
        self.bytes_restored = 0
        self.bytes_settled = 0
        """Of all files that are accounted for, whatever became of them."""
        self.bytes_under_way = 0
        """What has come of large files that are not whole yet."""
        self.faults: dict[int, str] = {}
        """Of each store that cannot be used, why."""
        self.stopped_at_limit = False

    def put(self, outcome: str, size: int = 0) -> None:
        """Account for one file of so many bytes under a key of `RETURNS`."""
        self.bytes_settled += max(0, size)
        self.by_outcome[outcome] = self.by_outcome.get(outcome, 0) + 1

    @property
    def well(self) -> bool:
        """Whether every file is where it was asked for: a store that cannot be used harms none that has another copy."""
        return all(RETURNS[outcome].well for outcome in self.by_outcome)


class Watcher(Protocol):
    """Whoever watches. Calls come from one thread and must return at once."""

    def expect(self, files: int, size: int) -> None:
        """So many files, and bytes, will be asked for. Told by those who know it beforehand."""

    def returned(self, wanted: Wanted, outcome: str, detail: str) -> None:
        """This is what became of a file."""

    def progress(self, account: Account) -> None:
        """So far."""

    def notice(self, text: str) -> None:
        """Something that a person should know, in one line."""
