"""The files on a stick: whole or not there, through no link, and read from the device."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest

from outhaul.model.errors import AnotherInstance, Misconfigured
from outhaul.stores import stick_directory
from outhaul.stores.stick_directory import StickDirectory
from sticks.places import PLACE, new_stick

PACK = "a" * 32


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A stick."""
    return new_stick(tmp_path / "stick")


@pytest.fixture
def inside(place: Path) -> Path:
    """What is outhaul's on a stick."""
    with StickDirectory(str(place), make=True):
        pass
    return place / "outhaul-stick"


def test_it_stays_the_same_stick(place: Path, inside: Path) -> None:
    """Its name is drawn once; one that was torn is drawn anew."""
    with StickDirectory(str(place), make=True) as one:
        name = one.id
    with StickDirectory(str(place), make=False) as again:
        assert name == again.id
    (inside / "stick.json").write_bytes(b'{"is": "outhaul')
    with StickDirectory(str(place), make=True) as other:
        assert name != other.id
    with StickDirectory(str(place), make=False) as again:
        assert other.id == again.id


def test_one_process_at_a_time(place: Path) -> None:
    """Whoever comes second is told."""
    with StickDirectory(str(place), make=True), pytest.raises(AnotherInstance, match="works with the stick"):
        StickDirectory(str(place), make=True)


def test_no_stick(place: Path) -> None:
    """One line each; a directory that is not there is not made: it would be on another disk."""
    with pytest.raises(Misconfigured, match="is it mounted"):
        StickDirectory(str(place / "nowhere"), make=True)
    with pytest.raises(Misconfigured, match="holds nothing of outhaul"):
        StickDirectory(str(place), make=False)


@pytest.mark.skipif(PLACE in os.environ, reason="there may be no links on this file system")
def test_no_link_is_followed(place: Path, inside: Path) -> None:
    """Neither for the directory nor for a file in it; a FIFO blocks nobody; what is too large is not read."""
    secret = place / "secret"
    secret.write_bytes(b"line\n")
    (inside / f"{PACK}.manifest").symlink_to(secret)
    os.mkfifo(inside / f"{'b' * 32}.manifest")
    (inside / f"{PACK}.0.pack").symlink_to(secret)
    (inside / f"{'c' * 32}.manifest").write_bytes(b"")
    os.truncate(inside / f"{'c' * 32}.manifest", stick_directory.TEXT_BYTES_MAX + 1)
    with StickDirectory(str(place), make=False) as stick:
        assert [stick.lines(name) for _, name in stick.texts("manifest")] == [[], [], []]
        with pytest.raises(Misconfigured):
            list(stick.open_pack(PACK).chunks(0, 4))
        assert not list(stick.open_pack("d" * 32).chunks(0, 0))
        stick.remove_pack(PACK)
    assert secret.read_bytes() == b"line\n"
    there = place / "other"
    there.mkdir()
    (there / "outhaul-stick").symlink_to(inside)
    with pytest.raises(Misconfigured):
        StickDirectory(str(there), make=True)


def test_what_is_not_ours_stays(place: Path, inside: Path) -> None:
    """Unfinished files go, others are none of our business."""
    (inside / "holiday.jpg").write_bytes(b"x")
    (inside / f"{PACK}.manifest.new").write_bytes(b"x")
    with StickDirectory(str(place), make=False) as stick:
        assert (stick.texts("manifest"), stick.packs()) == ([], {})
    assert sorted(path.name for path in inside.iterdir()) == ["READ-ME.txt", "holiday.jpg", "stick.json"]


@pytest.mark.parametrize("part", [70_000, 1 << 20, 10_000_000])
def test_a_pack_is_cut_into_files(place: Path, part: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """FAT32 takes 4 GiB; packages go over the cuts, and come back from wherever they begin."""
    monkeypatch.setattr(stick_directory, "PART_BYTES", part)
    contents = [os.urandom(size) for size in (5, 3_000_001, 0, 4096, 1_500_000)]
    with StickDirectory(str(place), make=True) as stick:
        pack = stick.new_pack(PACK)
        written = [pack.append([content[:7], content[7:]]) for content in contents]
        pack.append([b"not wanted"])
        pack.take_back()
        pack.finish()
        assert [hashlib.sha256(content).digest() for content in contents] == [sha256 for _, _, sha256 in written]
        reader = stick.open_pack(PACK)
        assert contents == [b"".join(reader.chunks(offset, length)) for offset, length, _ in written]
        assert -(-sum(map(len, contents)) // part) == len([name for name in stick.packs()[PACK] if _size(place, name)])


def _size(stick: Path, name: str) -> int:
    return (stick / "outhaul-stick" / name).stat().st_size


def test_a_stick_that_does_not_keep_what_it_was_given(place: Path) -> None:
    """The pack is removed, and does not count."""
    with StickDirectory(str(place), make=True) as stick:
        pack = stick.new_pack(PACK)
        pack.append([b"content"])
        (place / "outhaul-stick" / f"{PACK}.0.pack").write_bytes(b"nothing")
        with pytest.raises(Misconfigured, match="does not give back"):
            pack.finish()
        assert stick.packs() == {}


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "is full: have it carried"),
        (errno.EROFS, "has to be mended first"),
        (errno.EIO, "was it pulled out?"),
        (errno.ENOENT, "is it mounted?"),
    ],
)
def test_what_is_said_of_a_stick(number: int, said: str) -> None:
    """One line, with what to do. After a power cut Linux mounts a FAT that it finds damaged for reading only."""
    with pytest.raises(Misconfigured, match=said.replace("?", "[?]")), stick_directory.told("/media/stick"):
        raise OSError(number, os.strerror(number))
