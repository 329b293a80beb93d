"""A worker knows the source of its driver from whatever else is under the same path on its machine."""

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from outhaul.host import landmarks
from outhaul.host.filesystem import HostFileSystem
from outhaul.host.landmarks import Landmark, Leaving, is_there
from outhaul.model.errors import SourceUnreadable
from outhaul.model.job import Destination, Job


def test_the_source_is_known_from_another_directory(tmp_path: Path) -> None:
    """For as long as the run takes; then nothing is left of it, here or there."""
    for name in ("source", "other"):
        (tmp_path / name).mkdir()
    source, other = str(tmp_path / "source"), str(tmp_path / "other")
    with closing(Leaving(source, keep=False)) as left:
        assert (is_there(source, left.landmark), is_there(other, left.landmark)) == (True, False)
        (tmp_path / "other" / ".outhaul").mkdir(mode=0o700)
        assert not is_there(other, left.landmark)
        os.rmdir(tmp_path / "other" / ".outhaul")
    assert not is_there(source, left.landmark)
    assert (os.listdir(source), os.listdir(other)) == ([], [])


def test_a_number_is_not_enough(tmp_path: Path) -> None:
    """Roots of file systems have the same one: that of the driver is there, or it is another directory."""
    inode = tmp_path.stat().st_ino
    assert [is_there(str(tmp_path), Landmark(name, inode)) for name in ("worker-1", "")] == [False, True]
    assert not is_there(str(tmp_path), Landmark("", inode + 1))


def test_where_nothing_can_be_left_the_number_decides(tmp_path: Path) -> None:
    """As in a source of a copy that may only be read, or where somebody else has the name."""
    (tmp_path / ".outhaul").write_bytes(b"a file of somebody")
    with closing(Leaving(str(tmp_path), keep=False)) as left:
        assert left.landmark == Landmark("", tmp_path.stat().st_ino)
    with closing(Leaving(str(tmp_path / ".."), keep=False)) as above:
        assert not is_there(str(tmp_path), above.landmark)
    assert os.listdir(tmp_path) == [".outhaul"]


def test_two_drivers_know_it_each_by_its_own(tmp_path: Path) -> None:
    """They may share a database and have other destinations."""
    with closing(Leaving(str(tmp_path), keep=True)) as one:
        with closing(Leaving(str(tmp_path), keep=True)) as other:
            assert is_there(str(tmp_path), one.landmark)
            assert is_there(str(tmp_path), other.landmark)
        assert is_there(str(tmp_path), one.landmark)
    assert os.listdir(tmp_path / ".outhaul") == []


def test_what_is_remembered_as_missing_is_asked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NFS may say for a minute that there is no private directory, after there is one."""
    answers = [False]
    with closing(Leaving(str(tmp_path), keep=False)) as left:
        real = landmarks._has
        monkeypatch.setattr(landmarks, "_has", lambda *of: answers.pop() if answers else real(*of))
        assert is_there(str(tmp_path), left.landmark)
    assert answers == []


_KILLED = """
import os
import sys
from outhaul.host.landmarks import Leaving
left = Leaving(sys.argv[1], keep=False)
os.kill(os.getpid(), 9)
"""


def test_that_of_a_driver_that_was_killed_goes_with_the_next_run(tmp_path: Path) -> None:
    """As what dead shards and workers have left."""
    source = tmp_path / "source"
    source.mkdir()
    subprocess.run([sys.executable, "-c", _KILLED, str(source)], check=False, timeout=60)
    assert len(os.listdir(source / ".outhaul")) == 1
    job = Job("one", str(source), Destination("file:///there", "file", "", "", "/there"))
    with HostFileSystem(str(tmp_path / "state")).tree(job) as tree:
        assert list(tree.left_aside()) == []
    assert os.listdir(source / ".outhaul") == []


def test_a_path_where_nothing_is(tmp_path: Path) -> None:
    """It is told as a source that cannot be read."""
    with pytest.raises(SourceUnreadable, match="No such file"):
        is_there(str(tmp_path / "none"), Landmark("", 1))
    with pytest.raises(SourceUnreadable, match="No such file"):
        Leaving(str(tmp_path / "none"), keep=False)
