"""What must hold of every `FileSystem` when files go to an archive, and when empty directories go.

Not shown here: power cuts, and archives that are full or not mounted.
"""

from __future__ import annotations

import hashlib
import time
from functools import partial

import pytest

from outhaul.model.errors import SourceError, SourceStuck
from outhaul.model.job import Job
from outhaul.model.keys import second_key
from outhaul.ports import Aside, FileSystem, Tree
from outhaul.testing.contracts.files import SourceFixtures, listed
from outhaul.testing.contracts.hands import Hands


class ArchiveContract(SourceFixtures):
    """Held by each adapter in a subclass that overrides the fixtures."""

    @pytest.fixture
    def archive(self) -> str:
        """Path of a directory that may be an archive; to be overridden."""
        raise NotImplementedError

    @pytest.fixture
    def archiving(self, job: Job, archive: str) -> Job:
        """The job, with an archive."""
        return job._replace(after="archive", archive=archive)

    @pytest.fixture
    def archived(self, job: Job, archive: str) -> Job:
        """A job whose source is the archive."""
        return job._replace(source=archive)

    def test_what_is_archived_is_there_whole(
        self, files: FileSystem, hands: Hands, archiving: Job, archived: Job
    ) -> None:
        """It has left the source, and stands in the archive under its path, with its bytes and its modification time."""
        hands.write("a/b/file", b"content")
        with files.tree(archiving) as tree, tree.folder("a/b") as folder:
            with folder.open("file") as file:
                mtime_ns = file.sighting.mtime_ns
            folder.take_aside("file", 1).archive(_sha256(b"content"))
            assert list(tree.left_aside()) == []
        assert hands.read("a/b/file") is None
        with files.tree(archived) as tree:
            assert [(found.path, found.mtime_ns) for found in listed(tree, "a/b")] == [("a/b/file", mtime_ns)]
            assert _read(tree, "a/b/file") == b"content"

    def test_nothing_in_the_archive_is_replaced(
        self, files: FileSystem, hands: Hands, archiving: Job, archived: Job
    ) -> None:
        """The same bytes again are one file; other bytes get the second name; and where that is taken too, it stays aside."""
        one, two = b"one", b"two"
        for content in (one, one, two, two):
            hands.write("file", content)
            _aside(files, archiving, "file").archive(_sha256(content))
        second = second_key("file", _sha256(two))
        with files.tree(archived) as tree:
            assert {found.path: _read(tree, found.path) for found in listed(tree, "")} == {"file": one, second: two}
        hands.write("file", b"three")
        for content in (b"x", b"y"):  # Neither is what it claims to be, so its second name is taken by something else.
            hands.write(f"{second_key('file', _sha256(b'three'))}", content)
            _aside(files, archiving, second_key("file", _sha256(b"three"))).archive(_sha256(content))
        with pytest.raises(SourceStuck):
            _aside(files, archiving, "file").archive(_sha256(b"three"))
        with files.tree(archiving) as tree:
            assert [left.path for left in tree.left_aside()] == ["file"]

    def test_what_a_crash_left_aside_can_be_archived(
        self, files: FileSystem, hands: Hands, archiving: Job, archived: Job
    ) -> None:
        """An entry of the private directory goes to the archive as the file itself would have gone."""
        hands.write("a/file", b"content")
        _aside(files, archiving, "a/file")
        with files.tree(archiving) as tree:
            for left in tree.left_aside():
                left.archive("a/file", _sha256(b"content"))
            assert list(tree.left_aside()) == []
        with files.tree(archived) as tree:
            assert _read(tree, "a/file") == b"content"

    def test_an_archive_is_a_tree_of_its_own(
        self, files: FileSystem, hands: Hands, archiving: Job, archived: Job
    ) -> None:
        """What is taken aside from the archive is told by the archive and not by the source."""
        hands.write("file", b"1")
        _aside(files, archiving, "file").archive(_sha256(b"1"))
        _aside(files, archived, "file")
        with files.tree(archiving) as tree:
            assert list(tree.left_aside()) == []
        with files.tree(archived) as tree:
            assert [left.path for left in tree.left_aside()] == ["file"]
            for left in tree.left_aside():
                assert left.put_back("file")
            assert _read(tree, "file") == b"1"

    # --- empty directories ----------------------------------------------------------------------------------------------

    def test_an_empty_directory_goes(self, files: FileSystem, hands: Hands, job: Job) -> None:
        """And no other: not one that holds a file, or a directory, or a link; and never the source itself."""
        hands.write("full/file", b"1")
        hands.write("above/below/file", b"1")
        hands.write("linked/file", b"1")
        hands.symlink("linked/link", "full")
        hands.remove("linked/file")
        hands.remove("above/below/file")
        with files.tree(job) as tree:
            for directory in ("full", "above", "linked", ""):
                assert not tree.remove_empty(directory)
            assert tree.remove_empty("above/below")
            assert tree.remove_empty("above")
            with pytest.raises(SourceError):
                tree.folder("above")
        assert hands.read("full/file") == b"1"

    def test_when_a_directory_changed(self, files: FileSystem, hands: Hands, job: Job) -> None:
        """A new entry is a change, and so is one that goes; nothing is told of a directory that is not there."""
        hands.write("a/one", b"1")
        with files.tree(job) as tree:
            for change in (partial(hands.write, "a/two", b"1"), partial(hands.remove, "a/two")):
                before = tree.changed_ns("a")
                time.sleep(0.02)  # A kernel's clock may tick no more often than each hundredth of a second.
                change()
                assert before < tree.changed_ns("a")
            with pytest.raises(SourceError):
                tree.changed_ns("missing")


def _sha256(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def _aside(files: FileSystem, job: Job, path: str) -> Aside:
    directory, _, name = path.rpartition("/")
    tree = files.tree(job)
    with tree.folder(directory) as folder:
        return folder.take_aside(name, 1)


def _read(tree: Tree, path: str) -> bytes:
    directory, _, name = path.rpartition("/")
    with tree.folder(directory) as folder, folder.open(name) as file:
        return file.pread(file.sighting.size, 0)
