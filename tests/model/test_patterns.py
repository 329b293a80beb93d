"""Patterns mean what users of rsync, git and rclone expect of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outhaul.model.patterns import TEMPORARY_NAMES, broken, compile_patterns, compile_reach

# pattern, paths that match, paths that do not
TABLE = [
    ("*.csv", ["a.csv", ".csv", "deep/er/b.csv"], ["a.csv.gz", "a.CSV", "csv", "a.csv/b"]),
    ("*", ["a", "a/b", ".hidden"], []),
    ("**", ["a", "a/b/c"], []),
    ("**/*.csv", ["a.csv", "x/a.csv", "x/y/a.csv"], ["a.log", "x/y"]),
    ("data/*.csv", ["data/a.csv"], ["data/x/a.csv", "x/data/a.csv", "a.csv"]),
    ("data/**", ["data/a", "data/x/y"], ["data", "dat/a", "x/data/a"]),
    ("data/**/x", ["data/x", "data/a/x", "data/a/b/x"], ["x", "data/ax"]),
    ("**/raw/**", ["raw/a", "x/raw/a/b"], ["raw", "xraw/a"]),
    ("a?c", ["abc", "x/a.c"], ["ac", "abbc", "a/c"]),
    ("[abc].txt", ["a.txt", "d/b.txt"], ["d.txt", "ab.txt"]),
    ("[!abc].txt", ["d.txt"], ["a.txt"]),
    ("[a-c]x", ["bx"], ["dx", "-x"]),
    ("x/[!a]", ["x/b"], ["x/a", "x//"]),
    ("[", ["["], ["a"]),
    ("[]x]", ["]", "x"], ["[]x]"]),
    ("a.b", ["a.b"], ["aXb"]),
    ("a+(b)|c$^{1}", ["a+(b)|c$^{1}"], ["aab"]),
    ("start*", ["start", "start.csv", "a/started"], ["restart", "start/x"]),
    ("*mid*", ["mid", "a mid b", "x/amidb"], ["mi", "mid/x"]),
    ("exact", ["exact", "in/exact"], ["exactly", "inexact", "exact/x"]),
    ("*\n*", ["new\nline"], ["newline"]),
    ("dir/", ["dir"], ["x/dir", "dir/a"]),
    ("ü*", ["über"], ["uber"]),
    ("/*.csv", ["a.csv"], ["x/a.csv"]),
    ("/data/*", ["data/a"], ["x/data/a", "data/x/a"]),
]

# patterns, directories that they lead into, directories that they do not
REACH = [
    (["/*.csv"], [""], ["a", "a/b"]),
    (["a/*.csv"], ["", "a"], ["b", "a/b"]),
    (["a/b/*/c/x"], ["", "a", "a/b", "a/b/x", "a/b/x/c"], ["b", "a/x", "a/b/x/y", "a/b/x/c/d"]),
    (["**/x"], ["", "a", "a/b"], []),
    (["a/**"], ["", "a", "a/b/c"], ["b", "ab"]),
    (["a/**/b/x", "c[0-9]/x"], ["", "a", "a/x", "a/b", "c1"], ["c", "c1/x", "b"]),
]


@pytest.mark.parametrize(("pattern", "matching", "others"), TABLE)
def test_the_table(pattern: str, matching: list[str], others: list[str]) -> None:
    """A pattern without '/' is of the name in any directory, one with '/' of the whole path; '*' stays in its part."""
    matches = compile_patterns((pattern,))
    assert matches is not None
    assert matching == [path for path in [*matching, *others] if matches(path)]
    assert broken(pattern) == ""


def test_any_of_several() -> None:
    """A path matches several patterns when it matches one of them, of whatever kind."""
    matches = compile_patterns(("*.csv", "log*", "data/*.bin", "x?y"))
    assert matches is not None
    assert [matches(p) for p in ("a.csv", "b/log1", "data/a.bin", "xzy", "a.bin")] == [True, True, True, True, False]


def test_no_patterns() -> None:
    """None is not the same as one that matches nothing."""
    assert compile_patterns(()) is None


@pytest.mark.parametrize(
    "name",
    ["x.tmp", "x.csv.part", "x.partial", ".x.swp", "x~", ".~lock.x#", ".#x", "~$x.docx", ".nfs0000abc", ".fuse_hidden01",
     ".syncthing.x.tmp", ".outhaul", "x.crdownload", "d/x.filepart"],
)  # fmt: skip
def test_temporary_names(name: str) -> None:
    """Names that programs give to what is not finished are temporary."""
    matches = compile_patterns(TEMPORARY_NAMES)
    assert matches is not None
    assert matches(name)


@pytest.mark.parametrize(
    "name", ["x.csv", "tmp", "part", "a.tmpl", "x.tmp.csv", "party", ".bashrc", "x.nfs", "~"[:0] + "home~x"]
)
def test_names_that_are_not_temporary(name: str) -> None:
    """Others are carried."""
    matches = compile_patterns(TEMPORARY_NAMES)
    assert matches is not None
    assert not matches(name)


@pytest.mark.parametrize(("patterns", "into", "past"), REACH)
def test_where_patterns_lead(patterns: list[str], into: list[str], past: list[str]) -> None:
    """Only a directory that cannot hold what matches is passed by."""
    reach = compile_reach(patterns)
    assert reach is not None
    assert [directory for directory in into if not reach(directory)] == []
    assert [directory for directory in past if reach(directory)] == []


@pytest.mark.parametrize("patterns", [[], ["*.csv"], ["a/x", "x"]])
def test_patterns_that_lead_anywhere(patterns: list[str]) -> None:
    """A pattern of the name alone matches in any directory."""
    assert compile_reach(patterns) is None


WORDS = st.sampled_from(["a", "b", "*", "**", "?", "[ab]"])


@given(st.lists(WORDS, min_size=2, max_size=4), st.lists(st.sampled_from("ab"), min_size=1, max_size=5))
def test_no_match_is_passed_by(parts: list[str], path: list[str]) -> None:
    """Whatever matches lies in directories that the pattern leads into."""
    pattern = "/".join(parts)
    matches, reach = compile_patterns([pattern]), compile_reach([pattern])
    assert matches is not None
    if reach is not None and matches("/".join(path)):
        assert [path[:end] for end in range(len(path)) if not reach("/".join(path[:end]))] == []


@pytest.mark.parametrize("pattern", ["", "/", "../up", "a/../b", "[z-a]"])
def test_broken_patterns(pattern: str) -> None:
    """A pattern that can mean nothing is said to be broken before a run, in words."""
    assert broken(pattern)


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=12), st.text(max_size=12))
def test_a_pattern_that_is_not_broken_never_fails(pattern: str, path: str) -> None:
    """Whatever is accepted can be asked of whatever name."""
    if not broken(pattern):
        matches = compile_patterns((pattern,))
        assert matches is not None
        matches(path)
