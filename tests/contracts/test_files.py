"""The file system contract, held by the machine's own files and by the simulated ones."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.host_hands import HostHands
from outhaul.host import system_calls
from outhaul.host.filesystem import HostFileSystem
from outhaul.model.job import Destination, Job
from outhaul.ports import FileSystem
from outhaul.testing.clock import SimulatedClock
from outhaul.testing.contracts.archive import ArchiveContract
from outhaul.testing.contracts.files import FileSystemContract
from outhaul.testing.contracts.hands import Hands
from outhaul.testing.contracts.removal import RemovalContract
from outhaul.testing.files import ARCHIVE, SimulatedFileSystem


class TestSimulatedFileSystem(FileSystemContract, RemovalContract, ArchiveContract):
    @pytest.fixture
    def archive(self) -> str:
        return ARCHIVE

    @pytest.fixture
    def hands(self) -> Hands:
        return SimulatedFileSystem(SimulatedClock())

    @pytest.fixture
    def files(self, hands: Hands) -> FileSystem:
        assert isinstance(hands, SimulatedFileSystem)
        return hands


class TestHostFileSystem(FileSystemContract, RemovalContract, ArchiveContract):
    @pytest.fixture
    def archive(self, tmp_path: Path) -> str:
        return str(tmp_path / "archive")

    @pytest.fixture
    def hands(self, tmp_path: Path) -> Hands:
        (tmp_path / "source").mkdir()
        return HostHands(tmp_path / "source")

    @pytest.fixture
    def files(self, tmp_path: Path) -> FileSystem:
        return HostFileSystem(str(tmp_path / "state"))

    @pytest.fixture
    def job(self, tmp_path: Path) -> Job:
        destination = Destination(f"file://{tmp_path}/objects", "file", "", "", f"{tmp_path}/objects")
        return Job("contract", str(tmp_path / "source"), destination)


class TestHostFileSystemOfOld(TestHostFileSystem):
    """Linux before 5.6, or another system: each directory on the way is opened on its own."""

    @pytest.fixture(autouse=True)
    def without_openat2(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(system_calls, "_openat2_missing", True)


class TestHostFileSystemWithoutExclusiveRename(TestHostFileSystem):
    """A file system, as NFS, that has no rename which replaces nothing: a link and an unlink do it."""

    @pytest.fixture(autouse=True)
    def without_renameat2(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(system_calls, "_rename", None)


class TestHostFileSystemWithPrivateFolderInSource(TestHostFileSystem):
    """The state directory cannot hold the source's files (another file system): they go aside in the source itself."""

    @pytest.fixture
    def files(self, tmp_path: Path) -> FileSystem:
        return HostFileSystem("/proc/outhaul")


class TestHostFileSystemWithArchiveElsewhere(TestHostFileSystem):
    """The archive is on another file system: files are copied there."""

    @pytest.fixture
    def archive(self) -> Iterator[str]:
        if not os.path.isdir("/dev/shm"):
            pytest.skip("there is no second file system to try it on")
        with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
            yield os.path.join(directory, "archive")
