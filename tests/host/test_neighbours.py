"""Several processes in one source: each has a private directory of its own, and what a dead one has left goes back."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from outhaul.host import neighbours
from outhaul.host.filesystem import HostFileSystem
from outhaul.model.errors import SourceStuck
from outhaul.model.job import Destination, Job

_TAKE = """
import sys
from outhaul.host.filesystem import HostFileSystem
from outhaul.model.job import Destination, Job
_, source, state, owner, name = sys.argv
job = Job("host", source, Destination("file:///nowhere", "file", "", "", "/nowhere"))
with HostFileSystem(state, owner=owner).tree(job) as tree, tree.folder("") as folder:
    folder.take_aside(name, 7)
    print("taken", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """With two files."""
    (tmp_path / "source").mkdir()
    for name in ("one", "two"):
        (tmp_path / "source" / name).write_text(name)
    return tmp_path / "source"


@pytest.fixture
def job(source: Path) -> Job:
    """On the source, from the command line."""
    return Job("host", str(source), Destination("file:///nowhere", "file", "", "", "/nowhere"), one_off=True)


def shard(tmp_path: Path, number: int) -> HostFileSystem:
    """The files as this shard sees them."""
    return HostFileSystem(str(tmp_path / "state" / f"shard-{number}-of-2"), owner=f"shard-{number}-of-2")


@contextmanager
def taking(tmp_path: Path, source: Path, owner: str, name: str) -> Iterator[None]:
    """Another process, which has taken a file aside and stays so; it is killed at the end."""
    state = str(tmp_path / "state" / owner)
    command = [sys.executable, "-c", _TAKE, str(source), state, owner, name]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"taken\n"
        try:
            yield
        finally:
            process.kill()


def left(files: HostFileSystem, job: Job) -> list[tuple[int, str]]:
    """What is put back of what was left: the number of its receipt, and its path."""
    with files.tree(job) as tree:
        return [(entry.receipt, entry.path) for entry in tree.left_aside() if entry.put_back(entry.path)]


def test_a_driver_takes_back_what_one_has_left_that_was_alone(tmp_path: Path, source: Path, job: Job) -> None:
    """It had the same state directory, and its private directory in it."""
    state = str(tmp_path / "state")
    with HostFileSystem(state).tree(job) as tree, tree.folder("") as folder:
        folder.take_aside("one", 7)
    assert left(HostFileSystem(state, owner="worker-driver"), job) == [(0, "one")]


@pytest.mark.parametrize("owner", ["shard-1-of-2", "shard-7-of-9", "worker-a1", ""])
def test_what_a_living_one_has_taken_is_left_alone(tmp_path: Path, source: Path, job: Job, owner: str) -> None:
    """And once it is dead it goes back, whichever number it had; of its receipts nobody else believes anything."""
    with taking(tmp_path, source, owner, "one"):
        assert left(shard(tmp_path, 2), job) == []
        assert not (source / "one").exists()
    assert left(shard(tmp_path, 2), job) == [(0, "one")]
    assert sorted(entry.name for entry in source.iterdir() if entry.is_file()) == ["one", "two"]


def test_one_that_is_alone_takes_back_what_shards_have_left(tmp_path: Path, source: Path, job: Job) -> None:
    """Also a run without shards accounts for it."""
    alone = HostFileSystem(str(tmp_path / "state"))
    with taking(tmp_path, source, "shard-1-of-2", "one"):
        assert left(alone, job) == []
    assert left(alone, job) == [(0, "one")]


def test_what_is_its_own_has_a_receipt(tmp_path: Path, source: Path, job: Job) -> None:
    """It is told by its number, as that of a process which is alone."""
    with taking(tmp_path, source, "shard-2-of-2", "one"):
        pass
    assert left(shard(tmp_path, 2), job) == [(7, "one")]


def test_two_of_one_number_are_refused(tmp_path: Path, source: Path, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """On two machines they have two state directories; what is in the source tells them apart."""
    monkeypatch.setattr(neighbours, "_WAIT_SECONDS", 0.05)
    with taking(tmp_path, source, "shard-2-of-2", "one"):
        with pytest.raises(SourceStuck, match="another outhaul has shard-2-of-2"):
            left(shard(tmp_path, 2), job)
        with shard(tmp_path, 2).tree(job) as tree, tree.folder("") as folder, pytest.raises(SourceStuck):
            folder.take_aside("two", 1)
    assert (source / "two").exists()


def test_two_jobs_of_one_process_share_it(tmp_path: Path, source: Path, job: Job) -> None:
    """And the last takes it away, where both are from the command line."""
    files = shard(tmp_path, 1)
    with files.tree(job) as tree, tree.folder("") as folder:
        aside = folder.take_aside("one", 1)
        with files.tree(job) as other, other.folder("") as same:
            same.take_aside("two", 2).unlink()
        assert (source / ".outhaul/shard-1-of-2.lock").exists()
        aside.unlink()
    assert list(source.iterdir()) == []


def test_a_lock_that_was_removed_meanwhile_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waited for it makes it anew: two would hold it otherwise."""
    outer = os.open(tmp_path, os.O_RDONLY)
    lock, really = tmp_path / "shard-1-of-2.lock", fcntl.flock

    def removed_first(descriptor: int, how: int) -> None:
        monkeypatch.setattr(fcntl, "flock", really)
        lock.unlink()
        really(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", removed_first)
    neighbours.Holds().take(outer, "shard-1-of-2")
    assert lock.exists()
    assert list(neighbours.abandoned(outer, "")) == []
    os.close(outer)


def test_without_locks_nothing_of_another_is_touched(
    tmp_path: Path, source: Path, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process itself works all the same."""
    with taking(tmp_path, source, "shard-1-of-2", "one"):
        pass

    def none(_descriptor: int, _how: int) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", none)
    assert left(shard(tmp_path, 2), job) == []
    with shard(tmp_path, 2).tree(job) as tree, tree.folder("") as folder:
        assert folder.take_aside("two", 1).put_back()
