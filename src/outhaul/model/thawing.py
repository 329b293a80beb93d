"""Objects in an archive class: what a store says of them, how it is asked to make them readable, and how long that takes.

To thaw is what S3 calls RestoreObject; here "restore" is a file on its way back. Nothing here talks to a store.
"""

from __future__ import annotations

from typing import NamedTuple

LOOK_SECONDS_MIN = 15
LOOK_SECONDS_MAX = 1800
_LOOKS = 20
"""How often one looks in the time that it may take."""
_UNKNOWN_SECONDS = 12 * 3600

# AWS, "Understanding archive retrieval options" (S3 User Guide): what is typical, in words, and its longest in seconds.
_SHALLOW = {
    "expedited": ("1 to 5 minutes", 300),
    "standard": ("3 to 5 hours", 5 * 3600),
    "bulk": ("5 to 12 hours", 12 * 3600),
}
_DEEP = {"standard": ("up to 12 hours", 12 * 3600), "bulk": ("up to 48 hours", 48 * 3600)}
_TIMES = {
    "GLACIER": _SHALLOW,
    "ARCHIVE_ACCESS": _SHALLOW,
    "DEEP_ARCHIVE": _DEEP,
    "DEEP_ARCHIVE_ACCESS": _DEEP,
}
_MOVED_BACK = ("ARCHIVE_ACCESS", "DEEP_ARCHIVE_ACCESS")


class Wish(NamedTuple):
    """How objects are to be asked for."""

    tier: str = "standard"
    """How fast, and how dear: 'standard', 'bulk' or 'expedited'."""
    days: int = 7
    """How long the readable copy is to stay."""


class Frozen(NamedTuple):
    """What a store says of an object that it did not give at once (AWS, "HeadObject": x-amz-restore)."""

    archive: str
    """The storage class, or the archive tier within INTELLIGENT_TIERING; '' where the store does not say."""
    under_way: bool = False
    """It has been asked for."""
    ready: bool = False
    """It can be read now."""

    @property
    def moved_back(self) -> bool:
        """Whether asking moves it for good, so that no number of days is taken (AWS, "RestoreObject", Days)."""
        return self.archive in _MOVED_BACK

    @property
    def name(self) -> str:
        """For a person."""
        return self.archive or "an archive class"

    def has(self, tier: str) -> bool:
        """Whether it can be asked for so. Expedited is not for the deep ones (AWS, as above)."""
        return self.archive not in _TIMES or tier in _TIMES[self.archive]

    def time(self, tier: str) -> str:
        """About how long that takes; '' where nobody says."""
        return _TIMES.get(self.archive, {}).get(tier, ("", 0))[0]

    def look_seconds(self, tier: str) -> float:
        """How long to wait until one looks again."""
        longest = _TIMES.get(self.archive, {}).get(tier, ("", _UNKNOWN_SECONDS))[1]
        return max(LOOK_SECONDS_MIN, min(LOOK_SECONDS_MAX, longest / _LOOKS))
