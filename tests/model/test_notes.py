"""What is noted beside a compressed object: only what fits is believed."""

from __future__ import annotations

import pytest

from outhaul.model.notes import CODEC, MTIME, SHA256, SIZE, as_noted, codec_of, notes_of, original_path
from outhaul.model.returning import Wanted

SUFFIXES = {"zstd": ".zst", "gzip": ".gz"}
WANTED = Wanted("d/a.csv.zst", 0, "site/d/a.csv.zst", size=9)
NOTES = dict(notes_of("zstd", bytes(32), 5, -7))


def test_notes_there_and_back() -> None:
    """The file has its own name, length, digest and time."""
    expected = WANTED._replace(path="d/a.csv", codec="zstd", sha256=bytes(32), size=5, mtime_ns=-7, stored_size=9)
    assert expected == as_noted(WANTED, NOTES, SUFFIXES)


@pytest.mark.parametrize(
    "wrong",
    [
        {CODEC: "gzip"}, {CODEC: "unknown"}, {CODEC: ""}, {SHA256: "00"}, {SHA256: "x" * 64}, {SIZE: "-1"}, {SIZE: "5.0"},
        {SIZE: "٥"}, {SIZE: "9" * 20}, {MTIME: ""}, {MTIME: "9" * 19},
    ],
)  # fmt: skip
def test_notes_that_do_not_fit(wrong: dict[str, str]) -> None:
    """Then there are none."""
    assert as_noted(WANTED, NOTES | wrong, SUFFIXES) is None


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a.zst", "a"), ("d/a.b.zst", "d/a.b"), ("a.zst~0123456789abcdef", "a~0123456789abcdef"), ("a.zst~0", ""),
        ("d/.zst", ""), (".zst", ""), ("a.zs", ""), ("a\nb.zst", "a\nb"), ("zst", ""),
    ],
)  # fmt: skip
def test_the_name_before(path: str, expected: str) -> None:
    """Without the suffix; a second key stays one."""
    assert expected == original_path(path, ".zst")
    assert ("zstd" if expected else "") == codec_of(path, SUFFIXES)
