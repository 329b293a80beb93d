"""A directory as a store: every object is a file, written durably and never replaced.

An object appears whole or not at all: a file without a name (or, where there is no such thing, under a temporary one), write,
fsync, a name that replaces nothing, fsync of the directory.
An fsync that fails is final for that copy; it is dropped, never synced again (law L11).
Proof is a read-back through a descriptor of its own.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import time
from collections.abc import Callable, Iterator, Sequence

from outhaul.model.errors import AlreadyThere, Denied, Misconfigured, NotThere, Refused, StoreError, Transient, bare
from outhaul.model.notes import Notes
from outhaul.ports import Abilities, Answered, Begun, Held, NewObject, Outgoing, Sent, Stored
from outhaul.ports.sending import Share
from outhaul.stores.throttled import paced

SMALL_MAX = 16 << 20
_CHUNK = 4 << 20
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_numbers = itertools.count()
_BY_CAPABILITIES = os.access in os.supports_effective_ids
"""Whether access(2) can be asked as what this process may do: by itself it leaves capabilities out."""


class DirectoryStore:
    """The objects beneath one directory. Keys are relative paths."""

    small_max = SMALL_MAX
    md5_etags = wants_md5 = False
    many_at_once = False

    def __init__(
        self,
        directory: str,
        rename_exclusive: Callable[[int, str, int, str], None],
        share: Share | None = None,
    ) -> None:
        self._directory = directory
        self._share = share
        self._rename_exclusive = rename_exclusive

    def probe(self) -> Abilities:
        """A file system does what it says; what is tried is whether this one can be written to."""
        try:
            os.makedirs(self._directory, exist_ok=True)
        except OSError as error:
            raise _translate(error, self._directory) from error
        if not os.access(self._directory, os.W_OK | os.X_OK, effective_ids=_BY_CAPABILITIES):
            raise Denied(f"{self._directory}: may not be written to")
        return Abilities(create_only=True, readable=True)  # Proof is always a read-back.

    def adopt(self, abilities: Abilities) -> None:
        """Nothing depends on it."""

    def close(self) -> None:
        """See `ports.Store`. Nothing is held open."""

    def put(self, key: str, body: bytes, *, replace: bool = False, notes: Notes = ()) -> Stored:
        """See `ports.Store`. A file system keeps no notes."""
        return self._create(key, iter((body,)), replace)

    def put_many(self, objects: Sequence[NewObject], at_once: int) -> list[Answered]:
        """See `ports.Store`."""
        return [self._answered(new) for new in objects]

    def _answered(self, new: NewObject) -> Answered:
        started = time.monotonic_ns()
        try:
            return Answered(self.put(new.key, new.body), time.monotonic_ns() - started)
        except StoreError as error:
            return Answered(bare(error), 0)

    def begin_large(self, key: str, length: int, *, replace: bool = False) -> Begun | None:
        """See `ports.Store`. A file is whole or not at all: nothing of it goes on in another process."""
        return None

    def put_large(
        self,
        key: str,
        length: int,
        source: Outgoing,
        *,
        seal: Callable[[], None],
        begun: Begun | None = None,
        replace: bool = False,
    ) -> Sent:
        """See `ports.Store`."""

        def chunks() -> Iterator[bytes]:
            while chunk := source.read(_CHUNK):
                yield chunk
            seal()

        return Sent(self._create(key, chunks(), replace))

    def abandon(self, begun: Begun) -> None:
        """See `ports.Store`. None is ever begun."""

    def stored_composite(self, key: str, version: str) -> str:
        """See `ports.Store`. A directory keeps none."""
        return ""

    def head(self, key: str) -> Held:
        """See `ports.Store`."""
        try:
            found = os.stat(self._path(key), follow_symlinks=False)
            return Held(found.st_size, "", "", (found.st_dev, found.st_ino))
        except NotADirectoryError as error:
            raise NotThere(f"{key}: a file stands where its directory would be") from error
        except OSError as error:
            raise _translate(error, key) from error

    def stored_sha256(self, key: str, version: str) -> bytes | None:
        """A file system keeps none."""
        return None

    def stored_sha256s(self, objects: Sequence[tuple[str, Stored]], at_once: int) -> list[bytes | StoreError | None]:
        """A file system keeps none."""
        return [None] * len(objects)

    def lacks(self, key: str, version: str) -> str:
        """See `ports.Store`. No job asks this of a directory."""
        return ""

    def read(self, key: str, version: str = "") -> Iterator[bytes]:
        """See `ports.Store`. What the page cache holds is dropped first where the system can, so the disk is read."""
        return self._chunks(key, 0, 1 << 63)

    def _chunks(self, key: str, offset: int, length: int) -> Iterator[bytes]:
        try:
            descriptor = os.open(self._path(key), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                if hasattr(os, "posix_fadvise"):
                    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
                while chunk := os.pread(descriptor, min(_CHUNK, length), offset):
                    yield chunk
                    offset += len(chunk)
                    length -= len(chunk)
            finally:
                os.close(descriptor)
        except NotADirectoryError as error:
            raise NotThere(f"{key}: a file stands where its directory would be") from error
        except OSError as error:
            raise _translate(error, key) from error

    def list(self, prefix: str) -> Iterator[str]:
        """See `ports.Store`."""
        top = os.path.join(self._directory, prefix.rpartition("/")[0])
        for folder, folders, names in os.walk(top):
            folders.sort()
            for name in sorted(names):
                key = os.path.relpath(os.path.join(folder, name), self._directory)
                if key.startswith(prefix) and not name.startswith(".outhaul-"):
                    yield key

    def wall_ns(self) -> int | None:
        """See `ports.Store`. A directory tells no time of its own."""
        return None

    def _path(self, key: str) -> str:
        if any(part in ("", ".", "..") for part in key.split("/")):
            raise Refused(f"{key}: no key of a directory")
        return os.path.join(self._directory, key)

    def _create(self, key: str, chunks: Iterator[bytes], replace: bool) -> Stored:
        folder, _, name = self._path(key).rpartition("/")
        try:
            self._make_folders(folder)
            descriptor = os.open(folder, _FOLDER_FLAGS)
            try:
                self._create_in(descriptor, name, chunks, replace)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise _translate(error, key) from error
        return Stored("", "")

    def _create_in(self, folder: int, name: str, chunks: Iterator[bytes], replace: bool) -> None:
        if _exists(folder, name) and not replace:
            # It may be adopted, and whoever made it may have died between its naming and the sync of its directory.
            _sync_file(folder, name)
            os.fsync(folder)
            raise FileExistsError(errno.EEXIST, "a file of this name exists")
        nameless = None if replace else _open_nameless(folder)
        if nameless is not None:
            try:
                _fill(nameless, paced(chunks, self._share))
                os.link(f"/proc/self/fd/{nameless}", name, dst_dir_fd=folder, follow_symlinks=True)
            finally:
                os.close(nameless)
        else:
            self._create_by_name(folder, name, chunks, replace)
        os.fsync(folder)

    def _create_by_name(self, folder: int, name: str, chunks: Iterator[bytes], replace: bool) -> None:
        """Where a file cannot be without a name, a crash may leave one of this form behind."""
        temporary = f".outhaul-{os.getpid()}-{next(_numbers)}"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644, dir_fd=folder)
        try:
            try:
                _fill(descriptor, paced(chunks, self._share))
            finally:
                os.close(descriptor)
            if replace:
                os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
            else:
                self._rename_exclusive(folder, temporary, folder, name)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary, dir_fd=folder)
            raise

    def _make_folders(self, folder: str) -> None:
        """Make a directory and what is above it, each durable in its parent before it is used."""
        parent = os.path.dirname(folder)
        if parent == folder or os.path.isdir(folder):
            return
        self._make_folders(parent)
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder)
        _sync_folder(parent)


def _exists(folder: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _open_nameless(folder: int) -> int | None:
    """A new file without a name, which vanishes with its last descriptor (open(2), O_TMPFILE); None where there is none."""
    if not hasattr(os, "O_TMPFILE") or not os.path.isdir("/proc/self/fd"):
        return None
    try:
        return os.open(".", os.O_WRONLY | os.O_TMPFILE | os.O_CLOEXEC, 0o644, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL):
            return None
        raise


def _fill(descriptor: int, chunks: Iterator[bytes]) -> None:
    for chunk in chunks:
        _write(descriptor, chunk)
    os.fsync(descriptor)


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _sync_file(folder: int, name: str) -> None:
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(path: str) -> None:
    descriptor = os.open(path, _FOLDER_FLAGS)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


_FULL = (errno.ENOSPC, errno.EDQUOT)
_NEVER = (errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL, errno.EFBIG, errno.ENOTDIR, errno.EISDIR, errno.ELOOP)


def _translate(error: OSError, key: str) -> StoreError:
    said = f"{key}: {error.strerror}"
    if isinstance(error, FileExistsError):
        return AlreadyThere(said)
    if isinstance(error, FileNotFoundError):
        return NotThere(said)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return Denied(said)
    if error.errno in _FULL:
        return Misconfigured(f"{said}; make room")
    return Refused(said) if error.errno in _NEVER else Transient(said)
