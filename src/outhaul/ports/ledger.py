"""What has been seen and proved: facts, never orders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from outhaul.model.bundle import Bundle
from outhaul.model.events import Tally
from outhaul.model.evidence import Disposal, Proof, Receipt, Settled, Sighting, Tombstone
from outhaul.model.job import Job
from outhaul.ports.clock import Moment
from outhaul.ports.files import Space
from outhaul.ports.store import Abilities, Begun


class Observation(NamedTuple):
    """What the ledger remembers of a file that has not been carried."""

    sighting: Sighting
    since: Moment
    """When outhaul first saw this generation."""
    reason: str
    """Key of `lifecycle.REASONS`."""
    detail: str
    attempts: int
    """How often carrying this generation was tried and failed."""


class BegunBundle(NamedTuple):
    """A bundle that was about to be sent. A hint: whether the store has it is not known."""

    number: int
    begun_ns: int
    """When, on the wall clock."""
    bundle: Bundle


class Ledger(Protocol):
    """What has been seen and what has been proved. Facts, never orders. Used from one thread.

    Every method raises `LedgerError` where the database fails; then nothing may be let go.
    """

    def place(self, job: Job) -> int:
        """The number of this pair of source and destination; made where it is new."""

    def receipts(self, place: int, directory: str, names: Sequence[str]) -> dict[str, Receipt]:
        """The latest receipt of each of these names, where there is one."""

    def ever_carried(self, place: int, directory: str, name: str) -> bool:
        """Whether there is any receipt of this name, of whichever generation."""

    def receipt(self, number: int) -> Receipt | None:
        """One receipt by its number."""

    def archived(self, place: int, before_ns: int, above: int) -> list[Receipt]:
        """Some receipts whose source went to the archive before this time, by number from `above` on; [] at the end."""

    def observations(self, place: int, directory: str) -> dict[str, Observation]:
        """What is remembered of the uncarried files of a directory."""

    def record(self, place: int, proofs: Sequence[Proof]) -> list[Receipt]:
        """Make proofs durable. When this returns, they are on disk (L5); when it raises, none is a receipt."""

    def sent_since(self, place: int, wall_ns: int) -> int:
        """Bytes that were recorded as sent since then, by the job of this place to any of its destinations.

        Whole quarters of an hour are counted. What was in the store before counts nothing, nor what an older outhaul sent.
        """

    def largest_waiting(self, place: int, reason: str, detail: str) -> int:
        """Size of the largest uncarried file that waits for this reason, in these words; 0 where there is none."""

    def uploads(self, place: int) -> list[tuple[Sighting, Begun]]:
        """The large uploads that were begun and are not known to have ended."""

    def left_uploads(self, place: int, bucket: str, before_ns: int) -> list[tuple[int, Sighting, Begun]]:
        """Those of other pairs, into this bucket of the same endpoint, that nobody goes on with; each with its pair's number.

        They were begun before this time, and their pairs have had no run since, and are not among those of this process.
        """

    def begin_upload(self, place: int, sighting: Sighting, begun: Begun) -> None:
        """Remember that one was begun. When this returns, it is on disk."""

    def end_upload(self, place: int, sighting: Sighting, begun: Begun) -> None:
        """Forget one, with the next durable transaction: its object is recorded, or the store has forgotten it."""

    def bundles(self, place: int) -> list[BegunBundle]:
        """The bundles that were to be sent and are not recorded."""

    def begin_bundle(self, place: int, bundle: Bundle) -> int:
        """Remember that one is about to be sent: its number. When this returns, that is on disk.

        It is forgotten with the transaction that records proofs of files within it.
        """

    def end_bundle(self, number: int) -> None:
        """Forget one that the store does not have, with the next durable transaction."""

    def bury(self, place: int, files: Sequence[Settled], free: int) -> list[Tombstone]:
        """Make it durable that these files are given up, never carried, with so many bytes free. When this returns, it is."""

    def buried(self, tombstone: Tombstone, outcome: str) -> None:
        """What became of such a file, with the next durable transaction: 'shed', 'gone', or 'stays' with all its bytes."""

    def note_space(self, place: int, space: Space, now: Moment) -> None:
        """Remember how full the file system of a source is, for a forecast, with the next durable transaction."""

    def note(
        self,
        place: int,
        *,
        disposals: Sequence[Disposal] = (),
        observed: Sequence[Observation] = (),
        forgotten: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Remember what may be lost without harm: it is written with the next durable transaction, or at `settle`.

        Args:
            place: The pair of source and destination.
            disposals: What became of sources.
            observed: Uncarried files, each replacing what was known of it.
            forgotten: Directory and name of files of which nothing is to be remembered.
        """

    def settle(self) -> None:
        """Write what has been noted."""

    def observed_directories(self, place: int) -> set[str]:
        """The directories of whose files something is remembered."""

    def forget_directory(self, place: int, directory: str) -> None:
        """Remember nothing more of the uncarried files of a directory: it has vanished."""

    def finish_run(self, place: int, started_ns: int, tally: Tally) -> None:
        """Write what has been noted, and that a run took place, for people to look at."""

    def steady_since(self, now: Moment, tolerance_ns: int) -> bool:
        """Whether the wall clock has kept step with the boot clock, as far as this ledger has seen.

        It is false for the rest of the boot once they have differed by more than `tolerance_ns`, and where the wall
        clock is behind anything recorded.
        """

    def abilities(self, address: str, now: Moment) -> Abilities | None:
        """What the endpoint of a destination has shown within the last day."""

    def learn(self, address: str, abilities: Abilities, now: Moment) -> None:
        """Remember what an endpoint has shown."""
