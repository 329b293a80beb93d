"""The machine's own files: walked, opened, taken aside. Everything goes by descriptors; no path is followed twice (L1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

from outhaul.model.evidence import ByteSource, Sighting
from outhaul.model.job import Job


class Listing(NamedTuple):
    """Some entries of one directory; together, its listings hold each entry once."""

    files: list[Sighting]
    """Regular files."""
    folders: list[str]
    """Names of directories on the same file system."""
    others: list[tuple[str, str]]
    """Everything else: name, and the reason why it is not carried (a key of `lifecycle.REASONS`)."""


class OpenFile(ByteSource, Protocol):
    """One regular file, held by one descriptor from which everything is read (law L1). Used as a context manager."""

    sighting: Sighting
    """The file as the descriptor showed it when it was opened."""
    mode: int
    """Its permission bits at that moment."""

    def __enter__(self) -> OpenFile: ...
    def __exit__(self, *exception: object) -> None: ...

    def unchanged(self) -> bool:
        """Whether size, modification and change time are still those of `sighting`."""

    def check_writers(self) -> bool:
        """Make sure, at this instant, that no process has the file open for writing or mapped writable.

        Returns:
            True when the kernel has said so; False when nobody can tell.

        Raises:
            SourceInUse: a process has.
        """

    def take_lease(self) -> bool:
        """As `check_writers`, but a writer that comes later waits until `__exit__`. For microseconds only (L8)."""

    def lease_holds(self) -> bool:
        """False when somebody has asked to write since `take_lease`. True as well where that gave False."""

    def digest(self) -> bytes:
        """SHA-256 of all bytes there are, read now."""


class Folder(Protocol):
    """One directory of a source, held by descriptor. Used as a context manager; no path in it is ever followed."""

    def __enter__(self) -> Folder: ...
    def __exit__(self, *exception: object) -> None: ...

    def open(self, name: str) -> OpenFile:
        """Open a regular file for reading, never through a link, never waiting on a FIFO.

        Raises:
            SourceVanished, SourceNotRegular, SourceUnreadable, SourceShared: what stands there instead.
        """

    def take_aside(self, name: str, receipt: int) -> Aside:
        """Rename what stands under `name` into the private directory, atomically, replacing nothing.

        Raises:
            SourceVanished: nothing stands there.
            SourceStuck: the directory may not be changed, or the private directory cannot be used.
        """


class Aside(Protocol):
    """What a rename took into the private directory: nobody but outhaul can reach it there."""

    def is_file(self, sighting: Sighting) -> bool:
        """Whether it is the very inode of `sighting`."""

    def put_back(self) -> bool:
        """Return it to its place. False where another file has taken that place: it stays aside, whole."""

    def unlink(self) -> None:
        """Remove it for good."""

    def archive(self, sha256: bytes) -> None:
        """Move it to the job's archive, durably, replacing nothing there; `sha256` is that of its content.

        Raises:
            SourceStuck: that cannot be done; it is still aside.
        """


class LeftAside(NamedTuple):
    """An entry that an earlier process left in the private directory."""

    receipt: int
    """Number of the receipt it was taken aside for."""
    path: str
    """Its path in the source as far as the entry itself tells; '' where it does not."""
    entry: str
    """Its name in the private directory."""
    file: OpenFile | None
    """None where it is no regular file: a link that a lost race took aside."""
    put_back: Callable[[str], bool]
    """Return it to a path of the source, replacing nothing; False where that cannot be done."""
    unlink: Callable[[], None]
    """Remove it for good."""
    archive: Callable[[str, bytes], None]
    """As `Aside.archive`, by its path in the source."""


class Tree(Protocol):
    """One source directory, held by descriptor. Used as a context manager."""

    def __enter__(self) -> Tree: ...
    def __exit__(self, *exception: object) -> None: ...

    def listings(self, directory: str) -> Iterator[Listing]:
        """The entries of a directory, some at a time, in the order in which the file system gives them.

        Raises:
            SourceVanished, SourceUnreadable: the directory itself; nothing may be concluded about its files (L10).
        """

    def folders(self, directory: str) -> list[str]:
        """Names of the directories in a directory, as `listings` gives them, without a look at its files. Raises as that."""

    def folder(self, directory: str) -> Folder:
        """Open a directory beneath the source, following no link on the way (L1)."""

    def left_aside(self) -> Iterator[LeftAside]:
        """What earlier processes left in the private directory."""

    def changed_ns(self, directory: str) -> int:
        """When the entries of a directory last changed, or the directory itself, on the wall clock."""

    def remove_empty(self, directory: str) -> bool:
        """Remove a directory, never the source itself, where nothing at all is in it; False where something is."""


class Space(NamedTuple):
    """How full a file system is."""

    free: int
    """Bytes that this user may still write."""
    size: int
    """Bytes in all."""


class FileSystem(Protocol):
    """The machine's own files."""

    def space(self, path: str) -> Space | None:
        """Of the file system that this directory lies on; None where it does not tell."""

    def tree(self, job: Job) -> Tree:
        """Open the source of a job.

        Raises:
            SourceVanished, SourceUnreadable: it cannot be opened.
        """
