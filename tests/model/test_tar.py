"""Headers of tar members: what Python's own reader makes of them."""

import io
import tarfile

import pytest

from outhaul.model.tar import BLOCK, END, header, padding


@pytest.mark.parametrize(
    ("path", "size", "mtime_ns", "mode", "blocks"),
    [
        ("a/b.csv", 5, 10**18, 0o640, 1),
        ("x" * 100, 512, 0, 0o777, 1),
        ("x" * 101, 1, 1, 0o600, 3),
        ("é/x" * 60, 7, 1_700_000_000_123_456_789, 0o644, 3),
        ("a\udcff\udc80.x", 3, 0, 0o444, 3),
        ("old", 1, -5 * 10**9, 0o644, 3),
        ("a\nb", 0, 8**11 * 10**9, 0o644, 3),
    ],
)
def test_a_header_is_read_back(path: str, size: int, mtime_ns: int, mode: int, blocks: int) -> None:
    """Name, size, whole seconds and permissions, in one block where they fit."""
    head = header(path, size, mtime_ns, mode)
    whole = head + b"z" * size + padding(size) + END
    with tarfile.open(fileobj=io.BytesIO(whole), encoding="utf-8", errors="surrogateescape") as archive:
        (member,) = archive.getmembers()
    assert (path, size, mtime_ns // 10**9, mode) == (member.name, member.size, int(member.mtime), member.mode)
    assert (blocks * BLOCK, 0) == (len(head), len(whole) % BLOCK)


def test_a_large_file_has_a_header_too() -> None:
    """More than 8 GiB do not fit into a plain header."""
    with tarfile.open(fileobj=io.BytesIO(header("large", 8**11, 0, 0o644))) as archive:
        member = archive.next()
    assert member is not None
    assert member.size == 8**11


def test_no_rights_but_the_ordinary_ones() -> None:
    """A file that makes a program privileged comes back without that."""
    assert header("x", 0, 0, 0o755) == header("x", 0, 0, 0o4755)
