"""System calls that Python's os module does not have, by way of the C library.

Each function says what it does where the kernel or the platform has no such call. Numbers and structures are those of the
Linux user-space headers (linux/openat2.h, linux/stat.h) and of macOS' sys/stdio.h; man pages: openat2(2), statx(2),
renameat2(2), fcntl(2) "Leases".
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import signal
import stat
import struct
import sys
import threading

from outhaul.model.evidence import Sighting

LINUX = sys.platform == "linux"
_libc = ctypes.CDLL(None, use_errno=True)

# --- open beneath a directory, following no link ------------------------------------------------------------------

_SYS_OPENAT2 = 437  # The same number on every architecture: it is younger than the common table.
_RESOLVE_NO_MAGICLINKS, _RESOLVE_NO_SYMLINKS, _RESOLVE_BENEATH = 0x02, 0x04, 0x08
_RESOLVE = _RESOLVE_NO_MAGICLINKS | _RESOLVE_NO_SYMLINKS | _RESOLVE_BENEATH
FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_openat2_missing = not LINUX


def open_folder_beneath(root: int, path: str) -> int:
    """A descriptor for the directory `path` beneath the directory `root`, with no link anywhere on the way.

    Where openat2 is missing (before Linux 5.6, or not Linux) each part is opened on its own with O_NOFOLLOW.

    Raises:
        OSError: ELOOP or ENOTDIR where a link stands on the way; otherwise as open(2).
    """
    global _openat2_missing
    if not path:
        return os.open(".", FOLDER_FLAGS, dir_fd=root)
    if not _openat2_missing:
        how = struct.pack("=QQQ", FOLDER_FLAGS, 0, _RESOLVE)
        while True:
            descriptor = _libc.syscall(_SYS_OPENAT2, root, os.fsencode(path), how, len(how))
            if descriptor >= 0:
                return int(descriptor)
            number = ctypes.get_errno()
            if number in (errno.ENOSYS, errno.EPERM):  # EPERM: what a seccomp filter of old answers.
                _openat2_missing = True
                break
            if number not in (errno.EAGAIN, errno.EINTR):
                raise OSError(number, os.strerror(number), path)
    return _open_part_by_part(root, path)


def _open_part_by_part(root: int, path: str) -> int:
    descriptor = os.dup(root)
    try:
        for part in path.split("/"):
            below = os.open(part, FOLDER_FLAGS, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = below
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


# --- what an open file is ------------------------------------------------------------------------------------------

_STATX = struct.Struct("=IIQIIIHxxQQQQqIxxxxqIxxxxqIxxxxqIxxxxIIII")
_STATX_WANTED, _STATX_BTIME, _AT_EMPTY_PATH = 0xFFF, 0x800, 0x1000
_own = threading.local()
_statx = getattr(_libc, "statx", None) if LINUX else None
if _statx is not None:
    _statx.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_uint, ctypes.c_char_p]


_NS_MAX = (1 << 63) - 1


def in_range(ns: int) -> int:
    """A time of a file, as near as 64 bits of nanoseconds come to it: 1677 to 2262. ext4 knows 2446, and a ledger does not."""
    return ns if -_NS_MAX <= ns <= _NS_MAX else (_NS_MAX if ns > 0 else -_NS_MAX)


def look(descriptor: int, directory: str, name: str) -> tuple[Sighting, int, int, int]:
    """What an open file is at this moment.

    Returns:
        The sighting, with the birth time where there is one; then mode, number of links and owner.
    """
    if _statx is not None:
        try:
            buffer = _own.buffer
        except AttributeError:
            buffer = _own.buffer = ctypes.create_string_buffer(256)
        if _statx(descriptor, b"", _AT_EMPTY_PATH, _STATX_WANTED, buffer) == 0:
            (mask, _, _, links, owner, _, mode, inode, size, _, _, _, _, birth, birth_part,
             change, change_part, modify, modify_part, _, _, major, minor) = _STATX.unpack_from(buffer)  # fmt: skip
            birth_ns = birth * 10**9 + birth_part if mask & _STATX_BTIME else 0
            sighting = Sighting(
                directory, name, os.makedev(major, minor), inode, size,
                in_range(modify * 10**9 + modify_part), in_range(change * 10**9 + change_part), birth_ns,
            )  # fmt: skip
            return sighting, mode, links, owner
    seen = os.fstat(descriptor)
    birth_ns = int(getattr(seen, "st_birthtime", 0) * 10**9)
    sighting = Sighting(
        directory, name, seen.st_dev, seen.st_ino, seen.st_size,
        in_range(seen.st_mtime_ns), in_range(seen.st_ctime_ns), birth_ns,
    )  # fmt: skip
    return sighting, seen.st_mode, seen.st_nlink, seen.st_uid


# --- rename that replaces nothing ----------------------------------------------------------------------------------

_RENAME_NOREPLACE, _RENAME_EXCL = 1, 4
_rename = getattr(_libc, "renameat2" if LINUX else "renameatx_np", None)
if _rename is not None:
    _rename.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint]


def rename_exclusive(source_folder: int, source: str, target_folder: int, target: str) -> None:
    """Rename, atomically, and fail where the target exists.

    Where the file system has no such rename (EINVAL: NFS, some FUSE) a hard link does the same in two steps: it is
    refused where the target exists, and a crash in between leaves the file under both names.

    Raises:
        FileExistsError: the target exists.
        OSError: as rename(2).
    """
    if not _renamed(source_folder, source, target_folder, target):
        os.link(source, target, src_dir_fd=source_folder, dst_dir_fd=target_folder, follow_symlinks=False)
        os.unlink(source, dir_fd=source_folder)


def rename_to_own(source_folder: int, source: str, own_folder: int, target: str) -> None:
    """The same, into a directory that nobody but this process writes to.

    In one step everywhere: after a link, the name to be taken away could be that of another file already, which somebody has
    renamed over the first; and would be removed unread.

    Raises:
        As `rename_exclusive`.
    """
    if not _renamed(source_folder, source, own_folder, target):
        if stat.S_ISDIR(os.stat(source, dir_fd=source_folder, follow_symlinks=False).st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), source)  # By a link it could not go back.
        try:
            os.stat(target, dir_fd=own_folder, follow_symlinks=False)
        except FileNotFoundError:
            os.rename(source, target, src_dir_fd=source_folder, dst_dir_fd=own_folder)
        else:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target)


def _renamed(source_folder: int, source: str, target_folder: int, target: str) -> bool:
    """False where the file system knows no rename that replaces nothing."""
    number = errno.ENOSYS
    if _rename is not None:
        flags = _RENAME_NOREPLACE if LINUX else _RENAME_EXCL
        if _rename(source_folder, os.fsencode(source), target_folder, os.fsencode(target), flags) == 0:
            return True
        number = ctypes.get_errno()
    if number not in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
        raise OSError(number, os.strerror(number), source)
    return False


# --- leases ----------------------------------------------------------------------------------------------------------

_F_SETLEASE, _F_GETLEASE = 1024, 1025


def take_read_lease(descriptor: int) -> bool | None:
    """Ask the kernel whether nobody can write to this open file, and hold writers off until it is closed or released.

    Returns:
        True: nobody has it open for writing or mapped shared and writable. False: somebody has. None: the kernel
        does not say (not our file, a network file system, not Linux).
    """
    if not LINUX:
        return None
    try:
        fcntl.fcntl(descriptor, _F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        return False if error.errno == errno.EAGAIN else None
    return True


def release_lease(descriptor: int) -> None:
    """Let writers in again."""
    fcntl.fcntl(descriptor, _F_SETLEASE, fcntl.F_UNLCK)


def lease_holds(descriptor: int) -> bool:
    """False once somebody has asked to write to a file that we hold a read lease on."""
    return fcntl.fcntl(descriptor, _F_GETLEASE) == fcntl.F_RDLCK


def survive_lease_breaks() -> None:
    """Ignore SIGIO, which the kernel sends when a lease is broken, and which by default ends the process.

    By the C library, so that it works from any thread; a handler that somebody has set is left alone.
    """
    if LINUX and signal.getsignal(signal.SIGIO) is signal.SIG_DFL:
        _libc.signal.argtypes = [ctypes.c_int, ctypes.c_void_p]
        _libc.signal(signal.SIGIO, 1)  # SIG_IGN
