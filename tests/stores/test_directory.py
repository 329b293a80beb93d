"""A directory as a store: what is durable, and what a crash of outhaul leaves."""

import os
from pathlib import Path

import pytest

from outhaul.host.system_calls import rename_exclusive
from outhaul.model.errors import AlreadyThere, NotThere, Refused, Transient
from outhaul.stores.directory import DirectoryStore


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    """A store in a fresh directory."""
    store = DirectoryStore(str(tmp_path), rename_exclusive)
    store.adopt(store.probe())
    return store


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The inodes that were synced to disk, in order."""
    inodes: list[int] = []
    fsync = os.fsync

    def recording(descriptor: int) -> None:
        fsync(descriptor)
        inodes.append(os.fstat(descriptor).st_ino)

    monkeypatch.setattr(os, "fsync", recording)
    return inodes


def test_a_put_is_on_disk_with_its_name(store: DirectoryStore, synced: list[int], tmp_path: Path) -> None:
    """A put syncs the file, then the directory that holds its name, and each directory that it made (L5)."""
    store.put("a/b/c.dat", b"1")
    inode = {name: (tmp_path / name).stat().st_ino for name in ("", "a", "a/b", "a/b/c.dat")}
    assert [inode[""], inode["a"], inode["a/b/c.dat"], inode["a/b"]] == synced


def test_what_was_there_before_is_on_disk_too(store: DirectoryStore, synced: list[int], tmp_path: Path) -> None:
    """An object that is found, and may be adopted, is made durable first: who made it may have died before its sync."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a/found").write_bytes(b"1")
    with pytest.raises(AlreadyThere):
        store.put("a/found", b"1")
    assert {(tmp_path / "a").stat().st_ino, (tmp_path / "a/found").stat().st_ino} <= set(synced)


def test_a_failed_sync_leaves_nothing(store: DirectoryStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A copy whose sync failed is dropped, never synced again (L11)."""

    def fails(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", fails)
        with pytest.raises(Transient):
            store.put("a", b"1")
    assert list(tmp_path.iterdir()) == []
    store.put("a", b"1")


def test_half_an_object_is_never_seen(store: DirectoryStore, tmp_path: Path) -> None:
    """A source that fails in the middle leaves no object and no temporary file."""

    class Fails:
        looks = 0

        def read(self, length: int) -> bytes:
            self.looks += 1
            if self.looks > 1:
                raise Transient("the disk")
            return b"x" * length

    with pytest.raises(Transient):
        store.put_large("large", 9 << 20, Fails(), seal=lambda: None)
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_way_of_a_directory(store: DirectoryStore) -> None:
    """A key beneath an object can never be stored here, and is held, not tried for ever; what stands there stays."""
    store.put("a", b"1")
    with pytest.raises(Refused):
        store.put("a/b", b"2")
    with pytest.raises(NotThere):
        store.head("a/b")
    assert b"".join(store.read("a")) == b"1"


@pytest.mark.parametrize("key", ["../outside", "a/../../outside", "/etc/passwd", "a//b", "", ".", "a/./b"])
def test_no_key_leads_out_of_the_directory(store: DirectoryStore, key: str) -> None:
    """A key is data: it never leads out of the directory (L13)."""
    with pytest.raises(Refused):
        store.put(key, b"1")
    with pytest.raises(Refused):
        store.head(key)
