"""Whoever watches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from outhaul.model.events import Tally
from outhaul.model.evidence import Disposal, Proof, Receipt
from outhaul.model.job import Job
from outhaul.model.lifecycle import Standing


class Monitor(Protocol):
    """Whoever watches. Calls come from one thread, some tens a second, and must return at once."""

    def started(self, job: Job) -> None:
        """A pass over this job begins."""

    def standing(self, job: Job, standing: Standing) -> None:
        """One file does not go on, for this reason."""

    def carried(self, job: Job, receipts: Sequence[Receipt], proofs: Sequence[Proof]) -> None:
        """These files are proved and recorded; the two sequences are parallel."""

    def released(self, job: Job, disposals: Sequence[Disposal], earlier: Sequence[Receipt]) -> None:
        """The sources of these receipts have been let go: removed, or moved to the archive.

        `earlier` are those of files that an earlier pass has carried, and that go, or have gone, only now: it may have been
        killed before it told anybody. `carried` is not called for them.
        """

    def progress(self, job: Job, tally: Tally) -> None:
        """So far."""

    def notice(self, job: Job, text: str) -> None:
        """Something that a person should know, in one line."""

    def finished(self, job: Job, tally: Tally) -> None:
        """The pass is over."""
