"""The only place where adapters meet ports."""

from __future__ import annotations

import functools
import hashlib
import itertools
import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Protocol

from outhaul.host.clock import SystemClock
from outhaul.host.digests import SideBySide
from outhaul.host.filesystem import HostFileSystem
from outhaul.host.landing import HostLanding
from outhaul.host.system_calls import rename_exclusive
from outhaul.host.threads import ThreadWorkers
from outhaul.ledgers.choice import open_ledger
from outhaul.model.bandwidth import Bandwidth
from outhaul.model.errors import Damaged, SourceError, SourceInUse
from outhaul.model.job import Connection, Destination, Job
from outhaul.model.object_settings import NO_SETTINGS, ObjectSettings
from outhaul.model.returning import Listed
from outhaul.model.thawing import Frozen, Wish
from outhaul.ports import Clock, Codec, Compression, Held, Store, Tree, Workers
from outhaul.ports.meeting import Meeting
from outhaul.ports.permits import Permits
from outhaul.ports.sending import Share
from outhaul.stages.restore import Described, Shelf

if TYPE_CHECKING:
    from outhaul.host.asked import AskedHints
    from outhaul.stores.kept import Kept
    from outhaul.stores.s3_copying import S3Copying

DIGESTS = SideBySide()
"""All that this process digests together: what the processor can do is found out once."""


class Wiring:
    """The real adapters around one state directory. Used as a context manager; it gives back what it opened.

    Args:
        state: The directory.
        owner: What this process is called among others that work in the same sources; '' where it is alone there.
        ledger: Address of the database that is the ledger; '' for a file in the state directory.

    Raises:
        AnotherInstance: another process works with this state directory.
        ConfigurationError: its ledger is elsewhere.
        LedgerError: the ledger cannot be opened.
    """

    def __init__(self, state: str, owner: str = "", ledger: str = "") -> None:
        self.clock = SystemClock()
        self.ledger = open_ledger(state, self.clock.wall_ns, owner, ledger)
        self.files = HostFileSystem(state, archived_by, owner)
        self.workers = ThreadWorkers()
        self.digests = DIGESTS

    def __enter__(self) -> Wiring:
        return self

    def __exit__(self, *exception: object) -> None:
        self.workers.close()
        self.ledger.close()


def permits(state: str) -> Permits:
    """Whether files of a job may go now; the module is loaded here, and only asks what a job says."""
    from outhaul.host.permits import permits as found

    return found(state)


def opener(
    bandwidth: Bandwidth | None, stopped: Callable[[], bool], state: str, time_zone: str = ""
) -> Callable[[Job], Store]:
    """What opens the stores of a run, all of which share one limit.

    Args:
        bandwidth: None for no limit.
        stopped: Once it is true, nobody waits for leave to send, or for an answer of another program, any longer.
        state: The state directory.
        time_zone: Of the timetable; '' is the machine's own.
    """
    if bandwidth is None:
        return lambda job: open_store(job, None, stopped, state)
    from outhaul.host.limiter import Limiter, wall_time

    limiter = Limiter(bandwidth, stopped, wall=partial(wall_time, time_zone))
    return lambda job: open_store(job, limiter.share(job.priority), stopped, state)


def keeping(open_store: Callable[[Job], Store]) -> Kept:
    """What keeps stores open from one pass to the next."""
    from outhaul.stores.kept import Kept

    return Kept(open_store)


def open_store(
    job: Job, share: Share | None = None, stopped: Callable[[], bool] = lambda: False, state: str = ""
) -> Store:
    """The store of a job. Its client library is loaded here, not before.

    Args:
        job: Whose.
        share: What it has of a limit of bytes a second; None where there is none.
        stopped: See `opener`.
        state: The state directory; whoever sends nothing needs none.

    Raises:
        Misconfigured: credentials, region or endpoint do not do.
    """
    if job.destination.kind == "file":
        from outhaul.stores.directory import DirectoryStore

        return DirectoryStore(job.destination.directory, rename_exclusive, share)
    from outhaul.stores.s3 import S3Store

    if job.via == "stream-manager":
        return _through_stream_manager(job, share, stopped, state or default_state())
    return S3Store(job.destination, job.connection, job.objects, share, DIGESTS)


