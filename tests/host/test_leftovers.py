"""What a killed process has left under temporary names goes; what somebody still writes, or is not ours, stays."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from outhaul.host import leftovers
from outhaul.host.landing import HostLanding


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    """An open directory."""
    descriptor = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


def names(tmp_path: Path) -> set[str]:
    """What is in it."""
    return {path.name for path in tmp_path.iterdir()}


def test_what_nobody_holds_goes(tmp_path: Path, folder: int) -> None:
    """And nothing else: no other names, no directory with something in it, no link."""
    for name in (".outhaul-restore-1-0", ".outhaul-restore-23-456"):
        (tmp_path / name).write_bytes(b"half")
    (tmp_path / ".outhaul-restore-1-2-a").mkdir()
    kept = {
        ".outhaul-restore-1",
        ".outhaul-restore-1-",
        ".outhaul-restore-1-2x",
        "outhaul-restore-1-2",
        ".outhaul-1-2",
        ".outhaul-index-0123.json",
    }
    for name in kept:
        (tmp_path / name).write_bytes(b"somebody's")
    (tmp_path / ".outhaul-restore-7-7-a").mkdir()
    (tmp_path / ".outhaul-restore-7-7-a" / "file").write_bytes(b"")
    (tmp_path / ".outhaul-restore-8-8").symlink_to(".outhaul-1-2")
    os.mkfifo(tmp_path / ".outhaul-restore-9-9")
    leftovers.remove(folder)
    assert names(tmp_path) == kept | {".outhaul-restore-7-7-a", ".outhaul-restore-8-8", ".outhaul-restore-9-9"}


def test_what_is_being_written_stays(tmp_path: Path, folder: int) -> None:
    """A lock says so; it ends with whoever has it."""
    name, descriptor = leftovers.create(folder, os.O_WRONLY, 0o600)
    leftovers.remove(folder)
    assert names(tmp_path) == {name}
    os.close(descriptor)
    leftovers.remove(folder)
    assert names(tmp_path) == set()


def test_a_name_that_is_taken(tmp_path: Path, folder: int) -> None:
    """In a container a killed process had the same number as the next one."""
    number = int(leftovers.temporary_name().rpartition("-")[2])
    left = tmp_path / f".outhaul-restore-{os.getpid()}-{number + 1}"
    left.write_bytes(b"half")
    name, descriptor = leftovers.create(folder, os.O_WRONLY, 0o600)
    os.close(descriptor)
    assert (name != left.name, left.read_bytes()) == (True, b"half")


def test_a_file_that_is_removed_before_it_is_held(tmp_path: Path, folder: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then another one is made."""
    calls: list[int] = []

    def hold(descriptor: int) -> bool:
        calls.append(descriptor)
        if len(calls) == 1:
            return False
        if len(calls) == 2:
            for path in tmp_path.iterdir():
                path.unlink()
        return True

    monkeypatch.setattr(leftovers, "hold", hold)
    name, descriptor = leftovers.create(folder, os.O_WRONLY, 0o600)
    os.close(descriptor)
    assert (len(calls), names(tmp_path)) == (3, {name})


def test_where_there_are_no_locks(tmp_path: Path, folder: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are written all the same, and nothing is removed."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(fcntl, "flock", refuse)
    name, descriptor = leftovers.create(folder, os.O_WRONLY, 0o600)
    os.close(descriptor)
    leftovers.remove(folder)
    assert names(tmp_path) == {name}


def test_a_landing_sweeps_where_it_writes(tmp_path: Path) -> None:
    """Each directory, once; not in a dry run."""
    for directory in (tmp_path, tmp_path / "d", tmp_path / "e"):
        directory.mkdir(exist_ok=True)
        (directory / ".outhaul-restore-1-1").write_bytes(b"half")
    with HostLanding(str(tmp_path)) as landing:
        for name, make in (("", True), ("d", True), ("d", True), ("e", False)):
            found = landing.folder(name, make=make)
            assert found is not None
            with found:
                pass
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob(".outhaul*")} == {"e/.outhaul-restore-1-1"}
