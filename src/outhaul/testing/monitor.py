"""A monitor that keeps what it is told. It keeps everything, so it is not for runs over many files."""

from __future__ import annotations

from collections.abc import Sequence

from outhaul.model.events import Tally
from outhaul.model.evidence import Disposal, Proof, Receipt
from outhaul.model.job import Job
from outhaul.model.lifecycle import Standing


class RecordingMonitor:
    """What a run has told."""

    def __init__(self) -> None:
        self.standings: list[Standing] = []
        self.receipts: list[Receipt] = []
        self.proofs: list[Proof] = []
        self.disposals: list[Disposal] = []
        self.earlier: list[Receipt] = []
        """Of files that went by receipts of an earlier pass."""
        self.notices: list[str] = []
        self.so_far = Tally()
        """As it was told last; it goes on changing."""
        self.tallies: list[Tally] = []
        """One for each pass that came to its end."""

    def reasons(self) -> dict[str, str]:
        """Path to reason, of all files that did not go on."""
        return {standing.path: standing.reason for standing in self.standings}

    def started(self, job: Job) -> None:
        """See `ports.Monitor`."""

    def standing(self, job: Job, standing: Standing) -> None:
        """See `ports.Monitor`."""
        self.standings.append(standing)

    def carried(self, job: Job, receipts: Sequence[Receipt], proofs: Sequence[Proof]) -> None:
        """See `ports.Monitor`."""
        self.receipts.extend(receipts)
        self.proofs.extend(proofs)

    def released(self, job: Job, disposals: Sequence[Disposal], earlier: Sequence[Receipt]) -> None:
        """See `ports.Monitor`."""
        self.disposals.extend(disposals)
        self.earlier.extend(earlier)

    def progress(self, job: Job, tally: Tally) -> None:
        """See `ports.Monitor`."""
        self.so_far = tally

    def notice(self, job: Job, text: str) -> None:
        """See `ports.Monitor`."""
        self.notices.append(text)

    def finished(self, job: Job, tally: Tally) -> None:
        """See `ports.Monitor`."""
        self.tallies.append(tally)
