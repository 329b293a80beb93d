"""What comes of letting go is noted, counted and told. A release itself is in `batches.py`.

Whatever comes after a receipt never makes a file go back. A file that an earlier pass has carried, and did not let go of, is told
of when it goes: that pass may have been killed before it could tell anybody.
"""

from __future__ import annotations

from collections.abc import Sequence

from outhaul.engine.batches import Ports, Released
from outhaul.engine.retry import reason_of
from outhaul.engine.standings import Standings
from outhaul.model.errors import Missing, OuthaulError, SourceChanged, SourceVanished
from outhaul.model.evidence import Disposal, Receipt
from outhaul.model.job import Job


class LettingGo:
    """That of one pass over one job."""

    def __init__(self, job: Job, place: int, ports: Ports, standings: Standings) -> None:
        self._job = job
        self._place = place
        self._ports = ports
        self._standings = standings
        self._earlier: dict[int, Receipt] = {}

    def expect(self, receipts: Sequence[Receipt]) -> None:
        """These are about to go by receipts of an earlier pass: who listens has not heard of them from this one."""
        self._earlier.update({receipt.number: receipt for receipt in receipts})

    def take(self, released: Released) -> None:
        """What has become of some."""
        if released.disposals:
            self._note(released.disposals)
            reason = "archived" if self._job.after == "archive" else "removed"
            self._done(reason, released.disposals, [disposal.number for disposal in released.disposals])
        for receipt, error in released.setbacks:
            if isinstance(error, SourceVanished):
                self._note([Disposal(receipt.number, "gone")])
                self._done("gone", [], [receipt.number])
            else:
                self._stays(receipt, error)

    def finished(self, receipt: Receipt, disposal: Disposal) -> None:
        """A removal is finished that an earlier process had begun: the walk does not see its file."""
        self._note([disposal])
        self.expect([receipt])
        self._standings.tally.seen += 1
        self._done(disposal.outcome, [disposal], [receipt.number])

    def _done(self, reason: str, disposals: Sequence[Disposal], numbers: Sequence[int]) -> None:
        self._standings.tally.put(reason, len(numbers))
        earlier = [self._earlier.pop(number) for number in numbers if number in self._earlier] if self._earlier else []
        if disposals or earlier:
            self._ports.monitor.released(self._job, disposals, earlier)

    def _stays(self, receipt: Receipt, error: OuthaulError) -> None:
        self._earlier.pop(receipt.number, None)
        if isinstance(error, SourceChanged | Missing):  # What it speaks of is not there any more.
            self._note([Disposal(receipt.number, "missing" if isinstance(error, Missing) else "changed")])
        self._standings.set_back(receipt.sighting._replace(birth_ns=0), reason_of(error), str(error))

    def _note(self, disposals: Sequence[Disposal]) -> None:
        self._ports.ledger.note(self._place, disposals=disposals)
