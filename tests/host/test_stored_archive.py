"""An archive on the real file system that holds what is stored: compressed, whole, and over nothing."""

import bz2
import hashlib
import os
from pathlib import Path

import pytest

from outhaul.codecs.choice import compression
from outhaul.host.filesystem import HostFileSystem
from outhaul.model.errors import SourceStuck
from outhaul.model.job import Destination, Job
from outhaul.model.keys import second_key
from outhaul.ports import Codec


def bzip2(job: Job) -> Codec | None:
    """What compresses there."""
    chosen = compression("bzip2", None)
    return chosen.named("bzip2") if chosen and job.archive else None


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """It archives under the name alone."""
    (tmp_path / "source" / "a").mkdir(parents=True)
    there = Destination("s3://bucket", "s3", "bucket", "")
    return Job("stored", str(tmp_path / "source"), there, key="{name}", compress="bzip2", after="archive",
               archive=str(tmp_path / "archive"), archive_form="stored")  # fmt: skip


def archive(job: Job, tmp_path: Path, path: str, content: bytes) -> None:
    """Take a file aside, and to the archive."""
    place = Path(job.source) / path
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(content)
    place.chmod(0o640)
    os.utime(place, (1000, 1000))
    directory, _, name = path.rpartition("/")
    with HostFileSystem(str(tmp_path / "state"), bzip2).tree(job) as tree, tree.folder(directory) as folder:
        folder.take_aside(name, 1).archive(hashlib.sha256(content).digest())
        assert list(tree.left_aside()) == []
    assert not place.exists()


def there(job: Job) -> dict[str, bytes]:
    """Name to what decompresses."""
    return {path.name: bz2.decompress(path.read_bytes()) for path in Path(job.archive).iterdir()}


@pytest.mark.parametrize("size", [0, 1, 3 << 20])
def test_a_file_lies_there_compressed(job: Job, tmp_path: Path, size: int) -> None:
    """Under the name of its key, with its own mode and modification time."""
    content = os.urandom(size)
    archive(job, tmp_path, "a/x.csv", content)
    assert there(job) == {"x.csv.bz2": content}
    state = (Path(job.archive) / "x.csv.bz2").stat()
    assert (state.st_mode & 0o777, state.st_mtime) == (0o640, 1000)


def test_no_name_is_taken_twice(job: Job, tmp_path: Path) -> None:
    """The same bytes again are one copy; others get the second name; with both taken by others, the file stays aside."""
    for path, content in (("a/x", b"one"), ("b/x", b"two"), ("c/x", b"one"), ("d/x", b"two")):
        archive(job, tmp_path, path, content)
    second = second_key("x.bz2", hashlib.sha256(b"two").digest())
    assert there(job) == {"x.bz2": b"one", second: b"two"}
    for name in ("y.bz2", second_key("y.bz2", hashlib.sha256(b"three").digest())):
        (Path(job.archive) / name).write_bytes(b"BZh9 no copy of ours")
    with pytest.raises(SourceStuck, match="other files have its names in the archive"):
        archive(job, tmp_path, "a/y", b"three")


def test_a_crash_leaves_no_name(job: Job, tmp_path: Path) -> None:
    """What a crash has left half written has a name of outhaul's own, and is written anew."""
    Path(job.archive).mkdir()
    digest = hashlib.sha256(hashlib.sha256(b"content").digest() + b"x.bz2")
    (Path(job.archive) / f".outhaul-{digest.hexdigest()[:24]}").write_bytes(b"BZh9 hal")
    archive(job, tmp_path, "a/x", b"content")
    assert there(job) == {"x.bz2": b"content"}
