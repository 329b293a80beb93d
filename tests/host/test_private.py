"""The private directory: ours alone, and never a reason for a run to end."""

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from outhaul.host.filesystem import HostFileSystem
from outhaul.model.errors import OuthaulError, SourceShared, SourceStuck
from outhaul.model.job import Destination, Job


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """With one file."""
    (tmp_path / "source").mkdir(mode=0o755)
    (tmp_path / "source/file").write_bytes(b"1")
    return tmp_path / "source"


@pytest.fixture
def job(source: Path) -> Job:
    """On the source."""
    return Job("host", str(source), Destination("file:///nowhere", "file", "", "", "/nowhere"))


@pytest.fixture
def files(tmp_path: Path) -> HostFileSystem:
    """With its state beside the source."""
    return HostFileSystem(str(tmp_path / "state"))


def private(tmp_path: Path) -> Path:
    """The private directory beside the ledger."""
    return next((tmp_path / "state/private").iterdir())


def take(files: HostFileSystem, job: Job) -> None:
    """Take the file aside, and stop there."""
    with files.tree(job) as tree, tree.folder("") as folder:
        folder.take_aside("file", 1)


def test_it_is_ours_alone(files: HostFileSystem, job: Job, tmp_path: Path) -> None:
    """Nobody else can enter it, whatever the umask."""
    before = os.umask(0)
    try:
        take(files, job)
    finally:
        os.umask(before)
    assert stat.S_IMODE(private(tmp_path).stat().st_mode) == 0o700
    assert [entry.name for entry in private(tmp_path).iterdir()] == ["1-file"]


def test_one_that_others_can_enter_is_not_used(files: HostFileSystem, job: Job, tmp_path: Path, source: Path) -> None:
    """Then nothing is taken out of the source, and that is said."""
    take(files, job)
    private(tmp_path).chmod(0o755)
    (source / "file").write_bytes(b"2")
    with pytest.raises(SourceStuck):
        take(files, job)
    assert (source / "file").read_bytes() == b"2"


def test_a_one_off_job_leaves_none(files: HostFileSystem, job: Job, tmp_path: Path) -> None:
    """A job of the command line takes the empty directory with it, and one that is not empty it leaves."""
    once = job._replace(one_off=True)
    with files.tree(once) as tree, tree.folder("") as folder:
        folder.take_aside("file", 1).unlink()
    assert list((tmp_path / "state/private").iterdir()) == []
    (tmp_path / "source/file").write_bytes(b"1")
    take(files, once)
    assert [entry.read_bytes() for entry in private(tmp_path).iterdir()] == [b"1"]


ODD: dict[str, Callable[[Path], object]] = {
    "a file": lambda place: place.write_bytes(b"the user's"),
    "a link": lambda place: place.symlink_to(place.parent),
    "a FIFO": os.mkfifo,
    "open to others": lambda place: place.mkdir(mode=0o755),
}


@pytest.mark.parametrize("what", ODD)
def test_something_else_under_its_name(files: HostFileSystem, job: Job, source: Path, what: str) -> None:
    """What stands in the source under the private directory's name, and is none, ends no run in a traceback (L9)."""
    ODD[what](source / ".outhaul")
    with files.tree(job) as tree:
        try:
            assert list(tree.left_aside()) == []
        except OuthaulError as error:
            assert ".outhaul" in str(error)


def test_an_entry_that_is_no_file_stops_nobody(files: HostFileSystem, job: Job, tmp_path: Path, source: Path) -> None:
    """A link that was taken aside by a lost race does not keep the others from being recovered (L9)."""
    take(files, job)
    (private(tmp_path) / "0-link").symlink_to("elsewhere")
    with files.tree(job) as tree:
        assert [left.path for left in tree.left_aside()] == ["link", "file"]
        for left in tree.left_aside():
            assert left.put_back(left.path)
    assert (source / "link").is_symlink()
    assert (source / "file").read_bytes() == b"1"


def test_a_file_with_two_names(files: HostFileSystem, job: Job, source: Path) -> None:
    """In a directory that others may write to, a second link may be somebody else's file, and is left alone."""
    os.link(source / "file", source / "second")
    with files.tree(job) as tree, tree.folder("") as folder, folder.open("file"):
        pass
    source.chmod(0o777)
    with files.tree(job) as tree, tree.folder("") as folder, pytest.raises(SourceShared):
        folder.open("file")


def test_another_file_system_is_not_entered(files: HostFileSystem, job: Job, source: Path) -> None:
    """A mount beneath the source is told as such, and not walked."""
    (source / "mount").mkdir()
    with files.tree(job) as tree:
        tree._device += 1
        listing = next(tree.listings(""))
    assert (listing.folders, listing.others) == ([], [("mount", "mount")])


def test_no_descriptor_is_left_open(files: HostFileSystem, job: Job, source: Path) -> None:
    """Whatever is refused, what was opened for it is closed again."""
    (source / "link").symlink_to("file")
    os.mkfifo(source / "fifo")
    counts = []
    for _ in range(3):
        with files.tree(job) as tree:
            list(tree.listings(""))
            with tree.folder("") as folder:
                for name in ("link", "fifo", "missing", "file"):
                    with suppress(OuthaulError), folder.open(name) as file:
                        file.check_writers()
            list(tree.left_aside())
        counts.append(len(os.listdir("/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd")))
    assert counts[0] == counts[-1]


@pytest.mark.parametrize("what", ODD)
def test_what_stands_there_is_listed_unless_it_is_ours(
    files: HostFileSystem, job: Job, source: Path, what: str
) -> None:
    """Only the directory itself is passed over by a walk; what else has its name is accounted for (L9)."""
    ODD[what](source / ".outhaul")
    with files.tree(job) as tree:
        listing = next(tree.listings(""))
    names = [seen.name for seen in listing.files] + listing.folders + [name for name, _ in listing.others]
    assert ([".outhaul", "file"] if what != "open to others" else ["file"]) == sorted(names)
