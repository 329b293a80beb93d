"""A directory as a store, for whoever fetches: nothing here writes, and no link is taken for an object."""

from __future__ import annotations

import os
from collections.abc import Iterator

from outhaul.model.errors import NotThere, Refused
from outhaul.model.returning import Listed
from outhaul.model.thawing import Frozen, Wish
from outhaul.ports import Held
from outhaul.stores.directory import DirectoryStore, _translate


class DirectoryShelf(DirectoryStore):
    """The objects beneath one directory."""

    def held(self, key: str, version: str) -> Held:
        """See `stages.restore.Shelf`. There are no versions."""
        return self.head(key)

    def read_part(self, key: str, version: str, offset: int, length: int) -> Iterator[bytes]:
        """See `stages.restore.Shelf`."""
        return self._chunks(key, offset, length)

    def read_large(self, key: str, version: str = "") -> Iterator[bytes]:
        """As any other."""
        return self.read(key, version)

    def digests(self, key: str, version: str) -> tuple[bytes, bool]:
        """A file system keeps none."""
        return b"", False

    def describe(self, key: str, version: str) -> tuple[Held, bytes, dict[str, str]]:
        """See `stages.restore.Shelf`. Nothing is noted beside a file."""
        return self.head(key), b"", {}

    def frozen(self, key: str, version: str) -> Frozen:
        """A directory has no archive classes."""
        return Frozen("", ready=True)

    def thaw(self, key: str, version: str, wish: Wish, *, moved_back: bool) -> None:
        """As above."""
        raise Refused(f"{key}: a directory has no archive classes")

    def listing(self, prefix: str, after: str = "") -> Iterator[Listed]:
        """See `stages.restore.Shelf`."""
        folders = [prefix.rstrip("/")]
        while folders:
            folder = folders.pop()
            try:
                with os.scandir(os.path.join(self._directory, folder)) as entries:
                    for entry in sorted(entries, key=lambda entry: entry.name):
                        key = f"{folder}/{entry.name}" if folder else entry.name
                        if entry.is_dir(follow_symlinks=False):
                            folders.append(key)
                        elif entry.is_file(follow_symlinks=False) and not entry.name.startswith(".outhaul-"):
                            seen = entry.stat(follow_symlinks=False)
                            yield Listed(key, seen.st_size, "", seen.st_mtime_ns)
            except FileNotFoundError as error:
                if folder == prefix.rstrip("/"):
                    raise NotThere(f"{self._directory}/{folder}: there is no such directory") from error
            except OSError as error:
                raise _translate(error, folder) from error
