"""Whether a worker has the same directory under a source's path as its driver: an empty mount point has the path, too.

The driver leaves a file with a random name in the source's private directory, and holds it as shards and workers hold theirs
(`neighbours.py`), so that the one of a driver that was killed is taken away like theirs. Whoever sees it there sees the source.
Where the private directory cannot be made, as in a source that may only be read, or cannot be looked into, the inode number of
the source decides; a file system that gives numbers anew with each mount, as some in user space do, then counts as another.
Not seen: what is not mounted beneath the source.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from typing import NamedTuple

from outhaul.host.neighbours import Holds
from outhaul.host.private import PRIVATE_NAME, made_private
from outhaul.host.system_calls import FOLDER_FLAGS
from outhaul.model.errors import SourceUnreadable


class Landmark(NamedTuple):
    """What a source is known by."""

    name: str
    """Of what is held in its private directory; '' where there is none."""
    inode: int
    """Its own number."""


class Leaving:
    """A landmark that is there until this is closed.

    Args:
        source: Absolute path.
        keep: Whether the private directory stays.

    Raises:
        SourceUnreadable: the source cannot be opened.
    """

    def __init__(self, source: str, *, keep: bool) -> None:
        self._keep, self._outer, self._holds = keep, -1, Holds()
        self._root = _opened(source)
        name = f"worker-{secrets.token_hex(8)}"
        try:
            self._outer = made_private(PRIVATE_NAME, self._root)
            self._holds.take(self._outer, name)
        except OSError:
            name = ""
        self.landmark = Landmark(name, os.fstat(self._root).st_ino)

    def close(self) -> None:
        """Take it away."""
        if self.landmark.name:
            with contextlib.suppress(OSError):  # A server that has gone takes it with it.
                self._holds.give_back(self._outer, self.landmark.name, remove=True)
        if self._outer >= 0:
            os.close(self._outer)
        if not self._keep:
            with contextlib.suppress(OSError):
                os.rmdir(PRIVATE_NAME, dir_fd=self._root)
        os.close(self._root)


def is_there(source: str, landmark: Landmark) -> bool:
    """Whether the directory under this path, on this machine, is the one that has the landmark.

    Raises:
        SourceUnreadable: nothing can be opened there.
    """
    root = _opened(source)
    try:
        seen = _sees(root, landmark.name) if landmark.name else None
        return os.fstat(root).st_ino == landmark.inode if seen is None else seen
    finally:
        os.close(root)


def _sees(root: int, name: str) -> bool | None:
    """None where nobody can tell."""
    try:
        if (seen := _has(root, name)) or _was_missing(root):
            return seen
        return _has(root, name)
    except OSError:
        return None


def _has(root: int, name: str) -> bool:
    try:
        outer = os.open(PRIVATE_NAME, FOLDER_FLAGS, dir_fd=root)
        try:
            os.stat(f"{name}.lock", dir_fd=outer, follow_symlinks=False)
        finally:
            os.close(outer)
    except FileNotFoundError:
        return False
    return True


def _was_missing(root: int) -> bool:
    """Whether there really is no private directory: over NFS it may be remembered for a minute that there was none, but whoever
    makes one asks the server (nfs(5), "Directory entry caching")."""
    try:
        os.mkdir(PRIVATE_NAME, 0o700, dir_fd=root)
    except FileExistsError:
        return False
    except OSError:
        return True
    with contextlib.suppress(OSError):
        os.rmdir(PRIVATE_NAME, dir_fd=root)
    return True


def _opened(source: str) -> int:
    try:
        return os.open(source, FOLDER_FLAGS)
    except OSError as error:
        raise SourceUnreadable(error.strerror) from error
