"""A full disk (law L12): nothing is lost at any fill level, and all goes on without a person once there is space.

The source, the state directory or the destination lies on a small file system that is filled to a number of bytes.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from faults.call_points import KILLED
from faults.places import mounted, need, need_root, tmpfs
from faults.runs import move, outhaul, run
from faults.world import World

FREE_BYTES = (0, 1, 4096, 8192, 16384, 32768, 36864, 45056, 65536, 131072)
_TMPFS_BYTES = 1 << 20
_EXT4_BYTES = 8 << 20
PLACES = ("source", "state", "store")

pytestmark = pytest.mark.slow


@contextmanager
def _ext4(where: Path) -> Iterator[Path]:
    """A small ext4 in a file; unlike tmpfs it needs blocks for directories."""
    need_root()
    image = where.with_suffix(".img")
    with image.open("wb") as file:
        file.truncate(_EXT4_BYTES)
    subprocess.run([need("mkfs.ext4"), "-q", "-m", "0", str(image)], check=True)
    with mounted(str(image), where, "-o", "loop"):
        yield where


def fill(where: Path, free: int) -> None:
    """Take all space of a file system but so many bytes."""
    ballast = where / "ballast"
    descriptor = os.open(ballast, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        for piece in (65536, 4096, 512, 1):
            while _written(descriptor, piece):
                pass
        os.fsync(descriptor)
        if free:
            os.ftruncate(descriptor, max(0, os.fstat(descriptor).st_size - free))
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _written(descriptor: int, length: int) -> bool:
    try:
        return os.write(descriptor, bytes(length)) == length
    except OSError:
        return False


def _world(root: Path, full: Path, places: tuple[str, ...]) -> World:
    """A world whose places of these names are on the file system that will be full."""
    found = {name: (full if name in places else root) / name for name in PLACES}
    for path in found.values():
        path.mkdir()
    return World(found["source"], found["state"], found["store"], root / "journal")


@pytest.mark.parametrize("place", PLACES)
def test_a_full_disk_loses_nothing(tmp_path: Path, place: str) -> None:
    """At each fill level a run loses nothing; with space again the next run carries everything, without a person."""
    found = []
    for free in FREE_BYTES:
        root = tmp_path / str(free)
        root.mkdir()
        with tmpfs(root / "full", _TMPFS_BYTES) as full:
            world = _world(root, full, (place,))
            world.plant(6)
            fill(full, free)
            faults = move(world).faults + world.faults()
            (full / "ballast").unlink()
            ended = move(world)
            faults += [*ended.faults, *world.faults(complete=True)]
            if faults or ended.code:
                found.append(f"{free} bytes free: {faults} {ended}")
    expected: list[str] = []
    assert expected == found


@pytest.mark.parametrize(
    ("kind", "interrupted"),
    [
        pytest.param("tmpfs", False),
        pytest.param("tmpfs", True),
        pytest.param("ext4", False),
        pytest.param("ext4", True),
    ],
)
def test_freeing_space_needs_no_space(tmp_path: Path, kind: str, interrupted: bool) -> None:
    """L12: files that have a receipt are removed at 0 bytes free, with source and ledger on that full file system.

    They have one because they were copied before, or because the run that carried them was killed while it removed them.
    """
    with tmpfs(tmp_path / "full", _TMPFS_BYTES) if kind == "tmpfs" else _ext4(tmp_path / "full") as full:
        world = _world(tmp_path, full, ("source", "state"))
        planted = world.plant(6)
        if interrupted:
            move(world, before=[need("strace"), "-f", "-qq", "-o", os.devnull, "-e", KILLED])
        else:
            run(outhaul("copy", str(world.source), str(world.store), "--state", str(world.state)))
        assert len(planted) == len(list(world.store.rglob("*.dat"))), "this trial needs all files carried"
        fill(full, 0)
        ended = move(world)
        expected: list[str] = []
        assert expected == ended.faults + world.faults()
        assert expected == [str(path) for path in planted if path.exists()], str(ended)
