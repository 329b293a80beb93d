"""One file of the simulated disk: held open, or taken aside. See `files.py`."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from outhaul.model.errors import SourceChanged, SourceInUse
from outhaul.model.evidence import Sighting
from outhaul.testing.inodes import DEVICE
from outhaul.testing.power import Inode

if TYPE_CHECKING:
    from outhaul.testing.files import Private, SimulatedFileSystem


class SimulatedFile:
    """One open regular file."""

    def __init__(self, files: SimulatedFileSystem, inode: Inode, directory: str, name: str) -> None:
        self._files = files
        self._inode = inode
        self._directory, self._name = directory, name
        self._leased = False
        self._closed = False
        inode.opens += 1
        self.sighting = self._now()
        self.mode = 0o644

    def __enter__(self) -> SimulatedFile:
        return self

    def __exit__(self, *exception: object) -> None:
        self._closed = True
        self._inode.opens -= 1
        if self._leased:
            self._inode.leased = self._inode.lease_broken = False

    def unchanged(self) -> bool:
        """See `ports.OpenFile`."""
        with self._files.steps.step("files.unchanged", self._name):
            now, then = self._now(), self.sighting
            return (now.size, now.mtime_ns, now.ctime_ns) == (then.size, then.mtime_ns, then.ctime_ns)

    def pread(self, length: int, offset: int) -> bytes:
        """See `ports.ByteSource`."""
        assert not self._closed, f"{self._name!r} is read after it was closed"
        with self._files.steps.step("files.pread", self._name):
            data = self._inode.content[offset : offset + length]
            if len(data) < length:
                raise SourceChanged("it became shorter while it was read")
            return data

    def digest(self) -> bytes:
        """See `ports.OpenFile`."""
        with self._files.steps.step("files.digest", self._name):
            return hashlib.sha256(self._inode.content).digest()

    def check_writers(self) -> bool:
        """See `ports.OpenFile`."""
        with self._files.steps.step("files.check_writers", self._name) as mishap:
            return self._refuse_writers() and mishap != "no"

    def take_lease(self) -> bool:
        """See `ports.OpenFile`."""
        with self._files.steps.step("files.take_lease", self._name) as mishap:
            self._leased = self._inode.leased = self._refuse_writers() and mishap != "no"
            return self._leased

    def lease_holds(self) -> bool:
        """See `ports.OpenFile`."""
        with self._files.steps.step("files.lease_holds", self._name) as mishap:
            return not self._leased or not (self._inode.lease_broken or mishap == "no")

    def _refuse_writers(self) -> bool:
        if not self._files.knows_writers:
            return False
        if self._inode.writers:
            raise SourceInUse("a process has it open for writing")
        return True

    def _now(self) -> Sighting:
        birth_ns = self._inode.birth_ns if self._files.knows_birth else 0
        return seen(self._inode, self._directory, self._name)._replace(birth_ns=birth_ns)


class SimulatedAside:
    """What has just been taken into the private directory."""

    def __init__(self, files: SimulatedFileSystem, private: Private, entry: str, origin: Inode, name: str) -> None:
        self._files = files
        self._private = private
        self._entry = entry
        self._origin, self._name = origin, name

    def is_file(self, sighting: Sighting) -> bool:
        """See `ports.Aside`."""
        with self._files.steps.step("files.is_file", self._name):
            inode = self._private[self._entry][2]
            return inode.kind == "file" and (inode.number, len(inode.content), inode.mtime_ns) == (
                sighting.inode,
                sighting.size,
                sighting.mtime_ns,
            )

    def put_back(self) -> bool:
        """See `ports.Aside`."""
        with self._files.steps.step("files.put_back", self._name) as mishap:
            return mishap != "no" and self._files.return_to(self._private, self._entry, self._origin, self._name)

    def unlink(self) -> None:
        """See `ports.Aside`."""
        with self._files.steps.step("files.unlink", self._name):
            self._files.remove_aside(self._private, self._entry)

    def archive(self, sha256: bytes) -> None:
        """See `ports.Aside`."""
        with self._files.steps.step("files.archive", self._name):
            path = self._files.came_from[self._entry]
            self._files.archive_aside(self._private, self._entry, path, sha256)


def seen(inode: Inode, directory: str, name: str) -> Sighting:
    """What a walk sees of a file."""
    return Sighting(directory, name, DEVICE, inode.number, len(inode.content), inode.mtime_ns, inode.ctime_ns)
