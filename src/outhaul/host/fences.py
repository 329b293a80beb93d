"""Who has which batch of a source: locks of the kernel on single bytes of one file in the source's private directory.

A lock is of an open file description (Linux, fcntl(2), "Open file description locks"): it ends with the process, and a process
that was only given up still has it. Over a network file system the server knows of it. The first byte is the driver's as long as
it works: two drivers exclude one another, and a worker that can have that byte is where the driver's locks do not reach, so it
takes nothing. Two batches whose bytes are the same wait for one another.
Not promised: that a lock which a server has given up, because it did not hear of a machine for long, is missed there at once.
Then two workers may have one batch, which does no harm: keys are create-only, what is there is compared, and a file is taken
aside once.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import sys
from collections.abc import Iterator

from outhaul.host.neighbours import BATCHES_NAME, LOCK_FLAGS
from outhaul.host.private import PRIVATE_NAME, made_private
from outhaul.host.system_calls import FOLDER_FLAGS
from outhaul.model.errors import AnotherInstance, SourceError, SourceUnreadable

_DRIVER = 0
_BATCHES = (1 << 62) - 1
"""Where a byte of a batch may be at most."""
_TO_THE_END = 0


class NoLocks(SourceError):
    """A source has no locks that reach all machines."""


class DriverFence:
    """The driver's own byte of one source, held until it is closed.

    Raises:
        AnotherInstance: another driver works there.
        NoLocks: the file system has none, or none can be had.
        SourceError: the source cannot be opened.
    """

    def __init__(self, source: str, *, keep: bool) -> None:
        self._source, self._keep = source, keep
        with _private(source) as outer:
            held = _locked(outer, _DRIVER, 1)
        if held is None:
            raise AnotherInstance(f"another outhaul --on works in {source}; wait for it")
        self._held = held

    def close(self) -> None:
        """Hold it no more. The file goes where no worker holds a byte of it, and the directory, where it is not to stay."""
        with contextlib.suppress(OSError, SourceError), _private(self._source) as outer:
            if _set(self._held, _DRIVER, _TO_THE_END):
                os.unlink(BATCHES_NAME, dir_fd=outer)
        os.close(self._held)
        if not self._keep:
            with contextlib.suppress(OSError):
                root = os.open(self._source, FOLDER_FLAGS)
                try:
                    os.rmdir(PRIVATE_NAME, dir_fd=root)
                finally:
                    os.close(root)


@contextlib.contextmanager
def batch(source: str, name: str) -> Iterator[bool]:
    """Hold a batch of a source; False where another worker has it.

    Args:
        source: Absolute path of the source.
        name: Of the batch, in hexadecimal digits.

    Raises:
        NoLocks: the driver's own lock is not seen here.
        SourceError: the source cannot be opened.
    """
    with _private(source) as outer:
        if (driver := _locked(outer, _DRIVER, 1)) is not None:
            os.close(driver)
            raise _no_locks("the lock of the run is not seen by all workers, or the run has ended")
        held = _locked(outer, 1 + int(name, 16) % _BATCHES, 1)
    try:
        yield held is not None
    finally:
        if held is not None:
            os.close(held)


@contextlib.contextmanager
def _private(source: str) -> Iterator[int]:
    try:
        root = os.open(source, FOLDER_FLAGS)
    except OSError as error:
        raise SourceUnreadable(error.strerror) from error
    try:
        outer = made_private(PRIVATE_NAME, root)
    except OSError as error:
        raise _no_locks(f"workers lock batches in {PRIVATE_NAME}, which cannot be used: {error.strerror}") from error
    finally:
        os.close(root)
    try:
        yield outer
    finally:
        os.close(outer)


def _locked(outer: int, at: int, length: int) -> int | None:
    """The descriptor that holds these bytes; None where another process has one of them."""
    while True:
        try:
            descriptor = os.open(BATCHES_NAME, LOCK_FLAGS, 0o600, dir_fd=outer)
        except OSError as error:
            raise _no_locks(f"{PRIVATE_NAME}/{BATCHES_NAME} cannot be used: {error.strerror}") from error
        try:
            if not _set(descriptor, at, length):
                os.close(descriptor)
                return None
        except OSError as error:
            os.close(descriptor)
            raise _no_locks(f"its file system has no locks ({error.strerror})") from error
        if os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)  # A driver that has ended took it away meanwhile.


def _set(descriptor: int, at: int, length: int) -> bool:
    """Lock so many bytes from there on; False where another process has one of them. Raises OSError where there are no locks."""
    if sys.platform != "linux":
        raise _no_locks("the locks that workers need are those of Linux")
    # struct flock, with l_pid 0 as these locks want it (fcntl(2)); native sizes and padding.
    wanted = struct.pack("@hhqqi0q", fcntl.F_WRLCK, os.SEEK_SET, at, length, 0)
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, wanted)
    except (BlockingIOError, PermissionError):  # EAGAIN or EACCES, whichever a system says.
        return False
    return True


def _no_locks(why: str) -> NoLocks:
    return NoLocks(f"{why}; let the workers share a database: --ledger postgresql://host/database")
