"""A job: one rule that says where files appear, when they are finished, where they go, what becomes of the source."""

from __future__ import annotations

import hashlib
from typing import Literal, NamedTuple

from outhaul.model.bandwidth import Priority, Window
from outhaul.model.keys import placed
from outhaul.model.object_settings import Lock, ObjectSettings
from outhaul.model.patterns import OWN_NAMES, TEMPORARY_NAMES
from outhaul.model.shard import WHOLE, Shard

After = Literal["delete", "archive", "keep"]
ArchiveForm = Literal["file", "stored"]
"""Whether a file goes to the archive as it is, under its path, or as it was stored: under its key, compressed."""
ProofRule = Literal["auto", "stored", "read-back"]
Via = Literal["", "stream-manager"]
"""Who brings objects to the store: outhaul itself, or the Stream Manager of AWS IoT Greengrass."""
ConflictRule = Literal["keep-both", "hold", "replace"]
"""What is done where other bytes stand under the key of a file: a second key, nothing, or a new object over the old."""

Order = Literal["", "oldest-first", "newest-first"]
"""Which of the files that are ready goes first, by modification time; '' is as the directories give them."""

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
    bucket_owner: str = ""
    """Account that the bucket must belong to: 12 digits."""
    requester_pays: bool = False
    accelerate: bool = False
    dual_stack: bool = False
    fips: bool = False
    ca_file: str = ""
    """Absolute path of certificates to trust."""
    proxy: str = ""
    """Address of a forward proxy."""
    sse_c_key_file: str = ""
    """Absolute path of the key that objects are encrypted with by the store (SSE-C). The key itself is in no setting."""


class Job(NamedTuple):
    """One rule, checked and complete."""

    name: str
    source: str
    """Absolute path of the source directory; bytes that are not UTF-8 are surrogates (PEP 383)."""
    destination: Destination
    connection: Connection = Connection()
    key: str = ""
    """The path of an object beneath the destination, with `{path}` and `{name}` for those of the file; '' is '{path}'."""
    include: tuple[str, ...] = ()
    """Patterns of which a file must match one; none means every file."""
    exclude: tuple[str, ...] = ()
    temporary_names: bool = False
    """Whether names that look temporary are carried too (`patterns.TEMPORARY_NAMES`)."""
    quiet_ns: int = QUIET_NS_DEFAULT
    """How long a file must have been left alone, in nanoseconds."""
    quiet_for: tuple[tuple[str, int], ...] = ()
    """Pattern, and how long a file that matches it must have been left alone instead; the first that matches counts."""
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
    bundle_bytes: int = 0
    """About how large a bundle of small files becomes, in bytes; 0 sends each file as an object of its own."""
    bundle_file_max: int = 0
    """A file of more bytes goes alone."""
    bundle_wait_ns: int = 0
    """How long a file may wait for others, so that a bundle becomes full; 0 is no longer than a pass takes."""
    groups: tuple[str, ...] = ()
    """Patterns of directories whose files, with all beneath them, are one unit."""
    companions: tuple[str, ...] = ()
    """Files elsewhere that belong to such a directory, `{path}` being its path and `{name}` its name; each has to be there."""
    after: After = "delete"
    archive: str = ""
    """Absolute path of the directory that files go to, with `after` 'archive'."""
    archive_form: ArchiveForm = "file"
    archive_keep_ns: int = 0
    """How long they stay there; 0 is for ever."""
    delete_after_ns: int = 0
    """With `after` 'keep': how long a file stays after its proof; then it goes. 0 is for ever."""
    keep_free: int = 0
    """Bytes that are to stay free where its files lie: with less, what is proved goes before its time, and what frees most is
    carried first. 0 is no such wish."""
    shed_below: int = 0
    """Bytes: with less free, files that were never carried are removed, the oldest first. 0 is never."""
    files_max: int = 0
    """How many files a run carries at most; 0 is no limit."""
    bytes_max: int = 0
    """How many bytes a run carries at most; 0 is no limit."""
    bytes_a_day: int = 0
    """How many bytes are sent in a day of `time_zone` at most; 0 is no limit."""
    bytes_a_month: int = 0
    order: Order = ""
    quiet_hours: tuple[Window, ...] = ()
    """Hours of the week in which nothing is sent; their `limit` is 0."""
    empty_ns: int = 0
    """How long a directory of the source must have been empty and unchanged to be removed; 0 is never."""
    empty_include: tuple[str, ...] = ()
    """Patterns of which such a directory must match one; none means every directory beneath the source."""
    proof: ProofRule = "auto"
    on_conflict: ConflictRule = "keep-both"
    objects: ObjectSettings = ObjectSettings()
    """What its objects are given beside their bytes."""
    every_ns: int = 0
    """How often `watch` looks at the whole source, in nanoseconds; 0 is as often as costs little."""
    at: tuple[int, ...] = ()
    """Seconds since midnight at which `watch` looks at it, and at no others; none is at any time."""
    cron: str = ""
    """Times at which `watch` looks at it, and at no others, as five fields of crontab(5); '' is at any time."""
    time_zone: str = ""
    """Name of a zone of the IANA database in which times of this job are; '' is the machine's own."""
    jitter_ns: int = 0
    """Up to how much later than its times `watch` looks at it: a fixed part of that, another for each machine and job."""
    via: Via = ""
    priority: Priority = "normal"
    """Jobs of a run go in this order, and get of a limit of bytes a second in this order."""
    one_off: bool = False
    """Made from the command line by `move` or `copy`; it leaves no private directory behind."""
    shard: Shard = WHOLE
    """Which share of the source this process has. No rule of the job: other processes have the others."""

    def archive_path(self, path: str, suffix: str) -> str:
        """Where a file goes beneath `archive`; `suffix` is what its compression adds to a name."""
        return path if self.archive_form == "file" else placed(self.key, path) + suffix

    @property
    def excluded(self) -> tuple[str, ...]:
        """All exclude patterns, those of temporary names among them."""
        return self.exclude + (OWN_NAMES if self.temporary_names else TEMPORARY_NAMES)

    @property
    def manner(self) -> str:
        """What tells jobs apart that one endpoint may treat differently; '' for one without such settings."""
        return manner_of(self.connection, self.objects)


def manner_of(connection: Connection, objects: ObjectSettings) -> str:
    """Of all settings on which it depends what an endpoint does (an ETag is an MD5, an object can be read): 8 digits."""
    found = (
        connection._replace(endpoint_url="", region="", profile=""),
        ObjectSettings(
            storage_class=objects.storage_class,
            encryption=objects.encryption,
            kms_key=objects.kms_key,
            bucket_key=objects.bucket_key,
            lock=Lock(objects.lock.mode),  # Whether it is kept is tried, too.
        ),
    )
    none = Connection(), ObjectSettings()
    return "" if found == none else hashlib.sha256(repr(found).encode()).hexdigest()[:8]
