"""The end of a pass: what has been in the archive for long enough goes, and directories that have long been empty.

Both wait for a wall clock that can be believed: one that has kept step with the boot clock and, for the archive, with
the store's own time where it tells one (law L7), or for a disk that has become too full (`room.py`). Nothing here is needed
for the safety of a file: what goes has a receipt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from outhaul.engine.batches import Ports
from outhaul.engine.recovery import recover
from outhaul.model.errors import SourceError, StoreError
from outhaul.model.evidence import Disposal, Receipt
from outhaul.model.job import Job
from outhaul.model.lifecycle import Standing
from outhaul.ports import Codec, Store, Tree
from outhaul.stages.discover import holder
from outhaul.stages.dispose import expire
from outhaul.stages.tidy import old_directories, remove_empty

STORE_CLOCK_TOLERANCE_NS = 3600 * 10**9
_NEVER_NS = 1 << 62


class Closed(NamedTuple):
    """What went at the end of a pass, and what could not."""

    expired: int
    """Files of the archive."""
    directories: int
    fault: str
    """Why some files of the archive could not go; '' where all could that were old enough."""


def close(
    job: Job,
    place: int,
    tree: Tree,
    directories: Iterable[str],
    now_ns: int,
    store: Callable[[], Store | None],
    ports: Ports,
) -> Closed:
    """End a pass.

    Args:
        job: Its job.
        place: Its number in the ledger.
        tree: Its source.
        directories: All directories that the walk found.
        now_ns: The wall clock when the pass began; the caller knows that it has kept step with the boot clock.
        store: Opens the destination; None where it cannot be used.
        ports: The world.

    Raises:
        LedgerError: the ledger failed.
    """
    removed = 0
    if job.empty_ns:
        # Their age is looked up before anything is removed: that changes the directory above.
        removed = remove_empty(tree, old_directories(job, tree, directories, now_ns))
    if not job.archive_keep_ns:
        return Closed(0, removed, "")
    try:
        expired, fault = _expire(job, place, now_ns - job.archive_keep_ns, now_ns, store, ports)
    except (SourceError, StoreError) as error:
        expired, fault = 0, f"nothing was removed from the archive {job.archive}: {error}"
    return Closed(expired, removed, fault)


def make_room(job: Job, place: int, missing: Callable[[str], int], ports: Ports) -> Closed:
    """Where the archive's disk has less room than the job wants: what was to stay there for a while goes now, the oldest first.

    Args:
        job: Its job.
        place: Its number in the ledger.
        missing: How many bytes are missing at a path.
        ports: The world. No clock is asked: what goes has a receipt, and the order is that of the receipts.

    Raises:
        LedgerError: the ledger failed.
    """
    if not job.archive_keep_ns or not missing(job.archive):
        return Closed(0, 0, "")
    try:
        expired, fault = _expire_until(job, place, _NEVER_NS, lambda: not missing(job.archive), ports)
    except SourceError as error:
        expired, fault = 0, f"nothing was removed from the archive {job.archive}: {error}"
    return Closed(expired, 0, fault)


def _expire(
    job: Job, place: int, before_ns: int, now_ns: int, store: Callable[[], Store | None], ports: Ports
) -> tuple[int, str]:
    if not ports.ledger.archived(place, before_ns, 0):
        return 0, ""
    there = store()
    if there is None:
        return 0, ""  # Why has been said.
    if (told := there.wall_ns()) is not None and abs(told - now_ns) > STORE_CLOCK_TOLERANCE_NS:
        return (
            0,
            f"nothing was removed from the archive: the clock differs from the store's by {_hours(told - now_ns)} h",
        )
    return _expire_until(job, place, before_ns, lambda: False, ports)


def _expire_until(job: Job, place: int, before_ns: int, enough: Callable[[], bool], ports: Ports) -> tuple[int, str]:
    """Remove what went to the archive before this time, by number, until that is enough."""
    compression = ports.compression(job) if job.archive_form == "stored" else None
    codec = compression.named(job.compress) if compression else None
    expired, faults = 0, list[str]()
    old, ours = ports.ledger.archived(place, before_ns, 0), holder(job)
    with ports.files.tree(job._replace(source=job.archive, after="delete", archive="")) as archive:
        leaving = job._replace(after="delete")
        finished = [found[1] for found in recover(archive, ports.ledger, leaving) if not isinstance(found, Standing)]
        ports.ledger.note(place, disposals=finished)
        done = {disposal.number for disposal in finished}
        while old and not ports.stopped() and not enough():
            due = [one for one in old if one.number not in done and ours(one.sighting.directory)]
            disposals = _expire_some(job, due, archive, codec, enough, faults)
            ports.ledger.note(place, disposals=disposals)
            expired += sum([disposal.outcome == "expired" for disposal in disposals])
            remove_empty(
                archive, _above({job.archive_path(receipt.sighting.path, "").rpartition("/")[0] for receipt in old})
            )
            old = ports.ledger.archived(place, before_ns, old[-1].number + 1)
    more = f", and {len(faults) - 1:,} more" if len(faults) > 1 else ""
    return expired + len(done), f"cannot be removed from the archive: {faults[0]}{more}" if faults else ""


def _expire_some(
    job: Job,
    receipts: Sequence[Receipt],
    archive: Tree,
    codec: Codec | None,
    enough: Callable[[], bool],
    faults: list[str],
) -> list[Disposal]:
    disposals = []
    for receipt in receipts:
        directory, _, name = job.archive_path(receipt.sighting.path, codec.suffix if codec else "").rpartition("/")
        try:
            with archive.folder(directory) as folder:
                disposals.append(expire(receipt, folder, name, codec))
        except SourceError as error:
            faults.append(f"{receipt.sighting.path}: {error}")
        if enough():
            break
    return disposals


def _above(directories: set[str]) -> list[str]:
    """These and all that they lie in, the deepest first; not the archive itself."""
    parts = [directory.split("/") for directory in directories if directory]
    all_of_them = {"/".join(path[:length]) for path in parts for length in range(1, len(path) + 1)}
    return sorted(all_of_them, key=lambda directory: directory.count("/"), reverse=True)


def _hours(difference_ns: int) -> int:
    return round(difference_ns / 3600 / 10**9)
