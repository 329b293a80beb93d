"""Paths as a configuration writes them, made absolute. Nothing has to exist."""

from __future__ import annotations

import os
from collections.abc import Callable

from outhaul.config.wording import shown


def absolute_from(base: str) -> Callable[[str], str]:
    """A function that makes paths absolute and normal: `~` and `~user` are homes, others begin at `base`.

    `..` is followed as the kernel follows it, through symbolic links; other links stay as they are written.
    The function raises ValueError, with what to write instead, for a text that can be no path.
    """

    def absolute(text: str) -> str:
        if not text.strip():
            raise ValueError("is empty; write a directory")
        try:
            encoded = os.fsencode(text)
        except UnicodeEncodeError:
            encoded = b"\0"
        if b"\0" in encoded:
            raise ValueError(f"{shown(text)} holds a character that no path can hold")
        expanded = os.path.expanduser(text)
        if expanded.startswith("~"):
            raise ValueError(f"{shown(text)} names no user of this machine; write ./ in front of a name with '~'")
        path = os.path.join(base, expanded)
        if ".." in path.split("/"):
            path = os.path.realpath(path)
        return "/" + os.path.normpath(path).lstrip("/")

    return absolute
