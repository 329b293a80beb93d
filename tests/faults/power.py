"""File systems that lose power: real ext4 and XFS on loop devices, shut down without their log being written.

After the shutdown the kernel drops whatever was not on disk; the next mount replays the journal, as after a power cut.
`EXT4_IOC_SHUTDOWN` and `XFS_IOC_GOINGDOWN` are one number (linux/ext4.h, linux/xfs_fs.h).
"""

import fcntl
import os
import random
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from faults.places import mounted, need, need_root

_SHUTDOWN = 0x8004587D
_NO_LOG_FLUSH = (2).to_bytes(4, "little")
_UNMOUNT_SECONDS = 10.0
_SIZES = {"ext4": 48 << 20, "xfs": 320 << 20}


@dataclass
class Disk:
    """One file system in a file. It is unmounted when the test ends, in whatever state it is."""

    image: Path
    where: Path

    def cut(self) -> None:
        """The power goes: nothing that is not on disk reaches it any more."""
        descriptor = os.open(self.where, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, _SHUTDOWN, _NO_LOG_FLUSH)
        finally:
            os.close(descriptor)

    def back(self) -> None:
        """The power is back: mount it anew, which replays its journal."""
        late = time.monotonic() + _UNMOUNT_SECONDS
        while subprocess.run([need("umount"), str(self.where)], check=False, capture_output=True).returncode:
            assert time.monotonic() < late, f"{self.where} is still in use"
            time.sleep(0.02)  # What was killed a moment ago gives its files back.
        subprocess.run([need("mount"), "-o", "loop", str(self.image), str(self.where)], check=True, capture_output=True)


@contextmanager
def disks(kind: str, root: Path, names: Sequence[str]) -> Iterator[Mapping[str, Disk]]:
    """Fresh file systems of a kind; skips the test where the machine cannot make or mount them."""
    need_root()
    make = need(f"mkfs.{kind}")
    with ExitStack() as stack:
        found = {}
        for name in names:
            image = root / f"{name}.img"
            with image.open("wb") as file:
                file.truncate(_SIZES[kind])
            subprocess.run([make, "-q", str(image)], check=True, capture_output=True)
            where = stack.enter_context(mounted(str(image), root / name, "-o", "loop"))
            found[name] = Disk(image, where)
        yield found


def cut_all(found: Sequence[Disk], rng: random.Random) -> None:
    """One power cut for all, in any order: no two disks stop at the same instant."""
    for disk in rng.sample(list(found), len(found)):
        disk.cut()
