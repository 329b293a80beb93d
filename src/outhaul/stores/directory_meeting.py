"""A directory in which devices meet, such as a share that all of them mount (`ports/meeting.py`)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence

from outhaul.model.errors import AlreadyThere, NotThere, StoreError, TooLarge
from outhaul.model.returning import Listed
from outhaul.stores.directory_reading import DirectoryShelf


class DirectoryMeeting:
    """One directory."""

    def __init__(self, directory: str, rename_exclusive: Callable[[int, str, int, str], None]) -> None:
        self._shelf = DirectoryShelf(directory, rename_exclusive)

    def create(self, key: str, body: bytes) -> None:
        """See `ports.Meeting`."""
        with contextlib.suppress(AlreadyThere):
            self._shelf.put(key, body)

    def replace(self, key: str, body: bytes) -> int | None:
        """See `ports.Meeting`. A directory tells no time of its own."""
        self._shelf.put(key, body, replace=True)
        return None

    def read_one(self, key: str, bytes_max: int) -> bytes | None:
        """See `ports.Meeting`."""
        try:
            found = b"".join(self._shelf.read_part(key, "", 0, bytes_max + 1))
        except NotThere:
            return None
        if len(found) > bytes_max:
            raise TooLarge(f"{key}: more than {bytes_max:,} bytes")
        return found

    def read_many(self, keys: Sequence[str]) -> Iterator[bytes | StoreError]:
        """See `ports.Meeting`."""
        for key in keys:
            try:
                yield b"".join(self._shelf.read(key))
            except StoreError as error:
                yield error

    def listing(self, prefix: str, after: str = "") -> Iterator[Listed]:
        """See `ports.Meeting`. In no order; `after` is obeyed."""
        try:
            yield from (found for found in self._shelf.listing(prefix) if found.key > after)
        except NotThere:
            return
