"""The nouns: a collection, what its log tells, what its files come to, what is in the archive. Nothing is read here."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from outhaul.model.keys import escape

DATA = "data.tar.lz4"
METADATA = "metadata.json"
LOG = "scrapy.log"
MANIFEST = DATA + ".manifest.json"


class Collection(NamedTuple):
    """One row of the table `collection` of Kingfisher Process."""

    number: int
    """Its id there."""
    source_id: str
    """Name of the spider; data, never more (law L13)."""
    data_version: datetime
    """When the crawl began; without a zone, as Kingfisher Process has it."""

    @property
    def directory(self) -> str:
        """Path of its data beneath the directory of all data."""
        return f"{self.source_id}/{self.data_version:%Y%m%d_%H%M%S}"

    @property
    def month(self) -> str:
        """'2020/09'."""
        return f"{self.data_version:%Y/%m}"

    @property
    def folder(self) -> str:
        """Where its objects go: 'source/2020/09'."""
        return f"{escape(self.source_id)}/{self.month}"

    @property
    def unusable(self) -> str:
        """Why its source cannot be the name of a directory; '' where it can."""
        name = self.source_id
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            return f"its source_id is {name!r}, and that is no name of a directory"
        return ""


class Crawl(NamedTuple):
    """What a Scrapy log tells of a crawl."""

    started: datetime | None
    """Time of its first line; None where no line has one."""
    crawl_time: datetime | None
    """What the spider was told to take as the time of the crawl, where it was."""
    part_of: tuple[str, ...]
    """Arguments of the spider that make it collect only a part."""
    finish_reason: str
    """'finished', 'shutdown', ...; '' where the log does not come to its end."""
    files: int
    """Files that were collected."""
    errors: int
    """Items that tell of an error."""


class Measured(NamedTuple):
    """What the files of a data directory come to."""

    files: dict[str, tuple[int, bytes]]
    """Path beneath the data directory, to size and SHA-256."""
    disk_bytes: int
    """What `du -sb` gives: directories count too. The older program compares this."""
    md5: str
    """Of the sorted MD5s of the files; names do not matter. The older program compares this."""
    sha256: str
    """Of paths, sizes and contents."""

    @property
    def bytes(self) -> int:
        """All files together."""
        return sum(size for size, _ in self.files.values())


class Archived(NamedTuple):
    """An archive in the bucket, by what its metadata says; None for what it does not say."""

    month: str
    key: str
    """Of its metadata."""
    number: int | None = None
    """Of the collection."""
    bytes: int | None = None
    disk_bytes: int | None = None
    md5: str = ""
    sha256: str = ""
    errors: int | None = None
    torn: bool = False
    """The older program wrote metadata after the data here, which it never does: it may speak of other data."""

    @property
    def is_second(self) -> bool:
        """Whether a better one has taken its place."""
        return "~" in self.key.rpartition("/")[2]
