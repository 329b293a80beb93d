"""What must hold of every `FileSystem`: the machine's own and the simulated one.

Not shown here: disks that fail, power cuts, other file systems beneath the source, users who may not read.
"""

from __future__ import annotations

import hashlib
from contextlib import AbstractContextManager, suppress
from typing import Protocol

import pytest

from outhaul.model.errors import SourceChanged, SourceError, SourceInUse, SourceNotRegular, SourceStuck, SourceVanished
from outhaul.model.evidence import Sighting, same_generation
from outhaul.model.job import Destination, Job
from outhaul.ports import FileSystem, Tree
from outhaul.testing.contracts.store import ODD_NAMES


class Hands(Protocol):
    """What a producer, or an attacker, does in the source; paths are relative to it. See `SimulatedDisk`."""

    def write(self, path: str, content: bytes) -> None:
        """Open for writing, empty, fill and close."""
        ...

    def append(self, path: str, content: bytes) -> None:
        """Open for appending, write and close."""
        ...

    def replace(self, path: str, content: bytes) -> None:
        """Write under another name, and rename over this one."""
        ...

    def remove(self, path: str) -> None:
        """Take the name away."""
        ...

    def symlink(self, path: str, target: str) -> None:
        """Make a link to another path of the source."""
        ...

    def fifo(self, path: str) -> None:
        """Make a FIFO that nobody reads or writes."""
        ...

    def socket(self, path: str) -> None:
        """Make a socket."""
        ...

    def swap_for_link(self, directory: str, target: str) -> None:
        """Move a directory away, and put a link to `target` under its name."""
        ...

    def writing(self, path: str) -> AbstractContextManager[None]:
        """While this lasts, another process has the file open for writing."""
        ...

    def mapping(self, path: str) -> AbstractContextManager[None]:
        """While this lasts, another process has the file mapped shared and writable, its descriptor closed."""
        ...

    def read(self, path: str) -> bytes | None:
        """The content of a file, None where there is none."""
        ...


class FileSystemContract:
    """Held by each adapter in a subclass that overrides `hands`, `files` and `job`."""

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
            assert [found.path for found in _listed(tree, "many/below/deep")] == ["many/below/deep/file"]

    def test_what_is_no_file_is_told_with_its_kind(self, files: FileSystem, hands: Hands, job: Job) -> None:
        """Links, FIFOs and sockets are listed apart, and nothing is left out (L9)."""
        hands.write("file", b"1")
        hands.symlink("to-file", "file")
        hands.symlink("to-nothing", "nothing")
        hands.fifo("pipe")
        hands.socket("plug")
        with files.tree(job) as tree:
            others = sorted(other for listing in tree.listings("") for other in listing.others)
            assert [found.name for found in _listed(tree, "")] == ["file"]
        assert others == [("pipe", "fifo"), ("plug", "socket"), ("to-file", "symlink"), ("to-nothing", "symlink")]

    def test_every_name_is_kept(self, files: FileSystem, hands: Hands, job: Job) -> None:
        """Names come out as they went in, those that are no text too, and lead to their file (L13)."""
        names = {name.decode("utf-8", "surrogateescape").replace("/", "_") for name in ODD_NAMES}
        for name in names:
            hands.write(f"odd/{name}", name.encode("utf-8", "surrogateescape"))
        with files.tree(job) as tree, tree.folder("odd") as folder:
            assert names == {found.name for found in _listed(tree, "odd")}
            for name in names:
                with folder.open(name) as file:
                    assert name.encode("utf-8", "surrogateescape") == file.pread(file.sighting.size, 0)

    def test_the_walk_and_the_descriptor_agree(self, files: FileSystem, hands: Hands, job: Job) -> None:
        """A file that nobody touched is the same generation in a listing and when it is opened."""
        hands.write("a/file", b"123")
        with files.tree(job) as tree, tree.folder("a") as folder, folder.open("file") as file:
            assert same_generation(_listed(tree, "a")[0], file.sighting)
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
            assert [seen.name for seen in _listed(tree, "")] == ["file"]
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


def _listed(tree: Tree, directory: str) -> list[Sighting]:
    return [seen for listing in tree.listings(directory) for seen in listing.files]


def _left(tree: Tree) -> list[tuple[int, str, bytes]]:
    return [
        (left.receipt, left.path, left.file.pread(left.file.sighting.size, 0))
        for left in tree.left_aside()
        if left.file is not None
    ]
