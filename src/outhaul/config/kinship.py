"""Whether directories are the same, or one lies in another, whatever their paths say.

A directory is known by its real path, by device and inode, and, on Linux, by its place in its file system: so a
symbolic link, a bind mount of a directory and a bind mount of a directory beneath it are all seen through.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import NamedTuple

Key = tuple[str, int, str | int]
"""Something that two paths share only if they lead to one directory."""

Mounts = dict[str, tuple[str, str]]
"""Mount point to device and the directory of the file system that is mounted there."""


class Kin(NamedTuple):
    """One directory and those above it. It need not exist."""

    real: str
    own: list[Key]
    above: list[Key]
    """Keys of the directories that contain it, the nearest first."""


class Family:
    """Finds the kin of paths; asks the system once for each directory."""

    def __init__(self, mounts: Mounts | None = None) -> None:
        self._mounts = _read_mounts() if mounts is None else mounts
        self._inodes: dict[str, Key | None] = {}

    def kin(self, path: str) -> Kin:
        """The kin of an absolute path."""
        real = os.path.realpath(path)
        above: list[Key] = []
        for folder in _ancestors(real):
            above += self._keys(folder)
        device, place = self._place(real)
        above += [("place " + device, 0, folder) for folder in _ancestors(place)] if device else []
        return Kin(real, self._keys(real) + ([("place " + device, 0, place)] if device else []), above)

    def confirmed(self, key: Key, inner: Kin, outer: Kin) -> bool:
        """Whether `key`, shared by `outer` itself and by `inner` or what contains it, means what it says.

        Path and inode do. A place in a file system does where the same directory is found from both sides: network
        file systems call each of their mounts the root.
        """
        if not key[0].startswith("place "):
            return True
        mine, (_, place) = inner.real, self._place(inner.real)
        rest = place[len(str(key[2]).rstrip("/")) :]
        while rest and self._inode(mine) is None:
            mine, rest = os.path.dirname(mine), rest.rpartition("/")[0]
        inode = self._inode(mine)
        return inode is not None and inode == self._inode(outer.real.rstrip("/") + rest)

    def _keys(self, real: str) -> list[Key]:
        inode = self._inode(real)
        return [("path", 0, real), inode] if inode else [("path", 0, real)]

    def _inode(self, path: str) -> Key | None:
        if path not in self._inodes:
            try:
                found = os.stat(path)
                self._inodes[path] = ("inode", found.st_dev, found.st_ino) if found.st_ino else None
            except (OSError, ValueError):
                self._inodes[path] = None
        return self._inodes[path]

    def _place(self, real: str) -> tuple[str, str]:
        """Device and path within its file system; '' where that is not known."""
        for point in (real, *_ancestors(real)):
            if point in self._mounts:
                device, root = self._mounts[point]
                return device, (root.rstrip("/") + real[len(point.rstrip("/")) :]) or "/"
        return "", ""


def parse_mounts(text: str) -> Mounts:
    """The mounts in the text of /proc/self/mountinfo (proc(5)); a later one hides an earlier."""
    mounts: Mounts = {}
    for line in text.split("\n"):
        fields = line.split(" ")
        if len(fields) > 5:
            mounts[_unescaped(fields[4])] = (fields[2], _unescaped(fields[3]))
    return mounts


def _unescaped(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text) if "\\" in text else text


def _read_mounts() -> Mounts:
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            return parse_mounts(file.read())
    except OSError:
        return {}


def _ancestors(path: str) -> Iterator[str]:
    while path not in ("/", ""):
        path = path[: path.rindex("/")] or "/"
        yield path
