"""Which names may be written, what a listing stands for, and which receipts are meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outhaul.model.keys import escape
from outhaul.model.returning import Listed, Wanted, refusal, second_key_digits, wanted_object, wanted_objects
from outhaul.model.selection import Chooser

HOSTILE = [
    "..",
    ".",
    "",
    "a",
    "b.csv",
    "\0",
    "..\\",
    "...",
    "~root",
    "%2e%2e",
    "%2F",
    "C:",
    "-rf",
    "\n",
    "é",
    "x" * 256,
]


@given(st.lists(st.sampled_from(HOSTILE), max_size=6).map("/".join))
def test_what_may_be_written_stays_beneath(path: str) -> None:
    """A path that is not refused has only plain parts, of at most 255 bytes, and no NUL (hazard 122)."""
    parts = path.split("/")
    harmless = all(part not in ("", ".", "..") and len(part.encode()) <= 255 and "\0" not in part for part in parts)
    assert harmless == (refusal(path) == "")


@given(st.text(min_size=1, max_size=40))
def test_a_key_of_ours_is_its_path_again(path: str) -> None:
    """What `escape` made comes back as the path that it was made from, refused or not."""
    key = f"site/{escape(path)}"
    assert wanted_object(0, "site", Listed(key, 1, "", 0)).path == path


@pytest.mark.parametrize(
    ("key", "length", "refused", "path"),
    [
        ("site/a.csv", 1, "", "a.csv"),
        ("site/100%25.csv", 1, "", "100%.csv"),
        ("site/100%.csv", 1, "", "100%.csv"),
        ("site/../x", 1, "refused-name", "../x"),
        ("site//x", 1, "refused-name", "/x"),
        ("site/%00", 1, "refused-name", "\0"),
        ("site/folder/", 0, "marker", "folder/"),
        ("site/folder/", 1, "refused-name", "folder/"),
        ("site/.outhaul-probe-refused", 9, "marker", ".outhaul-probe-refused"),
    ],
)
def test_what_a_key_stands_for(key: str, length: int, refused: str, path: str) -> None:
    """A key of ours is unescaped, another's is taken as it is; what may not be written, or is no file, is told."""
    wanted = wanted_object(3, "site", Listed(key, length, "etag", 5))
    assert (wanted.refused, wanted.path, wanted.place, wanted.key, wanted.mtime_ns) == (refused, path, 3, key, 5)


def test_two_keys_of_one_path() -> None:
    """An escaped key and one that is not ours may have one path: the second is told, never mixed up with the first."""
    listed = [Listed(key, 1, "", 0) for key in ("100%.csv", "100%25.csv", "a%25", "b")]
    assert [wanted.refused for wanted in wanted_objects(0, "", listed)] == ["", "collides", "", ""]


@pytest.mark.parametrize(
    ("key", "digits"),
    [
        ("a.csv~0123456789abcdef", "0123456789abcdef"),
        ("a.csv~0123456789ABCDEF", ""),
        ("a~0123", ""),
        ("~0123456789abcdef", ""),
    ],
)
def test_second_keys(key: str, digits: str) -> None:
    """A second key is a key, '~' and 16 small hexadecimal digits."""
    assert second_key_digits(key) == digits


@pytest.mark.parametrize(
    ("word", "fits"),
    [
        ("/data/done/2026/a.csv", True),
        ("/data/done/2026", True),
        ("/data/done/", True),
        ("/", True),
        ("/data/done/2026/a", False),
        ("/data/*/2026/*.csv", True),
        ("2026/a.csv", True),
        ("2026", True),
        ("2026/", True),
        ("202", False),
        ("a.csv", True),
        ("*.csv", True),
        ("**", True),
        ("*.log", False),
    ],
)
def test_words(word: str, fits: bool) -> None:
    """A word is a path of a file or directory, absolute or beneath the source, or a pattern; what met nothing is told."""
    chooser = Chooser([word, "never"])
    assert chooser("/data/done", "2026/a.csv") is fits
    assert list(chooser.unmatched) == (["never"] if fits else [word, "never"])


def test_a_name_that_looks_like_a_pattern() -> None:
    """A file whose name has brackets is found by that name."""
    assert Chooser(["a[1].csv"])("/s", "a[1].csv")


def test_no_words_mean_all() -> None:
    """Without words every file is meant."""
    assert Chooser([])("/s", "x") and Wanted("x", 0, "x").size == -1
