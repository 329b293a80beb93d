"""An audit by listings: a thousand objects a request, where receipts have the ETag that a listing shows.

A listing only ever says that an object is as it was proved. All else (another ETag, an object that it does not show, a listing
that fails) is looked at one by one, and decided there (law L10).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from outhaul.engine.fetching import Fetched
from outhaul.model.returning import Wanted
from outhaul.stages.audit import listed_as_proved
from outhaul.stages.restore import Shelf

BATCH = 1000
"""Receipts for one listing: as many as a page of S3 has."""


def can_be_listed(wanted: Wanted) -> bool:
    """Whether a listing can speak for it: it shows no version but the latest."""
    return bool(wanted.etag) and not wanted.version


class Lister:
    """Looks at batches of receipts, in the order of their keys. Each call may be on another thread."""

    def __init__(self, stopped: Callable[[], bool]) -> None:
        self._stopped = stopped

    def __call__(self, batch: Sequence[Wanted], weighs: int, shelf: Shelf | None) -> Fetched:
        """Hold them against a listing."""
        assert shelf is not None, "an audit has no dry run"
        proved = set() if self._stopped() else listed_as_proved(batch, shelf)
        left = [one for one in batch if one not in proved]
        return Fetched(batch, weighs, [(one, "as-proved") for one in batch if one in proved], [], 0, left=left)
