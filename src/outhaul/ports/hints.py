"""Word that something may have changed in a directory, or in the network. It hurries a look, and stands in for none."""

from __future__ import annotations

from typing import NamedTuple, Protocol

Place = tuple[int, str]
"""Number of a job, and a directory of its source."""


class Word(NamedTuple):
    """What has been heard."""

    written: set[Place]
    """Directories in which a file has been written, or moved to."""
    made: set[Place]
    """Directories that have come to be, or come to lie, where they are."""
    lost: bool
    """Whether there was more than could be kept: everything is to be looked at."""
    network: bool = False
    """Whether a link, an address or a route has come: what could not be reached may be there again."""


class Hints(Protocol):
    """What the system tells of directories. Used by one thread."""

    def cover(self, job: int, source: str, directory: str) -> None:
        """From now on tell of what is in this directory, whichever that was before.

        Args:
            job: Number of the job that it is told with.
            source: Absolute path of its source.
            directory: Relative to it, '' for itself. One that cannot be covered is not: it is found when it is looked at.
        """

    def wait(self, seconds: float) -> Word:
        """Wait until something is heard, but not longer than this."""
