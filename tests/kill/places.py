"""Where a content may be: the source, the mover's private areas, and the store that it carries to.

What the mover keeps for itself is told by name: everything beneath its state directory, and whatever has a
part of its name that starts with `.outhaul`. Such files count as safe in the source and in the state
directory, never in the store.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import IncompleteRead
from pathlib import Path
from typing import Protocol

from servers.client import Client

OWN = ".outhaul"


class Store(Protocol):
    """A place that objects are carried to, looked at from outside."""

    def names(self) -> Iterator[tuple[str, str]]:
        """Every object's name beneath the destination, and a tag that changes when its bytes change."""
        ...

    def read(self, name: str) -> bytes:
        """All bytes of an object."""
        ...


@dataclass(frozen=True, slots=True)
class BucketStore:
    """The objects beneath a prefix of a bucket."""

    client: Client
    bucket: str
    prefix: str
    data: Path | None = None
    """Where the server (rclone) keeps its buckets. After a connection was cut in a write it may answer with a part of a body that
    it has whole on its disk, and say so by the length that it announces: then the disk is read."""

    def names(self) -> Iterator[tuple[str, str]]:
        """Every key without the prefix, with its ETag and size."""
        for item in self.client.list(self.bucket, f"{self.prefix}/"):
            yield item.key.removeprefix(f"{self.prefix}/"), f"{item.etag} {item.size}"

    def read(self, name: str) -> bytes:
        """All bytes of an object."""
        try:
            return self.client.get(self.bucket, f"{self.prefix}/{name}")
        except IncompleteRead:
            if self.data is None:
                raise
            return (self.data / self.bucket / self.prefix / name).read_bytes()


@dataclass(frozen=True, slots=True)
class DirectoryStore:
    """The files beneath a directory."""

    root: Path

    def names(self) -> Iterator[tuple[str, str]]:
        """Every file's path from the root, with its identity, size and time of change."""
        for path in files(self.root):
            found = path.stat()
            yield path.relative_to(self.root).as_posix(), f"{found.st_ino} {found.st_size} {found.st_mtime_ns}"

    def read(self, name: str) -> bytes:
        """All bytes of a file."""
        return (self.root / name).read_bytes()


def files(root: Path) -> Iterator[Path]:
    """Every regular file at any depth; links are not followed."""
    for directory, _, names in os.walk(root):
        for name in names:
            path = Path(directory, name)
            if path.is_file() and not path.is_symlink():
                yield path


def is_own(name: str) -> bool:
    """True for what the mover keeps for itself."""
    return any(part.startswith(OWN) for part in name.split("/"))
