"""Temporary names of files that are being written, and what a killed process has left under them.

True here: whoever writes under such a name holds a lock of the kernel on the file, which ends with the process; so what has no
lock is nobody's any more, in whatever container it was made. Only names of this very form are touched, and no file that
somebody holds. Where the file system has no locks, nothing is removed.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import re
import stat

_NAME = re.compile(r"\.outhaul-restore-[0-9]+-[0-9]+(?P<trial>-a)?")
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_numbers = itertools.count()


def temporary_name() -> str:
    """A name that no other file of this process has or had."""
    return f".outhaul-restore-{os.getpid()}-{next(_numbers)}"


def hold(descriptor: int) -> bool:
    """Take a file that has, or will have, such a name; False where somebody is about to remove it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # No locks here: nobody removes it either.
    return True


def create(folder: int, flags: int, mode: int) -> tuple[str, int]:
    """A new file under such a name: that, and its descriptor, held.

    Raises:
        OSError: it cannot be made.
    """
    while True:
        name = temporary_name()
        try:
            descriptor = os.open(
                name, flags | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=folder
            )
        except FileExistsError:
            continue  # Of an earlier process of this number.
        if hold(descriptor) and os.fstat(descriptor).st_nlink:
            return name, descriptor
        os.close(descriptor)


def remove(folder: int) -> None:
    """Remove from an open directory what killed processes have left in it; what cannot be removed stays."""
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            if name.startswith(".outhaul-restore-") and (found := _NAME.fullmatch(name)):
                with contextlib.suppress(OSError):
                    os.rmdir(name, dir_fd=folder) if found["trial"] else _remove(folder, name)


def _remove(folder: int, name: str) -> None:
    descriptor = os.open(name, _FLAGS, dir_fd=folder)
    try:
        seen = os.fstat(descriptor)
        if not stat.S_ISREG(seen.st_mode):
            return
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        now = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if (now.st_dev, now.st_ino) == (seen.st_dev, seen.st_ino):
            os.unlink(name, dir_fd=folder)
    finally:
        os.close(descriptor)
