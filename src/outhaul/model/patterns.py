"""Glob patterns over paths, as users of rsync, git and rclone write them.

`*` and `?` stay within one path part, `**` spans any number of parts, `[abc]` and `[!abc]` are sets. A pattern with a
'/' is matched against the whole path beneath the source; one without is matched against the file name, in any
directory. `fnmatch` of the standard library lets `*` cross '/', and `glob.translate` comes with Python 3.13 only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

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
    ".nfs[0-9a-f]*",
    ".fuse_hidden*",
    ".syncthing.*",
    ".outhaul*",
)
"""Names that programs use while a file is not finished. Excluded unless a job says `temporary-names = true`."""


def compile_patterns(patterns: Sequence[str]) -> Callable[[str], bool] | None:
    """A function that tells whether a path matches any of `patterns`; None where there are none."""
    if not patterns:
        return None
    match = re.compile("|".join(f"(?:{_regex(pattern)})" for pattern in patterns), re.DOTALL).fullmatch
    return lambda path: match(path) is not None


def _regex(pattern: str) -> str:
    if "/" not in pattern:
        return "(?:.*/)?" + _part(pattern)
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
            inside = pattern[index:end].replace("\\", r"\\").replace("[", r"\[")
            out.append("[" + ("^/" + inside[1:] if inside[0] in "!^" else inside) + "]")
            index = end + 1
        else:
            out.append(re.escape(character))
    return "".join(out)


def broken(pattern: str) -> str:
    """What is wrong with `pattern`, or '' where nothing is."""
    if not pattern.strip("/"):
        return "is empty"
    if pattern.startswith("/") or ".." in pattern.split("/"):
        return "is relative to the source: no '/' in front and no '..'"
    try:
        re.compile(_regex(pattern))
    except re.error as error:
        return f"cannot be read ({error})"
    return ""
