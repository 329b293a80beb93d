"""A job: one rule that says where files appear, when they are finished, where they go, what becomes of the source."""

from __future__ import annotations

from typing import Literal, NamedTuple

from outhaul.model.bandwidth import Priority
from outhaul.model.patterns import TEMPORARY_NAMES

After = Literal["delete", "archive", "keep"]
ProofRule = Literal["auto", "stored", "read-back"]
ConflictRule = Literal["keep-both", "hold", "replace"]
"""What is done where other bytes stand under the key of a file: a second key, nothing, or a new object over the old."""

QUIET_NS_DEFAULT = 5 * 10**9
"""How long a job leaves a file alone after its last change, unless it says otherwise."""
NEWEST_LIMIT_NS_DEFAULT = 3600 * 10**9


class Destination(NamedTuple):
    """Where objects go."""

    address: str
    """As the user writes it, normalised: 's3://bucket/prefix' or 'file:///directory'."""
    kind: Literal["s3", "file"]
    bucket: str
    """Of S3; '' for a directory."""
    prefix: str
    """In front of every key, without '/' at either end; '' for none."""
    directory: str = ""
    """Absolute path, for a directory."""


class Connection(NamedTuple):
    """How an S3 store is reached; '' leaves it to the environment and the shared AWS files."""

    endpoint_url: str = ""
    region: str = ""
    profile: str = ""


class Job(NamedTuple):
    """One rule, checked and complete."""

    name: str
    source: str
    """Absolute path of the source directory; bytes that are not UTF-8 are surrogates (PEP 383)."""
    destination: Destination
    connection: Connection = Connection()
    include: tuple[str, ...] = ()
    """Patterns of which a file must match one; none means every file."""
    exclude: tuple[str, ...] = ()
    temporary_names: bool = False
    """Whether names that look temporary are carried too (`patterns.TEMPORARY_NAMES`)."""
    quiet_ns: int = QUIET_NS_DEFAULT
    """How long a file must have been left alone, in nanoseconds."""
    marker: str = ""
    """Name of the file that says that another is finished, with `{name}` for the other's; '' where there is no such custom."""
    skip_newest: int = 0
    """How many of the newest files of each directory, by modification time, are taken to be still in the making."""
    newest_limit_ns: int = NEWEST_LIMIT_NS_DEFAULT
    """How long such a file must have been left alone to go all the same, so that the last one of all goes too."""
    compress: str = ""
    """'auto', or the name of a codec; '' for none."""
    compress_level: int | None = None
    """How hard the codec tries; None is its default."""
    after: After = "delete"
    archive: str = ""
    """Absolute path of the directory that files go to, with `after` 'archive'."""
    archive_keep_ns: int = 0
    """How long they stay there; 0 is for ever."""
    empty_ns: int = 0
    """How long a directory of the source must have been empty and unchanged to be removed; 0 is never."""
    empty_include: tuple[str, ...] = ()
    """Patterns of which such a directory must match one; none means every directory beneath the source."""
    proof: ProofRule = "auto"
    on_conflict: ConflictRule = "keep-both"
    priority: Priority = "normal"
    """Jobs of a run go in this order, and get of a limit of bytes a second in this order."""
    one_off: bool = False
    """Made from the command line by `move` or `copy`; it leaves no private directory behind."""

    @property
    def excluded(self) -> tuple[str, ...]:
        """All exclude patterns, those of temporary names among them."""
        return self.exclude if self.temporary_names else self.exclude + TEMPORARY_NAMES
