"""What must hold of every `FileSystem` when files are taken out of it, and when a crash came in between.

Not shown here: disks that fail, power cuts, other file systems beneath the source.
"""

from __future__ import annotations

from contextlib import suppress

import pytest

from outhaul.model.errors import SourceError, SourceStuck
from outhaul.model.job import Job
from outhaul.ports import FileSystem, Tree
from outhaul.testing.contracts.files import SourceFixtures, listed
from outhaul.testing.contracts.hands import Hands


class RemovalContract(SourceFixtures):
    """Held by each adapter in a subclass that overrides the fixtures."""

    # --- taking aside -------------------------------------------------------------------------------------------------

    def test_taken_aside_and_unlinked(self, files: FileSystem, hands: Hands, job: Job) -> None:
        """What is taken aside has left its place, is known for what it is, and goes for good when it is unlinked."""
        hands.write("a/file", b"1")
        hands.write("a/other", b"2")
        with files.tree(job) as tree, tree.folder("a") as folder:
            with folder.open("file") as file, folder.open("other") as other:
                aside = folder.take_aside("file", 1)
                assert hands.read("a/file") is None
                assert aside.is_file(file.sighting)
                assert not aside.is_file(other.sighting)
            aside.unlink()
            assert list(tree.left_aside()) == []
        assert hands.read("a/other") == b"2"

    def test_another_file_under_the_name_is_not_taken_for_it(self, files: FileSystem, hands: Hands, job: Job) -> None:
        """A file that came under the name in between, even with the same bytes, is another, and goes back whole."""
        hands.write("file", b"1")
        with files.tree(job) as tree, tree.folder("") as folder, folder.open("file") as file:
            hands.replace("file", b"1")
            aside = folder.take_aside("file", 1)
            assert not aside.is_file(file.sighting)
            assert aside.put_back()
        assert hands.read("file") == b"1"

    @pytest.mark.parametrize("kind", ["symlink", "fifo", "folder"])
    def test_no_file_under_the_name(self, files: FileSystem, hands: Hands, job: Job, kind: str) -> None:
        """A link, FIFO or directory that came under the name is not taken for the file: it is put back, or not taken at all."""
        hands.write("file", b"1")
        with files.tree(job) as tree, tree.folder("") as folder, folder.open("file") as file:
            hands.remove("file")
            hands.write("target/file", b"1")
            if kind == "folder":
                hands.write("file/beneath", b"1")
            elif kind == "symlink":
                hands.symlink("file", "target/file")
            else:
                hands.fifo("file")
            with suppress(SourceStuck):
                aside = folder.take_aside("file", 1)
                assert not aside.is_file(file.sighting)
                assert aside.put_back()
            assert list(tree.left_aside()) == []
        assert hands.read("target/file") == b"1"

    def test_putting_back_replaces_nothing(self, files: FileSystem, hands: Hands, job: Job) -> None:
        """A place that was taken meanwhile keeps its new file; the old one stays aside, whole."""
        hands.write("file", b"old")
        with files.tree(job) as tree, tree.folder("") as folder:
            aside = folder.take_aside("file", 5)
            hands.write("file", b"new")
            assert not aside.put_back()
        assert hands.read("file") == b"new"
        with files.tree(job) as tree:
            assert _left(tree) == [(5, "file", b"old")]

    def test_taking_aside_replaces_nothing(self, files: FileSystem, hands: Hands, job: Job) -> None:
        """An entry that the private directory has already is not replaced by another of the same receipt and path."""
        hands.write("file", b"first")
        with files.tree(job) as tree, tree.folder("") as folder:
            folder.take_aside("file", 5)
            hands.write("file", b"second")
            with pytest.raises(SourceError):
                folder.take_aside("file", 5)
            assert _left(tree) == [(5, "file", b"first")]
        assert hands.read("file") == b"second"

    # --- recovery -----------------------------------------------------------------------------------------------------

    def test_what_a_crash_left_aside_is_found(self, files: FileSystem, hands: Hands, job: Job) -> None:
        """An entry of the private directory tells its receipt and its path, and can be put back or unlinked."""
        for name in ("back", "taken", "gone"):
            hands.write(f"a b/%/{name}", name.encode())
        with files.tree(job) as tree, tree.folder("a b/%") as folder:
            for receipt, name in enumerate(("back", "taken", "gone"), 11):
                folder.take_aside(name, receipt)
        hands.write("a b/%/taken", b"new")
        with files.tree(job) as tree:
            assert [left[:2] for left in _left(tree)] == [(11, "a b/%/back"), (12, "a b/%/taken"), (13, "a b/%/gone")]
            for left in tree.left_aside():
                if left.path.endswith("gone"):
                    left.unlink()
                else:
                    assert left.put_back(left.path) is left.path.endswith("back")
        assert hands.read("a b/%/back") == b"back"
        assert hands.read("a b/%/taken") == b"new"
        assert hands.read("a b/%/gone") is None
        with files.tree(job) as tree:
            assert _left(tree) == [(12, "a b/%/taken", b"taken")]

    def test_what_is_aside_and_no_file(self, files: FileSystem, hands: Hands, job: Job) -> None:
        """A link that a lost race took aside is told as no file, keeps nobody from being found, and goes back."""
        hands.write("file", b"1")
        hands.symlink("link", "file")
        with files.tree(job) as tree, tree.folder("") as folder:
            folder.take_aside("link", 1)
            folder.take_aside("file", 2)
        with files.tree(job) as tree:
            assert [(left.path, left.file is None) for left in tree.left_aside()] == [("link", True), ("file", False)]
            for left in tree.left_aside():
                assert left.put_back(left.path)
            assert [seen.name for seen in listed(tree, "")] == ["file"]
            assert [other for listing in tree.listings("") for other in listing.others] == [("link", "symlink")]

    def test_a_path_too_long_for_an_entry(self, files: FileSystem, hands: Hands, job: Job) -> None:
        """A file whose path does not fit into an entry's name tells its receipt alone, and goes back by the ledger."""
        directory = "/".join(["long" * 20] * 4)
        hands.write(f"{directory}/file", b"1")
        with files.tree(job) as tree, tree.folder(directory) as folder:
            folder.take_aside("file", 3)
        with files.tree(job) as tree:
            assert _left(tree) == [(3, "", b"1")]
            for left in tree.left_aside():
                assert left.put_back(f"{directory}/file")
        assert hands.read(f"{directory}/file") == b"1"

    def test_nothing_goes_back_through_a_link(self, files: FileSystem, hands: Hands, job: Job) -> None:
        """Where a link stands on the way, or no directory any more, a file stays aside."""
        hands.write("a/file", b"1")
        hands.write("elsewhere/x", b"1")
        with files.tree(job) as tree, tree.folder("a") as folder:
            folder.take_aside("file", 3)
        hands.swap_for_link("a", "elsewhere")
        with files.tree(job) as tree:
            for left in tree.left_aside():
                assert not left.put_back("a/file")
                assert not left.put_back("missing/file")
            assert _left(tree) == [(3, "a/file", b"1")]
        assert hands.read("elsewhere/file") is None

    # --- an attacker ----------------------------------------------------------------------------------------------------

    def test_a_directory_that_became_a_link_is_not_followed(self, files: FileSystem, hands: Hands, job: Job) -> None:
        """A parent that is swapped for a link leads nowhere; a directory that is open stays the one it was (L1)."""
        hands.write("a/b/file", b"ours")
        hands.write("elsewhere/b/file", b"theirs")
        with files.tree(job) as tree, tree.folder("a/b") as folder:
            hands.swap_for_link("a", "elsewhere")
            with folder.open("file") as file:
                assert file.pread(4, 0) == b"ours"
            folder.take_aside("file", 1).unlink()
            with pytest.raises(SourceError):
                tree.folder("a/b")
            with pytest.raises(SourceError):
                list(tree.listings("a/b"))
            with pytest.raises(SourceError):
                list(tree.listings("a"))
        assert hands.read("elsewhere/b/file") == b"theirs"


def _left(tree: Tree) -> list[tuple[int, str, bytes]]:
    return [
        (left.receipt, left.path, left.file.pread(left.file.sighting.size, 0))
        for left in tree.left_aside()
        if left.file is not None
    ]