def _through_stream_manager(job: Job, share: Share | None, stopped: Callable[[], bool], state: str) -> Store:
    """Its streams and its spool are named after the state directory and the job: no two components share any."""
    from outhaul.stores.s3 import S3Store
    from outhaul.stores.stream_manager import StreamManagerStore

    own = hashlib.sha256(os.fsencode(f"{os.path.realpath(state)}\0{job.name}")).hexdigest()[:16]
    spool = os.path.join(state, "stream-manager", own)
    direct = S3Store(job.destination, job.connection, job.objects)
    bucket = job.destination.bucket
    return StreamManagerStore(direct, bucket, f"outhaul-{bucket}-{own}", spool, SystemClock().moment, stopped, share)


def open_shelf(destination: Destination, connection: Connection) -> Shelf:
    """The same, for whoever only reads.

    Raises:
        Misconfigured: as `open_store`.
    """
    if destination.kind == "file":
        from outhaul.stores.directory_reading import DirectoryShelf

        return _Decoding(DirectoryShelf(destination.directory, rename_exclusive))
    from outhaul.stores.s3_reading import S3Shelf

    return _Decoding(S3Shelf(destination, connection))


def open_copying(bucket: str) -> S3Copying:
    """A bucket in which objects are copied, and removed once they are; by the credentials of the standard AWS chain.

    Raises:
        Misconfigured: as `open_store`.
    """
    from outhaul.stores.s3_copying import S3Copying

    return S3Copying(Destination(f"s3://{bucket}", "s3", bucket, ""), Connection())


def open_meeting(destination: Destination, connection: Connection, objects: ObjectSettings = NO_SETTINGS) -> Meeting:
    """Where devices meet, or workers and their driver; of `objects` what is said of encryption holds there.

    Raises:
        Misconfigured: as `open_store`.
    """
    if destination.kind == "file":
        from outhaul.stores.directory_meeting import DirectoryMeeting

        return DirectoryMeeting(destination.directory, rename_exclusive)
    from outhaul.stores.s3_meeting import S3Meeting

    return S3Meeting(destination, connection, objects)


class _Stored(Protocol):
    """What the adapters of `Shelf` have: everything but the codecs."""

    def held(self, key: str, version: str) -> Held: ...
    def read(self, key: str, version: str = "") -> Iterator[bytes]: ...
    def read_part(self, key: str, version: str, offset: int, length: int) -> Iterator[bytes]: ...
    def read_large(self, key: str, version: str = "") -> Iterator[bytes]: ...
    def digests(self, key: str, version: str) -> tuple[bytes, bool]: ...
    def describe(self, key: str, version: str) -> tuple[Held, bytes, dict[str, str]]: ...
    def listing(self, prefix: str, after: str = "") -> Iterator[Listed]: ...
    def frozen(self, key: str, version: str) -> Frozen: ...
    def thaw(self, key: str, version: str, wish: Wish, *, moved_back: bool) -> None: ...


class _Decoding:
    """A shelf, with the codecs beside it; see `stages.restore.Shelf`."""

    def __init__(self, stored: _Stored) -> None:
        self.held, self.read, self.digests, self.listing = stored.held, stored.read, stored.digests, stored.listing
        self.read_large, self.frozen, self.thaw = stored.read_large, stored.frozen, stored.thaw
        self.read_part = stored.read_part
        self._describe = stored.describe

    def describe(self, key: str, version: str) -> Described:
        """See `stages.restore.Shelf`."""
        return Described(*self._describe(key, version))

    def frame(self, codec: str, key: str, version: str, offset: int, length: int, limit: int) -> Iterator[bytes]:
        """See `stages.restore.Shelf`."""
        part = self.read_part(key, version, offset, length)
        return self.decoded(codec, part, limit) if codec else part

    def decoded(self, codec: str, chunks: Iterator[bytes], limit: int) -> Iterator[bytes]:
        """See `stages.restore.Shelf`."""
        from outhaul.codecs import Undecodable, open_codec

        try:
            yield from open_codec(codec).decode(chunks, limit)
        except Undecodable as error:
            raise Damaged(f"it cannot be decompressed: {error}") from error


