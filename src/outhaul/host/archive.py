"""The archive of a job: where a file goes that is let go of and is to stay on this machine for a while.

A file gets there whole and durable before its old name goes, and takes no other file's place: its bytes are synced, it gets
its name by a link that is refused where the name is taken, and the directory is synced (fsync(2): a file's sync does not
cover its name). Where no link can be made (another file system) it is copied, and the copy read once more. Where the job
wants it as it was stored, it is compressed on its way, and decompressed and compared before it gets its name.
Not done here: removing what is old. That is the engine's to decide, and goes the way of every removal.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from typing import NamedTuple

from outhaul.host.system_calls import FOLDER_FLAGS, open_folder_beneath, rename_exclusive
from outhaul.model.errors import OuthaulError, SourceStuck
from outhaul.model.keys import second_key
from outhaul.ports import Codec

_FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CHUNK = 1 << 20
_NO_LINK = (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)


class ArchiveFolder:
    """One archive directory, opened when it is first needed. It is made where only itself is missing.

    Args:
        path: Absolute.
        place: Makes the path in the archive of the one in the source.
        codec: What files are compressed by there; None where they stay as they are.
    """

    def __init__(self, path: str, place: Callable[[str], str] = str, codec: Codec | None = None) -> None:
        self._path = path
        self._place = place
        self._codec = codec
        self._root: int | None = None
        self._lock = threading.Lock()

    def ready(self) -> int:
        """Its descriptor.

        Raises:
            SourceStuck: it cannot be used; the file at hand is best left where it is.
        """
        with self._lock:
            if self._root is None:
                try:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(self._path)
                    self._root = os.open(self._path, FOLDER_FLAGS & ~os.O_NOFOLLOW)
                except OSError as error:
                    raise SourceStuck(f"the archive {self._path} cannot be used: {error.strerror}") from error
            return self._root

    def put(self, folder: int, entry: str, path: str, sha256: bytes) -> None:
        """Give the file `entry` of the directory `folder` its place in the archive too; it stays in `folder`.

        Its name there is its place or, where that is taken by other bytes, the same with its digest (`keys.second_key`).
        When this returns, it is on disk.

        Raises:
            SourceStuck: it could not be put there; nothing of it is left there.
        """
        directory, _, name = self._place(path).rpartition("/")
        try:
            file = os.open(entry, _FILE_FLAGS, dir_fd=folder)
            try:
                os.fsync(file)
                target = _made(self.ready(), directory)
                try:
                    if not any(self._put(file, folder, entry, target, n, sha256) for n in _names(name, sha256)):
                        raise SourceStuck(f"other files have its names in the archive {self._path}")
                finally:
                    os.close(target)
            finally:
                os.close(file)
        except OSError as error:
            raise SourceStuck(f"it cannot be put into the archive {self._path}: {error.strerror}") from error

    def close(self) -> None:
        """Give the descriptor back."""
        if self._root is not None:
            os.close(self._root)
            self._root = None

    def _put(self, file: int, folder: int, entry: str, target: int, name: str, sha256: bytes) -> bool:
        """False where another file has the name."""
        try:
            if self._codec is not None:
                _copy(file, target, name, sha256, self._codec)
            else:
                self._link(file, folder, entry, target, name, sha256)
        except FileExistsError:
            if not _holds(target, name, sha256, os.fstat(file).st_size, self._codec):
                return False
            os.fsync(target)
            return True
        try:
            os.fsync(target)
        except OSError:
            os.unlink(name, dir_fd=target)  # Ours, of this moment. The file itself is where it was.
            raise
        return True

    def _link(self, file: int, folder: int, entry: str, target: int, name: str, sha256: bytes) -> None:
        try:
            os.link(entry, name, src_dir_fd=folder, dst_dir_fd=target, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _NO_LINK:
                raise
            _copy(file, target, name, sha256, None)


def _names(name: str, sha256: bytes) -> tuple[str, str]:
    return name, second_key(name, sha256)


def _made(root: int, directory: str) -> int:
    """The directory beneath the root, made where it is missing, each part durable in its parent before it is used."""
    try:
        return open_folder_beneath(root, directory)
    except FileNotFoundError:
        parent, _, last = directory.rpartition("/")
    above = _made(root, parent)
    try:
        with contextlib.suppress(FileExistsError):
            os.mkdir(last, dir_fd=above)
        os.fsync(above)
        return os.open(last, FOLDER_FLAGS, dir_fd=above)
    finally:
        os.close(above)


def _copy(file: int, target: int, name: str, sha256: bytes, codec: Codec | None) -> None:
    """A copy with the same mode and modification time, whole, read once more and synced before it gets its name."""
    state = os.fstat(file)
    # Of this name and content: another thread may be copying the same content under another name.
    temporary = f".outhaul-{hashlib.sha256(sha256 + os.fsencode(name)).hexdigest()[:24]}"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary, dir_fd=target)  # A crash left it: a copy for this very name, or a part of one.
    copy = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=target)
    try:
        try:
            _fill(copy, _encoded(file, state.st_size, codec))
            os.fchmod(copy, state.st_mode & 0o777)
            os.utime(copy, ns=(state.st_atime_ns, state.st_mtime_ns))
            os.fsync(copy)
            if _digest(copy, state.st_size, codec) != sha256:
                raise OSError(errno.EIO, "the copy differs from what was proved")
        finally:
            os.close(copy)
        rename_exclusive(target, temporary, target, name)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=target)
        raise


def _fill(copy: int, chunks: Iterator[bytes]) -> None:
    for data in chunks:
        view = memoryview(data)
        while view:
            view = view[os.write(copy, view) :]


def _encoded(file: int, size: int, codec: Codec | None) -> Iterator[bytes]:
    return _chunks(file) if codec is None else codec.encode(_Descriptor(file), size)


def _chunks(file: int) -> Iterator[bytes]:
    offset = 0
    while data := os.pread(file, _CHUNK, offset):
        offset += len(data)
        yield data


class _Descriptor(NamedTuple):
    """A `ByteSource`: a file that nobody else can reach."""

    descriptor: int

    def pread(self, length: int, offset: int) -> bytes:
        """See `ByteSource`."""
        pieces = []
        while length and (data := os.pread(self.descriptor, length, offset)):
            pieces.append(data)
            length, offset = length - len(data), offset + len(data)
        return b"".join(pieces)


def _holds(target: int, name: str, sha256: bytes, size: int, codec: Codec | None) -> bool:
    """Whether a regular file of this name has this content; it is synced, as whoever put it there may have died since."""
    try:
        found = os.open(name, _FILE_FLAGS, dir_fd=target)
    except OSError:
        return False
    try:
        if _digest(found, size, codec) != sha256:
            return False
        os.fsync(found)
        return True
    finally:
        os.close(found)


def _digest(descriptor: int, size: int, codec: Codec | None) -> bytes:
    """Of what is in a file, decompressed; b'' where it cannot be that."""
    digest, chunks = hashlib.sha256(), _chunks(descriptor)
    try:
        for data in chunks if codec is None else codec.decode(chunks, size):
            digest.update(data)
    except (IsADirectoryError, PermissionError, OuthaulError):
        return b""
    return digest.digest()
