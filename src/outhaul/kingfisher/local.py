"""What is on this machine's disk: the files of a data directory, and the log of a crawl.

For decisions only: no link is followed, nothing is changed, and what is carried and let go is looked at by the engine anew.
A directory that is not there is told apart from one that cannot be read, and neither says anything for ever.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from typing import IO, NamedTuple

from outhaul.kingfisher.collection import Collection, Crawl, Measured
from outhaul.kingfisher.rules import seconds_apart
from outhaul.kingfisher.scrapy_log import PIECE, read_log
from outhaul.model.keys import escape

_CHUNK = 1 << 20
_HEAD = 64 << 10
"""Bytes at the beginning of a log in which its first time, and the arguments of its spider, are looked for."""
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Log(NamedTuple):
    """A log, and what it tells."""

    name: str
    crawl: Crawl


def measure(directory: str) -> Measured | None:
    """Read all files of a data directory; None where it is not there.

    Raises:
        OSError: some of it cannot be read.
    """
    if not os.path.isdir(directory):
        return None
    files: dict[str, tuple[int, bytes]] = {}
    md5s: list[str] = []
    counted: set[tuple[int, int]] = set()
    disk_bytes = 0
    for path, entry in _walk(directory):
        seen = entry.stat(follow_symlinks=False) if entry else os.stat(directory)
        if seen.st_nlink == 1 or entry is None or entry.is_dir(follow_symlinks=False):
            disk_bytes += seen.st_size
        elif (seen.st_dev, seen.st_ino) not in counted:  # `du` counts the names of one file once.
            counted.add((seen.st_dev, seen.st_ino))
            disk_bytes += seen.st_size
        if entry is not None and stat.S_ISREG(seen.st_mode):
            size, md5, sha256 = _digests(entry.path)
            files[path] = (size, sha256)
            md5s.append(md5)
    of_md5s = hashlib.md5("".join(f"{md5}\n" for md5 in sorted(md5s)).encode(), usedforsecurity=False)
    return Measured(files, disk_bytes, of_md5s.hexdigest(), digest_of(files))


def has_files(directory: str) -> bool:
    """Whether there is any file in a data directory. Raises OSError."""
    return any(entry is not None and entry.is_file(follow_symlinks=False) for _, entry in _walk(directory))


def digest_of(files: dict[str, tuple[int, bytes]]) -> str:
    """One SHA-256 for paths, sizes and contents."""
    digest = hashlib.sha256()
    for path, (size, sha256) in sorted(files.items()):
        digest.update(f"{escape(path)}\n{size} {sha256.hex()}\n".encode())
    return digest.hexdigest()


def _walk(directory: str) -> Iterator[tuple[str, os.DirEntry[str] | None]]:
    """The directory itself, and everything in it with its path there."""
    yield "", None
    to_visit = [""]
    while to_visit:
        inside = to_visit.pop()
        with os.scandir(os.path.join(directory, inside)) as entries:
            for entry in entries:
                path = f"{inside}/{entry.name}" if inside else entry.name
                yield path, entry
                if entry.is_dir(follow_symlinks=False):
                    to_visit.append(path)


def _digests(path: str) -> tuple[int, str, bytes]:
    md5, sha256, size = hashlib.md5(usedforsecurity=False), hashlib.sha256(), 0
    with open(os.open(path, _FLAGS), "rb", buffering=0) as file:
        while data := file.read(_CHUNK):
            md5.update(data)
            sha256.update(data)
            size += len(data)
    return size, md5.hexdigest(), sha256.digest()


class Logs:
    """The logs of all crawls. The beginning of each is read once."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._heads: dict[str, dict[str, Crawl]] = {}
        self.unreadable: list[tuple[str, str]] = []
        """Logs, and directories of logs, that could not be read, with the reason."""

    def find(self, collection: Collection) -> Log | None:
        """The log that began nearest to a crawl, read to its end; None where none did, or it cannot be read."""
        source = collection.source_id
        if source not in self._heads:
            self._heads[source] = dict(self._read_heads(source))
        apart = {name: seconds_apart(collection, head) for name, head in self._heads[source].items()}
        near = sorted((seconds, name) for name, seconds in apart.items() if seconds is not None)
        if not near:
            return None
        name = near[0][1]
        try:
            with _open_text(os.path.join(self._root, source, name)) as file:
                return Log(name, read_log(iter(lambda: file.readline(PIECE), "")))
        except OSError as error:
            self.unreadable.append((f"{source}/{name}", error.strerror or str(error)))
            return None

    def _read_heads(self, source: str) -> Iterator[tuple[str, Crawl]]:
        """What is no log (empty, foreign, not finished with its first line) has no time, and is nobody's."""
        try:
            names = sorted(name for name in os.listdir(os.path.join(self._root, source)) if name.endswith(".log"))
        except FileNotFoundError:
            return
        except OSError as error:
            self.unreadable.append((source, error.strerror or str(error)))
            return
        for name in names:
            try:
                with _open_text(os.path.join(self._root, source, name)) as file:
                    yield name, read_log(file.read(_HEAD).splitlines(keepends=True))
            except OSError as error:
                self.unreadable.append((f"{source}/{name}", error.strerror or str(error)))


def _open_text(path: str) -> IO[str]:
    descriptor = os.open(path, _FLAGS)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(None, "it is no regular file")
    return open(descriptor, encoding="utf-8", errors="replace", newline="\n")