def codec_suffixes() -> dict[str, str]:
    """Each codec, and what it adds to a name."""
    from outhaul.codecs.formats import FORMATS

    return {name: found.suffix for name, found in FORMATS.items() if found.suffix}


def reading_hands() -> tuple[Clock, Workers]:
    """What the way back works with; no state directory is held."""
    return SystemClock(), ThreadWorkers()


def open_hints(notice: Callable[[str], None], state: str) -> AskedHints:
    """Who tells of changes in directories: the kernel, and people."""
    from outhaul.host.asked import AskedHints
    from outhaul.host.hints import HostHints

    return AskedHints(HostHints(notice), state)


def open_landing(directory: str, *, make: bool) -> HostLanding:
    """Where restored files go.

    Raises:
        LandingError: it cannot be made or opened.
    """
    return HostLanding(directory, make=make)


def compression(job: Job) -> Compression | None:
    """What a job wants compressed; its library is loaded here, and only where there is such.

    Raises:
        ConfigurationError: the library is not installed.
    """
    return _compression(job.compress, job.compress_level) if job.compress else None


def archived_by(job: Job) -> Codec | None:
    """What compresses the files of a job in its archive. Raises as `compression`."""
    there = compression(job) if job.archive_form == "stored" and job.archive else None
    return there.named(job.compress) if there else None


@functools.cache
def _compression(name: str, level: int | None) -> Compression | None:
    from outhaul.codecs.choice import compression as chosen

    return chosen(name, level)


def at_its_endpoint(job: Job) -> Job:
    """The job with the endpoint that its S3 client will really talk to, wherever that was set."""
    if job.destination.kind == "file":
        return job._replace(connection=Connection())
    from outhaul.stores.s3_account import endpoint_url

    return job._replace(connection=job.connection._replace(endpoint_url=endpoint_url(job.connection, os.environ)))


_FOLDERS_TRIED = 100
"""Directories of a source that are looked into for a file to try."""


def try_source(job: Job, state: str) -> tuple[str, bool | None]:
    """Read the source's own directory, and ask of the first regular file in or beneath it whether anybody writes to it.

    Returns:
        What is wrong, '' for nothing; and whether open writers are seen, None where no file was found.
    """
    try:
        with HostFileSystem(state).tree(job) as tree:
            folders = [""]
            for path in itertools.islice(folders, _FOLDERS_TRIED):  # It grows meanwhile.
                try:
                    seen = _sees_writers(tree, path, folders)
                except SourceError:
                    if not path:
                        raise
                    continue
                if seen is not None:
                    return "", seen
    except SourceError as error:
        return str(error), None
    return "", None


def _sees_writers(tree: Tree, path: str, folders: list[str]) -> bool | None:
    """Whether they are seen of a file of this directory; those beneath it go to the others."""
    with tree.folder(path) as folder:
        for listing in tree.listings(path):
            folders.extend(f"{path}/{name}" if path else name for name in listing.folders)
            for sighting in listing.files:
                try:
                    with folder.open(sighting.name) as file:
                        return file.check_writers()
                except SourceInUse:
                    return True
                except SourceError:
                    continue
    return None


def default_state() -> str:
    """Where ledger and private files live: /var/lib/outhaul for root, else under XDG_STATE_HOME."""
    if os.geteuid() == 0:
        return "/var/lib/outhaul"
    home = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    return os.path.join(home, "outhaul")
