"""Names are data: any bytes become a key, and the key becomes those bytes again (L13)."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outhaul.model.keys import escape, object_key, path_of, printable, second_key
from outhaul.testing.contracts.store import ODD_NAMES

NAMES = st.binary(min_size=1, max_size=60).filter(lambda name: not {0, 47} & set(name))
PATHS = st.lists(NAMES, min_size=1, max_size=4).map(b"/".join) | st.sampled_from(ODD_NAMES)
TEXTS = st.text(st.characters(exclude_characters="\0"), max_size=40)


def text(path: bytes) -> str:
    """A path as Python has it."""
    return path.decode("utf-8", "surrogateescape")


@given(PATHS)
def test_every_path_comes_back(path: bytes) -> None:
    """path_of takes escape back, to the byte."""
    assert path == path_of(escape(text(path))).encode("utf-8", "surrogateescape")


@given(PATHS, PATHS)
def test_two_paths_never_meet(one: bytes, other: bytes) -> None:
    """Different names have different keys, under a prefix too."""
    assert (one == other) == (object_key("p", text(one)) == object_key("p", text(other)))


@given(PATHS)
def test_a_key_is_text_without_controls(path: bytes) -> None:
    """A key is UTF-8, holds no control character, and as many parts as the path."""
    key = escape(text(path))
    key.encode("utf-8")
    assert [c for c in key if unicodedata.category(c) in ("Cc", "Cs")] == []
    assert path.count(b"/") == key.count("/")


@pytest.mark.parametrize("character", ["\ufffe", "\uffff"])
def test_a_key_can_be_listed(character: str) -> None:
    """A key holds no character that a listing in XML 1.0 cannot hold (XML 1.0, section 2.2, 'Char')."""
    assert character not in escape(character)


@given(PATHS)
def test_ordinary_names_stay_readable(path: bytes) -> None:
    """What is plain printable text is its own key."""
    name = text(path)
    if name.isprintable() and "%" not in name:
        assert name == escape(name)


@given(TEXTS)
def test_only_keys_that_escape_makes_are_paths(key: str) -> None:
    """path_of gives a path whose key is this very one, or refuses."""
    try:
        path = path_of(key)
    except (ValueError, UnicodeEncodeError):
        return
    assert key == escape(path)


@pytest.mark.parametrize("key", ["%41", "%2", "%", "100%", "a%zz", "%e9", "%2F"])
def test_a_key_of_somebody_else_is_refused(key: str) -> None:
    """A key that escape never makes is not guessed at."""
    with pytest.raises(ValueError, match="not an escaped path"):
        path_of(key)


def test_a_second_key_is_of_its_content() -> None:
    """It is the key and the beginning of the digest; other content, other key."""
    assert second_key("a/b.csv", bytes([0, 1, 2, 3, 4, 5, 6, 255, 8]) + bytes(23)) == "a/b.csv~00010203040506ff"


@given(st.text(max_size=60) | PATHS.map(text))
def test_printable_is_harmless(name: str) -> None:
    """What goes to a terminal is one line, and holds nothing that a terminal or a reader would interpret."""
    shown = printable(name)
    shown.encode("utf-8")
    assert [
        c
        for c in shown
        if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp", "Cn") or unicodedata.bidirectional(c) in _DIRECTIONS
    ] == []
    assert len(shown.splitlines() or [""]) == 1


_DIRECTIONS = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("plain name.csv", "plain name.csv"),
        ("Zürich 東京 🦊", "Zürich 東京 🦊"),
        ("a\nb\tc\rd", "a\\x0ab\\x09c\\x0dd"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\udcff\udc80", "\\xff\\x80"),
        ("fdp.\u202egpj", "fdp.\\u202egpj"),
        ("a\u2028b\u200fc", "a\\u2028b\\u200fc"),
        ("\x9b31m", "\\x9b31m"),
        ("", ""),
    ],
)
def test_what_is_shown(name: str, shown: str) -> None:
    """Letters stay; what would be interpreted is written out."""
    assert shown == printable(name)
