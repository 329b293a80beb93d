"""What must hold of every `FileSystem` when it is walked and read; what must hold at a removal is in `removal.py`.

Not shown here: disks that fail, power cuts, other file systems beneath the source, users who may not read.
"""

from __future__ import annotations

import hashlib

import pytest

from outhaul.model.errors import SourceChanged, SourceInUse, SourceNotRegular, SourceVanished
from outhaul.model.evidence import Sighting, same_generation
from outhaul.model.job import Destination, Job
from outhaul.ports import FileSystem, Tree
from outhaul.testing.contracts.hands import Hands
from outhaul.testing.contracts.store import ODD_NAMES


class SourceFixtures:
    """A source, an adapter on it, and somebody else in it: to be overridden."""

    @pytest.fixture
    def hands(self) -> Hands:
        """Somebody else in the source; to be overridden."""
        raise NotImplementedError

    @pytest.fixture
    def files(self, hands: Hands) -> FileSystem:
        """The adapter; to be overridden."""
        raise NotImplementedError

    @pytest.fixture
    def job(self) -> Job:
        """A job on the source; to be overridden where its path matters."""
        return Job("contract", "/source", Destination("file:///destination", "file", "", "", "/destination"))


class FileSystemContract(SourceFixtures):
    """Held by each adapter in a subclass that overrides `hands`, `files` and `job`."""

    # --- walking ----------------------------------------------------------------------------------------------------

    def test_each_entry_is_listed_once(self, files: FileSystem, hands: Hands, job: Job) -> None:
        """Together the listings of a directory hold each of its entries once, however many there are."""
        names = [f"{number:04}.dat" for number in range(1100)]
        for name in names:
            hands.write(f"many/{name}", b"")
        hands.write("many/below/deep/file", b"1")
        with files.tree(job) as tree:
            listings = list(tree.listings("many"))
            assert names == sorted(seen.name for listing in listings for seen in listing.files)
            assert [name for listing in listings for name in listing.folders] == ["below"]
            assert [name for listing in tree.listings("") for name in listing.folders] == ["many"]
            assert tuple(map(tree.folders, ("", "many", "many/below/deep"))) == (["many"], ["below"], [])
            with pytest.raises(SourceVanished):
                tree.folders("many/none")
            assert [found.path for found in listed(tree, "many/below/deep")] == ["many/below/deep/file"]

    def test_what_is_no_file_is_told_with_its_kind(self, files: FileSystem, hands: Hands, job: Job) -> None:
        """Links, FIFOs and sockets are listed apart, and nothing is left out (L9)."""
        hands.write("file", b"1")
        hands.symlink("to-file", "file")
        hands.symlink("to-nothing", "nothing")
        hands.fifo("pipe")
        hands.socket("plug")
        with files.tree(job) as tree:
            others = sorted(other for listing in tree.listings("") for other in listing.others)
            assert [found.name for found in listed(tree, "")] == ["file"]
        assert others == [("pipe", "fifo"), ("plug", "socket"), ("to-file", "symlink"), ("to-nothing", "symlink")]

    def test_every_name_is_kept(self, files: FileSystem, hands: Hands, job: Job) -> None:
        """Names come out as they went in, those that are no text too, and lead to their file (L13)."""
        names = {name.decode("utf-8", "surrogateescape").replace("/", "_") for name in ODD_NAMES}
        for name in names:
            hands.write(f"odd/{name}", name.encode("utf-8", "surrogateescape"))
        with files.tree(job) as tree, tree.folder("odd") as folder:
            assert names == {found.name for found in listed(tree, "odd")}
            for name in names:
                with folder.open(name) as file:
                    assert name.encode("utf-8", "surrogateescape") == file.pread(file.sighting.size, 0)

    def test_the_walk_and_the_descriptor_agree(self, files: FileSystem, hands: Hands, job: Job) -> None:
        """A file that nobody touched is the same generation in a listing and when it is opened."""
        hands.write("a/file", b"123")
        with files.tree(job) as tree, tree.folder("a") as folder, folder.open("file") as file:
            assert same_generation(listed(tree, "a")[0], file.sighting)
            assert file.sighting.path == "a/file"
            assert file.sighting.size == 3

    def test_a_missing_directory_is_an_error(self, files: FileSystem, hands: Hands, job: Job) -> None:
        """A directory that is not there is never an empty one (L10)."""
        with files.tree(job) as tree:
            with pytest.raises(SourceVanished):
                list(tree.listings("missing"))
            with pytest.raises(SourceVanished):
                tree.folder("missing/too")

    # --- opening ----------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("kind", ["symlink", "fifo", "socket", "folder"])
    def test_only_files_are_opened(self, files: FileSystem, hands: Hands, job: Job, kind: str) -> None:
        """What is no regular file is refused at once: no link is followed, no FIFO is waited for (L1)."""
        hands.write("file", b"1")
        if kind == "folder":
            hands.write("odd/file", b"1")
        elif kind == "symlink":
            hands.symlink("odd", "file")
        else:
            {"fifo": hands.fifo, "socket": hands.socket}[kind]("odd")
        with files.tree(job) as tree, tree.folder("") as folder, pytest.raises(SourceNotRegular):
            folder.open("odd")

    def test_a_file_that_is_gone_is_said_to_be_gone(self, files: FileSystem, hands: Hands, job: Job) -> None:
        """Opening and taking aside tell a missing file from every other fault."""
        with files.tree(job) as tree, tree.folder("") as folder:
            with pytest.raises(SourceVanished):
                folder.open("nothing")
            with pytest.raises(SourceVanished):
                folder.take_aside("nothing", 1)

    def test_reading_is_exact(self, files: FileSystem, hands: Hands, job: Job) -> None:
        """pread gives exactly what was asked for, or says that the file became shorter; the digest is of everything."""
        content = bytes(range(256)) * 5000
        hands.write("file", content)
        with files.tree(job) as tree, tree.folder("") as folder, folder.open("file") as file:
            assert content[1000:900_000] == file.pread(899_000, 1000)
            assert file.pread(0, 0) == b""
            assert hashlib.sha256(content).digest() == file.digest()
            with pytest.raises(SourceChanged):
                file.pread(10, len(content) - 5)
            hands.write("file", b"short")
            with pytest.raises(SourceChanged):
                file.pread(len(content), 0)

    def test_a_descriptor_stays_with_its_file(self, files: FileSystem, hands: Hands, job: Job) -> None:
        """An open file is the same file after its name has gone to another, or to none (L1)."""
        hands.write("file", b"first")
        with files.tree(job) as tree, tree.folder("") as folder, folder.open("file") as file:
            hands.replace("file", b"other")
            assert file.pread(5, 0) == b"first"
            with folder.open("file") as other:
                assert not same_generation(file.sighting, other.sighting)

    def test_a_change_shows(self, files: FileSystem, hands: Hands, job: Job) -> None:
        """An open file tells whether it was written to, and opened anew it is another generation."""
        hands.write("file", b"1")
        with files.tree(job) as tree, tree.folder("") as folder, folder.open("file") as file:
            assert file.unchanged()
            hands.append("file", b"2")
            assert not file.unchanged()
            with folder.open("file") as again:
                assert again.unchanged()
                assert not same_generation(file.sighting, again.sighting)

    # --- who is writing -----------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("how", ["writing", "mapping"])
    def test_a_writer_is_noticed(self, files: FileSystem, hands: Hands, job: Job, how: str) -> None:
        """A file that another process writes to, by descriptor or by a mapping alone, is in use; then it is not (L6)."""
        hands.write("file", b"1" * 5000)
        with files.tree(job) as tree, tree.folder("") as folder:
            with (hands.writing if how == "writing" else hands.mapping)("file"), folder.open("file") as file:
                with pytest.raises(SourceInUse):
                    file.check_writers()
                with pytest.raises(SourceInUse):
                    file.take_lease()
            with folder.open("file") as file:
                assert file.check_writers()
                assert file.take_lease()
                assert file.lease_holds()

    def test_no_writer_is_held_up_after(self, files: FileSystem, hands: Hands, job: Job) -> None:
        """Looking for writers, and a file that was closed, hold nobody off (L8)."""
        hands.write("file", b"1")
        with files.tree(job) as tree, tree.folder("") as folder:
            with folder.open("file") as file:
                assert file.check_writers()
                hands.append("file", b"2")
            with folder.open("file") as file:
                assert file.take_lease()
            hands.append("file", b"3")
        assert hands.read("file") == b"123"


def listed(tree: Tree, directory: str) -> list[Sighting]:
    """The files of a directory."""
    return [seen for listing in tree.listings(directory) for seen in listing.files]
