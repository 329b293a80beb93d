"""File systems of a test's own: mounted for a block, unmounted however the block is left."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def need_root() -> None:
    """Skip the test where it is not run by root."""
    if os.geteuid() != 0:
        pytest.skip("only root may do this: run the tests as root")


def need(program: str) -> str:
    """The path of a program of the system; skips the test where there is none."""
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    if found is None:
        pytest.skip(f"{program} is not installed")
    return found


@contextmanager
def mounted(what: str, where: Path, *options: str) -> Iterator[Path]:
    """Mount something; skips the test where the machine does not let us."""
    where.mkdir(exist_ok=True)
    done = subprocess.run([need("mount"), *options, what, str(where)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"this machine does not mount it: {done.stderr.strip()}")
    try:
        yield where
    finally:
        unmount(where)


def unmount(where: Path) -> None:
    """Take a file system away, now, or as soon as nobody uses it."""
    if subprocess.run([need("umount"), str(where)], capture_output=True, check=False).returncode:
        subprocess.run([need("umount"), "--lazy", str(where)], capture_output=True, check=True)


@contextmanager
def tmpfs(where: Path, size: int) -> Iterator[Path]:
    """A small file system in memory."""
    need_root()
    with mounted("tmpfs", where, "-t", "tmpfs", "-o", f"size={size},mode=0755"):
        yield where


@contextmanager
def open_directory(label: str) -> Iterator[Path]:
    """A directory that other users may enter, unlike pytest's own; it goes with the block."""
    with tempfile.TemporaryDirectory(prefix=f"outhaul-{label}-") as name:
        Path(name).chmod(0o755)
        yield Path(name)
