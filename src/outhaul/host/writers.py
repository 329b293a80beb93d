"""Which files does any process have open for writing? Asked of /proc, where the kernel grants no lease.

It is exact only for one who may look into every process of the machine (root, in the first pid namespace: in a container
the processes of the host are not to be seen), and only for local processes; anything less is answered with "cannot tell".
One look at all of /proc takes milliseconds, so it is kept for half a second: a file that was opened since is caught when it
is looked at again before its removal.
"""

from __future__ import annotations

import os
import stat
import threading
import time

_KEPT_SECONDS = 0.5
_FIRST_PID_NAMESPACE = 0xEFFFFFFC
"""The inode of the one that is there from boot on, the same on every machine (Linux, PROC_PID_INIT_INO, proc_ns.h)."""
_lock = threading.Lock()
_taken_at = 0.0
_snapshot: tuple[set[tuple[int, int]], bool] = (set(), False)


def open_for_writing(device: int, inode: int) -> bool | None:
    """True: some process has this inode open for writing. False: certainly none. None: cannot tell."""
    writing, complete = _processes()
    if (device, inode) in writing:
        return True
    return False if complete else None


def _processes() -> tuple[set[tuple[int, int]], bool]:
    global _taken_at, _snapshot
    with _lock:
        if not _taken_at or time.monotonic() - _taken_at > _KEPT_SECONDS:
            _snapshot, _taken_at = _look(), time.monotonic()
        return _snapshot


def _look() -> tuple[set[tuple[int, int]], bool]:
    writing: set[tuple[int, int]] = set()
    complete = os.geteuid() == 0 and _sees_every_process()
    try:
        pids = [name for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return writing, False
    for pid in pids:
        try:
            for descriptor in os.listdir(f"/proc/{pid}/fd"):
                _add(f"/proc/{pid}", descriptor, writing)
            # A shared writable mapping writes without a descriptor; map_files links to the mapped file.
            for line in _lines(f"/proc/{pid}/maps"):
                fields = line.split(None, 5)
                if len(fields) > 4 and fields[1][1] == "w" and fields[1][3] == "s" and fields[4] != "0":
                    major, minor = fields[3].split(":")
                    writing.add((os.makedev(int(major, 16), int(minor, 16)), int(fields[4])))
        except (FileNotFoundError, ProcessLookupError):
            continue  # It ended meanwhile.
        except OSError:
            complete = False
    return writing, complete


def _sees_every_process() -> bool:
    try:
        return os.stat("/proc/self/ns/pid").st_ino == _FIRST_PID_NAMESPACE
    except OSError:
        return False


def _add(process: str, descriptor: str, writing: set[tuple[int, int]]) -> None:
    try:
        link = os.lstat(f"{process}/fd/{descriptor}")
        # The permission bits of the link say how it was opened (proc_pid_fd(5)).
        if link.st_mode & stat.S_IWUSR:
            target = os.stat(f"{process}/fd/{descriptor}")
            if stat.S_ISREG(target.st_mode):
                writing.add((target.st_dev, target.st_ino))
    except (FileNotFoundError, ProcessLookupError):
        return


def _lines(path: str) -> list[str]:
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return file.readlines()
