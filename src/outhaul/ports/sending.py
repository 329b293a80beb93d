"""Leave to put bytes on the network: what a limit of bytes per second is for whoever sends."""

from __future__ import annotations

from typing import Protocol


class Turn(Protocol):
    """One body on its way out, and its place among all that want to go. Used by one thread."""

    def take(self) -> int:
        """How many bytes may go now; 0 is "not yet": ask again after `seconds`."""

    def seconds(self) -> float:
        """How long to wait before it is worth asking again; never long, so that nobody overlooks `Share.over`."""

    def done(self, unused: int = 0) -> None:
        """Nothing more goes of it; `unused` bytes of what was taken did not go."""


class Share(Protocol):
    """What one job has of the limit. May be used from several threads."""

    def turn(self, length: int) -> Turn:
        """A place for a body of about so many bytes. Its holder calls `Turn.done` at the end, whatever happens."""

    @property
    def over(self) -> bool:
        """Whether the run was asked to end: nobody waits any longer."""
