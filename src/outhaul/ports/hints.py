"""Word that something may have changed in a directory. It hurries a look, and stands in for none."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol


class Hints(Protocol):
    """What the system tells of directories. Used by one thread."""

    def cover(self, job: int, source: str, directories: Collection[str]) -> None:
        """From now on tell of these directories.

        Args:
            job: Number of the job that they are told with.
            source: Absolute path of its source.
            directories: Relative to it, '' for itself. What cannot be covered is not: it is found when it is looked at.
        """

    def wait(self, seconds: float) -> tuple[set[tuple[int, str]], bool]:
        """Wait until something has changed, but not longer than this.

        Returns:
            Job and directory of each place where something was written, or came to be; and whether more has been lost, so
            that everything is to be looked at.
        """
