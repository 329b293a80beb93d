"""A machine in this machine, whose kernel has what ours may lack: User-Mode Linux, with FAT.

Debian has it: user-mode-linux, kmod, dosfstools. Its files are those of this machine; /run is its own. It has no network but
itself. Killed, it loses what a machine loses with its power: whatever its kernel had not yet written to the images. Needs root:
so does mounting.
"""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest

_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
_ROOT = Path(__file__).resolve().parents[2]
_MODULES = "fat/fat fat/vfat nls/nls_cp437 nls/nls_iso8859-1 nls/nls_ascii nls/nls_utf8"
_INIT = """#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/run TMPDIR=/run/tmp PYTHONDONTWRITEBYTECODE=1 PYTHONPATH={root}/tests
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs tmp /run
mkdir -p /run/tmp /run/stick /run/small /run/device /dev/shm
mount -t tmpfs shm /dev/shm
ip link set lo up 2>/dev/null || ifconfig lo up
for module in {modules}; do insmod /usr/lib/uml/modules/*/kernel/fs/$module.ko; done
mount -t vfat -o utf8 /dev/ubda /run/stick
mount -t {second} /dev/ubdb /run/{name}
cd {root}
{command}
echo "ENDED $?"
umount /run/stick /run/{name}
poweroff -f || echo o > /proc/sysrq-trigger
sleep 9
"""


class Images(NamedTuple):
    """What the guest has for disks."""

    stick: Path
    """FAT32, at /run/stick."""
    second: Path
    kind: str
    name: str
    """Where in /run it is."""


def images(home: Path, kind: str, name: str) -> Images:
    """New disks: a stick, and a second one of this kind.

    Skips the test where they cannot be had.
    """
    wanted = ("linux.uml", "mkfs.vfat", "mkfs.ext4", "insmod")
    missing = [program for program in wanted if shutil.which(program, path=_PATH) is None]
    if missing or os.geteuid() != 0:
        pytest.skip(f"no machine with FAT: {', '.join(missing)} missing" if missing else "only root may mount")
    made = Images(home / "stick.img", home / "second.img", kind, name)
    for path, size, maker in (
        (made.stick, 300 << 20, ("mkfs.vfat", "-F", "32")),
        (
            made.second,
            8 << 20 if kind == "vfat" else 64 << 20,
            ("mkfs.vfat",) if kind == "vfat" else ("mkfs.ext4", "-q"),
        ),
    ):
        path.touch()
        os.truncate(path, size)
        subprocess.run([*maker, str(path)], check=True, capture_output=True, env={**os.environ, "PATH": _PATH})
    return made


def run(home: Path, disks: Images, command: str, *, cut_after: float = 0, timeout: float = 300) -> str:
    """What a shell command says in the guest, after its kernel has begun it.

    Args:
        home: For files of this run.
        disks: What it has.
        command: Run in the top directory of the project.
        cut_after: Seconds from the line READY on, after which the power goes; 0 for never.
        timeout: Seconds, for all of it.
    """
    init, log = home / "init.sh", home / f"guest-{random.randrange(1 << 40)}.log"
    python = command.replace("python ", f"{sys.executable} ")
    init.write_text(
        _INIT.format(root=_ROOT, modules=_MODULES, second=disks.kind, name=disks.name, command=f"{python} 2>&1")
    )
    init.chmod(0o755)
    with open(log, "wb") as out:
        process = subprocess.Popen(
            ["linux.uml", "mem=1500M", "root=none", "rootfstype=hostfs", "rootflags=/", "rw", f"ubd0={disks.stick}",
             f"ubd1={disks.second}", f"init={init}", "con=null", "con0=null,fd:1"],
            stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
            env={**os.environ, "PATH": _PATH, "TMPDIR": str(home)}, start_new_session=True,
        )  # fmt: skip
    try:
        if cut_after:
            _wait(process, log, timeout)
            time.sleep(cut_after)
        else:
            process.wait(timeout)
    finally:
        _kill(process)
    return log.read_text(errors="replace").rpartition("as init process")[2]


def _wait(process: subprocess.Popen[bytes], log: Path, timeout: float) -> None:
    ends = time.monotonic() + timeout
    while b"READY" not in log.read_bytes() and process.poll() is None:
        assert time.monotonic() < ends, log.read_text(errors="replace")[-2000:]
        time.sleep(0.01)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """All of its processes: each of the guest's is one of ours, in a session of their own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
