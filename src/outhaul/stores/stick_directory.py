"""The files on a stick: packs of packages, manifests, receipts. Everything is beneath one directory descriptor.

A stick may have any file system: names are lower-case hexadecimal digits and suffixes, a pack is cut into files that FAT32
takes, and nothing needs links, permissions or more than a rename to a new name. What is written is synced, and read back from the
device as far as the system lets us (O_DIRECT, or else without its page cache); a stick whose own controller lies is
found out by the carrier, which reads everything again. Files are opened without following links, and must be regular (L1).
An fsync that fails is final for that file (L11). What lines mean is `model/stick.py`'s.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import mmap
import os
import re
import secrets
import stat
from collections.abc import Iterable, Iterator

from outhaul.model.errors import AnotherInstance, Misconfigured
from outhaul.model.stick import FORMAT, is_id

FOLDER = "outhaul-stick"
PART_BYTES = 1 << 30
"""Size of the files of a pack: FAT32 ends at 4 GiB."""
TEXT_BYTES_MAX = 64 << 20
"""No manifest or receipt file is larger; what is, is not read."""
_RESERVE = 256 << 10
"""Left free, for manifests and receipts."""
_CHUNK = 1 << 20
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW_FLAGS = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_PACK = re.compile(r"([0-9a-f]{32})\.[0-9]{1,6}\.pack")
_TEXT = re.compile(r"([0-9a-f]{32})(?:\.[0-9a-f]{16})?\.(manifest|receipt)")
_UNFINISHED = ".new"
_READ_ME = b"""Packages of outhaul, on their way to object storage: `outhaul carry` brings them there.
Please give this stick back with all that is on it: the machine it comes from waits for the receipts.
"""


class StickDirectory:
    """The directory of a stick, held by one process at a time. Used as a context manager.

    Args:
        path: Of the mounted stick.
        make: Make of it a stick where it is none yet.

    Raises:
        Misconfigured: there is no such directory, it is no stick, or it cannot be read.
        AnotherInstance: another process works with it.
    """

    def __init__(self, path: str, *, make: bool) -> None:
        self.path = path
        with told(path):
            above = os.open(path, _FOLDER_FLAGS)
            try:
                self.device = os.fstat(above).st_dev
                if make:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(FOLDER, 0o755, dir_fd=above)
                        os.fsync(above)
                self._folder = os.open(FOLDER, _FOLDER_FLAGS | os.O_NOFOLLOW, dir_fd=above)
            except FileNotFoundError:
                raise Misconfigured(
                    f"{path} holds nothing of outhaul: `outhaul export --to {path}` writes it"
                ) from None
            finally:
                os.close(above)
        try:
            self._hold()
            for name in self._names():
                if name.endswith(_UNFINISHED):  # Of one that died, or was pulled out; nobody else is here.
                    self.remove(name)
            self.id = self._identity(make=make)
        except BaseException:
            os.close(self._folder)
            raise

    def __enter__(self) -> StickDirectory:
        return self

    def __exit__(self, *exception: object) -> None:
        os.close(self._folder)

    # --- texts --------------------------------------------------------------------------------------------------

    def texts(self, kind: str) -> list[tuple[str, str]]:
        """Pack and file name of every 'manifest' or 'receipt'."""
        return sorted(
            (found[1], found[0]) for name in self._names() if (found := _TEXT.fullmatch(name)) and found[2] == kind
        )

    def lines(self, name: str) -> list[bytes]:
        """The lines of such a file; none where it is no regular file, or too large to be one of ours."""
        with told(self.path):
            try:
                descriptor = os.open(name, _READ_FLAGS, dir_fd=self._folder)
            except OSError as error:
                if error.errno in (errno.ENOENT, errno.ELOOP, errno.ENXIO):
                    return []
                raise
            try:
                found = os.fstat(descriptor)
                if not stat.S_ISREG(found.st_mode) or found.st_size > TEXT_BYTES_MAX:
                    return []
                return b"".join(_read(descriptor, 0, found.st_size)).splitlines()
            finally:
                os.close(descriptor)

    def write_manifest(self, pack: str, lines: Iterable[bytes]) -> None:
        """The manifest of a pack, which makes it one. When this returns, it is on the stick."""
        self._write(f"{pack}.manifest", b"".join(lines))

    def write_receipts(self, pack: str, lines: Iterable[bytes]) -> None:
        """More receipts for the packages of a pack. When this returns, they are on the stick."""
        self._write(f"{pack}.{secrets.token_hex(8)}.receipt", b"".join(lines))

    def remove(self, name: str) -> None:
        """Remove a file of the stick; one that is gone is removed."""
        with told(self.path), contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._folder)

    # --- packs --------------------------------------------------------------------------------------------------

    def packs(self) -> dict[str, list[str]]:
        """Every pack of which there are bytes, and the names of its files."""
        found: dict[str, list[str]] = {}
        for name in sorted(self._names()):
            if is_pack := _PACK.fullmatch(name):
                found.setdefault(is_pack[1], []).append(name)
        return found

    def remove_pack(self, pack: str) -> None:
        """Remove the bytes of a pack."""
        for name in self.packs().get(pack, []):
            self.remove(name)

    def has_room(self, length: int) -> bool:
        """Whether so many bytes fit, with what has to be written about them."""
        with told(self.path):
            found = os.fstatvfs(self._folder)
            tells = found.f_blocks > 0  # Some drivers do not; then the writing tells.
            return not tells or found.f_bavail * found.f_frsize > length + _RESERVE

    def new_pack(self, pack: str) -> PackWriter:
        """A pack to be written."""
        return PackWriter(self._folder, pack, self.path)

    def open_pack(self, pack: str) -> PackReader:
        """The bytes of a pack."""
        return PackReader(self._folder, pack, self.path)

    # --- within -------------------------------------------------------------------------------------------------

    def _names(self) -> list[str]:
        with told(self.path):
            return os.listdir(self._folder)

    def _hold(self) -> None:
        try:
            fcntl.flock(self._folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AnotherInstance(f"another outhaul works with the stick {self.path}") from None
        except OSError:  # A file system that locks nothing.
            pass

    def _identity(self, *, make: bool) -> str:
        for line in self.lines("stick.json"):
            with contextlib.suppress(ValueError, RecursionError):
                said = json.loads(line)
                if isinstance(said, dict) and said.get("is") == FORMAT and is_id(said.get("stick")):
                    return str(said["stick"])
        if not make:
            return "0" * 32
        identity = secrets.token_hex(16)
        self.remove("stick.json")  # Of no use: torn by a power cut.
        self._write("stick.json", json.dumps({"is": FORMAT, "stick": identity}).encode() + b"\n")
        with contextlib.suppress(Misconfigured):
            self.remove("READ-ME.txt")
            self._write("READ-ME.txt", _READ_ME)
        return identity

    def _write(self, name: str, text: bytes) -> None:
        """A new file, whole under its name or not there: a file system without a journal may still tear it, and a line tells.

        On FAT the name is where the length and the first cluster stand, and a rename makes one that has neither: it is
        written with its directory, and then the file is synced again, which fills it in (Linux, fs/fat/namei_vfat.c). The
        other way about the old name and the new one could both have the clusters after a power cut.
        """
        unfinished = name + _UNFINISHED
        with told(self.path):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(unfinished, dir_fd=self._folder)
            try:
                descriptor = os.open(unfinished, _NEW_FLAGS, 0o644, dir_fd=self._folder)
                try:
                    _write_all(descriptor, text)
                    os.fsync(descriptor)
                    os.rename(unfinished, name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
                    os.fsync(self._folder)
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
            except OSError:
                with contextlib.suppress(OSError):
                    os.unlink(unfinished, dir_fd=self._folder)
                raise
            if b"".join(self._read_back(name, 0, len(text))) != text:
                raise Misconfigured(f"the stick {self.path} does not give back what was written to it")

    def _read_back(self, name: str, offset: int, length: int) -> Iterator[bytes]:
        return _from_device(self._folder, name, offset, length)


class PackWriter:
    """A pack that is being written: packages one behind the other. It counts for nothing until there is a manifest of it."""

    def __init__(self, folder: int, pack: str, path: str) -> None:
        self.pack = pack
        self.length = 0
        self._folder, self._path = folder, path
        self._parts: list[int] = []
        self._written: list[tuple[int, int, bytes]] = []

    def append(self, chunks: Iterable[bytes]) -> tuple[int, int, bytes]:
        """Write a package: its offset, length and SHA-256. Where that fails, the pack is as it was before.

        Raises:
            Misconfigured: the stick is full, or gone.
        """
        offset, digest = self.length, hashlib.sha256()
        try:
            with told(self._path):
                for chunk in chunks:
                    digest.update(chunk)
                    self._put(chunk)
        except BaseException:
            self.length = offset
            raise
        self._written.append((offset, self.length - offset, digest.digest()))
        return self._written[-1]

    def take_back(self) -> None:
        """Drop the last package."""
        self.length = self._written.pop()[0]

    def finish(self) -> None:
        """Sync it, and read it back.

        Raises:
            Misconfigured: what is there is not what was written, or the stick is gone. The pack is removed.
        """
        try:
            with told(self._path):
                for index, descriptor in enumerate(self._parts):
                    os.ftruncate(descriptor, min(max(0, self.length - index * PART_BYTES), PART_BYTES))
                    os.fsync(descriptor)
                os.fsync(self._folder)
            self.close()
            with PackReader(self._folder, self.pack, self._path) as reader:
                for offset, length, sha256 in self._written:
                    if _digest(reader.chunks(offset, length)) != sha256:
                        raise Misconfigured(f"the stick {self._path} does not give back what was written to it")
        except BaseException:
            self.drop()
            raise

    def drop(self) -> None:
        """Leave nothing of it, as far as that can be done."""
        self.close()
        for index in range(self.length // PART_BYTES + 2):
            with contextlib.suppress(OSError):
                os.unlink(_part(self.pack, index), dir_fd=self._folder)

    def close(self) -> None:
        """Give back its descriptors."""
        for descriptor in self._parts:
            os.close(descriptor)
        self._parts = []

    def _put(self, chunk: bytes) -> None:
        view = memoryview(chunk)
        while view:
            index, at = divmod(self.length, PART_BYTES)
            if index == len(self._parts):
                self._parts.append(os.open(_part(self.pack, index), _NEW_FLAGS, 0o644, dir_fd=self._folder))
            written = os.pwrite(self._parts[index], view[: PART_BYTES - at], at)
            self.length += written
            view = view[written:]


class PackReader:
    """A pack that is read; see `model.evidence.ByteSource` for `pread`."""

    def __init__(self, folder: int, pack: str, path: str) -> None:
        self._folder, self._pack, self._path = folder, pack, path

    def __enter__(self) -> PackReader:
        return self

    def __exit__(self, *exception: object) -> None:
        """Each reading opens what it needs."""

    def chunks(self, offset: int, length: int) -> Iterator[bytes]:
        """So many bytes, fewer where the pack ends before; from the device, not from memory, where the system can."""
        while length > 0:
            index, at = divmod(offset, PART_BYTES)
            wanted = min(length, PART_BYTES - at)
            with told(self._path):
                got = 0
                for chunk in _from_device(self._folder, _part(self._pack, index), at, wanted):
                    got += len(chunk)
                    yield chunk
            if got < wanted:
                return
            offset, length = offset + wanted, length - wanted


def _part(pack: str, index: int) -> str:
    return f"{pack}.{index}.pack"


def _digest(chunks: Iterable[bytes]) -> bytes:
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.digest()


def _write_all(descriptor: int, text: bytes) -> None:
    view = memoryview(text)
    while view:
        view = view[os.write(descriptor, view) :]


def _read(descriptor: int, offset: int, length: int) -> Iterator[bytes]:
    while length > 0 and (chunk := os.pread(descriptor, min(_CHUNK, length), offset)):
        yield chunk
        offset, length = offset + len(chunk), length - len(chunk)


def _from_device(folder: int, name: str, offset: int, length: int) -> Iterator[bytes]:
    """Bytes of a file that was synced, past the page cache where the file system has O_DIRECT, else after dropping it."""
    descriptor = os.open(name, _READ_FLAGS, dir_fd=folder)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        if length >= _CHUNK and (direct := _direct(folder, name)) is not None:
            try:
                yield from _aligned(direct, offset, length)
            finally:
                os.close(direct)
            return
        yield from _read(descriptor, offset, length)
    finally:
        os.close(descriptor)


def _direct(folder: int, name: str) -> int | None:
    try:
        return os.open(name, _READ_FLAGS | getattr(os, "O_DIRECT", 1 << 62), dir_fd=folder)
    except (OSError, OverflowError):
        return None


def _aligned(descriptor: int, offset: int, length: int) -> Iterator[bytes]:
    """By O_DIRECT: memory, offsets and lengths are multiples of a page (open(2), "O_DIRECT")."""
    with mmap.mmap(-1, _CHUNK) as memory:
        at = offset - offset % mmap.PAGESIZE
        end = offset + length
        while at < end:
            got = os.preadv(descriptor, [memory], at)
            data = memory[:got][max(0, offset - at) : end - at]
            if data:
                yield data
            if got < _CHUNK:
                return
            at += got


@contextlib.contextmanager
def told(path: str) -> Iterator[None]:
    """What the system says of the stick, in one line."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise Misconfigured(f"the stick {path}: {error.strerror}; is it mounted?") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise full(path) from error
        if error.errno == errno.EROFS:
            raise Misconfigured(
                f"the stick {path} may only be read: it is locked, or has to be mended first (fsck)"
            ) from error
        raise Misconfigured(f"the stick {path}: {error.strerror}; was it pulled out?") from error


def full(path: str) -> Misconfigured:
    """What is said where nothing more fits."""
    return Misconfigured(f"the stick {path} is full: have it carried, and export again")
