"""What a run tells whoever watches it, and the count that accounts for every file.

The product neither prints nor logs: it calls a `Monitor` (see `ports`) with these.
"""

from __future__ import annotations

from outhaul.model.lifecycle import REASONS, State


class Passing:
    """A large file on its way."""

    __slots__ = ("passed",)

    def __init__(self) -> None:
        self.passed = 0
        """Bytes of it that have been read for that."""


class Tally:
    """How many files were seen in a run, and where each of them stands.

    Every file seen is put under exactly one reason; `unaccounted` is 0 at the end of every run.
    """

    __slots__ = (
        "adopted",
        "by_reason",
        "bytes_carried",
        "bytes_waiting",
        "directories",
        "expired",
        "seen",
        "under_way",
    )

    def __init__(self) -> None:
        self.seen = 0
        self.by_reason: dict[str, int] = {}
        self.bytes_carried = 0
        """Size of what was proved and recorded in this run, as it is stored."""
        self.bytes_waiting = 0
        """Size of the files that wait or are held."""
        self.adopted = 0
        """How many of the carried were in the store already, with the same bytes."""
        self.expired = 0
        """How many files had been in the archive for long enough and were removed from it. They are not among `seen`."""
        self.directories = 0
        """How many empty directories were removed."""
        self.under_way: list[Passing] = []
        """The large files that are being sent."""

    def put(self, reason: str, files: int = 1) -> None:
        """Account for `files` files under a key of `REASONS`."""
        self.by_reason[reason] = self.by_reason.get(reason, 0) + files

    def move(self, before: str, reason: str) -> None:
        """Account under another key for a file that stood under `before`; '' where it stood under none."""
        if before:
            self.put(before, -1)
        else:
            self.seen += 1
        self.put(reason)

    def of(self, state: State) -> int:
        """How many files are in this state."""
        return sum(count for reason, count in self.by_reason.items() if REASONS[reason].state is state)

    @property
    def unaccounted(self) -> int:
        """Files seen that stand under no reason yet: those still on their way."""
        return self.seen - sum(self.by_reason.values())

    @property
    def bytes_sent(self) -> int:
        """`bytes_carried`, and what has been read of the large files that are on their way."""
        return self.bytes_carried + sum([file.passed for file in self.under_way])

    def add(self, other: Tally) -> None:
        """Take another job's tally into this one."""
        self.seen += other.seen
        self.bytes_carried += other.bytes_carried
        self.bytes_waiting += other.bytes_waiting
        self.adopted += other.adopted
        self.expired += other.expired
        self.directories += other.directories
        for reason, count in other.by_reason.items():
            self.put(reason, count)
