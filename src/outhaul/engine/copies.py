"""Other copies of a file, where the latest one fails: an earlier receipt of the same path and bytes, in another place.

They are tried in turn, the latest first. When none is left, the file is told under what became of its own copy.
Which there are, the ledger says; nothing is fetched here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from outhaul.model.returning import Copy, Wanted

OF_THE_COPY = frozenset({"missing", "damaged", "archived", "denied", "no-answer", "store-refused", "store"})
"""Keys of `RETURNS` that say something of one copy only."""


class Verdict(NamedTuple):
    """What is to be told of a file after its last copy."""

    wanted: Wanted
    outcome: str
    detail: str
    archived: Wanted | None
    """A copy that is there, in an archive class."""


class _Trial:
    """One file, and its copies."""

    def __init__(self, wanted: Wanted, outcome: str, detail: str, left: list[Copy]) -> None:
        self.wanted, self.outcome, self.detail = wanted, outcome, detail
        self.left = left
        self.where = ""
        self.tried = 0
        self.archived: Wanted | None = None


class Copies:
    """All files for which another copy is tried.

    Args:
        find: The other copies of a file.
    """

    def __init__(self, find: Callable[[Wanted], Iterable[Copy]]) -> None:
        self._find = find
        self._trials: dict[Wanted, _Trial] = {}

    def instead(self, wanted: Wanted, outcome: str, detail: str) -> Wanted | Verdict:
        """The copy to try after this one came to `outcome`; a verdict where none is left."""
        trial = self._trials.pop(wanted, None) or _Trial(wanted, outcome, detail, list(self._find(wanted)))
        if outcome == "archived" and trial.archived is None:
            trial.archived = wanted
        if not trial.left:
            more = f"; {trial.tried} other {'copy' if trial.tried == 1 else 'copies'} tried" if trial.tried else ""
            return Verdict(trial.wanted, trial.outcome, trial.detail + more, trial.archived)
        copy = trial.left.pop(0)
        trial.where, trial.tried = copy.where, trial.tried + 1
        self._trials[copy.wanted] = trial
        return copy.wanted

    def story(self, wanted: Wanted) -> str:
        """Which copy this is, and why; '' where it is the file's own."""
        trial = self._trials.pop(wanted, None)
        return f"from {trial.where}; the latest copy: {trial.outcome}" if trial else ""
