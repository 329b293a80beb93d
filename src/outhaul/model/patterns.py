"""Glob patterns over paths, as users of rsync, git and rclone write them.

`*` and `?` stay within one path part, `**` spans any number of parts, `[abc]` and `[!abc]` are sets. A pattern with a
'/' is matched against the whole path beneath the source; one without is matched against the file name, in any
directory. A '/' in front makes a pattern one of the whole path, as in gitignore(5): `/*.csv` is of the source itself.
`fnmatch` of the standard library lets `*` cross '/', and `glob.translate` comes with Python 3.13 only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

OWN_NAMES = (".outhaul*",)
"""Names that outhaul gives; never carried."""
TEMPORARY_NAMES = (
    "*.tmp",
    "*.temp",
    "*.part",
    "*.partial",
    "*.filepart",
    "*.crdownload",
    "*.swp",
    "*.swx",
    "*~",
    ".~*",
    ".#*",
    "~$*",
    ".nfs*",
    ".fuse_hidden*",
    ".syncthing.*",
    *OWN_NAMES,
)
"""Names that programs use while a file is not finished. Excluded unless a job says `temporary-names = true`."""


def compile_patterns(patterns: Sequence[str]) -> Callable[[str], bool] | None:
    """A function that tells whether a path matches any of `patterns`; None where there are none.

    It is asked of every file, so what most patterns are, `*.end`, `start*` and plain names, is not left to a regular
    expression.
    """
    if not patterns:
        return None
    ends = tuple(pattern[1:] for pattern in patterns if pattern[:1] == "*" and _literal(pattern[1:]))
    starts = tuple(pattern[:-1] for pattern in patterns if pattern[-1:] == "*" and _literal(pattern[:-1]))
    rest = [pattern for pattern in patterns if not (pattern[:1] == "*" and _literal(pattern[1:]))]
    rest = [pattern for pattern in rest if not (pattern[-1:] == "*" and _literal(pattern[:-1]))]
    exact = frozenset(pattern for pattern in rest if _literal(pattern))
    whole = frozenset(pattern[1:] for pattern in rest if pattern[:1] == "/" and not set("*?[") & set(pattern))
    rest = [pattern for pattern in rest if pattern not in exact and pattern[1:] not in whole]
    names = _any([pattern for pattern in rest if "/" not in pattern])
    paths = _any([pattern for pattern in rest if "/" in pattern])

    def matches(path: str) -> bool:
        name = path[path.rfind("/") + 1 :]
        return (
            name.endswith(ends)
            or name.startswith(starts)
            or name in exact
            or path in whole
            or (names is not None and names(name) is not None)
            or (paths is not None and paths(path) is not None)
        )

    return matches


def compile_reach(patterns: Sequence[str]) -> Callable[[str], bool] | None:
    """A function that tells whether a directory may hold, at any depth, a path that matches; None where each may.

    It is what a walk need not look into: `2026/*/log.csv` is not beneath `2025`.
    """
    if not patterns or not all("/" in pattern for pattern in patterns):
        return None
    found = _any([], [front for pattern in patterns for front in _fronts(pattern)])
    return lambda directory: not directory or (found is not None and found(directory) is not None)


def _fronts(pattern: str) -> Iterator[str]:
    """Regular expressions of the directories on the way to what a pattern matches."""
    parts, way = pattern.strip("/").split("/"), ""
    for part in parts[:-1]:
        if part == "**":
            break
        way += _part(part)
        yield way
        way += "/"
    if "**" in parts:
        yield way + ".*"


def _literal(text: str) -> bool:
    return not any(character in text for character in "*?[/")


def _any(patterns: Sequence[str], made: Sequence[str] = ()) -> Callable[[str], object] | None:
    """Of patterns, and of regular expressions that have been made of some."""
    every = [*map(_regex, patterns), *made]
    return re.compile("|".join(f"(?:{each})" for each in every), re.DOTALL).fullmatch if every else None


def _regex(pattern: str) -> str:
    if "/" not in pattern:
        return _part(pattern)
    parts = pattern.strip("/").split("/")
    last = len(parts) - 1
    out = []
    for index, part in enumerate(parts):
        if part == "**":
            out.append(".*" if index == last else "(?:[^/]+/)*")
        else:
            out.append(_part(part) + ("" if index == last else "/"))
    return "".join(out)


def _part(pattern: str) -> str:
    out, index = [], 0
    while index < len(pattern):
        character = pattern[index]
        index += 1
        if character == "*":
            out.append("[^/]*")
        elif character == "?":
            out.append("[^/]")
        elif character == "[" and (end := pattern.find("]", index + 1)) > 0:
            out.append(_set(pattern[index:end]))
            index = end + 1
        else:
            out.append(re.escape(character))
    return "".join(out)


def _set(inside: str) -> str:
    """A set such as `a-z` or `!0-9` for `re`, which gives some doubled characters a meaning of their own."""
    negated, members = ("^/", inside[1:]) if inside[0] in "!^" else ("", inside)
    parts, index = [], 0
    while index < len(members):
        if index + 2 < len(members) and members[index + 1] == "-":
            parts.append(f"{re.escape(members[index])}-{re.escape(members[index + 2])}")
            index += 3
        else:
            parts.append(re.escape(members[index]))
            index += 1
    return f"[{negated}{''.join(parts)}]"


def broken(pattern: str) -> str:
    """What is wrong with `pattern`, or '' where nothing is."""
    if not pattern.strip("/"):
        return "is empty"
    if ".." in pattern.split("/"):
        return "is relative to the source: no '..'"
    if "[[:" in pattern:
        return "has a character class such as [[:digit:]]; write [0-9]"
    try:
        re.compile(_regex(pattern))
    except re.error as error:
        return f"cannot be read ({error})"
    return ""


def unclosed(pattern: str) -> str:
    """What is wrong with a set of characters that does not end, or ''. It stands for its own characters, and is hardly meant so.

    For patterns that stay: a name that somebody looks for may well hold a bracket.
    """
    for part in pattern.split("/"):
        at = part.find("[")
        while at >= 0:
            end = part.find("]", at + 2)
            if end < 0:
                return 'has a "[" that no "]" closes; the character itself is written [[]'
            at = part.find("[", end + 1)
    return ""
