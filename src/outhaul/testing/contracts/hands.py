"""Somebody else in the source: what the file system contracts need a producer, or an attacker, to do."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol


class Hands(Protocol):
    """What a producer, or an attacker, does in the source; paths are relative to it. See `SimulatedDisk`."""

    def write(self, path: str, content: bytes) -> None:
        """Open for writing, empty, fill and close."""
        ...

    def append(self, path: str, content: bytes) -> None:
        """Open for appending, write and close."""
        ...

    def replace(self, path: str, content: bytes) -> None:
        """Write under another name, and rename over this one."""
        ...

    def remove(self, path: str) -> None:
        """Take the name away."""
        ...

    def symlink(self, path: str, target: str) -> None:
        """Make a link to another path of the source."""
        ...

    def fifo(self, path: str) -> None:
        """Make a FIFO that nobody reads or writes."""
        ...

    def socket(self, path: str) -> None:
        """Make a socket."""
        ...

    def swap_for_link(self, directory: str, target: str) -> None:
        """Move a directory away, and put a link to `target` under its name."""
        ...

    def writing(self, path: str) -> AbstractContextManager[None]:
        """While this lasts, another process has the file open for writing."""
        ...

    def mapping(self, path: str) -> AbstractContextManager[None]:
        """While this lasts, another process has the file mapped shared and writable, its descriptor closed."""
        ...

    def read(self, path: str) -> bytes | None:
        """The content of a file, None where there is none."""
        ...
